"""Read recordings: what a file is, segments that start on key frames, and a frame every few seconds.

Every file is taken for hostile. Its container is found by its first bytes, from a short list without playlists, and
forced on FFmpeg; FFmpeg gets the bytes of an open file and may open nothing else; sizes and rates are checked before
pictures are decoded.
"""

import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import dropwhile, islice, pairwise
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from av.stream import Discard, Disposition
from numpy.typing import NDArray

from recognition.errors import RecordingOutOfLimits, UnreadableRecording
from recognition.media.photo import MAX_PIXELS, is_photo, read_photo
from recognition.types import Frame, Segment, VideoInfo

CODECS = ("h264", "hevc", "mpeg4", "mjpeg", "vp8", "vp9", "av1", "libdav1d", "mpeg2video", "prores")
REACH = 1.25  # key frames up to this times `every` apart are close enough to decode nothing else
MOMENT = 0.001  # seconds: times within it are one, since they may have been stored rounded
MOST = 5000  # packets to hold back while waiting for a near key frame; more come only where times are senseless
BEFORE = -60.0  # seconds: surely before the first packet, whose decoding time may lie before 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a recording may be: pixels of a video's picture (8K) and of a photo, pictures a second, seconds, streams in
    the file."""

    pixels: int = 7680 * 4320
    photo_pixels: int = MAX_PIXELS
    fps: float = 240.0
    duration: float = 12 * 3600.0
    streams: int = 64


LIMITS = Limits()
TURNS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}


def probe(path: Path, limits: Limits = LIMITS) -> VideoInfo:
    """What the recording at `path` is; a photo is a recording of one frame.

    Raises UnreadableRecording for a file that is no video or photo, is damaged or has no picture in it, and
    RecordingOutOfLimits for one that is absurdly large, fast or long.
    """
    kind = _kind(path)
    if kind == "photo":
        image, kind, taken = read_photo(path, limits.photo_pixels)
        height, width = image.shape[:2]
        return VideoInfo(
            container=kind,
            codec=kind,
            width=width,
            height=height,
            rotation=0,
            fps=0.0,
            duration=0.0,
            started_at=taken,
            is_photo=True,
        )
    with _opened(path, limits) as (container, stream):
        fps, duration = _rate(container, stream, limits.fps), _duration(container, stream)
        if fps > limits.fps:
            raise RecordingOutOfLimits(
                "The video claims {fps:.0f} pictures a second; at most {most:.0f} are read. Convert it to an ordinary "
                "frame rate.",
                fps=fps,
                most=limits.fps,
            )
        if duration > limits.duration:
            raise RecordingOutOfLimits(
                "The video claims to last {hours:.0f} hours; at most {most:.0f} are read. Cut it into parts.",
                hours=duration / 3600,
                most=limits.duration / 3600,
            )
        _seek(container, stream, BEFORE)
        first = next((picture for packet in _packets(container, stream) for picture in _decode(stream, packet)), None)
        first = first or next(iter(_decode(stream, None)), None)
        if first is None:
            raise UnreadableRecording("The video has no picture in it that can be decoded. Record or export it again.")
        rotation = round(-first.rotation / 90) % 4 * 90
        width, height = (first.width, first.height) if rotation in (0, 180) else (first.height, first.width)
        return VideoInfo(
            container=kind,
            codec=stream.codec.canonical_name,
            width=width,
            height=height,
            rotation=rotation,
            fps=fps,
            duration=duration,
            started_at=_started_at(container),
        )


def plan_segments(path: Path, info: VideoInfo, seconds: float = 60.0) -> list[Segment]:
    """Segments of about `seconds` that start on key frames and cover [0, duration] without gap or overlap.

    Where no key frame lies near, a segment starts between two; `sample_frames` reads that too, only slower. No segment
    is longer than twice `seconds`, and none is shorter than a third of it but the only one of a short recording. A
    photo has one, [0, 0].
    """
    if info.is_photo:
        return [Segment(0, 0.0, 0.0)]
    with _opened(path) as (container, stream):
        cuts = _cuts(info.duration, seconds, lambda near, low, high: _key_frame(container, stream, near, low, high))
    return [Segment(index, *ends) for index, ends in enumerate(pairwise([*cuts, info.duration]))]


def sample_frames(path: Path, info: VideoInfo, segment: Segment, every: float = 2.0) -> Iterator[Frame]:
    """A frame about every `every` seconds of `segment`, upright, in order of time.

    The recording is divided into cells of `every` seconds around 0, `every`, 2 `every`, ...; the last picture of each
    cell is taken, by the segment that it lies in. So all segments together give what the whole recording would. Where
    key frames are up to REACH x `every` apart, only they are looked at; where they are farther, every picture that
    others are built on.

    What is damaged is left out. Raises UnreadableRecording if nothing of the segment can be read.
    """
    if info.is_photo:
        yield Frame(0.0, read_photo(path)[0])
        return
    with _opened(path) as (container, stream):
        sampler = _Sampler(stream, segment, every)
        for time, picture in sampler.pictures(_from_key_frame(container, stream, segment.start)):
            yield Frame(time, _upright(picture, info))
        if sampler.found_nothing:
            raise UnreadableRecording(
                "Nothing can be read between {start:.0f} s and {end:.0f} s: that part of the recording is damaged or "
                "missing.",
                start=segment.start,
                end=segment.end,
            )


class _Sampler:
    """Picks the pictures of one segment out of the packets that begin with the key frame at or before its start.

    A group is a key frame and what follows up to the next one. Where that is near, only the key frame counts; where it
    is far, the group is decoded. Each is decoded on its own, so that it does not matter where the reading began.
    """

    def __init__(self, stream: Any, segment: Segment, every: float) -> None:
        self.stream, self.segment, self.every = stream, segment, every
        self.key = 0.0  # time of the present group's key frame
        self.latest: tuple[float, Any] | None = None  # the picture of a far group that waits for the next one's time
        self.reached = self.tried = self.decoded = (
            False  # whether any packet of the segment was read, fed to the decoder, came out
        )
        stream.codec_context.skip_frame = "NONREF"

    @property
    def found_nothing(self) -> bool:
        return not self.reached or (self.tried and not self.decoded)

    def pictures(self, packets: Iterator[Any]) -> Iterator[tuple[float, Any]]:
        group: list[Any] = []  # the packets of a group that may yet be near
        far = False
        for packet in packets:
            time = _time(packet, self.stream)
            self.reached = self.reached or (_end(packet, self.stream) > self.segment.start and time < self.segment.end)
            if packet.is_keyframe:
                yield from self._close(group, far, time)
                if time >= self.segment.end - MOMENT:
                    return
                self.key, group, far = time, [packet], False
            elif far:
                yield from self._decode_far(packet)
                if self.latest is not None and self.latest[0] >= self.segment.end - MOMENT:
                    return
            elif group:
                group.append(packet)
                if time - self.key > REACH * self.every or len(group) > MOST:
                    far = True
                    yield from self._decode_near(None)
                    for waiting in group:
                        yield from self._decode_far(waiting)
        yield from self._close(group, far, math.inf)

    def _close(self, group: list[Any], far: bool, following: float) -> Iterator[tuple[float, Any]]:
        """What is left of a group when the next key frame's time, `following`, is known; after the last one, all that
        is left."""
        if far:
            yield from self._decode_far(None)
            if self.latest is not None and self._takes(self.latest[0], following):
                yield self.latest
            self.latest = None
        elif group and self._takes(self.key, following):
            yield from self._decode_near(group[0])
        if following >= self.segment.end - MOMENT and not far:
            yield from self._decode_near(None)

    def _decode_near(self, packet: Any) -> Iterator[tuple[float, Any]]:
        for picture in self._decode(packet):
            yield _time(picture, self.stream), picture

    def _decode_far(self, packet: Any) -> Iterator[tuple[float, Any]]:
        for picture in self._decode(packet):
            time = _time(picture, self.stream)
            if time < (self.latest[0] if self.latest else self.key):
                # It leads an open group of pictures and builds on the group before, or it is an AVI, whose times are
                # guessed and jump.
                continue
            if self.latest is not None and self._takes(self.latest[0], time):
                yield self.latest
            self.latest = (time, picture)

    def _decode(self, packet: Any) -> list[Any]:
        pictures = _decode(self.stream, packet)
        self.tried = self.tried or (packet is not None and self._holds(_time(packet, self.stream)))
        self.decoded = self.decoded or any(self._holds(_time(picture, self.stream)) for picture in pictures)
        return pictures

    def _holds(self, time: float) -> bool:
        return self.segment.start - MOMENT <= time < self.segment.end - MOMENT

    def _takes(self, time: float, following: float) -> bool:
        return self._holds(time) and (math.isinf(following) or self._cell(time) != self._cell(following))

    def _cell(self, time: float) -> int:
        return math.floor(time / self.every + 0.5)


def _upright(picture: Any, info: VideoInfo) -> NDArray[np.uint8]:
    """The picture as RGB in the size and the direction of `info`, whatever the stream changed to in between."""
    turned = info.rotation in (90, 270)
    width, height = (info.height, info.width) if turned else (info.width, info.height)
    image: NDArray[np.uint8] = np.ascontiguousarray(picture.to_ndarray(format="rgb24", width=width, height=height))
    return cv2.rotate(image, TURNS[info.rotation]) if info.rotation else image


def _decode(stream: Any, packet: Any) -> list[Any]:
    """The pictures that come out when `packet` goes in, without damaged ones; None brings out what is left, for a fresh
    start."""
    try:
        pictures = stream.codec_context.decode(packet)
    except av.FFmpegError:
        pictures = []
    if packet is None:
        stream.codec_context.flush_buffers()
    return [picture for picture in pictures if not picture.is_corrupt]


def _time(item: Any, stream: Any) -> float:
    """Seconds from the start of the recording to a packet or picture."""
    ticks = item.pts if item.pts is not None else item.dts
    return float((ticks or 0) - (stream.start_time or 0)) * float(stream.time_base)


def _end(packet: Any, stream: Any) -> float:
    return _time(packet, stream) + float((packet.duration or 0) * stream.time_base)


def _packets(container: Any, stream: Any) -> Iterator[Any]:
    """The stream's packets from here on; places that can't be read are passed over, up to a hundred."""
    for _ in range(100):
        try:
            yield from (
                packet for packet in container.demux(stream) if packet.size and (packet.pts, packet.dts) != (None, None)
            )
            return
        except av.FFmpegError:
            continue


def _seek(container: Any, stream: Any, time: float) -> None:
    """Go to a key frame at or before `time`, as near as the container knows; to the beginning if it knows none."""
    for place in (time, BEFORE):
        try:
            container.seek((stream.start_time or 0) + math.floor(place / stream.time_base), stream=stream)
            return
        except av.FFmpegError:
            continue
    container.seek(0)


def _from_key_frame(container: Any, stream: Any, start: float) -> Iterator[Any]:
    """The packets from the last key frame at or before `start` on, or all if there is none."""
    key = None
    for place in (start, start - 10, BEFORE):  # where a file has no index, seeking may end too late
        _seek(container, stream, place)
        for packet in _packets(container, stream):
            time = _time(packet, stream)
            if time > start + MOMENT:
                break
            if packet.is_keyframe:
                key = time
        if key is not None:
            break
    _seek(container, stream, place)
    packets = _packets(container, stream)
    if key is None:
        return packets
    return dropwhile(lambda packet: not (packet.is_keyframe and _time(packet, stream) == key), packets)


def _key_frame(container: Any, stream: Any, near: float, low: float, high: float) -> float | None:
    """The time of the last key frame in (low, near], else of the first in (near, high], else None."""
    _seek(container, stream, near)
    found = None
    for packet in _packets(container, stream):
        time = _time(packet, stream)
        if time > high or (found is not None and time > near):
            break
        if packet.is_keyframe and time > low:
            found = time
    return found


def _cuts(duration: float, seconds: float, key_frame: Callable[[float, float, float], float | None]) -> list[float]:
    """Where the segments of a recording start. `key_frame(near, low, high)` is the key frame nearest to `near` in (low,
    high]."""
    cuts = [0.0]
    while (left := duration - cuts[-1]) > seconds * 4 / 3:
        here = cuts[-1]
        key = key_frame(here + seconds, here + seconds / 2, min(here + 2 * seconds, duration - seconds / 3))
        if key is None and left <= 2 * seconds:
            break
        cuts.append(here + seconds if key is None else key)
    return cuts


def _kind(path: Path) -> str:
    """The name of FFmpeg's reader for the file, or "photo", by what its first bytes are."""
    with path.open("rb") as file:
        head = file.read(4096)
    if not head:
        raise UnreadableRecording("The file is empty. Copy or upload it again.")
    if is_photo(head):
        return "photo"
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"):
        return "mov"
    if head.startswith(b"\x1a\x45\xdf\xa3"):
        return "matroska"
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "avi"
    for size in (
        188,
        192,
        204,
    ):  # every packet of a transport stream begins with G; a capture may begin in the middle of one
        if len(head) > 2 * size and any(set(head[i::size]) == {ord("G")} for i in range(size)):
            return "mpegts"
    raise UnreadableRecording(
        "The file is no video or photo of a known kind. Use MP4, MOV, MKV, WebM, AVI, TS, JPEG, PNG, WebP or HEIC."
    )


@contextmanager
def _opened(path: Path, limits: Limits = LIMITS) -> Iterator[tuple[Any, Any]]:
    """The file as (container, its video stream). What its header claims is within the limits.

    FFmpeg reads from our file object, so it needs no protocol: none is allowed to it, no second file, and no reader but
    the one that fits the content. The limit on pixels holds for the decoder too, whatever a picture claims later on.
    """
    kind = _kind(path)
    pixels = {"max_pixels": str(limits.pixels)}
    confined = {"protocol_whitelist": "", "format_whitelist": kind, "codec_whitelist": ",".join(CODECS)}
    try:
        with (
            path.open("rb") as file,
            av.open(
                file,
                format=kind,
                options=pixels,
                container_options=confined,
                buffer_size=1 << 18,
                metadata_errors="replace",
            ) as container,
        ):
            stream = _video_stream(container, limits)
            stream.codec_context.options = pixels
            stream.codec_context.thread_type = "AUTO"
            stream.codec_context.thread_count = min(os.cpu_count() or 1, 4)  # each thread holds a picture
            for other in container.streams:
                if other is not stream:
                    other.discard = Discard.all
            yield container, stream
    except av.FFmpegError as error:
        raise UnreadableRecording(
            "The video can't be opened: it is damaged, or its recording or copying was cut short. Copy or export it "
            "again."
        ) from error


def _video_stream(container: Any, limits: Limits) -> Any:
    """The largest video stream whose coding is on the list, if what the file claims is within the limits."""
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
        raise UnreadableRecording("The video's coding is not known here. Convert it to H.264 in MP4.")
    stream = max(known, key=lambda stream: stream.codec_context.width * stream.codec_context.height)
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
    return stream


def _rate(container: Any, stream: Any, most: float) -> float:
    """Pictures a second as the header has it; measured where that is absurd, as it may be in a live recording; 0 if
    unknown."""
    claimed = float(stream.average_rate or stream.guessed_rate or 0)
    if claimed <= most:
        return claimed
    _seek(container, stream, BEFORE)
    times = [_time(packet, stream) for packet in islice(_packets(container, stream), 100)]
    span = max(times, default=0.0) - min(times, default=0.0)
    return (len(times) - 1) / span if span else 0.0


def _duration(container: Any, stream: Any) -> float:
    """Seconds to the end of the last picture: as the header has it, else found by reading the end of the file."""
    if stream.duration:
        seconds = float(stream.duration * stream.time_base)
    else:
        for place in ((container.duration or 0) / av.time_base, BEFORE):
            _seek(container, stream, place)
            seconds = max((_end(packet, stream) for packet in _packets(container, stream)), default=0.0)
            if seconds:
                break
    return max(seconds, 0.04)  # a single picture may claim to last no time


def _started_at(container: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(container.metadata.get("creation_time", ""))
    except ValueError:
        return None
    return (
        moment if moment.tzinfo is not None and moment.year > 1970 else None
    )  # a camera without a clock writes 1904 or 1970
