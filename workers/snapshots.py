"""Saves a whole frame of a recording: as evidence, or as a preview of a stream."""

from pathlib import Path

from campus.attendance.models import Snapshot
from campus.attendance.snapshots import finish_snapshot
from campus.cctv.models import FootageFile
from campus.common import jobs
from campus.common.errors import UserError
from campus.recordings.selectors import footage_at, video_info
from recognition.types import VideoInfo
from workers import vision
from workers.leased_task import leased_task


@leased_task(jobs.SNAPSHOT)
def take_snapshot(snapshot: Snapshot) -> None:
    from recognition.media.snapshot import read_snapshot

    if snapshot.recording:
        video, info, video_starts = footage_at(snapshot.recording, snapshot.time)
    else:
        video, info, video_starts = footage_of(snapshot.footage_file)
    time = snapshot.time - video_starts
    with vision.open_recording(video, info) as path:
        if snapshot.stream:
            jpeg = read_stream_preview(path, info, snapshot.stream, time)
        else:
            jpeg = read_snapshot(path, info, time)
    finish_snapshot(snapshot=snapshot, jpeg=jpeg)


def footage_of(footage_file: FootageFile | None) -> tuple[str, VideoInfo, float]:
    """As `footage_at`, of a footage file by itself."""
    if footage_file is None or not footage_file.file:
        raise UserError("The footage file is no longer here.")
    return str(footage_file.file.name), video_info(footage_file), 0.0


def read_stream_preview(path: Path, info: VideoInfo, stream: int, time: float) -> bytes:
    """A picture of that stream (1 is the first) as it is in the file, from about that second, as JPEG."""
    from recognition.media.snapshot import read_preview
    from recognition.media.video import probe

    if stream > len(info.streams):
        raise UserError("The file has no such video stream.")
    return read_preview(path, probe(path, stream=info.streams[stream - 1]), time)
