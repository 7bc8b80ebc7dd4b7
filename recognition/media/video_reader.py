"""What `recognition.media.video` does in the sandbox: the functions of the same names are documented there."""

import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import dropwhile, pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from av.sidedata.sidedata import Type as SideData
from av.video.frame import PictureType
from numpy.typing import NDArray

from recognition.errors import RecordingOutOfLimits, UnreadableRecording
from recognition.media.clock import Timeline, read_timeline, runs_of, timed_packets
from recognition.media.container import BEFORE_START, VideoFile
from recognition.media.file_kind import PHOTO, reader_for
from recognition.media.limits import LIMITS, Limits
from recognition.media.orientation import stretch
from recognition.media.photo_reader import has_several_pictures, read_photo
from recognition.media.sampler import MOMENT, Sampler
from recognition.types import Frame, Segment, VideoInfo

TURNS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}
MAX_SEGMENT_SECONDS = 1200.0  # so long may a segment be for want of a key frame: decoding up to it again takes longer
KEY_FRAMES_TRIED = 3  # until they are taken for no whole pictures
PREROLL_GROUPS = 2  # a periodic intra refresh is complete one group after the point where it was entered
MAX_PREROLL_SECONDS = 120.0
CLAIM_TOLERANCE_SECONDS = 2.0  # by which a header's length may differ


def probe(path: Path, limits: Limits = LIMITS, stream: int | None = None) -> VideoInfo:
    reader = reader_for(path)
    if reader == PHOTO:
        return _probe_photo(path, limits)
    with VideoFile(path, limits, stream) as video:
        fps, claimed = video.frame_rate(), _claimed_duration(video)
        if fps > limits.fps:
            raise RecordingOutOfLimits(
                "The video claims {fps:.0f} pictures a second; at most {most:.0f} are read. Convert it to an ordinary "
                "frame rate.",
                fps=fps,
                most=limits.fps,
            )
        timeline = read_timeline(video, fps)
        if timeline.duration > limits.duration:
            raise RecordingOutOfLimits(
                "The video lasts {hours:.0f} hours; at most {most:.0f} are read. Cut it into parts.",
                hours=timeline.duration / 3600,
                most=limits.duration / 3600,
            )
        info = VideoInfo(
            container=reader,
            codec=video.stream.codec.canonical_name,
            width=0,
            height=0,
            rotation=0,
            fps=fps,
            duration=timeline.duration,
            started_at=_started_at(video),
            claimed_duration=claimed if claimed > timeline.duration + CLAIM_TOLERANCE_SECONDS else 0.0,
            stream=video.stream.index,
            other_streams=video.other_streams,
            runs=timeline.runs,
            gaps=timeline.gaps,
            counts_pictures=timeline.counts_pictures,
        )
        info = replace(info, preroll=_preroll(video, info, timeline))
        picture = _first_picture(video)
        return _with_orientation(info, video.stream, picture)  # the stream may be another object after reading


def _probe_photo(path: Path, limits: Limits) -> VideoInfo:
    image, image_format, taken_at = read_photo(path, limits.photo_pixels)
    height, width = image.shape[:2]
    return VideoInfo(
        container=image_format,
        codec=image_format,
        width=width,
        height=height,
        rotation=0,
        fps=0.0,
        duration=0.0,
        started_at=taken_at,
        is_photo=True,
        has_unread_pictures=has_several_pictures(path),
    )


def plan_segments(path: Path, info: VideoInfo, seconds: float = 60.0) -> list[Segment]:
    if info.is_photo:
        return [Segment(0, 0.0, 0.0)]
    with VideoFile(path, stream_index=info.stream) as video:
        key_times = read_timeline(video, info.fps).key_times
    cuts = _cuts(info.duration, seconds, key_times)
    return [Segment(index, *ends) for index, ends in enumerate(pairwise([*cuts, info.duration]))]


def sample_frames(path: Path, info: VideoInfo, segment: Segment, every: float = 2.0) -> Iterator[Frame]:
    if info.is_photo:
        yield Frame(0.0, _turn(cv2.resize(read_photo(path)[0], info.size_before_turning), info))
        return
    with VideoFile(path, stream_index=info.stream) as video:
        sampler = Sampler(video, info, segment, every)
        for time, picture in sampler.pictures(_from_key_frame(video, info, segment.start)):
            yield Frame(time, _upright(picture, info))
        if sampler.found_nothing:
            raise UnreadableRecording(
                "Nothing can be read between {start:.0f} s and {end:.0f} s: that part of the recording is damaged or "
                "missing.",
                start=segment.start,
                end=segment.end,
            )


def _packets_from(video: VideoFile, info: VideoInfo, time: float) -> Iterator[tuple[float, Any]]:
    """The packets with their times, from a key frame at or before `time` as far as the container knows."""
    runs = runs_of(video, info)
    run = max(bisect_right([run.start for run in runs], time + MOMENT) - 1, 0)
    if info.counts_pictures or not (run == 0 or video.seek_byte(runs[run].position)):
        video.rewind()
        run = 0
    elif run == 0:
        first = runs[0]
        video.seek(time - first.start + first.raw_start)
    return timed_packets(video, info, run)


def _from_key_frame(video: VideoFile, info: VideoInfo, start: float) -> Iterator[tuple[float, Any]]:
    """The packets from the last key frame at or before `start` on, or all if there is none."""
    start -= info.preroll
    key = None
    for place in (start, start - 10, -math.inf):  # where a file has no index, seeking may end too late
        place = max(place, BEFORE_START)
        for time, packet in _packets_from(video, info, place):
            if time > start + MOMENT:
                break
            if packet.is_keyframe:
                key = time
        if key is not None:
            break
    timed = _packets_from(video, info, place)
    if key is None:
        return timed
    return dropwhile(lambda item: not (item[1].is_keyframe and item[0] == key), timed)


def _first_picture(video: VideoFile) -> Any:
    video.rewind()
    for packet in video.packets():
        if pictures := video.decode(packet):
            video.decode(None)
            return pictures[0]
    if pictures := video.decode(None):
        return pictures[0]
    raise UnreadableRecording("The video has no picture in it that can be decoded. Record or export it again.")


def _preroll(video: VideoFile, info: VideoInfo, timeline: Timeline) -> float:
    """How long before a moment decoding has to begin. Not 0 where what is marked as key frames are points of an intra
    refresh, from which pictures become whole bit by bit."""
    later = timeline.key_times[1:]
    if video.stream.codec.canonical_name not in ("h264", "hevc") or not later:
        return 0.0
    for time in later[:KEY_FRAMES_TRIED]:
        packets = _packets_from(video, info, time)
        packet = next((packet for found, packet in packets if packet.is_keyframe and found >= time - MOMENT), None)
        pictures = [*video.decode(packet), *video.decode(None)] if packet is not None else []
        if any(picture.pict_type == PictureType.I for picture in pictures):
            return 0.0
    return min(PREROLL_GROUPS * timeline.longest_group, MAX_PREROLL_SECONDS)


def _with_orientation(info: VideoInfo, stream: Any, picture: Any) -> VideoInfo:
    """Sizes, turning and mirroring as a player shows the pictures."""
    aspect = float(stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio or 1)
    width, height = stretch(picture.width, picture.height, aspect)
    rotation, is_mirrored = _orientation(picture)
    if rotation in (90, 270):
        width, height = height, width
    return replace(info, width=width, height=height, rotation=rotation, is_mirrored=is_mirrored)


def _orientation(picture: Any) -> tuple[int, bool]:
    """Degrees clockwise, and whether left and right are swapped after that, from the display matrix of the container or
    the codec (ISO 14496-12, 8.3.2: x' = ax + cy, y' = bx + dy)."""
    data = picture.side_data.get(SideData.DISPLAYMATRIX)
    if data is None:
        return 0, False
    a, b, _, c, d = np.frombuffer(bytes(data), np.int32)[:5].tolist()
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return (0 if d >= 0 else 180), (a < 0) != (d < 0)
    return (90 if b > 0 else 270), (b > 0) == (c > 0)


def _upright(picture: Any, info: VideoInfo) -> NDArray[np.uint8]:
    """The picture as RGB in the size and the direction of `info`, whatever the stream changed to in between."""
    width, height = info.size_before_turning
    return _turn(np.ascontiguousarray(picture.to_ndarray(format="rgb24", width=width, height=height)), info)


def _turn(image: Any, info: VideoInfo) -> NDArray[np.uint8]:
    if info.rotation:
        image = cv2.rotate(image, TURNS[info.rotation])
    return cv2.flip(image, 1) if info.is_mirrored else image


def _cuts(duration: float, seconds: float, key_times: Sequence[float]) -> list[float]:
    """Where the segments of a recording start."""
    cuts = [0.0]
    while duration - cuts[-1] > seconds * 4 / 3:
        here = cuts[-1]
        last = duration - seconds / 3
        before = key_times[bisect_right(key_times, here + seconds) - 1] if key_times else 0.0
        following = next(iter(key_times[bisect_right(key_times, here + seconds) :]), math.inf)
        cut = before if before > here + seconds / 2 else min(following, here + MAX_SEGMENT_SECONDS)
        if cut > last:
            break
        cuts.append(cut)
    return cuts


def _claimed_duration(video: VideoFile) -> float:
    """Seconds by the header; 0 where it does not say."""
    if video.stream.duration:
        return float(video.stream.duration * video.stream.time_base)
    return (video.container.duration or 0) / 1e6


def _started_at(video: VideoFile) -> datetime | None:
    try:
        moment = datetime.fromisoformat(video.container.metadata.get("creation_time", ""))
    except ValueError:
        return None
    is_set = moment.tzinfo is not None and moment.year > 1970  # a camera without a clock writes 1904 or 1970
    return moment if is_set else None
