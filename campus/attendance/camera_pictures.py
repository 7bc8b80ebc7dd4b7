"""What a camera shows, by its latest recording or else a footage file, and its recordings that were counted before its
picture settings changed.
"""

from django.contrib.auth.models import User
from django.db.models import QuerySet

from campus.attendance.models import Snapshot
from campus.attendance.snapshots import request_footage_snapshot, request_snapshot
from campus.cctv.models import Camera, FootageFile
from campus.common.picture_settings import PICTURE_FIELDS
from campus.recordings.models import Recording
from campus.recordings.selectors import OPEN_STATES, video_info
from campus.recordings.services import restart_recording


def request_previews(recording: Recording) -> list[Snapshot]:
    """A picture of each of the recording's video streams, in their order, as the latest of its files has them.

    Empty as long as its file was not probed. Those that do not exist yet are requested from a worker.
    """
    if not recording.info:
        return []
    streams = video_info(recording).streams
    clip = recording.clips.order_by("-recording_start").first()
    time = (clip.recording_start + clip.recording_end) / 2 if clip else recording.duration / 2
    return [
        request_snapshot(recording=recording, time=time, stream=number) for number, _ in enumerate(streams, start=1)
    ]


def request_footage_previews(footage_file: FootageFile) -> list[Snapshot]:
    """A picture of each video stream of a footage file that is stored, in their order."""
    info = video_info(footage_file)
    return [
        request_footage_snapshot(footage_file=footage_file, time=info.duration / 2, stream=number)
        for number, _ in enumerate(info.streams, start=1)
    ]


def latest_recording(camera: Camera) -> Recording | None:
    """The camera's recording of the latest lecture of which there is footage."""
    return _with_footage(camera).first()


def outdated_recordings(camera: Camera) -> QuerySet[Recording]:
    """The camera's recordings that were counted with other picture settings than it has now, the latest lecture first.

    Without those of lectures that were signed off, and those whose footage is gone.
    """
    current = {name: getattr(camera, name) for name in PICTURE_FIELDS}
    return _with_footage(camera).filter(lecture__sign_off=None).exclude(state__in=OPEN_STATES).exclude(**current)


def recount_outdated_recordings(*, camera: Camera, user: User | None) -> int:
    """Take attendance again from the recordings that were counted with other picture settings; returns how many."""
    recordings = list(outdated_recordings(camera))
    for recording in recordings:
        restart_recording(recording=recording, user=user)
    return len(recordings)


def _with_footage(camera: Camera) -> QuerySet[Recording]:
    recordings = camera.recordings.exclude(clips=None).exclude(clips__footage_file__file="")
    return recordings.order_by("-lecture__starts_at", "pk")
