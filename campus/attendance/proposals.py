"""What the machine proposes: who was seen in a recording, and the status that follows from it for each student of the lecture."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import timedelta
from itertools import chain
from pathlib import Path
from uuid import UUID

from django.conf import settings
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
from campus.attendance.punctuality import judge_punctuality, limit_scale
from campus.attendance.selectors import evidence_by_student, watched_intervals
from campus.common.intervals import merge_intervals
from campus.recordings.models import Recording
from campus.recordings.selectors import find_gaps
from recognition.files import atomic_write
from recognition.types import Attendance, Crop, Interval


@transaction.atomic
def save_attendance(*, recording: Recording, attendance: Attendance) -> None:
    """Write down what a vote found, instead of what an earlier one of this recording did. Repeating it gives the same rows.

    The labels in `attendance` are students' ids, those of the overrides are keys of FaceOverride. What was signed off stays as it was.
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
    verdicts = {str(pk): verdict for pk, verdict in recording.face_overrides.values_list("pk", "verdict")}
    wanted = [
        person for person in attendance.unknown if verdicts.get(person.override_key) != FaceOverride.Verdict.DELETED
    ]
    UnknownPerson.objects.bulk_create(
        UnknownPerson(
            recording=recording,
            index=index,
            is_static=person.is_static,
            intervals=[list(interval) for interval in person.intervals],
            seconds=person.seconds,
            crops=_store_crops(recording, person.crops),
            face_positions=person.face_positions,
            decision_id=int(person.override_key) if person.override_key in verdicts else None,
        )
        for index, person in enumerate(wanted)
    )
    if not SignOff.objects.filter(lecture=recording.lecture).exists():
        recount_lecture(lecture=recording.lecture)
    transaction.on_commit(lambda: delete_unused_crops(recording), robust=True)


def _store_crops(recording: Recording, crops: Iterable[Crop]) -> list[dict[str, object]]:
    """Save the pictures under names that follow from their content, so that the same vote makes the same files."""
    kept: list[dict[str, object]] = []
    for crop in crops:
        name = f"crops/{recording.pk}/{hashlib.sha256(crop.jpeg).hexdigest()[:32]}.jpg"
        with atomic_write(Path(settings.MEDIA_ROOT, name)) as beside:
            beside.write_bytes(crop.jpeg)
        kept.append({"file": name, "time": crop.time, "quality": crop.quality, "box": crop.box})
    return kept


def delete_unused_crops(recording: Recording) -> None:
    """Delete the pictures that no row names any more."""
    rows = [
        *recording.sightings.values_list("crops", flat=True),
        *recording.unknown_people.values_list("crops", flat=True),
    ]
    wanted = {Path(crop["file"]).name for crops in rows for crop in crops}
    for path in Path(settings.MEDIA_ROOT, "crops", str(recording.pk)).glob("*.jpg"):
        if path.name not in wanted:
            path.unlink(missing_ok=True)


@transaction.atomic
def recount_lecture(*, lecture: Lecture) -> None:
    """Make the lecture's records anew from all that its recordings saw, as if each began with the lecture.

    People's decisions stay, also those on students who have left the roster; other records of theirs go.
    """
    shown, looked_at = evidence_by_student(lecture), watched_intervals(lecture)
    students = set(lecture_roster(lecture).values_list("pk", flat=True))
    for student in sorted(students):
        proposal = _proposal(lecture, shown.get(student, []), looked_at)
        AttendanceRecord.objects.update_or_create(lecture=lecture, student_id=student, defaults=proposal)
    lecture.records.exclude(student__in=students).filter(override_status="", changes=None).delete()


def _proposal(
    lecture: Lecture, sightings: list[Sighting | UnknownPerson], looked_at: Mapping[UUID, list[Interval]]
) -> dict[str, object]:
    """What the machine says of a student. What has to be confirmed counts only where no recording is sure."""
    duration = max((sighting.recording.duration for sighting in sightings), default=0.0)
    counted = [sighting for sighting in sightings if sighting.present] or [
        sighting for sighting in sightings if sighting.to_confirm
    ]
    to_confirm = any(sighting.to_confirm for sighting in counted)
    intervals = merge_intervals(interval for sighting in counted for interval in sighting.intervals)
    seconds = sum(end - start for start, end in intervals)
    whole = sum(end - start for start, end in merge_intervals(chain.from_iterable(looked_at.values()))) or duration
    seen_by = {sighting.recording_id for sighting in counted} & looked_at.keys()
    unwatched = merge_intervals(hole for recording in seen_by for hole in find_gaps(looked_at[recording], duration))
    there = to_confirm or (bool(counted) and seconds >= lecture.course.present_seconds * limit_scale(duration))
    proposal: dict[str, object] = {
        "machine_status": Status.ABSENT,
        "first_seen": None,
        "last_seen": None,
        "seconds": seconds,
        "share": min(seconds / whole, 1.0) if duration else max((sighting.share for sighting in counted), default=0.0),
        "confidence": max((sighting.confidence for sighting in counted), default=0.0),
    }
    if there:
        first, last = (intervals[0][0], intervals[-1][1]) if intervals else (0.0, 0.0)
        proposal["machine_status"] = (
            Status.TO_CONFIRM if to_confirm else judge_punctuality(lecture.course, first, last, duration, unwatched)
        )
        proposal["first_seen"] = lecture.starts_at + timedelta(seconds=first)
        proposal["last_seen"] = lecture.starts_at + timedelta(seconds=last)
    return proposal
