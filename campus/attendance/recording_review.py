"""What people do about a recording: accept one that was held back, place it in its lecture, move it or remove it.

Each function that takes a user locks the lecture, counts it again and logs the change. It raises PermissionDenied where
the user may not change the lecture, and UserError where it is signed off.
"""

from datetime import timedelta

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import F

from campus.academics.models import Lecture
from campus.accounts.roles import is_registrar
from campus.attendance.change_log import lock_lecture, log_change
from campus.attendance.collected_lectures import finish_collected_lecture
from campus.attendance.models import AttendanceChange, SignOff
from campus.attendance.notifications import notify_recording_counted, notify_review_needed
from campus.attendance.proposals import recount_lecture
from campus.attendance.reports import refresh_lecture_reports, request_recording_report
from campus.attendance.services import delete_recording
from campus.attendance.snapshots import request_snapshot
from campus.common.errors import UserError
from campus.recordings.models import Recording
from campus.recordings.review import ReviewReason, consecutive_uploads, review_place
from campus.recordings.selectors import OPEN_STATES, format_clock
from campus.recordings.services import delete_unneeded_tracks, refuse_duplicate, restart_recording, vote_again

ChangeKind = AttendanceChange.ChangeKind
OffsetSource = Recording.OffsetSource

REVIEW_PICTURES = (0.25, 0.75)  # of the recording's length: when the pictures are from that a person checks it by
MAX_OFFSET = timedelta(hours=24)
# What depends on the recording's place in its lecture.
PLACE_REASONS = {ReviewReason.SHORT, ReviewReason.LONG, ReviewReason.ELSEWHEN, ReviewReason.OVERLAP}


def review_picture_times(recording: Recording) -> list[float]:
    """The seconds of the recording that a person should look at."""
    return [round(share * recording.duration, 1) for share in REVIEW_PICTURES] if recording.duration else [0.0]


def publish_result(*, recording: Recording) -> None:
    """Request the workbook of a recording that counts, remove the one that it replaces, and notify the lecturers; ask
    them to check one that is held back."""
    if recording.held:
        for time in review_picture_times(recording):
            request_snapshot(recording=recording, time=time)
        notify_review_needed(recording=recording)
    elif recording.collected:
        finish_collected_lecture(lecture=recording.lecture)
    else:
        _remove_replaced(recording)
        request_recording_report(recording=recording)
        notify_recording_counted(recording=recording)


def _remove_replaced(recording: Recording) -> None:
    """Delete the recording that this one replaces. It stays if it is of another lecture by now, or its lecture is
    signed off."""
    lecture, user = recording.lecture, recording.uploaded_by
    if recording.replaces_id is None or user is None:
        return
    replaced = lecture.recordings.filter(replacements=recording).first()
    if replaced is None or SignOff.objects.filter(lecture=lecture).exists():
        return
    names = f"{replaced.original_name} → {recording.original_name}"
    delete_recording(recording=replaced)
    log_change(lecture, user, ChangeKind.REPLACED, about=names)
    recheck_places(lecture=lecture)


@transaction.atomic
def accept_recording(*, recording: Recording, user: User) -> None:
    """Count a recording that was held back, as it is. Raises UserError where it is not waiting for that."""
    lock_lecture(recording.lecture_id, user)
    recording = Recording.objects.select_for_update().get(pk=recording.pk)
    if recording.state != Recording.State.NEEDS_REVIEW:
        raise UserError("This recording is not waiting to be checked.")
    codes = [reason["code"] for reason in recording.review_reasons]
    recording.accepted_reasons = sorted({*recording.accepted_reasons, *codes})
    if ReviewReason.ELSEWHEN in codes:
        # It is of this lecture, so what says otherwise is wrong.
        recording.offset, recording.offset_source = 0.0, OffsetSource.ASSUMED
        recording.accepted_reasons = sorted({*recording.accepted_reasons, *PLACE_REASONS})
    _release(recording)
    transaction.on_commit(lambda: delete_unneeded_tracks(recording))
    recount_lecture(lecture=recording.lecture)
    log_change(recording.lecture, user, ChangeKind.ACCEPTED, about=recording.original_name)
    publish_result(recording=recording)


def _release(recording: Recording) -> None:
    recording.state, recording.held = Recording.State.DONE, False
    recording.save(update_fields=["state", "held", "offset", "offset_source", "accepted_reasons", "review_reasons"])


@transaction.atomic
def place_recording(*, recording: Recording, offset: float, user: User) -> None:
    """Say at which second of the lecture a recording begins; negative where it begins before it. It is counted again
    at once, and voted on again with the files before and after it whose tracks are kept. Raises UserError for footage
    that was collected, and for more than a day."""
    lecture = lock_lecture(recording.lecture_id, user)
    recording = Recording.objects.select_for_update().get(pk=recording.pk)
    if recording.collected:
        raise UserError("This footage was collected for the lecture. Set the clock of its source instead.")
    if abs(offset) > MAX_OFFSET.total_seconds():
        raise UserError("The recording would begin more than a day from the lecture. Move it to another lecture.")
    recording.offset, recording.offset_source = offset, OffsetSource.PERSON
    recording.save(update_fields=["offset", "offset_source"])
    start = f"-{format_clock(-offset)}" if offset < 0 else format_clock(offset)
    log_change(lecture, user, ChangeKind.PLACED, about=f"{recording.original_name}, {start}")
    recheck_places(lecture=lecture)
    recount_lecture(lecture=lecture)
    refresh_lecture_reports(lecture=lecture)
    if len(consecutive_uploads(recording)) > 1:
        vote_again(recording=recording)


def recheck_places(*, lecture: Lecture) -> None:
    """Ask again of all recordings of the lecture whether they fit it by length and time, since one of them was placed,
    added or removed. Those that do no longer wait for a person; the others wait, unless they were accepted before."""
    changed = []
    recordings = list(lecture.recordings.all())
    for recording in recordings:
        if recording.state not in (Recording.State.DONE, Recording.State.NEEDS_REVIEW):
            continue
        others = [reason for reason in recording.review_reasons if reason["code"] not in PLACE_REASONS]
        findings = [finding.to_json() for finding in review_place(recording, recordings)]
        if [*others, *findings] == recording.review_reasons:
            continue
        recording.review_reasons = [*others, *findings]
        was_held = recording.held
        recording.held = any(reason["code"] not in recording.accepted_reasons for reason in recording.review_reasons)
        recording.state = Recording.State.NEEDS_REVIEW if recording.held else Recording.State.DONE
        recording.save(update_fields=["state", "held", "review_reasons"])
        if recording.held != was_held:
            changed.append(recording)
    if changed:
        recount_lecture(lecture=lecture)
    for recording in changed:
        publish_result(recording=recording)


def follow_lecture(*, lecture: Lecture, seconds: float, **_: object) -> None:
    """The lecture starts later by so many seconds, or ends at another time: count it again. A recording whose time is
    known stays at that time; one that is assumed to begin with the lecture moves with it."""
    recordings = lecture.recordings.exclude(file="")
    recordings.exclude(offset_source=OffsetSource.ASSUMED).update(offset=F("offset") - seconds)
    if recordings.exists() and not SignOff.objects.filter(lecture=lecture).exists():
        recheck_places(lecture=lecture)
        recount_lecture(lecture=lecture)


@transaction.atomic
def move_recording(*, recording: Recording, lecture: Lecture, user: User) -> None:
    """Say that a recording is of another lecture. Attendance is taken from it again there. Raises UserError for footage
    that was collected, while the recording is being processed, and where that lecture has it already."""
    first, second = sorted([recording.lecture_id, lecture.pk])
    old = {pk: lock_lecture(pk, user) for pk in (first, second)}[recording.lecture_id]
    recording = Recording.objects.select_for_update().get(pk=recording.pk)
    if recording.collected:
        raise UserError("This footage was collected for the lecture. Assign its files to another camera or lecture.")
    if recording.state in OPEN_STATES:
        raise UserError("The recording is still being processed. Wait until it is done, or cancel it, then move it.")
    if lecture.pk == old.pk:
        return
    refuse_duplicate(lecture, recording.sha256)
    recording.sightings.all().delete()
    recording.unknown_people.all().delete()
    recording.face_overrides.all().delete()
    recording.snapshots.all().delete()
    Recording.objects.filter(pk=recording.pk).update(
        lecture=lecture,
        replaces=None,
        held=False,
        review_reasons=[],
        accepted_reasons=[],
        offset=0.0,
        offset_source=OffsetSource.ASSUMED,
    )
    recording.refresh_from_db()
    restart_recording(recording=recording, user=user)
    for place in (old, lecture):
        log_change(place, user, ChangeKind.MOVED, about=f"{recording.original_name}: {old} → {lecture}")
    recheck_places(lecture=old)
    recount_lecture(lecture=old)


@transaction.atomic
def remove_recording(*, recording: Recording, user: User) -> None:
    """Delete a recording with all that was seen in it. What people set by hand stays. Raises UserError where a lecturer
    removes footage that was collected."""
    lecture = lock_lecture(recording.lecture_id, user)
    if recording.collected and not is_registrar(user):
        raise UserError("This footage was collected for the lecture. Discard its files instead.")
    log_change(lecture, user, ChangeKind.REMOVED, about=recording.original_name)
    delete_recording(recording=recording)
    recheck_places(lecture=lecture)
