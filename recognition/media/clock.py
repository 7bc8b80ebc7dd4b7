"""The clock of a recording: seconds that begin at 0 and only go forward, whatever clocks its file has.

The file's own clock may begin anywhere, start again where a recorder was restarted or two files were joined, jump, or
be nonsense between key frames; some files have none. One reading of all packets, without decoding, shows which. The
result is a list of runs: stretches of the file in which the recording's time is the file's own plus a constant.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from recognition.media.container import VideoFile
from recognition.types import ClockRun, Interval, VideoInfo

DEFAULT_FPS = 25.0  # of a file that does not say
REORDERING_SECONDS = 3.0  # by which pictures are stored before those that are shown earlier, at most
GAP_SECONDS = 10.0  # without a picture, to be worth saying
# A container whose clock is what its writer meant may have any pause in it. In one that carries a device's own clock, a
# longer step forward than this is that clock's, not a pause.
MEANT_CLOCKS = ("mov", "matroska", "avi", "asf", "mxf")
MAX_PAUSE_SECONDS = 600.0
MAX_NONSENSE_SHARE = 0.25  # of groups in which pictures' times are nonsense, until all pictures are counted instead


@dataclass(slots=True, kw_only=True)
class Group:
    """A key frame and what follows up to the next one: times by the file's own clock."""

    key: float
    position: int
    is_timed: bool
    packets: int = 0
    low: float
    high: float
    end: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """What one reading of all packets shows. `gaps` are times without pictures; `longest_group` is in seconds."""

    runs: tuple[ClockRun, ...]
    duration: float
    gaps: tuple[Interval, ...]
    counts_pictures: bool
    longest_group: float
    key_times: tuple[float, ...]


def read_timeline(video: VideoFile, fps: float) -> Timeline:
    """Read all packets of the file, without decoding them."""
    video.rewind()
    picture_seconds = 1 / (fps or DEFAULT_FPS)
    groups = _read_groups(video, picture_seconds)
    if not groups:
        return Timeline(runs=(), duration=0.0, gaps=(), counts_pictures=False, longest_group=0.0, key_times=())
    counts_pictures = not all(group.is_timed for group in groups) or _share_of_nonsense(groups) > MAX_NONSENSE_SHARE
    max_pause = float("inf") if video.reader in MEANT_CLOCKS else MAX_PAUSE_SECONDS
    groups = _without_outliers(groups, picture_seconds, max_pause)
    start = groups[0].key - _zero(video, groups[0])
    runs = [ClockRun(start, groups[0].key, 0)]
    starts = [start]
    gaps: list[Interval] = []
    if start > GAP_SECONDS:
        gaps.append((0.0, start))
    for group, following in pairwise(groups):
        counted_end = starts[-1] + group.packets * picture_seconds
        timed_end = starts[-1] + group.end - group.key
        step = following.key - group.key
        if 0 < step <= group.packets * picture_seconds + max_pause:
            last_seen = counted_end if counts_pictures else min(timed_end, starts[-1] + step)
            starts.append(starts[-1] + step)
        else:
            last_seen = counted_end if counts_pictures else timed_end
            starts.append(last_seen)
            runs.append(ClockRun(last_seen, following.key, following.position))
        if starts[-1] - last_seen > GAP_SECONDS:
            gaps.append((last_seen, starts[-1]))
    last = groups[-1]
    length = last.packets * picture_seconds if counts_pictures else last.end - last.key
    duration = starts[-1] + length
    return Timeline(
        runs=tuple(runs),
        duration=duration,
        gaps=tuple(gaps),
        counts_pictures=counts_pictures,
        longest_group=max(after - before for before, after in zip(starts, [*starts[1:], duration], strict=True)),
        key_times=tuple(starts),
    )


def _read_groups(video: VideoFile, picture_seconds: float) -> list[Group]:
    groups: list[Group] = []
    latest = -picture_seconds
    for packet in video.packets():
        time = video.raw_time(packet)
        is_timed = time is not None
        time = latest + picture_seconds if time is None else time
        latest = time
        end = time + (float(packet.duration * video.stream.time_base) if packet.duration else picture_seconds)
        if packet.is_keyframe or not groups:
            groups.append(Group(key=time, position=packet.pos or 0, is_timed=is_timed, low=time, high=time, end=end))
        group = groups[-1]
        group.packets += 1
        group.is_timed = group.is_timed or is_timed
        group.low, group.high, group.end = min(group.low, time), max(group.high, time), max(group.end, end)
    return groups


def _share_of_nonsense(groups: list[Group]) -> float:
    """The share of groups that have pictures long before their key frame, or long after the next one."""
    followed = list(pairwise(groups))
    nonsense = sum(
        group.low < group.key - REORDERING_SECONDS
        or (following.key > group.key and group.high > following.key + REORDERING_SECONDS)
        for group, following in followed
    )
    return nonsense / max(len(followed), 1)


def _without_outliers(groups: list[Group], picture_seconds: float, max_pause: float) -> list[Group]:
    """Leave out a group whose clock is nonsense between two that agree: a damaged place, not another clock."""
    kept = groups[:1]
    for group, following in pairwise(groups[1:]):
        counted = (kept[-1].packets + group.packets) * picture_seconds
        agree = counted / 2 < following.key - kept[-1].key <= counted + max_pause
        if agree and not kept[-1].key < group.key < following.key:
            continue
        kept.append(group)
    return kept + groups[1:][-1:]


def _zero(video: VideoFile, first: Group) -> float:
    """Where the recording begins by the file's own clock: with the first of its streams, so that a picture that begins
    later than the sound does so here too."""
    starts = [
        float(other.start_time * other.time_base)
        for other in video.container.streams
        if other.start_time is not None and other.type in ("video", "audio")
    ]
    plausible = [start for start in [*starts, first.low] if first.low - MAX_PAUSE_SECONDS <= start <= first.low]
    return min(plausible)


def runs_of(video: VideoFile, info: VideoInfo) -> tuple[ClockRun, ...]:
    """The file's clocks; one that begins with the stream where `info` is not from `probe`."""
    return info.runs or (ClockRun(0.0, video.first_raw_time, 0),)


def timed_packets(video: VideoFile, info: VideoInfo, run: int = 0) -> Iterator[tuple[float, Any]]:
    """The packets from here on, which is somewhere in that run, with their times.

    Their time stamps are set to it too, and so are those of the pictures that they become.
    """
    picture_seconds = 1 / (info.fps or DEFAULT_FPS)
    runs = runs_of(video, info)
    time: float | None = None
    for packet in video.packets():
        while run + 1 < len(runs) and (packet.pos or 0) >= runs[run + 1].position:
            run += 1
        raw = video.raw_time(packet)
        if raw is None or (info.counts_pictures and time is not None and not packet.is_keyframe):
            time = 0.0 if time is None else time + picture_seconds
        else:
            time = raw - runs[run].raw_start + runs[run].start
        ticks = round(time / video.stream.time_base)
        if packet.pts is not None:
            packet.pts = ticks
        else:
            packet.dts = ticks
        yield time, packet
