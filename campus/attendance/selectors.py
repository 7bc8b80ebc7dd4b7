"""Which attendance and which workbooks a user may see, who may change them, and what a lecture's recordings show of whom."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import F, QuerySet

from campus.academics.models import Lecture
from campus.academics.selectors import courses_for
from campus.accounts.roles import AnyUser, is_auditor, is_registrar
from campus.attendance.models import (
    AttendanceChange,
    AttendanceRecord,
    FaceOverride,
    Report,
    Sighting,
    SignOff,
    Snapshot,
    UnknownPerson,
)
from campus.attendance.statuses import ATTENDED, meaning_of
from campus.common.intervals import merge_intervals
from campus.recordings.models import Recording, Segment
from campus.recordings.selectors import recordings_for
from recognition.types import IdentityOverride, Interval


def records_for(user: AnyUser) -> QuerySet[AttendanceRecord]:
    return AttendanceRecord.objects.filter(lecture__course__in=courses_for(user))


def sightings_for(user: AnyUser) -> QuerySet[Sighting]:
    return Sighting.objects.filter(recording__in=recordings_for(user))


def unknown_people_for(user: AnyUser) -> QuerySet[UnknownPerson]:
    return UnknownPerson.objects.filter(recording__in=recordings_for(user))


def snapshots_for(user: AnyUser) -> QuerySet[Snapshot]:
    return Snapshot.objects.filter(recording__in=recordings_for(user))


def changes_for(user: AnyUser) -> QuerySet[AttendanceChange]:
    return AttendanceChange.objects.filter(lecture__course__in=courses_for(user))


def reports_for(user: AnyUser) -> QuerySet[Report]:
    return Report.objects.filter(course__in=courses_for(user))


def can_edit_until_sign_off(user: AnyUser, lecture: Lecture) -> bool:
    """Whether the user may decide on the lecture as long as it is not signed off."""
    return not is_auditor(user) and courses_for(user).filter(pk=lecture.course_id).exists()


def can_edit_result(user: AnyUser, lecture: Lecture) -> bool:
    """Whether the user may change the lecture's result now."""
    return is_registrar(user) or (
        can_edit_until_sign_off(user, lecture) and not SignOff.objects.filter(lecture=lecture).exists()
    )


def evidence_by_student(
    lecture: Lecture, recording: Recording | None = None
) -> dict[int, list[Sighting | UnknownPerson]]:
    """Student id → what the lecture's recordings, or the one given, show of the student: by the machine, and by a person's word."""
    only = {"recording": recording} if recording else {"recording__lecture": lecture}
    rows: dict[int, list[Sighting | UnknownPerson]] = {}
    for sighting in (
        Sighting.objects.filter(**only)
        .select_related("recording")
        .defer("face_positions")
        .order_by("recording__created_at", "pk")
    ):
        rows.setdefault(sighting.student_id, []).append(sighting)
    named = (
        UnknownPerson.objects.filter(**only, decision__student__isnull=False)
        .select_related("recording", "decision")
        .defer("face_positions")
    )
    for person in named.order_by("recording__created_at", "pk"):
        if person.student_id is not None:
            rows.setdefault(person.student_id, []).append(person)
    return rows


def watched_intervals(lecture: Lecture) -> dict[UUID, list[Interval]]:
    """Recording → when, in its seconds, it was looked at: those that say who was there, where it was noted at all."""
    counted = Sighting.objects.filter(recording__lecture=lecture).values("recording")
    parts = Segment.objects.filter(recording__in=counted, state=Segment.State.DONE, end__gt=F("start"))
    found: dict[UUID, list[Interval]] = {}
    for recording, start, end in parts.values_list("recording", "start", "end"):
        found.setdefault(recording, []).append((start, end))
    return {recording: merge_intervals(intervals) for recording, intervals in found.items()}


@dataclass(frozen=True, slots=True)
class ProvisionalResult:
    """How a lecture stands of which more footage is awaited: `there` of `students`, by what was watched until then."""

    there: int
    students: int
    until: datetime | None


def provisional_result(lecture: Lecture) -> ProvisionalResult | None:
    """None where the result is final, or nothing comes by itself."""
    if not lecture.recordings.filter(provisional=True).exists():
        return None
    found = [meaning_of(record.status) in ATTENDED for record in lecture.records.all()]
    seconds = max((intervals[-1][1] for intervals in watched_intervals(lecture).values()), default=None)
    return ProvisionalResult(
        sum(found), len(found), None if seconds is None else lecture.starts_at + timedelta(seconds=seconds)
    )


def identity_overrides(recording: Recording) -> list[IdentityOverride]:
    """What people said of the recording's faces, as the vote follows it."""
    return [
        IdentityOverride(
            key=str(row.pk),
            face_positions=tuple((float(time), tuple(box)) for time, box in row.face_positions),
            label=str(row.student_id) if row.student_id else None,
            denied=row.verdict == FaceOverride.Verdict.NOT,
        )
        for row in recording.face_overrides.order_by("pk")
    ]
