"""The machine's proposals: who was seen in a recording, and the status that follows for each student of the lecture."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import timedelta
from itertools import chain
from pathlib import Path
from uuid import UUID

from django.db import transaction

from campus.academics.models import Lecture
from campus.academics.selectors import lecture_roster
from campus.attendance.models import (
    AttendanceRecord,
    FaceOverride,
    Sighting,
    SignOff,
    Status,
    UnknownPerson,
)
from campus.attendance.selectors import evidence_by_student, watched_intervals
from campus.attendance.status_rules import limit_scale, status_from_times
from campus.common.intervals import merge_intervals
from campus.common.storage import media_files, write_media
from campus.recordings.models import Recording
from campus.recordings.selectors import find_gaps
from recognition.types import Attendance, Crop, Interval


@transaction.atomic
def save_attendance(*, recording: Recording, attendance: Attendance) -> None:
    """Store what a vote found, in place of what an earlier vote on this recording found. Repeating it gives the same
    rows.

    The labels in `attendance` are students' ids, its override keys are ids of FaceOverride. A lecture that was signed
    off keeps its records.
    """
    Lecture.objects.select_for_update().get(pk=recording.lecture_id)
    recording.sightings.all().delete()
    recording.unknown_people.all().delete()
    Sighting.objects.bulk_create(
        Sighting(
            recording=recording,
            student_id=int(presence.label),
            present=presence.present,
            to_confirm=presence.to_confirm,
            intervals=[list(interval) for interval in presence.intervals],
            seconds=presence.seconds,
            share=presence.share,
            confidence=presence.confidence,
            crops=_store_crops(recording, presence.crops),
            face_positions=presence.face_positions,
        )
        for presence in attendance.presences
    )
    actions = {str(pk): action for pk, action in recording.face_overrides.values_list("pk", "action")}
    kept = [person for person in attendance.unknown if actions.get(person.override_key) != FaceOverride.Action.DELETED]
    UnknownPerson.objects.bulk_create(
        UnknownPerson(
            recording=recording,
            index=index,
            is_static=person.is_static,
            intervals=[list(interval) for interval in person.intervals],
            seconds=person.seconds,
            crops=_store_crops(recording, person.crops),
            face_positions=person.face_positions,
            override_id=int(person.override_key) if person.override_key in actions else None,
        )
        for index, person in enumerate(kept)
    )
    if not SignOff.objects.filter(lecture=recording.lecture).exists():
        recount_lecture(lecture=recording.lecture)
    transaction.on_commit(lambda: delete_unused_crops(recording), robust=True)


def _store_crops(recording: Recording, crops: Iterable[Crop]) -> list[dict[str, object]]:
    """Write the crops under names that follow from their content, so that the same vote writes the same files."""
    stored: list[dict[str, object]] = []
    for crop in crops:
        name = f"crops/{recording.pk}/{hashlib.sha256(crop.jpeg).hexdigest()[:32]}.jpg"
        write_media(name, crop.jpeg)
        stored.append({"file": name, "time": crop.time, "quality": crop.quality, "box": crop.box})
    return stored


def delete_unused_crops(recording: Recording) -> None:
    """Delete the recording's crops that no row refers to any more."""
    rows = [
        *recording.sightings.values_list("crops", flat=True),
        *recording.unknown_people.values_list("crops", flat=True),
    ]
    used = {Path(crop["file"]).name for crops in rows for crop in crops}
    for path in media_files(f"crops/{recording.pk}", "*.jpg"):
        if path.name not in used:
            path.unlink(missing_ok=True)


@transaction.atomic
def recount_lecture(*, lecture: Lecture) -> None:
    """Compute the lecture's records from all its recordings, as if each began with the lecture.

    People's overrides stay, also those of students who have left the roster; other records of such students are
    deleted.
    """
    evidence, watched = evidence_by_student(lecture), watched_intervals(lecture)
    students = set(lecture_roster(lecture).values_list("pk", flat=True))
    for student in sorted(students):
        proposal = _propose_record(lecture, evidence.get(student, []), watched)
        AttendanceRecord.objects.update_or_create(lecture=lecture, student_id=student, defaults=proposal)
    lecture.records.exclude(student__in=students).filter(override_status="", changes=None).delete()


def _propose_record(
    lecture: Lecture, evidence: list[Sighting | UnknownPerson], watched: Mapping[UUID, list[Interval]]
) -> dict[str, object]:
    """What the machine proposes for a student.

    Evidence that is to be confirmed counts only where no recording is certain.
    """
    duration = max((row.recording.duration for row in evidence), default=0.0)
    counted = [row for row in evidence if row.present] or [row for row in evidence if row.to_confirm]
    to_confirm = any(row.to_confirm for row in counted)
    intervals = merge_intervals(interval for row in counted for interval in row.intervals)
    seconds = sum(end - start for start, end in intervals)
    watched_by_any = merge_intervals(chain.from_iterable(watched.values()))
    watched_seconds = sum(end - start for start, end in watched_by_any) or duration
    seen_in = {row.recording_id for row in counted} & watched.keys()
    unwatched = merge_intervals(gap for recording in seen_in for gap in find_gaps(watched[recording], duration))
    min_seconds = lecture.course.present_seconds * limit_scale(duration)
    proposal: dict[str, object] = {
        "machine_status": Status.ABSENT,
        "first_seen": None,
        "last_seen": None,
        "seconds": seconds,
        "share": min(seconds / watched_seconds, 1.0) if duration else max((row.share for row in counted), default=0.0),
        "confidence": max((row.confidence for row in counted), default=0.0),
    }
    if to_confirm or (counted and seconds >= min_seconds):
        first, last = (intervals[0][0], intervals[-1][1]) if intervals else (0.0, 0.0)
        proposal["machine_status"] = (
            Status.TO_CONFIRM if to_confirm else status_from_times(lecture.course, first, last, duration, unwatched)
        )
        proposal["first_seen"] = lecture.starts_at + timedelta(seconds=first)
        proposal["last_seen"] = lecture.starts_at + timedelta(seconds=last)
    return proposal
