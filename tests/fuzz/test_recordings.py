"""Videos and photos: of any bytes, a recording is read to its end or refused with a sentence."""

import io
import math
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import strategies as st
from PIL import Image

from recognition.errors import RecognitionError
from recognition.media.photo_reader import read_photo
from recognition.media.video_reader import plan_segments, probe, sample_frames
from tests.fuzz.fuzzing import fuzz
from tests.fuzz.mutations import case_files, mutated
from tests.recognition import video_files
from tests.recognition.media.test_devices import dahua_file, remuxed

pytestmark = pytest.mark.filterwarnings("ignore")  # of Pillow, about damaged photos

CONTAINERS = ["mp4", "matroska", "mpegts", "avi", "flv", "asf", "mov"]
CODECS = ["hevc", "mpeg4", "mjpeg", "vp9"]
SIZE = (64, 48)
MAX_FRAMES = 200
TOKENS = [
    *(
        b"\0\0\0\0",
        b"\xff\xff\xff\xff",
        b"\x7f\xff\xff\xff",
        b"\x80\0\0\0",
        b"\0\0\1",
        b"\0\0\0\1\x67",
        b"G",
        b"\x47\x40\0",
    ),
    *(
        b"moov",
        b"mdat",
        b"stco",
        b"stts",
        b"elst",
        b"tkhd",
        b"trun",
        b"moof",
        b"free",
        b"\x1a\x45\xdf\xa3",
        b"RIFF",
        b"idx1",
    ),
]


@cache
def videos() -> list[bytes]:
    """Two seconds in each container and coding."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = video_files.video(folder / "source.mp4", seconds=2, size=SIZE, gop=5)
        made = [source, dahua_file(source, folder / "recorder.dav")]
        made += [remuxed(source, folder / kind, kind) for kind in ("vob", "h264", "flv")]
        for kind in CONTAINERS:
            made.append(video_files.video(folder / f"a.{kind}", container=kind, seconds=2, size=SIZE, b_frames=2))
        for codec in CODECS:
            path = folder / f"{codec}.mkv"
            made.append(video_files.video(path, codec=codec, container="matroska", seconds=2, size=SIZE))
        made.append(video_files.video(folder / "turned.mp4", seconds=1, size=SIZE, rotation=90, sound=True))
        made.append(
            video_files.video(
                folder / "live.mp4", seconds=2, size=SIZE, container_options={"movflags": "frag_keyframe+empty_moov"}
            )
        )
        return [path.read_bytes() for path in made]


@cache
def photos() -> list[bytes]:
    """A small picture of each kind that is read."""
    picture = Image.fromarray(video_files.picture(77, *SIZE))
    kinds = [
        ("JPEG", "RGB"),
        ("JPEG", "CMYK"),
        ("PNG", "RGBA"),
        ("PNG", "I;16"),
        ("PNG", "P"),
        ("WEBP", "RGB"),
        ("GIF", "P"),
    ]
    kinds += [("TIFF", "RGB"), ("TIFF", "1"), ("BMP", "RGB"), ("JPEG2000", "RGB"), ("HEIF", "RGB"), ("AVIF", "RGB")]
    made = []
    for kind, mode in kinds:
        content = io.BytesIO()
        grey = Image.fromarray(np.asarray(picture.convert("L"), np.uint16) * 200)
        (grey if mode == "I;16" else picture.convert(mode)).save(content, kind)
        made.append(content.getvalue())
    return made + case_files("photos")


def read_to_the_end(path: Path) -> None:
    info = probe(path)
    assert info.width > 0
    assert info.height > 0
    assert math.isfinite(info.duration)
    segments = plan_segments(path, info, 1.0)
    assert segments[0].start == 0
    assert segments[-1].end == info.duration
    taken = 0
    for segment in segments:
        try:
            for frame in sample_frames(path, info, segment, 0.5):
                assert frame.image.shape == (info.height, info.width, 3)
                assert frame.image.dtype == np.uint8
                assert segment.start - 0.5 <= frame.time <= segment.end + 0.5
                taken += 1
                if taken == MAX_FRAMES:
                    return
        except RecognitionError:
            continue


@fuzz(content=st.deferred(lambda: mutated(videos(), TOKENS)))
def test_a_video_is_read_or_refused(content: bytes) -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        with suppress(RecognitionError):
            read_to_the_end(Path(file.name))


@fuzz(content=st.deferred(lambda: mutated(photos(), TOKENS)))
def test_a_photo_is_read_or_refused(content: bytes) -> None:
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        try:
            image, kind, _taken_at = read_photo(Path(file.name))
            read_to_the_end(Path(file.name))
        except RecognitionError:
            return
        assert image.ndim == 3
        assert kind
