"""Everything that writes recordings and segments: what people ask for, and each step of the work."""

import hashlib
import logging
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.core.files import File
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from campus.academics.models import Course, Lecture
from campus.biometrics.models import Gallery
from campus.biometrics.selectors import embedder_in_use
from campus.common import jobs
from campus.common.errors import DISK_FULL, UserError, disk_full
from campus.common.file_names import sanitize_file_name
from campus.common.picture_settings import PICTURE_FIELDS
from campus.common.storage import delete_media, delete_media_folder, local_path
from campus.common.upload_limits import check_upload_size
from campus.recordings.models import UNPROCESSED, Recording, Segment
from campus.recordings.placement import guess_offset
from campus.recordings.review import Finding, ReviewReason, unaccepted_reasons
from campus.recordings.segment_turns import publish_due_segments
from campus.recordings.selectors import OPEN_STATES
from recognition import types
from recognition.messages import Message

log = logging.getLogger(__name__)


def create_recording(
    *,
    lecture: Lecture,
    file: "File[Any]",
    name: str,
    user: User | None,
    offset: float | None = None,
    replaces: Recording | None = None,
) -> Recording:
    """Store an uploaded video or photo and request its ingest. The worker finds out what the file really is.

    `offset` is the second of the lecture at which it begins, if the user says so. `replaces` is the recording that is
    removed once this one counts.

    Raises UserError: empty, too large, already in this lecture, disk full. Nothing is left behind in that case.
    """
    name = sanitize_file_name(name)
    size = file.size or 0
    if not size:
        raise UserError("{name} is empty. Choose another file.", name=name)
    # A file that Django wrote to this disk is only renamed.
    coming = 0 if hasattr(file, "temporary_file_path") else size
    check_upload_size(size, local_path(), coming=coming)
    digest = hashlib.sha256()
    for chunk in file.chunks(1024 * 1024):
        digest.update(chunk)
    recording = Recording(
        lecture=lecture,
        original_name=name,
        size=size,
        sha256=digest.hexdigest(),
        uploaded_by=user,
        replaces=replaces,
        **place_fields(offset),
    )
    refuse_duplicate(lecture, recording.sha256)
    try:
        recording.file.save(name, file, save=False)
        with transaction.atomic():
            recording.save(force_insert=True)
            jobs.INGEST.request(recording.pk)
    except Exception as error:
        delete_media(recording.file.field.generate_filename(recording, name))
        if isinstance(error, IntegrityError):
            refuse_duplicate(lecture, recording.sha256)
        if isinstance(error, OSError) and disk_full(error):
            raise UserError(DISK_FULL) from error
        raise
    log.info("recording %s: %d bytes for lecture %s", recording.pk, size, lecture.pk)
    return recording


def place_fields(offset: float | None) -> dict[str, Any]:
    """The fields of a recording that begins at this second of its lecture, as a person said."""
    return {} if offset is None else {"offset": offset, "offset_source": Recording.OffsetSource.PERSON}


class DuplicateRecording(UserError):
    """The lecture has a recording with the same bytes already: `recording`."""

    def __init__(self, recording: Recording) -> None:
        super().__init__(
            "This recording is already here: {name}. Take attendance again there if you need to.",
            name=recording.original_name,
        )
        self.recording = recording


def refuse_duplicate(lecture: Lecture, sha256: str) -> None:
    """Raises DuplicateRecording if the lecture has a recording with this SHA-256, which is "" while it is unknown."""
    duplicate = Recording.objects.filter(lecture=lecture, sha256=sha256).exclude(sha256="").first()
    if duplicate:
        raise DuplicateRecording(duplicate)


def cancel_recording(*, recording: Recording, user: User | None) -> None:
    """Stop the work on a recording. Workers notice within seconds; the file stays. Raises UserError if the work is
    over.
    """
    with transaction.atomic():
        stopped = Recording.objects.filter(pk=recording.pk, state__in=OPEN_STATES).update(
            state=Recording.State.CANCELLED, error="", error_detail="", finished_at=timezone.now(), **jobs.RESET_FIELDS
        )
        if not stopped:
            raise UserError("There is nothing to cancel: the work on this recording is over.")
        _delete_segments(recording)
    recording.refresh_from_db()
    log.info("recording %s: cancelled by user %s", recording.pk, user and user.pk)


def dismiss_recording(*, recording: Recording, user: User | None) -> None:
    """Take a recording that failed, was cancelled or has gaps off the lists of what is to do. Raises UserError for one
    that still needs work or a decision.
    """
    states = (Recording.State.FAILED, Recording.State.CANCELLED, Recording.State.DONE)
    if not Recording.objects.filter(pk=recording.pk, state__in=states).update(dismissed=True):
        raise UserError("Only a recording that failed, was cancelled or has gaps can be dismissed.")
    log.info("recording %s: dismissed by user %s", recording.pk, user and user.pk)


def retry_recording(*, recording: Recording, user: User | None) -> None:
    """Process the failed segments again, and vote again. Raises UserError if nothing failed, or nothing is left to
    process.
    """
    with transaction.atomic():
        recording = Recording.objects.select_for_update().get(pk=recording.pk)
        _refuse_deleted_footage(recording)
        # Segments that are done but whose tracks have been deleted need to be processed again, too.
        again = recording.segments.filter(Q(state=Segment.State.FAILED) | Q(state=Segment.State.DONE, result=""))
        failed = recording.state == Recording.State.FAILED
        counted = recording.state in (Recording.State.DONE, Recording.State.NEEDS_REVIEW)
        gappy = counted and recording.segments.filter(state=Segment.State.FAILED).exists()
        if not failed and not gappy:
            raise UserError("Nothing failed in this recording. To process all of it anew, take attendance again.")
        planned = recording.segments.exists()
        again.update(**UNPROCESSED)
        Recording.objects.filter(pk=recording.pk).update(
            state=Recording.State.PROCESSING if planned else Recording.State.UPLOADED,
            dismissed=False,
            error="",
            error_detail="",
            planned_at=timezone.now(),
            finished_at=None,
            **jobs.RESET_FIELDS,
        )
        if planned:
            transaction.on_commit(publish_due_segments, robust=True)
        else:
            jobs.INGEST.request(recording.pk)
    start_due_votes(recording_id=recording.pk)
    log.info("recording %s: retried by user %s", recording.pk, user and user.pk)


def restart_recording(*, recording: Recording, user: User | None) -> None:
    """Take attendance again from the start, whatever the state. The previous result stays until the new one is
    there. Raises UserError where the footage is deleted.
    """
    with transaction.atomic():
        recording = Recording.objects.select_for_update().get(pk=recording.pk)
        _refuse_deleted_footage(recording)
        Recording.objects.filter(pk=recording.pk).update(
            state=Recording.State.UPLOADED,
            run=recording.run + 1,
            dismissed=False,
            coverage=0,
            error="",
            error_detail="",
            planned_at=None,
            finished_at=None,
            **jobs.RESET_FIELDS,
        )
        _delete_segments(recording)
        jobs.INGEST.request(recording.pk)
    log.info("recording %s: attendance taken again by user %s", recording.pk, user and user.pk)


def change_picture(*, recording: Recording, user: User | None, **changes: object) -> None:
    """Change the recording's picture settings, and take attendance again from it.

    Raises ValidationError by field, and UserError for a recording that was collected: its camera has the settings.
    """
    if recording.collected:
        raise UserError("This recording comes from a camera. Ask a registrar to change the camera's settings.")
    with transaction.atomic():
        recording = Recording.objects.select_for_update().get(pk=recording.pk)
        for name, value in changes.items():
            setattr(recording, name, value)
        recording.clean_fields(exclude={field.name for field in recording._meta.fields} - {*PICTURE_FIELDS})
        recording.save(update_fields=PICTURE_FIELDS)
        restart_recording(recording=recording, user=user)
    log.info("recording %s: picture settings changed by user %s: %s", recording.pk, user and user.pk, changes)


def _refuse_deleted_footage(recording: Recording) -> None:
    if recording.footage_deleted_at:
        raise UserError(
            "The recording was deleted on {day}, as the retention rules say. Its result stays as it is.",
            day=timezone.localtime(recording.footage_deleted_at).date(),
        )


def _delete_segments(recording: Recording) -> None:
    """Delete the segments with their tracks. A worker that still holds one can neither go on nor finish it."""
    recording.segments.all().delete()
    transaction.on_commit(publish_due_segments, robust=True)
    transaction.on_commit(lambda: delete_media_folder(tracks_folder(recording)))


def tracks_folder(recording: Recording) -> str:
    """Where workers keep the tracks of a recording. They hold embeddings of bystanders, so they are deleted after the
    vote.
    """
    return f"tracks/{recording.pk}"


# Steps of the work.


def plan_recording(*, recording: Recording, info: types.VideoInfo, segments: Sequence[types.Segment]) -> bool:
    """Finish the ingest: place the recording in its lecture, create the segments and request them, all with one
    embedder. False if this attempt lost its lease.
    """
    offset, source = recording.offset, recording.offset_source
    if source != Recording.OffsetSource.PERSON:
        offset, source = guess_offset(recording.lecture, info, recording.original_name)
    with transaction.atomic():
        planned = jobs.finish(
            recording,
            Recording.State.PROCESSING,
            info=info.to_json(),
            duration=info.duration,
            offset=offset,
            offset_source=source,
            embedder=embedder_in_use(recording.lecture.course),
            planned_at=timezone.now(),
            attempts=0,
            published_at=None,
        )
        if planned:
            rows = [Segment(recording=recording, index=part.index, start=part.start, end=part.end) for part in segments]
            Segment.objects.bulk_create(rows)
            transaction.on_commit(publish_due_segments, robust=True)
    return planned


def save_segment_progress(*, segment: Segment, share: float) -> bool:
    """Save how far the attempt is. False if it is no longer needed: cancelled, restarted, or the lease was lost."""
    held = Segment.objects.filter(pk=segment.pk, lease_owner=segment.lease_owner, state=Segment.State.PENDING)
    return bool(held.update(progress=min(max(share, 0.0), 1.0)))


def finish_segment(
    *,
    segment: Segment,
    result: str,
    faces: int,
    tracks: int,
    recognised_students: Sequence[int] = (),
    light: float | None = None,
    motion: float | None = None,
) -> bool:
    """Save the result: `result` is the file with the tracks, `recognised_students` the ids of those whom this segment
    alone shows.

    False if this attempt lost its lease. Call `start_due_votes` after the commit.
    """
    facts = {
        "faces": faces,
        "tracks": tracks,
        "light": light,
        "motion": motion,
        "recognised_students": list(recognised_students),
    }
    return jobs.finish(segment, Segment.State.DONE, result=result, progress=1.0, finished_at=timezone.now(), **facts)


def processed_recordings() -> QuerySet[Recording]:
    """Those that wait for their vote to be requested: no segment of them is pending."""
    pending = Segment.objects.filter(recording=OuterRef("pk"), state=Segment.State.PENDING)
    return Recording.objects.filter(~Exists(pending), state=Recording.State.PROCESSING)


def start_due_votes(*, recording_id: UUID | None = None) -> int:
    """Request the vote for recordings without pending segments, by default for all; returns how many were requested.

    One conditional UPDATE moves a recording on, so only one caller wins. Call this after the commit of the segment:
    otherwise two segments that finish at the same time each see the other as pending.
    """
    candidates = processed_recordings()
    if recording_id is not None:
        candidates = candidates.filter(pk=recording_id)
    requested = 0
    for pk in candidates.values_list("pk", flat=True):
        if processed_recordings().filter(pk=pk).update(state=Recording.State.AGGREGATING, **jobs.RESET_FIELDS):
            jobs.AGGREGATE.request(pk)
            requested += 1
    return requested


def vote_again(*, recording: Recording) -> None:
    """Request another vote on a recording that was counted and whose tracks are kept."""
    counted = (Recording.State.DONE, Recording.State.NEEDS_REVIEW)
    if Recording.objects.filter(pk=recording.pk, state__in=counted).update(
        state=Recording.State.AGGREGATING, **jobs.RESET_FIELDS
    ):
        jobs.AGGREGATE.request(recording)


def request_waiting_votes(*, course: Course) -> None:
    """Request the votes that waited for a training of the class, which is over now."""
    waiting = Recording.objects.filter(lecture__course=course, state=Recording.State.AGGREGATING, lease_until=None)
    jobs.AGGREGATE.request(*waiting.values_list("pk", flat=True))


def finish_recording(
    *,
    recording: Recording,
    gallery: Gallery,
    strictness: str,
    coverage: float,
    error: Message,
    findings: Sequence[Finding] = (),
    fitting_courses: Sequence[tuple[int, int]] = (),
) -> bool:
    """The vote with this gallery and strictness is over; `error` names the gaps. False if this attempt lost its lease.

    A recording with findings that no person has accepted is held back. Call this in the transaction that writes the
    attendance. The tracks that no vote needs any more are deleted after the commit.
    """
    held = any(finding.code not in recording.accepted_reasons for finding in findings)
    facts = {
        "gallery": gallery,
        "strictness": strictness,
        "coverage": coverage,
        "error": error,
        "held": held,
        "review_reasons": [finding.to_json() for finding in findings],
        "fitting_courses": list(fitting_courses),
        "finished_at": timezone.now(),
    }
    counted = jobs.finish(recording, Recording.State.NEEDS_REVIEW if held else Recording.State.DONE, **facts)
    for name, value in facts.items():
        setattr(recording, name, value)
    if counted:
        transaction.on_commit(lambda: delete_unneeded_tracks(recording))
    return counted


def delete_unneeded_tracks(recording: Recording) -> None:
    """Delete the tracks of a recording that was counted, unless more footage is expected, or there are gaps: then a
    retry of failed segments, or late footage, may still need them. Those of an uploaded video go with those of the
    lecture's other uploads, once none of these is under way, waits for others or waits to be placed.
    """
    counted = [recording]
    if not recording.collected and recording.duration:
        counted = list(recording.lecture.recordings.exclude(file=""))
        awaited = {ReviewReason.SHORT, ReviewReason.OVERLAP}
        if any(row.state in OPEN_STATES or unaccepted_reasons(row) & awaited for row in counted):
            return
        if recording.lecture.uploads.filter(recording=None, expires_at__gt=timezone.now()).exists():
            return
    for row in counted:
        if not row.error and not row.provisional:
            delete_tracks(recording_id=row.pk)


def delete_tracks(*, recording_id: UUID | str) -> None:
    """Delete the tracks of a recording."""
    Segment.objects.filter(recording_id=recording_id).update(result="")
    delete_media_folder("tracks", str(recording_id))
