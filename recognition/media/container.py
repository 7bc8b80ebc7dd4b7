"""Open a video file, and read its packets.

Every file is taken for hostile. Its container is found by its first bytes, from a short list without playlists, and
forced on FFmpeg; FFmpeg gets the bytes of an open file and may open nothing else; sizes and rates are checked before
pictures are decoded.
"""

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import av
import numpy as np
from av.stream import Discard, Disposition

from recognition.errors import RecordingOutOfLimits, UnreadableRecording
from recognition.media.file_kind import reader_for
from recognition.media.limits import LIMITS, Limits
from recognition.sandbox.source_file import SourceFile

CODECS = (
    "h264",
    "hevc",
    "mpeg4",
    "mjpeg",
    "vp8",
    "vp9",
    "av1",
    "libdav1d",
    "mpeg2video",
    "prores",
    "h263",
    "mpeg1video",
    "msmpeg4",
    "msmpeg4v2",
    "wmv1",
    "wmv2",
    "wmv3",
    "vc1",
    "flv",
    "dvvideo",
    "dnxhd",
)
# How much of a file is read to learn what is in it: the usual few seconds, or more where a camera began later than the
# sound.
USUAL_ANALYSIS: Mapping[str, str] = {}
LONG_ANALYSIS = {"analyzeduration": "600000000", "probesize": "200000000"}  # microseconds and bytes
# H.264 with lengths in place of start codes comes in whole pictures in ASF, but FFmpeg's parser would cut them up.
READER_OPTIONS: Mapping[str, Mapping[str, str]] = {"asf": {"fflags": "noparse"}}
LARGEST_PIXEL_BYTES = 6
BEFORE_START = -60.0  # seconds: surely before the first packet, whose decoding time may lie before 0
MAX_UNREADABLE_PLACES = 100  # that are passed over in one reading
RATE_PACKETS = 100  # enough to measure a frame rate
# Between key frames only pictures that others are built on are decoded; all of them where they have to be counted.
REFERENCES_ONLY, ALL_PICTURES = "NONREF", "DEFAULT"


class _File(SourceFile):
    """A file that FFmpeg reads. A position that no file has is asked for by a damaged header: that is an error of the
    container, not of the disk."""

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        try:
            return super().seek(offset, whence)
        except (OSError, OverflowError):
            return -1


class VideoFile:
    """An open file and one of its video streams: the one with that index, else the largest. A context manager.

    FFmpeg reads from our file object, so it needs no protocol: none is allowed to it, no second file, and no reader but
    the one that fits the content. The limit on pixels holds for the decoder too, whatever a picture claims later on.
    Entering it raises UnreadableRecording, and RecordingOutOfLimits for what the header claims.
    """

    container: Any
    stream: Any
    reader: str  # FFmpeg's name of the container's kind

    def __init__(self, path: Path, limits: Limits = LIMITS, stream_index: int | None = None) -> None:
        self.path, self.limits, self.stream_index = path, limits, stream_index
        self._opened = ExitStack()
        self._decoded_pictures = ALL_PICTURES

    def __enter__(self) -> Self:
        self.reader = reader_for(self.path)
        try:
            self._open()
        except av.FFmpegError as error:
            raise _cannot_be_opened() from error
        except BaseException:
            self._opened.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._opened.close()
        if isinstance(error, av.FFmpegError):
            self._check_memory()
            raise _cannot_be_opened() from error

    def _check_memory(self) -> None:
        """Raises MemoryError where there is none for two pictures: FFmpeg calls a file damaged then."""
        np.empty(2 * LARGEST_PIXEL_BYTES * self.stream.width * self.stream.height, np.uint8)

    def _open(self, analysis: Mapping[str, str] = USUAL_ANALYSIS) -> None:
        self._opened.close()
        pixels = {"max_pixels": str(self.limits.pixels)}
        confined = {"protocol_whitelist": "", "format_whitelist": self.reader, "codec_whitelist": ",".join(CODECS)}
        file = self._opened.enter_context(_File(self.path))
        container = av.open(
            file,
            format=self.reader,
            options=pixels,
            container_options={**confined, **analysis, **READER_OPTIONS.get(self.reader, {})},
            buffer_size=1 << 18,
            metadata_errors="replace",
        )
        self.container = self._opened.enter_context(container)
        videos = container.streams.video
        if analysis is not LONG_ANALYSIS and not any(one.codec_context and one.codec_context.width for one in videos):
            self._open(LONG_ANALYSIS)
            return
        streams = _known_streams(container, self.limits)
        self.stream = next((stream for stream in streams if stream.index == self.stream_index), streams[0])
        self.other_streams = tuple(stream.index for stream in streams if stream is not self.stream)
        _check_size(self.stream, self.limits)
        self.stream.codec_context.options = pixels
        self.stream.codec_context.skip_frame = self._decoded_pictures
        self.stream.codec_context.thread_type = "AUTO"
        self.stream.codec_context.thread_count = min(os.cpu_count() or 1, 4)  # each thread holds a picture
        for other in self.container.streams:
            if other is not self.stream:
                other.discard = Discard.all

    def limit_decoding(self, pictures: str) -> None:
        """Decode only such pictures: ALL_PICTURES or REFERENCES_ONLY."""
        self._decoded_pictures = self.stream.codec_context.skip_frame = pictures

    def packets(self) -> Iterator[Any]:
        """The stream's packets from here on; places that can't be read are passed over."""
        for _ in range(MAX_UNREADABLE_PLACES):
            try:
                yield from (packet for packet in self.container.demux(self.stream) if packet.size)
                return
            except av.FFmpegError:
                continue

    def decode(self, packet: Any) -> list[Any]:
        """The pictures that come out when `packet` goes in, without damaged ones; None brings out what is left, for a
        fresh start."""
        try:
            pictures = self.stream.codec_context.decode(packet)
        except av.FFmpegError:
            self._check_memory()
            pictures = []
        if packet is None:
            self.stream.codec_context.flush_buffers()
        return [picture for picture in pictures if not picture.is_corrupt]

    def raw_time(self, item: Any) -> float | None:
        """Seconds by the file's own clock, which may begin anywhere, of a packet or picture; None without one."""
        ticks = item.pts if item.pts is not None else item.dts
        return None if ticks is None else float(ticks * self.stream.time_base)

    def seek(self, raw: float) -> None:
        """Go to a key frame at or before that time of the file's own clock, as near as the container knows; to the
        beginning if it knows none."""
        try:
            self.container.seek(math.floor(raw / self.stream.time_base), stream=self.stream)
        except av.FFmpegError:
            self.rewind()

    def seek_byte(self, position: int) -> bool:
        """Go to a byte of the file; whether the container can."""
        try:
            self.container.seek(position, stream=self.stream, unsupported_byte_offset=True)
        except av.FFmpegError:
            return False
        return True

    @property
    def first_raw_time(self) -> float:
        """When the stream begins, by the file's own clock."""
        return float((self.stream.start_time or 0) * self.stream.time_base)

    def rewind(self) -> None:
        """Go to the beginning."""
        first = math.floor((self.first_raw_time + BEFORE_START) / self.stream.time_base)
        try:
            self.container.seek(first, stream=self.stream)
        except av.FFmpegError:
            self._open()  # some containers can only be read from end to end

    def frame_rate(self) -> float:
        """Pictures a second as the header has it; measured where that is absurd, as it may be in a live recording; 0 if
        unknown."""
        claimed = float(self.stream.average_rate or self.stream.guessed_rate or 0)
        if claimed <= self.limits.fps:
            return claimed
        self.rewind()
        times = [self.raw_time(packet) for packet in islice(self.packets(), RATE_PACKETS)]
        known = [time for time in times if time is not None]
        span = max(known, default=0.0) - min(known, default=0.0)
        return (len(known) - 1) / span if span else 0.0


def _cannot_be_opened() -> UnreadableRecording:
    return UnreadableRecording(
        "The video can't be opened: it is damaged, or its recording or copying was cut short. Copy or export it again."
    )


def _known_streams(container: Any, limits: Limits) -> list[Any]:
    """The video streams whose coding is on the list, the largest first."""
    if len(container.streams) > limits.streams:
        raise RecordingOutOfLimits(
            "The file has {n} streams; at most {most} are read. Export the video alone.",
            n=len(container.streams),
            most=limits.streams,
        )
    streams = [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]
    if not streams:
        raise UnreadableRecording(
            "The file has no video in it, only sound or other data. Choose the recording with the picture."
        )
    known = [stream for stream in streams if stream.codec_context is not None and stream.codec_context.name in CODECS]
    if not known:
        codings = sorted({stream.codec_context.name.upper() for stream in streams if stream.codec_context is not None})
        raise UnreadableRecording(
            "The video's coding ({name}) is not read here. Convert it to H.264 in MP4.",
            name=", ".join(codings) or "?",
        )
    return sorted(known, key=lambda stream: -stream.codec_context.width * stream.codec_context.height)


def _check_size(stream: Any, limits: Limits) -> None:
    width, height = stream.codec_context.width, stream.codec_context.height
    if not width * height:  # FFmpeg makes it so where it found more in the pictures themselves
        raise RecordingOutOfLimits("The video's pictures have no sensible size. Convert it to a usual size.")
    if width * height > limits.pixels:
        raise RecordingOutOfLimits(
            "The video's pictures are {width} x {height} pixels large; at most {most:.1f} million pixels are read. "
            "Convert it to a usual size.",
            width=width,
            height=height,
            most=limits.pixels / 1e6,
        )
