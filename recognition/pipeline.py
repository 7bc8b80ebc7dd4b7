"""The steps in order: for one segment (decode, detect, track, embed) and for one enrolment photo."""

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from recognition.detection.alignment import align_face, jitter_crop, simulate_distance
from recognition.detection.detector import Detector, DetectorSettings
from recognition.detection.quality import assess_face, judge_enrolment_photo
from recognition.detection.search_schedule import find_faces
from recognition.embedding import Embedder, load_embedder
from recognition.identification.gallery import unit
from recognition.media.image_statistics import ImageStatistics
from recognition.media.photo import read_photo
from recognition.media.prefetch import prefetch
from recognition.media.video import sample_frames
from recognition.messages import Message
from recognition.tracking.tracker import Look, OpenTrack, Tracker
from recognition.types import Crop, EnrolmentPhoto, Face, Frame, Segment, SegmentResult, Track, VideoInfo

CROPS = 3
AHEAD = 4  # frames
LEAST_SCORE = (
    0.8  # of the detector, for a face to count as one: what it finds below that is a face in half of the cases
)
PHOTO_SIDE = 1600  # pixels; a face in an enrolment photo is large, so larger photos are shrunk before the search
PHOTO_MIN_FACE = 32  # pixels


@dataclass(frozen=True, slots=True)
class Settings:
    """`every`: seconds between the frames looked at. `min_face`: height in pixels of the smallest face looked for."""

    every: float = 2.0
    min_face: int = 24


@dataclass(frozen=True, slots=True)
class Models:
    """The networks, loaded once a process."""

    embedder: Embedder

    @classmethod
    def load(cls, embedder: str = "dlib-resnet-v1", weights: Path | None = None) -> "Models":
        """Raises WeightsMissing when the embedder's weights can't be found or read."""
        return cls(load_embedder(embedder, weights))

    def embed(self, crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Unit vectors (n, d) of face crops (s, s, 3): each the mean of the face crop's and its mirror image's."""
        stack = (
            np.stack(crops) if crops else np.empty((0, self.embedder.crop_size, self.embedder.crop_size, 3), np.uint8)
        )
        return unit(self.embedder.embed(stack) + self.embedder.embed(np.ascontiguousarray(stack[:, :, ::-1])))

    def embed_once(self, crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Unit vectors (n, d) of face crops (s, s, 3) of faces of which there is one look only: each the mean of several views of it."""
        seen = self.embed([view for crop in crops for view in jitter_crop(crop)])
        return unit(seen.reshape(len(crops), -1, self.embedder.dimension).sum(axis=1)) if crops else seen

    def enrol(self, crop: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The unit vector (d,) of an enrolment photo's face crop: the mean of what it is from near and from far, since the photo shows
        a large face and the camera in the room a small one."""
        near, *far = self.embed([crop, *simulate_distance(crop)])
        return unit(near + np.mean(far, axis=0))

    def look(self, frame: Frame, face: Face) -> Look:
        crop = align_face(frame.image, face, self.embedder.targets, self.embedder.crop_size)
        return Look(frame.time, face, assess_face(face, crop).value, crop)


def recognise_segment(
    path: Path,
    info: VideoInfo,
    segment: Segment,
    models: Models,
    settings: Settings | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> SegmentResult:
    """The tracks of one segment, each with the embeddings of its best looks.

    `on_progress` is told the share done (0..1) after each frame, and may raise to stop the work.
    Raises UnreadableRecording when nothing of the segment can be decoded.
    """
    settings = settings or Settings()
    tracker, statistics = Tracker(info.duration), ImageStatistics()
    frames = faces = 0
    pictures = prefetch(sample_frames(path, info, segment, settings.every), AHEAD)
    for seen in prefetch(
        find_faces(pictures, Detector(DetectorSettings(min_face=settings.min_face)), LEAST_SCORE), AHEAD
    ):
        looks = [models.look(seen.frame, face) for face in seen.faces]
        tracker.update(seen.frame.time, looks, seen.starts_scene)
        tracker.watch(seen.frame)
        statistics.add(seen.frame.image)
        frames += 1
        faces += len(looks)
        if on_progress:
            length = max(segment.end - segment.start, 1e-9)
            on_progress(float(np.clip((seen.frame.time - segment.start) / length, 0, 1)))
    tracks = tuple(_finished(tracker.tracks, segment, models.embed_once if info.is_photo else models.embed))
    return SegmentResult(models.embedder.id, frames, faces, tracks, statistics.light, statistics.motion)


def _finished(
    tracks: Sequence[OpenTrack], segment: Segment, embed: Callable[[Sequence[NDArray[np.uint8]]], NDArray[np.float32]]
) -> Iterator[Track]:
    """The tracks with their looks embedded, all in one go."""
    looks = [[track.looks[part] for part in sorted(track.looks)] for track in tracks]
    vectors = iter(embed([look.crop for mine in looks for look in mine]))
    for track, mine in zip(tracks, looks, strict=True):
        embeddings = np.stack(list(islice(vectors, len(mine))))
        qualities = np.array([look.quality for look in mine], np.float32)
        # The pictures that show a person best are the most typical of the good looks: a hand before the face is sharp too.
        typical = np.where(qualities >= qualities.max() / 2, embeddings @ (qualities @ embeddings), -1.0)
        best = [mine[i] for i in np.argsort(-typical, kind="stable")[:CROPS] if typical[i] > -1]
        yield Track(
            segment=segment.index,
            times=np.array(track.times, np.float64),
            boxes=np.stack(track.boxes).astype(np.float32),
            embeddings=embeddings,
            qualities=qualities,
            crops=tuple(Crop(look.time, look.quality, jpeg(look.crop)) for look in best),
            motion=track.motion,
        )


def check_photo(path: Path, models: Models, *, strict: bool = True) -> EnrolmentPhoto:
    """What an enrolment photo is worth, and its embedding. Of several faces the one nearest the centre counts.

    A rejected photo has no embedding, but when not `strict` it has one wherever there is a face.
    Raises UnreadableRecording when the file is no photo, RecordingOutOfLimits when it is absurdly large.
    """
    image = read_photo(path)[0]
    side = max(image.shape[:2])
    if side > PHOTO_SIDE:
        size = (round(image.shape[1] * PHOTO_SIDE / side), round(image.shape[0] * PHOTO_SIDE / side))
        image = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BOX))
    height, width = image.shape[:2]
    found = Detector(DetectorSettings(min_face=PHOTO_MIN_FACE)).detect([image])[0]
    if not found:
        nobody = Message("No face was found in the photo; use one that shows the student's face from the front.")
        return EnrolmentPhoto("rejected", nobody)
    face = min(found, key=lambda face: float(np.hypot(*((face.box[:2] + face.box[2:]) / 2 - (width / 2, height / 2)))))
    crop = align_face(image, face, models.embedder.targets, models.embedder.crop_size)
    quality = assess_face(face, crop)
    verdict, reason = judge_enrolment_photo(quality)
    large = [
        other for other in found if np.prod(other.box[2:] - other.box[:2]) > 0.25 * np.prod(face.box[2:] - face.box[:2])
    ]
    if verdict == "accepted" and len(large) > 1:
        several = Message("Several faces ({n}) are in the photo; the one nearest the centre was taken.", n=len(large))
        verdict, reason = "warning", several
    vector = None if strict and verdict == "rejected" else models.enrol(crop)
    return EnrolmentPhoto(verdict, reason, quality.face_px, quality.sharpness, quality.value, vector, jpeg(crop))


def jpeg(crop: NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(crop).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()
