"""Annotated videos: a worker draws one when somebody asks to see who was recognised where. Every view is logged."""

from collections.abc import Iterable
from datetime import timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase

from campus.academics.models import Student
from campus.accounts.roles import AnyUser
from campus.attendance.change_log import log_change
from campus.attendance.models import AnnotatedVideo, AttendanceChange
from campus.common import jobs
from campus.common.errors import UserError
from campus.common.file_responses import video_response
from campus.common.storage import delete_media_after_commit, read_media_or_nothing, write_media
from campus.recordings.models import Recording
from campus.recordings.selectors import recordings_for
from recognition.types import Attendance, FacePath, SegmentResult

CLIP_SECONDS = 5.0  # before and after a moment
MAX_VIDEOS_PER_USER = 20  # waiting, or made and not deleted yet


def annotated_videos_for(user: AnyUser) -> QuerySet[AnnotatedVideo]:
    """The user's own, of recordings that the user may still see: each has its viewer's name in it."""
    return AnnotatedVideo.objects.filter(user=user.pk, recording__in=recordings_for(user))


def request_annotated_video(
    *,
    recording: Recording,
    user: User,
    moment: float | None = None,
    student: Student | None = None,
    blur_others: bool = False,
) -> AnnotatedVideo:
    """Ask a worker for the whole recording, or for the seconds around a moment of it. A request that still waits is
    not repeated. Raises UserError for a recording that has not been counted, or has no such moment, and for too many
    videos of the user."""
    if recording.state not in (Recording.State.DONE, Recording.State.NEEDS_REVIEW):
        raise UserError("Attendance has not been taken from this recording. Wait until it is done.")
    if recording.footage_deleted_at:
        raise UserError("The recording is deleted, as the retention rules say, so no video can be made of it.")
    start, end = 0.0, recording.duration
    if moment is not None:
        if not 0 <= moment <= recording.duration:
            raise UserError("The recording has no such second.")
        start, end = max(moment - CLIP_SECONDS, 0.0), min(moment + CLIP_SECONDS, end)
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        video, created = AnnotatedVideo.objects.get_or_create(
            recording=recording,
            user=user,
            start=start,
            end=end,
            student=student,
            blur_others=blur_others,
            state=AnnotatedVideo.State.QUEUED,
        )
        if created:
            if AnnotatedVideo.objects.filter(user=user).count() > MAX_VIDEOS_PER_USER:
                raise UserError(
                    "You have {most} annotated videos. Ask again when one is deleted, which is soon.",
                    most=MAX_VIDEOS_PER_USER,
                )
            jobs.ANNOTATE.request(video.pk)
    return video


def save_progress(*, video: AnnotatedVideo, share: float) -> bool:
    """Note how far the work is. False: this attempt does not hold the row any more."""
    rows = AnnotatedVideo.objects.filter(pk=video.pk, lease_owner=video.lease_owner, state=video.state)
    return bool(rows.update(progress=share))


def open_annotated_video(video: AnnotatedVideo, request: HttpRequest) -> HttpResponseBase:
    """A response with the video, or with the part of it that a player asks for. That it was opened is noted in the
    lecture's log. The caller has checked access."""
    response = video_response(request, video.file)
    byte_range = response.get("Content-Range", "")
    if request.method == "GET" and (not byte_range or byte_range.startswith("bytes 0-")):
        _log_view(video)
    return response


def _log_view(video: AnnotatedVideo) -> None:
    recording = video.recording
    about = recording.original_name
    if recording.duration:
        about = f"{about}, {timedelta(seconds=int(video.start))}-{timedelta(seconds=int(video.end))}"
    log_change(recording.lecture, video.user, AttendanceChange.ChangeKind.WATCHED, about=about)


def dump_paths(*, results: Iterable[SegmentResult], attendance: Attendance) -> bytes:
    """Where the faces were, as `store_face_paths` keeps it."""
    from recognition.tracking.face_paths import collect_face_paths, dump_face_paths

    return dump_face_paths(collect_face_paths(list(results), attendance))


def store_face_paths(*, recording: Recording, paths: bytes) -> None:
    """Keep where the faces were, for annotated videos, since the tracks are deleted."""
    write_media(_face_paths_file(recording), paths)


def read_face_paths(recording: Recording) -> tuple[FacePath, ...]:
    """What `store_face_paths` kept. Raises RecognitionError where there is nothing."""
    from recognition.tracking.face_paths import load_face_paths

    return load_face_paths(read_media_or_nothing(_face_paths_file(recording)))


def delete_face_paths(*, recording: Recording) -> None:
    """Delete what `store_face_paths` kept, once the transaction is committed."""
    delete_media_after_commit(_face_paths_file(recording))


def _face_paths_file(recording: Recording) -> str:
    return f"face_paths/{recording.pk}/paths.npz"
