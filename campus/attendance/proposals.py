"""The machine's proposals: who was seen in a recording, and the status that follows for each student of the lecture."""

import base64
import hashlib
from collections.abc import Collection, Iterable, Sequence
from datetime import timedelta
from itertools import chain
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from campus.academics.models import Lecture, Student
from campus.academics.selectors import lecture_roster
from campus.attendance.confirmed_faces import learn_later
from campus.attendance.models import (
    AttendanceRecord,
    FaceOverride,
    Sighting,
    SignOff,
    Status,
    UnknownPerson,
)
from campus.attendance.selectors import (
    WatchedRecording,
    evidence_by_student,
    intervals_in_lecture,
    watched_recordings,
)
from campus.attendance.status_rules import min_present_seconds, status_from_times
from campus.biometrics.look_alikes import students_in_doubt
from campus.common.intervals import merge_intervals, total_length
from campus.common.storage import delete_media, media, write_media
from campus.consent.selectors import students_with_basis
from campus.recordings.models import Recording
from campus.recordings.review import ReviewReason
from campus.recordings.selectors import find_gaps
from recognition.types import Attendance, Crop, Interval

MIN_WATCHED_SHARE = 0.5  # of the lecture, for "absent" of who was not seen


def store_crops(*, recording: Recording, attendance: Attendance) -> None:
    """Write the pictures that a vote found, before the transaction of `save_attendance`, which finds them then."""
    found = [presence.crops for presence in attendance.presences] + [person.crops for person in attendance.unknown]
    _store_crops(recording, chain.from_iterable(found))


@transaction.atomic(savepoint=False)
def save_attendance(*, recording: Recording, attendance: Attendance) -> None:
    """Store what a vote found, in place of what an earlier vote on this recording found. Repeating it gives the same
    rows. The caller has locked the lecture.

    The labels in `attendance` are students' ids, its override keys are ids of FaceOverride. A lecture that was signed
    off keeps its records.
    """
    recording.sightings.all().delete()
    recording.unknown_people.all().delete()
    roster = {presence.label for presence in attendance.presences}
    Sighting.objects.bulk_create(
        Sighting(
            recording=recording,
            student_id=int(presence.label),
            present=presence.present,
            to_confirm=presence.to_confirm,
            # The gallery may also know students who have left.
            runner_up_id=int(presence.runner_up) if presence.runner_up in roster else None,
            recognisable=presence.recognisable,
            intervals=[list(interval) for interval in presence.intervals],
            seconds=presence.seconds,
            share=presence.share,
            confidence=presence.confidence,
            lead=presence.lead,
            crops=_store_crops(recording, presence.crops),
            face_positions=presence.face_positions,
        )
        for presence in attendance.presences
    )
    actions: dict[str, str] = {}
    if any(person.override_key for person in attendance.unknown):
        actions = {str(pk): action for pk, action in recording.face_overrides.values_list("pk", "action")}
    UnknownPerson.objects.bulk_create(
        UnknownPerson(
            recording=recording,
            index=index,
            is_static=person.is_static,
            intervals=[list(interval) for interval in person.intervals],
            seconds=person.seconds,
            crops=_store_crops(recording, person.crops),
            face_positions=person.face_positions,
            resembles=[int(label) for label in person.resembles if label in roster],
            override_id=int(person.override_key) if person.override_key in actions else None,
        )
        for index, person in enumerate(attendance.unknown)
        if actions.get(person.override_key) != FaceOverride.Action.DELETED
    )
    if not SignOff.objects.filter(lecture=recording.lecture).exists():
        recount_lecture(lecture=recording.lecture)
    learn_later(course=recording.lecture.course_id)
    transaction.on_commit(lambda: delete_unused_crops(recording), robust=True)


def _store_crops(recording: Recording, crops: Iterable[Crop]) -> list[dict[str, object]]:
    """Write the crops under names that follow from their content, so that the same vote writes the same files. The best
    one has a blurred picture with it, which pages show until somebody asks for the face.
    """
    stored: list[dict[str, object]] = []
    for crop in crops:
        name = f"crops/{recording.pk}/{hashlib.sha256(crop.jpeg).hexdigest()[:32]}.jpg"
        if not media().exists(name):
            write_media(name, crop.jpeg)
        stored.append({"file": name, "time": crop.time, "quality": crop.quality, "box": crop.box})
        if len(stored) == 1 and crop.blurred:
            stored[0]["blurred"] = base64.b64encode(crop.blurred).decode()
    return stored


def delete_unused_crops(recording: Recording) -> None:
    """Delete the recording's crops that no row refers to any more."""
    unknown = recording.unknown_people.order_by().values_list("crops", flat=True)
    rows = recording.sightings.order_by().values_list("crops", flat=True).union(unknown, all=True)
    used = {crop["file"] for crops in rows for crop in crops}
    for file in media().walk(f"crops/{recording.pk}"):
        if file.name not in used:
            delete_media(file.name)


@transaction.atomic
def forget_pictures(students: QuerySet[Student], **_: Any) -> None:
    """Delete the pictures from lectures of those of the students who may not be recognised any more. When they were
    seen stays. It is called in the transaction of what has changed.
    """
    ended = set(students.exclude(pk__in=students_with_basis(students).values("pk")).values_list("pk", flat=True))
    sightings = Sighting.objects.filter(student__in=ended).exclude(crops=[])
    named = UnknownPerson.objects.filter(override__student__in=ended).exclude(crops=[])
    recordings = Recording.objects.filter(Q(sightings__in=sightings) | Q(unknown_people__in=named)).distinct()
    for recording in list(recordings):
        recording.sightings.filter(student__in=ended).update(crops=[])
        recording.unknown_people.filter(override__student__in=ended).update(crops=[])
        _delete_unused_crops_after_commit(recording)


def _delete_unused_crops_after_commit(recording: Recording) -> None:
    transaction.on_commit(lambda: delete_unused_crops(recording), robust=True)


@transaction.atomic(savepoint=False)
def recount_lecture(*, lecture: Lecture, students: Collection[int] | None = None) -> None:
    """Compute the lecture's records from all its recordings that count, each at its place in the lecture: those of the
    whole roster, or of some of its students, by their ids.

    People's overrides stay, also those of students who have left the roster; other records of such students are
    deleted.
    """
    watched = watched_recordings(lecture)
    evidence = evidence_by_student(lecture)
    roster = set(lecture_roster(lecture).values_list("pk", flat=True))
    in_doubt = students_in_doubt(lecture.course)
    if watched:
        counted = sorted(roster if students is None else roster.intersection(students))
        AttendanceRecord.objects.bulk_create(
            (
                AttendanceRecord(
                    lecture=lecture,
                    student_id=student,
                    **_propose_record(lecture, evidence.get(student, []), watched, in_doubt=student in in_doubt),
                )
                for student in counted
            ),
            update_conflicts=True,
            unique_fields=["lecture", "student"],
            update_fields=["machine_status", *NOT_SEEN, "updated_at"],
        )
    else:
        lecture.records.update(machine_status="", **NOT_SEEN)
    lecture.records.exclude(student__in=roster).filter(override_status="", changes=None).delete()


NOT_SEEN: dict[str, Any] = {"first_seen": None, "last_seen": None, "seconds": 0.0, "share": 0.0, "confidence": 0.0}


def _propose_record(
    lecture: Lecture,
    evidence: list[Sighting | UnknownPerson],
    watched: Sequence[WatchedRecording],
    *,
    in_doubt: bool,
) -> dict[str, Any]:
    """What the machine proposes for a student.

    Evidence that is to be confirmed counts only where no recording is certain. `in_doubt`: the student can't be told
    from another one.
    """
    inside = [row for row in evidence if not row.recording.duration or intervals_in_lecture(lecture, [row])]
    counted = [row for row in inside if row.present] or [row for row in inside if row.to_confirm]
    to_confirm = any(row.to_confirm or (in_doubt and isinstance(row, Sighting)) for row in counted)
    intervals = intervals_in_lecture(lecture, counted)
    seconds = total_length(intervals)
    watched_seconds = total_length(merge_intervals(chain.from_iterable(row.intervals for row in watched)))
    watched_share = watched_seconds / lecture.length
    min_seconds = min_present_seconds(lecture.course, watched_seconds)
    if not (to_confirm or (counted and seconds >= min_seconds)):
        is_known = any(row.recognisable for row in evidence) and not in_doubt
        could_be_seen = is_known and _is_watched_enough(watched, watched_share)
        return NOT_SEEN | {"machine_status": Status.ABSENT if could_be_seen else Status.NOT_RECOGNISABLE}
    proposal: dict[str, Any] = {
        "seconds": seconds,
        "share": min(seconds / watched_seconds, 1.0) if intervals else max(row.share for row in counted),
        "confidence": max(row.confidence for row in counted),
    }
    if intervals:
        (first, _), (_, last) = intervals[0], intervals[-1]
        unwatched = _unwatched_intervals(lecture, {row.recording.camera_id for row in counted}, watched)
        status = status_from_times(lecture.course, first, last, lecture.length, unwatched)
        proposal["first_seen"] = lecture.starts_at + timedelta(seconds=first)
        proposal["last_seen"] = lecture.starts_at + timedelta(seconds=last)
    else:  # of photos alone
        status = Status.PRESENT
        proposal["first_seen"] = proposal["last_seen"] = lecture.starts_at
    return proposal | {"machine_status": Status.TO_CONFIRM if to_confirm else status}


def _is_watched_enough(watched: Sequence[WatchedRecording], share: float) -> bool:
    """Whether who was not seen may be said to be absent: in a photo, in a recording that a person took for the whole
    lecture, where at least half of the lecture was watched, and for now where more footage is expected."""
    return share >= MIN_WATCHED_SHARE or any(
        not row.recording.duration or row.recording.provisional or ReviewReason.SHORT in row.recording.accepted_reasons
        for row in watched
    )


def _unwatched_intervals(
    lecture: Lecture, views: Collection[int | None], watched: Sequence[WatchedRecording]
) -> list[Interval]:
    """When one of the views in which the student was seen shows nothing."""
    gaps = []
    for view in views:
        covered = merge_intervals(chain.from_iterable(row.intervals for row in watched if row.view == view))
        gaps += find_gaps(covered, lecture.length)
    return merge_intervals(gaps)
