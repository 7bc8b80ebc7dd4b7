"""What the page of a lecture shows of its result: students to confirm, everybody's status, times, unknown people
and the log."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _

from campus.academics.models import Lecture
from campus.accounts.roles import AnyUser
from campus.attendance import statuses
from campus.attendance.models import (
    AttendanceChange,
    AttendanceRecord,
    FaceOverride,
    Sighting,
    SignOff,
    Status,
    UnknownPerson,
)
from campus.attendance.selectors import (
    can_edit_result,
    changes_for,
    evidence_by_student,
    records_for,
    unknown_people_for,
)
from campus.biometrics.selectors import USABLE_VERDICTS, photos_for
from campus.recordings.models import Recording
from campus.web.timeline import Timeline, build_timeline

MAX_CHANGES_SHOWN = 50
MAX_ENROLMENT_FACES = 3
LOW_CONFIDENCE = 0.65  # below it, a student who counts as present is worth a check

# A face in a recording: of a student, or of nobody on the roster.
Appearance = Sighting | UnknownPerson

FILTERS = ("to-check", "attended", "absent", "changed")


@dataclass(frozen=True)
class Picture:
    url: str
    time: float


@dataclass(frozen=True)
class StudentResult:
    record: AttendanceRecord
    picture: Picture | None

    @property
    def css_class(self) -> str:
        return statuses.meaning_of(self.record.status)

    @property
    def needs_check(self) -> bool:
        """Whether the status is uncertain, and nobody has decided yet."""
        record = self.record
        if record.override_status:
            return False
        if record.machine_status == Status.TO_CONFIRM:
            return True
        return record.machine_status != Status.ABSENT and record.confidence < LOW_CONFIDENCE


@dataclass(frozen=True)
class StudentToConfirm:
    """A student to confirm: pictures from the recording beside faces of the enrolment photos."""

    record: AttendanceRecord
    pictures: list[Picture]
    enrolment_faces: list[str]


@dataclass(frozen=True)
class UnknownFace:
    person: UnknownPerson
    pictures: list[Picture]


@dataclass(frozen=True)
class ResultFilter:
    key: str
    label: str
    count: int


@dataclass(frozen=True, kw_only=True)
class LectureResult:
    """`students` are those that pass the filter `show`; everything else is about the whole lecture."""

    students: list[StudentResult]
    show: str
    filters: list[ResultFilter]
    to_confirm: list[StudentToConfirm]
    counts: list[tuple[str, str, int]]
    timeline: Timeline | None
    unknown_people: list[UnknownFace]
    identified_people: list[UnknownFace]
    static_faces: list[UnknownFace]
    changes: list[AttendanceChange]
    hidden_changes: int
    sign_off: SignOff | None
    can_edit: bool
    override_choices: list[tuple[str, str]]


def build_lecture_result(
    user: AnyUser, lecture: Lecture, recording: Recording | None = None, *, show: str = "", whole_log: bool = False
) -> LectureResult:
    """The statuses of the lecture, with pictures, times and unknown people of all its recordings or of the given
    one."""
    records = list(
        records_for(user).filter(lecture=lecture).select_related("student").order_by("student__name", "student__number")
    )
    appearances = evidence_by_student(lecture, recording)
    pictures = {student: best_pictures(rows) for student, rows in appearances.items()}
    changes = list(
        changes_for(user).filter(lecture=lecture).select_related("record__student").order_by("-created_at", "-id")
    )
    changes_shown = len(changes) if whole_log else MAX_CHANGES_SHOWN

    students = [StudentResult(record, next(iter(pictures.get(record.student_id, [])), None)) for record in records]
    students_by_filter = _students_by_filter(students, {change.record_id for change in changes})
    count_by_status = Counter(record.status for record in records)
    to_confirm = [record for record in records if record.status == Status.TO_CONFIRM]
    enrolment_faces = enrolment_face_urls(user, [record.student_id for record in to_confirm])

    people = unknown_people_for(user).filter(recording__lecture=lecture)
    faces = _unknown_faces(people.filter(recording=recording) if recording else people)
    undecided = [face for face in faces if face.person.override is None]
    return LectureResult(
        students=students_by_filter.get(show, students),
        show=show if show in students_by_filter else "",
        filters=[ResultFilter(key, label, len(students_by_filter[key])) for key, label in _filter_labels().items()],
        to_confirm=[
            StudentToConfirm(record, pictures.get(record.student_id, []), enrolment_faces.get(record.student_id, []))
            for record in to_confirm
        ],
        counts=[
            (statuses.meaning_of(code), label, count_by_status[code])
            for code, label in statuses.status_choices()
            if count_by_status[code]
        ],
        timeline=build_timeline(lecture, records, appearances),
        unknown_people=[face for face in undecided if not face.person.is_static],
        identified_people=[face for face in faces if face.person.override is not None],
        static_faces=[face for face in undecided if face.person.is_static],
        changes=changes[:changes_shown],
        hidden_changes=len(changes[changes_shown:]),
        sign_off=SignOff.objects.filter(lecture=lecture).first(),
        can_edit=can_edit_result(user, lecture),
        override_choices=statuses.override_choices(),
    )


def _filter_labels() -> dict[str, str]:
    return {
        "": _("All"),
        "to-check": _("To check"),
        "attended": _("Attended"),
        "absent": _("Absent"),
        "changed": _("Changed"),
    }


def _students_by_filter(
    students: list[StudentResult], changed_records: set[int | None]
) -> dict[str, list[StudentResult]]:
    def with_meaning(*meanings: str) -> list[StudentResult]:
        return [student for student in students if statuses.meaning_of(student.record.status) in meanings]

    return {
        "": students,
        "to-check": [student for student in students if student.needs_check],
        "attended": with_meaning(*statuses.ATTENDED),
        "absent": with_meaning(Status.ABSENT),
        "changed": [student for student in students if student.record.pk in changed_records],
    }


def _unknown_faces(people: QuerySet[UnknownPerson]) -> list[UnknownFace]:
    people = people.select_related("recording", "override__student").order_by("recording__created_at", "index")
    return [UnknownFace(person, crop_pictures(person)) for person in people]


def best_pictures(appearances: Sequence[Appearance]) -> list[Picture]:
    """The pictures of the appearance that has the best one, best first."""
    with_crops = [appearance for appearance in appearances if appearance.crops]
    return crop_pictures(max(with_crops, key=lambda appearance: appearance.crops[0]["quality"], default=None))


def enrolment_face_urls(user: AnyUser, students: list[int]) -> dict[int, list[str]]:
    """By student id, the URLs of the faces of the best enrolment photos, best first, at most MAX_ENROLMENT_FACES."""
    faces: dict[int, list[str]] = {}
    if not students:
        return faces
    photos = photos_for(user).filter(student__in=students, state__in=USABLE_VERDICTS).exclude(crop="")
    for student, photo in photos.order_by("-quality", "pk").values_list("student", "pk"):
        if len(shown := faces.setdefault(student, [])) < MAX_ENROLMENT_FACES:
            shown.append(reverse("photo-face", args=[photo]))
    return faces


def crop_pictures(appearance: Appearance | None) -> list[Picture]:
    """The face crops of an appearance, best first."""
    if appearance is None:
        return []
    name = "crop" if isinstance(appearance, Sighting) else "unknown-person-crop"
    return [
        Picture(reverse(name, args=[appearance.pk, n]), float(crop.get("time", 0)))
        for n, crop in enumerate(appearance.crops)
    ]


def denied_students(person: UnknownPerson) -> list[int]:
    """The ids of the students whom a person has ruled out for this face."""
    rows = person.recording.face_overrides.filter(
        action=FaceOverride.Action.REJECTED, face_positions=person.face_positions
    )
    return [pk for pk in rows.values_list("student", flat=True) if pk is not None]
