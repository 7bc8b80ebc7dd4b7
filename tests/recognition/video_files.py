"""Make small recordings whose every picture says which one it is, so that tests can tell what moment a frame shows.

Ten blocks across the middle of a picture are its number in black and white; the corners are red, green, blue and white
(clockwise from top left), so that a turned picture is noticed.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

BITS = 10
CORNERS = ((255, 0, 0), (0, 255, 0), (255, 255, 255), (0, 0, 255))
CLOCK = 12800  # ticks a second of the files made here
ENCODERS = {
    "h264": ("libx264", {"preset": "veryfast", "sc_threshold": "0"}),
    "hevc": ("libx265", {"preset": "ultrafast", "x265-params": "log-level=none:scenecut=0"}),
    "mpeg4": ("mpeg4", {}),
    "mjpeg": ("mjpeg", {}),
    "vp9": ("libvpx-vp9", {"cpu-used": "8", "deadline": "realtime"}),
    "av1": ("libsvtav1", {"preset": "12"}),
}


def picture(number: int, width: int = 160, height: int = 120) -> NDArray[np.uint8]:
    """The picture with this number (0..1023): uint8 RGB of shape (height, width, 3)."""
    image = np.full((height, width, 3), 128, np.uint8)
    third, half = height // 3, width // 2
    image[:third, :half], image[:third, half:], image[-third:, half:], image[-third:, :half] = CORNERS
    for bit, block in enumerate(np.array_split(image[third:-third], BITS, axis=1)):
        block[:] = 235 if number >> bit & 1 else 20
    return image


def number_of(image: NDArray[np.uint8]) -> int:
    """The number of the picture that was made by `picture`, whatever the compression did to it; fails if it is not
    upright.
    """
    height, width = image.shape[:2]
    seen = [
        image[y, x].astype(int) for y in (height // 8, height - height // 8) for x in (width // 6, width - width // 6)
    ]
    expected = [CORNERS[0], CORNERS[1], CORNERS[3], CORNERS[2]]
    for colour, corner in zip(seen, expected, strict=True):
        assert np.abs(colour - corner).max() < 100, f"the picture is not upright: {colour} where {corner} belongs"
    third = height // 3
    blocks = np.array_split(image[third:-third], BITS, axis=1)
    return sum(
        int(block[block.shape[0] // 3 : -block.shape[0] // 3].mean() > 128) << bit for bit, block in enumerate(blocks)
    )


@contextmanager
def as_scheduled() -> Iterator[None]:
    """SVT-AV1 makes the thread that root starts it in a real-time one: what runs in it from then on, and whatever it
    starts, would keep everybody else from the processor.
    """
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        os.sched_setscheduler(0, policy, parameters)


def video(
    path: Path,
    *,
    codec: str = "h264",
    container: str | None = None,
    times: Sequence[float] | None = None,
    seconds: float = 6.0,
    rate: int = 10,
    gop: int = 10,
    size: tuple[int, int] = (160, 120),
    rotation: int = 0,
    options: dict[str, str] | None = None,
    container_options: dict[str, str] | None = None,
    metadata: dict[str, str] | None = None,
    b_frames: int = 0,
    sound: bool = False,
) -> Path:
    """A recording at `path`: pictures 0, 1, 2, ... at `times` (default: `rate` a second for `seconds`), a key frame
    every `gop`.

    `rotation` is how far a player must turn the pictures clockwise to show them upright: they are stored turned the
    other way.
    """
    if times is None:
        times = [n / rate for n in range(round(seconds * rate))]
    encoder, settings = ENCODERS[codec]
    with as_scheduled(), av.open(str(path), "w", format=container, options=container_options or {}) as out:
        out.metadata.update(metadata or {})
        stream = out.add_stream(encoder, rate=rate, options={**settings, **(options or {})})
        stored = size if rotation % 180 == 0 else size[::-1]
        stream.width, stream.height = stored
        stream.pix_fmt = (
            "yuvj420p"
            if codec == "mjpeg"
            else "yuv420p"
            if stored[0] % 2 == stored[1] % 2 == 0 or codec in ("mpeg4", "vp9")
            else "yuv444p"
        )
        stream.codec_context.time_base = Fraction(
            1, rate if codec == "mpeg4" or out.format.name == "avi" else max(rate, CLOCK)
        )
        stream.codec_context.gop_size = gop
        stream.codec_context.max_b_frames = b_frames
        if rotation:
            stream.set_display_rotation(-rotation)
        noise = out.add_stream("aac", rate=44100) if sound else None
        for number, time in enumerate(times):
            image = np.ascontiguousarray(np.rot90(picture(number, *size), rotation // 90))
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.time_base = stream.codec_context.time_base
            frame.pts = round(time / frame.time_base)
            out.mux(stream.encode(frame))
        if noise is not None:
            _hiss(out, noise, times[-1])
        out.mux(stream.encode(None))
    return path


def video_of(path: Path, images: Sequence[NDArray[np.uint8]]) -> Path:
    """A recording of these pictures, ten a second."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=10)
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for image in images:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        out.mux(stream.encode(None))
    return path


def with_streams(path: Path, *sources: Path) -> Path:
    """A file with the video streams of the sources, in their order."""
    with ExitStack() as opened, av.open(str(path), "w") as out:
        sources_read = [opened.enter_context(av.open(str(source))).streams.video[0] for source in sources]
        streams = [out.add_stream_from_template(source) for source in sources_read]
        for source, stream in zip(sources_read, streams, strict=True):
            for packet in source.container.demux(source):
                if packet.size:
                    packet.stream = stream
                    out.mux(packet)
    return path


def sound_only(path: Path, seconds: float = 2.0) -> Path:
    with av.open(str(path), "w") as out:
        _hiss(out, out.add_stream("aac", rate=44100), seconds)
    return path


def _hiss(out: av.container.OutputContainer, stream: av.AudioStream, seconds: float) -> None:
    for start in range(0, int(seconds * 44100), 1024):
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 44100, start, Fraction(1, 44100)
        out.mux(stream.encode(frame))
    out.mux(stream.encode(None))
