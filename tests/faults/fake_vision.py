"""A stand-in for the models: "videos" and "photos" are JSON that says who is in them, and what goes wrong.

A video is {"segments": [[person, ...], ...], "crash": [index, ...], "fail": [index, ...], "full": file, "gate": folder,
"deaf": bool, "started_at": time, "seconds": length where it is not a minute a segment,
"work": seconds that a segment takes, "photo": bool, for one of the room};
a photo is {"person": n, "variation": n}. With a gate, the worker of each segment writes its process id to
<gate>/<index>-<pid> and waits for <gate>/open; a deaf one does not notice while it waits that it was cancelled. The
disk is full while the file `full` exists.
"""

import errno
import io
import json
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from recognition.errors import UnreadableRecording, WeightsMissing
from recognition.identification.gallery import Gallery
from recognition.media.decoder_requests import DECODER
from recognition.media.photo import StoredPhoto
from recognition.messages import Message
from recognition.types import Crop, EnrolmentPhoto, Face, Segment, SegmentResult, Track, VideoInfo
from recognition.vectors import normalise

EMBEDDER = "dlib-resnet-v1"
JPEG_HEAD = b"\xff\xd8\xff\xe0"  # before a photo's JSON, so that it is taken for a photo


def face(person: int, variation: int, embedder: str = EMBEDDER) -> NDArray[np.float32]:
    """A unit vector, close to other variations of the same person, far from other people's and other embedders'."""
    identity, noise = np.random.default_rng([person, *embedder.encode()]), np.random.default_rng([person, variation])
    vector = identity.standard_normal(128) + 0.02 * noise.standard_normal(128)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def picture(*colour: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (200, 200), tuple(40 * part for part in colour)).save(buffer, "JPEG")
    return buffer.getvalue()


@dataclass(frozen=True)
class Embedder:
    """Knows people in stored crops by the colour that `picture` gave them."""

    id: str = EMBEDDER
    crop_size: int = 150
    dimension: int = 128

    def crop(self, image: NDArray[np.uint8], found: Face, aligned: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return aligned

    def embed(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        colours = np.round(crops.reshape(len(crops), self.crop_size**2, 3).mean(axis=1) / 40).astype(int)
        vectors = [face(person, 500 + 10 * segment + i, self.id) for person, segment, i in colours.tolist()]
        return np.array(vectors, np.float32).reshape(-1, self.dimension)

    def normalise(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        return normalise(vectors)


def load_embedder(id: str = EMBEDDER, weights: Path | None = None, runtime: object = None) -> Embedder:
    if os.environ.get("FAULT_NO_WEIGHTS"):
        raise WeightsMissing("There are no weights of this model. Ask the administrator.")
    return Embedder(id)


def script(path: Path | StoredPhoto) -> dict:
    if isinstance(path, Path) and (fill := DECODER._fills.get(str(path))):
        fill(0, path.stat().st_size)  # as the sandbox has it
    try:
        return json.loads(path.read_bytes().removeprefix(JPEG_HEAD))
    except ValueError:
        raise UnreadableRecording("This is no video. Upload another file.") from None


def probe(path: Path) -> VideoInfo:
    commands = script(path)
    started_at, is_photo = commands.get("started_at"), commands.get("photo", False)
    return VideoInfo(
        container="mp4",
        codec="h264",
        width=1280,
        height=720,
        rotation=0,
        fps=25.0,
        duration=0.0 if is_photo else commands.get("seconds", 60.0 * len(commands["segments"])),
        started_at=started_at and datetime.fromisoformat(started_at),
        is_photo=is_photo,
    )


def plan_segments(path: Path, info: VideoInfo, seconds: float = 60.0) -> list[Segment]:
    if info.is_photo:
        return [Segment(0, 0.0, 0.0)]
    count = len(script(path)["segments"])
    return [Segment(i, 60.0 * i, min(60.0 * (i + 1), info.duration)) for i in range(count)]


def process_segment(
    path: Path,
    info: VideoInfo,
    segment: Segment,
    embedder: Embedder,
    detector: object = None,
    *,
    gallery: Gallery | None = None,
    sample_every: float = 2.0,
    on_progress: Callable[[float], None],
) -> SegmentResult:
    commands = script(path)
    on_progress(0.0)
    if gate := commands.get("gate"):
        Path(gate, f"{segment.index}-{os.getpid()}").touch()
        while not Path(gate, "open").exists():
            time.sleep(0.02)
            if not commands.get("deaf"):
                on_progress(0.5)
    for _ in range(int(10 * commands.get("work", 0))):
        time.sleep(0.1)
        on_progress(0.5)
    if (full := commands.get("full")) and Path(full).exists():
        raise OSError(errno.ENOSPC, "No space left on device")
    if segment.index in commands.get("crash", []):
        os.kill(os.getpid(), signal.SIGKILL)
    if segment.index in commands.get("fail", []):
        raise UnreadableRecording("That part is damaged.")
    times = np.array([0.0]) if info.is_photo else np.arange(segment.start, segment.end, 2.0)
    tracks = tuple(
        Track(
            segment=segment.index,
            times=times,
            boxes=np.tile(np.array([100.0 * person, 0, 100.0 * person + 50, 60], np.float32), (len(times), 1)),
            embeddings=np.stack([face(person, 100 * segment.index + variation, embedder.id) for variation in range(3)]),
            qualities=np.array([0.9, 0.8, 0.7], np.float32),
            crops=tuple(
                Crop(time=float(times[i]), quality=0.9 - 0.1 * i, jpeg=picture(person, segment.index, i))
                for i in range(min(3, len(times)))
            ),
        )
        for person in commands["segments"][int(segment.start // 60)]
    )
    return SegmentResult(embedder=embedder.id, frames=len(times), faces=len(times) * len(tracks), tracks=tracks)


def check_enrolment_photos(
    paths: Iterable[Path | StoredPhoto], embedder: Embedder, detector: object = None, *, strict: bool = True
) -> Iterator[EnrolmentPhoto]:
    for path in paths:
        yield check_enrolment_photo(path, embedder)


def check_enrolment_photo(
    path: Path | StoredPhoto, embedder: Embedder, detector: object = None, *, strict: bool = True
) -> EnrolmentPhoto:
    photo = script(path)
    vector = face(photo["person"], photo["variation"], embedder.id)
    return EnrolmentPhoto(
        verdict="accepted",
        reason=Message(),
        face_px=100.0,
        sharpness=0.9,
        quality=0.9,
        embedding=vector,
        crop=picture(photo["person"], 0, 0),
    )
