"""Read recordings: what a file is, segments that start on key frames, and a frame every few seconds.

Every file is taken for hostile. Its container is found by its first bytes, from a short list without playlists, and forced on
FFmpeg; FFmpeg gets the bytes of an open file and may open nothing else; sizes and rates are checked before pictures are decoded.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any

import av
import numpy as np

from recognition.errors import RecordingOutOfLimits, UnreadableRecording
from recognition.photo import MAX_PIXELS, is_photo, read_photo
from recognition.types import Frame, Segment, VideoInfo

CODECS = ("h264", "hevc", "mpeg4", "mjpeg", "vp8", "vp9", "av1", "libdav1d", "mpeg2video", "prores")
REACH = 1.25  # key frames up to this times `every` apart are close enough to decode nothing else


@dataclass(frozen=True, slots=True)
class Limits:
    """What a recording may be: pixels of a video frame (8K) and of a photo, frames a second, seconds, streams in the file."""

    pixels: int = 7680 * 4320
    photo_pixels: int = MAX_PIXELS
    fps: float = 240.0
    duration: float = 12 * 3600.0
    streams: int = 64


def probe(path: Path, limits: Limits | None = None) -> VideoInfo:
    """What the recording at `path` is; a photo is a recording of one frame.

    Raises UnreadableRecording for a file that is no video or photo, is damaged or has no picture in it, and
    RecordingOutOfLimits for one that is absurdly large, fast or long.
    """
    limits = limits or Limits()
    kind = _kind(path)
    if kind == "photo":
        image, image_format, taken = read_photo(path, limits.photo_pixels)
        height, width = image.shape[:2]
        return VideoInfo(image_format, image_format, width, height, 0, 0.0, 0.0, taken, is_photo=True)
    with _opened(path, limits) as (container, stream):
        fps, duration = _rate(container, stream), _duration(container, stream)
        if fps > limits.fps:
            raise RecordingOutOfLimits(
                f"The video claims {fps:.0f} frames a second; at most {limits.fps:.0f} are read. Convert it to an ordinary frame rate."
            )
        if duration > limits.duration:
            raise RecordingOutOfLimits(
                f"The video claims to last {duration / 3600:.0f} hours; at most {limits.duration / 3600:.0f} are read. Cut it into parts."
            )
        _seek(container, stream, None)
        first = next((frame for packet in _packets(container, stream) for frame in _decode(stream.codec_context, packet)), None)
        if first is None or duration <= 0:
            raise UnreadableRecording("The video has no picture in it that can be decoded. Record or export it again.")
        rotation = round(-first.rotation / 90) % 4 * 90
        width, height = first.width, first.height
        if rotation in (90, 270):
            width, height = height, width
        return VideoInfo(kind, stream.codec.canonical_name, width, height, rotation, fps, duration, _created(container, stream))


def plan(path: Path, info: VideoInfo, seconds: float = 60.0) -> list[Segment]:
    """Segments of about `seconds` that start on key frames and cover [0, duration] without gap or overlap.

    Where no key frame lies near, a segment starts between two; `sample` reads that too, only slower. No segment is longer
    than twice `seconds`, and none but a short recording's only one is shorter than a third of it.
    """
    if info.is_photo:
        return [Segment(0, 0.0, 0.0)]
    with _opened(path) as (container, stream):
        cuts = [0.0]
        while info.duration - cuts[-1] > seconds * 4 / 3:
            cut = _key_between(
                container, stream, cuts[-1] + seconds, cuts[-1] + seconds / 2, min(cuts[-1] + 2 * seconds, info.duration - seconds / 3)
            )
            if cut is None and info.duration - cuts[-1] <= 2 * seconds:
                break
            cuts.append(cut if cut is not None else cuts[-1] + seconds)
    return [Segment(i, start, end) for i, (start, end) in enumerate(zip(cuts, [*cuts[1:], info.duration], strict=True))]


def sample(path: Path, info: VideoInfo, segment: Segment, every: float = 2.0) -> Iterator[Frame]:
    """A frame about every `every` seconds of `segment`, upright, in order of time.

    The recording is divided into cells of `every` seconds around 0, `every`, 2 `every`, ...; the last picture of each cell is
    taken, if it lies in the segment. So all segments together give what the whole recording would. Of key frames up to
    REACH x `every` apart nothing else is looked at; between key frames farther apart, every picture that others refer to is.

    What is damaged is left out. Raises UnreadableRecording if nothing of the segment could be decoded.
    """
    if info.is_photo:
        yield Frame(0.0, read_photo(path)[0])
        return
    with _opened(path) as (container, stream):
        at_least_one = False
        for time, picture in _pictures(container, stream, segment, every):
            at_least_one = True
            if picture is not None:
                yield Frame(time, _upright(picture, info))
        if not at_least_one:
            raise UnreadableRecording(
                f"Nothing could be read between {segment.start:.0f} s and {segment.end:.0f} s: "
                "that part of the recording is damaged or missing."
            )


def _pictures(container: Any, stream: Any, segment: Segment, every: float) -> Iterator[tuple[float, Any]]:
    """The pictures to take, with their times; and (time, None) for what was decoded, or rightly skipped, and not taken."""
    context = stream.codec_context
    context.thread_type = "AUTO"
    context.skip_frame = "NONREF"
    reach = REACH * every
    key = 0.0  # time of the key frame that began the present group
    group: list[Any] = []  # its packets, until it is clear whether the next key frame is near
    far = False  # it is not: every picture of the group is decoded
    last: tuple[float, Any] | None = None  # the latest picture decoded of such a group

    def taken(time: float, following: float) -> bool:
        return segment.start <= time < segment.end and _cell(time, every) != _cell(following, every)

    def near(packet: Any) -> Iterator[tuple[float, Any]]:
        for picture in _decode(context, packet):
            yield _time(picture, stream), picture

    def every_one(packet: Any) -> Iterator[tuple[float, Any]]:
        nonlocal last
        for picture in _decode(context, packet):
            time = _time(picture, stream)
            if time < key:
                continue  # a leading picture of an open group: it refers to what was not decoded
            if last is not None and taken(last[0], time):
                yield last
            else:
                yield time, None
            last = (time, picture)

    for packet in chain(_from_key(container, stream, segment.start), (None,)):
        if packet is None or packet.is_keyframe or not group:
            following = math.inf if packet is None else _time(packet, stream)
            if far:
                yield from every_one(None)
                if last is not None and taken(last[0], following):
                    yield last
                last, far = None, False
            elif group and taken(key, following):
                yield from near(group[0])
            elif group:
                yield key, None
            if packet is None or following >= segment.end:
                break
            key, group = following, [packet]
        elif far:
            yield from every_one(packet)
            if last is not None and last[0] >= segment.end:
                break
        else:
            group.append(packet)
            if _time(packet, stream) - key > reach:
                far = True
                yield from near(None)
                for waiting in group:
                    yield from every_one(waiting)
                del group[1:]
    if not far:
        yield from near(None)


def _cell(time: float, every: float) -> float:
    return math.floor(time / every + 0.5) if math.isfinite(time) else math.inf


def _upright(picture: Any, info: VideoInfo) -> Any:
    turned = info.rotation in (90, 270)
    width, height = (info.height, info.width) if turned else (info.width, info.height)
    image = picture.to_ndarray(format="rgb24", width=width, height=height)
    return np.ascontiguousarray(np.rot90(image, -info.rotation // 90))


def _decode(context: Any, packet: Any) -> list[Any]:
    """The pictures that `packet` brings to light, damaged ones left out; None brings what is left, and a fresh start."""
    try:
        pictures: list[Any] = context.decode(packet)
    except av.FFmpegError:
        pictures = []
    if packet is None:
        context.flush_buffers()
    return [picture for picture in pictures if not picture.is_corrupt]


def _time(item: Any, stream: Any) -> float:
    """Seconds from the start of the recording to a packet or picture."""
    ticks = item.pts if item.pts is not None else item.dts
    return float((ticks or 0) - (stream.start_time or 0)) * float(stream.time_base)


def _packets(container: Any, stream: Any) -> Iterator[Any]:
    """The stream's packets from here on; a place that can't be read is passed over."""
    for _ in range(100):
        try:
            for packet in container.demux(stream):
                if packet.size and (packet.pts is not None or packet.dts is not None):
                    yield packet
            return
        except av.FFmpegError:
            continue


def _seek(container: Any, stream: Any, time: float | None) -> None:
    """Go to a key frame at or before `time`, as near as the container knows; None: to the beginning."""
    ticks = (stream.start_time or 0) + (math.floor(time / float(stream.time_base)) if time else 0)
    try:
        container.seek(ticks, stream=stream)
    except av.FFmpegError:
        container.seek(0)


def _from_key(container: Any, stream: Any, start: float) -> Iterator[Any]:
    """The packets from the last key frame at or before `start` on."""
    key = None
    for back in (0.0, 1.0, 10.0, None):
        place = None if back is None or back > start else start - back
        _seek(container, stream, place)
        for packet in _packets(container, stream):
            if _time(packet, stream) > start + 1e-6:
                break
            if packet.is_keyframe:
                key = _time(packet, stream)
        if key is not None or place is None:
            break
    _seek(container, stream, place)
    begun = key is None
    for packet in _packets(container, stream):
        begun = begun or (packet.is_keyframe and _time(packet, stream) == key)
        if begun:
            yield packet


def _key_between(container: Any, stream: Any, near: float, low: float, high: float) -> float | None:
    """The time of the key frame at or before `near`, else of the next one, if it lies in (low, high]."""
    _seek(container, stream, near)
    best = None
    for packet in _packets(container, stream):
        time = _time(packet, stream)
        if time > high or (best is not None and time > near):
            break
        if packet.is_keyframe and time > low:
            best = time
    return best


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
    for length in (188, 192, 204):
        if any(all(head[i + k * length : i + k * length + 1] == b"G" for k in range(4)) for i in range(length)):
            return "mpegts"
    raise UnreadableRecording(
        "The file is not a video or photo of a known kind. Use MP4, MOV, MKV, WebM, AVI, TS, JPEG, PNG, WebP or HEIC."
    )


def _refuse(url: str, flags: int, options: dict[str, str]) -> Any:
    raise PermissionError("a recording may not open other files")


@contextmanager
def _opened(path: Path, limits: Limits | None = None) -> Iterator[tuple[Any, Any]]:
    """The file as (container, its video stream), within the limits.

    FFmpeg reads from our file object, so it needs no protocol at all: none is allowed, nor any second file.
    """
    limits = limits or Limits()
    kind = _kind(path)
    guard = {"max_pixels": str(limits.pixels)}
    confine = {"protocol_whitelist": "", "format_whitelist": kind, "codec_whitelist": ",".join(CODECS), "max_streams": str(limits.streams)}
    with path.open("rb") as file:
        try:
            container = av.open(
                file, format=kind, options=guard, container_options=confine, buffer_size=1 << 18, io_open=_refuse, metadata_errors="replace"
            )
        except av.FFmpegError as error:
            raise UnreadableRecording(
                "The video can't be opened: it is damaged, or its recording or copying was cut short. Copy or export it again."
            ) from error
        with container:
            stream = _video_stream(container)
            context = stream.codec_context
            if context.width * context.height > limits.pixels:
                raise RecordingOutOfLimits(
                    f"The video claims {context.width} x {context.height} pixels; "
                    f"at most {limits.pixels / 1e6:.0f} million are read. Make it smaller and try again."
                )
            context.options = guard
            for other in container.streams:
                if other.index != stream.index:
                    other.discard = av.stream.Discard.all
            yield container, stream


def _video_stream(container: Any) -> Any:
    streams = [s for s in container.streams if s.type == "video" and not s.disposition & av.stream.Disposition.attached_pic]
    if not streams:
        raise UnreadableRecording("The file has no video in it, only sound or data. Choose the recording with the picture.")
    readable = [s for s in streams if s.codec_context is not None and s.codec_context.name in CODECS]
    if not readable:
        raise UnreadableRecording("The video is in a coding that can't be read. Convert it to H.264 in MP4.")
    return max(readable, key=lambda s: s.codec_context.width * s.codec_context.height)


def _rate(container: Any, stream: Any) -> float:
    return float(stream.average_rate or stream.guessed_rate or 0)


def _duration(container: Any, stream: Any) -> float:
    """Seconds from the first picture to the end of the last: from the header, else by reading the end of the file."""
    if stream.duration:
        return float(stream.duration * stream.time_base)
    if container.duration:
        shift = (stream.start_time or 0) * float(stream.time_base) - (container.start_time or 0) / av.time_base
        return float(container.duration / av.time_base - shift)
    return 0.0


def _created(container: Any, stream: Any) -> datetime | None:
    for text in (container.metadata.get("creation_time"), stream.metadata.get("creation_time")):
        try:
            moment = datetime.fromisoformat(text or "")
        except ValueError:
            continue
        if moment.tzinfo and moment.year > 1970:
            return moment
    return None
