"""Which attendance and workbooks a user may see, who may change them, and what a lecture's recordings show."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery, prefetch_related_objects
from django.utils import timezone

from campus.academics.models import Lecture, Student
from campus.academics.selectors import courses_for, in_classes_of, students_for
from campus.accounts.roles import AnyUser, is_auditor, is_registrar
from campus.attendance.excuse_models import covering_excuses
from campus.attendance.models import (
    AttendanceChange,
    AttendanceRecord,
    Excuse,
    FaceOverride,
    Report,
    Sighting,
    SignOff,
    Snapshot,
    UnknownPerson,
)
from campus.attendance.statuses import ATTENDED, meaning_of
from campus.biometrics.look_alikes import students_in_doubt
from campus.biometrics.models import FacePhoto
from campus.biometrics.selectors import USABLE_VERDICTS
from campus.cctv.models import Collection as FootageCollection
from campus.cctv.selectors import footage_files_for
from campus.common.intervals import merge_intervals, place_intervals, subtract_intervals
from campus.consent.selectors import students_with_basis
from campus.recordings.models import Recording
from campus.recordings.selectors import OPEN_STATES, gaps_in_files, processed_intervals, recordings_for
from recognition.messages import Message
from recognition.types import Interval

NOT_RECOGNISED_BY_MACHINE = Message("The machine has no say about this student: the mark comes from a person.")
NO_USABLE_PHOTO = Message("There is no usable photo of this student.")
ENROLLED_LATER = Message("The student was enrolled after attendance was taken. Take attendance again.")
PHOTOS_CAME_LATER = Message("The photos came after attendance was taken. Take attendance again.")
NOT_COVERED = Message("The footage shows less than half of the lecture.")


def records_for(user: AnyUser) -> QuerySet[AttendanceRecord]:
    return in_classes_of(user, AttendanceRecord.objects.all(), "lecture__course")


def sightings_for(user: AnyUser) -> QuerySet[Sighting]:
    return Sighting.objects.filter(recording__in=recordings_for(user))


def unknown_people_for(user: AnyUser) -> QuerySet[UnknownPerson]:
    return UnknownPerson.objects.filter(recording__in=recordings_for(user))


def snapshots_for(user: AnyUser) -> QuerySet[Snapshot]:
    return Snapshot.objects.filter(Q(recording__in=recordings_for(user)) | Q(footage_file__in=footage_files_for(user)))


def changes_for(user: AnyUser) -> QuerySet[AttendanceChange]:
    return in_classes_of(user, AttendanceChange.objects.all(), "lecture__course")


def reports_for(user: AnyUser) -> QuerySet[Report]:
    return in_classes_of(user, Report.objects.all(), "course")


def held_lectures() -> QuerySet[Lecture]:
    """The lectures that took place and have attendance: a recording or a person has said something about a student."""
    said = AttendanceRecord.without_excuses.filter(~Q(machine_status="", override_status=""), lecture=OuterRef("pk"))
    return Lecture.objects.filter(Exists(said), cancelled=False)


def is_held(lecture: str = "pk") -> Exists:
    """Whether the lecture that the path leads to is one of `held_lectures`, without a list of them all."""
    return Exists(held_lectures().filter(pk=OuterRef(lecture)))


def final_lectures() -> QuerySet[Lecture]:
    """Those of `held_lectures` whose attendance counts in registers: no more footage is expected."""
    return held_lectures().exclude(recordings__provisional=True)


def lectures_without_recording() -> QuerySet[Lecture]:
    """Those of `held_lectures` whose roll was taken by people alone."""
    counted = Recording.objects.filter(Q(state=Recording.State.DONE) | Q(provisional=True), lecture=OuterRef("pk"))
    # Looked up for each lecture: for a NOT EXISTS of a week's lectures PostgreSQL reads the recordings of all years.
    return held_lectures().alias(counted=Subquery(counted.order_by().values("pk")[:1])).filter(counted=None)


def unmarked_records() -> QuerySet[AttendanceRecord]:
    """The students who were left out when the roll of a lecture that is over was taken: neither a person nor an excuse
    says where they were, and no recording will.
    """
    awaited = Recording.objects.filter(state__in=OPEN_STATES, lecture=OuterRef("lecture"))
    collecting = FootageCollection.objects.filter(state__in=FootageCollection.OPEN_STATES, lecture=OuterRef("lecture"))
    return AttendanceRecord.objects.filter(
        ~Exists(awaited),
        ~Exists(collecting),
        is_held("lecture"),
        Q(excuse_reason=""),
        lecture__ends_at__lte=timezone.now(),
        lecture__sign_off=None,
        override_status="",
        machine_status="",
    )


def can_edit_until_sign_off(user: AnyUser, lecture: Lecture) -> bool:
    """Whether the user may change the lecture's result as long as it is not signed off."""
    return not is_auditor(user) and courses_for(user).filter(pk=lecture.course_id).exists()


def can_edit_result(user: AnyUser, lecture: Lecture) -> bool:
    """Whether the user may change the lecture's result now."""
    if is_registrar(user):
        return True
    return can_edit_until_sign_off(user, lecture) and not SignOff.objects.filter(lecture=lecture).exists()


def evidence_by_student(
    lecture: Lecture, recording: Recording | None = None
) -> dict[int, list[Sighting | UnknownPerson]]:
    """What the lecture's recordings that count, or the one given, show of each student, by the student's id.

    The machine's sightings come first, then the unknown people whom a person named.
    """
    scope = {"recording": recording} if recording else {"recording__lecture": lecture, "recording__held": False}
    evidence: dict[int, list[Sighting | UnknownPerson]] = {}
    sightings = Sighting.objects.filter(**scope).select_related("recording", "runner_up").defer("face_positions")
    for sighting in sightings.order_by("recording__created_at", "pk"):
        evidence.setdefault(sighting.student_id, []).append(sighting)
    named = UnknownPerson.objects.filter(**scope, override__student__isnull=False)
    named = named.select_related("recording", "override").defer("face_positions")
    for person in named.order_by("recording__created_at", "pk"):
        if person.student_id is not None:
            evidence.setdefault(person.student_id, []).append(person)
    return evidence


def excuses_for(user: AnyUser) -> QuerySet[Excuse]:
    """Those for the user's classes, and those for all classes of the user's students. Withdrawn ones too."""
    everywhere = Q(course=None, student__in=students_for(user))
    return Excuse.objects.filter(everywhere | Q(course__in=courses_for(user)))


def excuse_reasons(lecture: Lecture) -> dict[int, str]:
    """Why students are excused from the lecture, by their ids."""
    day = timezone.localtime(lecture.starts_at).date()
    return dict(covering_excuses(lecture.course_id, day).reverse().values_list("student", "reason"))


def staff_who_named(lecture: Lecture) -> dict[int, str]:
    """Of each student whom the machine did not recognise but a person found among the unknown people, who that was."""
    recognised = Sighting.objects.filter(recording__lecture=lecture, present=True).values("student")
    named = FaceOverride.objects.filter(people__recording__lecture=lecture, student__isnull=False)
    return {
        override.student_id: override.user_name
        for override in named.exclude(student__in=recognised)
        if override.student_id
    }


def lectures_with_named_face(student: Student) -> set[int]:
    """The ids of the lectures in which a person, not the machine, recognised the student."""
    recognised = Sighting.objects.filter(student=student, present=True).values("recording__lecture")
    named = UnknownPerson.objects.filter(override__student=student).exclude(recording__lecture__in=recognised)
    return set(named.values_list("recording__lecture", flat=True))


def students_unlike(person: UnknownPerson) -> set[int]:
    """The ids of the students whom the machine knows, and whose photos the person's face does not look like."""
    if person.resembles is None:
        return set()
    known = Sighting.objects.filter(recording=person.recording, recognisable=True)
    return set(known.values_list("student", flat=True)) - set(person.resembles)


def intervals_in_lecture(lecture: Lecture, evidence: Iterable[Sighting | UnknownPerson]) -> list[Interval]:
    """When the evidence shows somebody, in seconds of the lecture. What lies outside the lecture is left out."""
    return merge_intervals(
        chain.from_iterable(place_intervals(row.intervals, row.recording.offset, lecture.length) for row in evidence)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedRecording:
    """What a recording that counts shows of its lecture, as `intervals` in seconds of the lecture; a photo has none.

    Recordings of one `view` show the same: those of one camera, and all that were uploaded.
    """

    recording: Recording
    intervals: list[Interval]

    @property
    def view(self) -> int | None:
        return self.recording.camera_id


def watched_recordings(lecture: Lecture) -> list[WatchedRecording]:
    """The lecture's recordings that count, with when each shows the lecture."""
    counted = Recording.objects.filter(Exists(Sighting.objects.filter(recording=OuterRef("pk"))), lecture=lecture)
    rows = list(counted.filter(held=False).prefetch_related("segments"))
    prefetch_related_objects([row for row in rows if row.collected], "clips__footage_file")
    return [WatchedRecording(recording=row, intervals=_watched_intervals(lecture, row)) for row in rows]


def _watched_intervals(lecture: Lecture, recording: Recording) -> list[Interval]:
    """All of the recording but its gaps where its segments are not known, because it is being processed again."""
    watched = processed_intervals(recording)
    if not watched:
        watched = subtract_intervals([(0.0, recording.duration)], gaps_in_files(recording))
    return merge_intervals(place_intervals(watched, recording.offset, lecture.length))


def why_not_recognisable(lecture: Lecture, students: Collection[int]) -> dict[int, Message]:
    """Why the machine could say nothing about these students of the lecture, by their ids."""
    usable = FacePhoto.objects.filter(student__in=students, state__in=USABLE_VERDICTS)
    with_photos = set(usable.values_list("student", flat=True))
    compared = dict(
        Sighting.objects.filter(recording__lecture=lecture, recording__held=False, student__in=students)
        .order_by("recognisable")
        .values_list("student", "recognisable")
    )
    others = students_in_doubt(lecture.course)

    allowed = students_with_basis(Student.objects.filter(pk__in=students), lecture.course)
    recognised = set(allowed.values_list("pk", flat=True))

    def explain(student: int) -> Message:
        if student not in recognised:
            return NOT_RECOGNISED_BY_MACHINE
        if student not in with_photos:
            return NO_USABLE_PHOTO
        if other := others.get(student):
            return Message(
                "The photos look like those of {other}. A registrar has to say whether they are one person.",
                other=other,
            )
        return {None: ENROLLED_LATER, False: PHOTOS_CAME_LATER, True: NOT_COVERED}[compared.get(student)]

    return {student: explain(student) for student in students}


@dataclass(frozen=True, slots=True)
class ProvisionalResult:
    """How many of a lecture's students were seen in the footage until `watched_until`, while more footage is
    expected.
    """

    present_count: int
    student_count: int
    watched_until: datetime | None


def provisional_result(lecture: Lecture) -> ProvisionalResult | None:
    """None where no more footage is expected."""
    if not lecture.recordings.filter(provisional=True).exists():
        return None
    attended = [meaning_of(record.status) in ATTENDED for record in lecture.records.all()]
    last_second = max((row.intervals[-1][1] for row in watched_recordings(lecture) if row.intervals), default=None)
    return ProvisionalResult(
        present_count=sum(attended),
        student_count=len(attended),
        watched_until=None if last_second is None else lecture.starts_at + timedelta(seconds=last_second),
    )
