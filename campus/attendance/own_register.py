"""A student's own attendance, as the student may see it: each mark, with how it came about."""

from dataclasses import dataclass

from django.db.models import Prefetch
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from campus.academics.models import Course, Student
from campus.attendance.match_reasons import describe_match
from campus.attendance.models import AttendanceRecord, Objection, Status
from campus.attendance.selectors import is_held, lectures_with_named_face
from campus.attendance.statuses import StatusDefinition, status_definitions


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnMark:
    """One lecture of the student: the mark, and in a sentence how it came about. `objections` are the student's, the
    latest first."""

    record: AttendanceRecord
    status: StatusDefinition
    origin: str
    objections: list[Objection]

    @property
    def may_object(self) -> bool:
        return not any(objection.upheld is None for objection in self.objections)


@dataclass(frozen=True, slots=True)
class OwnClass:
    course: Course
    marks: list[OwnMark]


def own_register(student: Student) -> list[OwnClass]:
    """The student's marks by class, the latest lecture first."""
    definitions = status_definitions()
    records = AttendanceRecord.objects.filter(is_held("lecture"), student=student).select_related("lecture__course")
    objections = Prefetch("objections", Objection.objects.order_by("-at"))
    named = lectures_with_named_face(student)
    classes: dict[int, OwnClass] = {}
    for record in records.prefetch_related(objections).order_by("lecture__course__code", "-lecture__starts_at"):
        if status := definitions.get(record.status):
            own = classes.setdefault(record.lecture.course_id, OwnClass(record.lecture.course, []))
            own.marks.append(
                OwnMark(
                    record=record,
                    status=status,
                    origin=_describe_origin(record, is_named=record.lecture_id in named),
                    objections=list(record.objections.all()),
                )
            )
    return list(classes.values())


def _describe_origin(record: AttendanceRecord, *, is_named: bool) -> str:
    if record.override_status:
        return _("A person entered it.")
    if record.excuse_reason:
        return _("You are excused: %(reason)s") % {"reason": record.excuse_reason}
    if record.machine_status == Status.NOT_RECOGNISABLE:
        return _("The recording says nothing about you. It does not count against you.")
    if record.machine_status == Status.TO_CONFIRM:
        return _("The recording is not certain. A person decides.")
    if record.machine_status == Status.ABSENT:
        return _("You were not seen in the recording.")
    sentences = [_describe_times(record)]
    if is_named:
        sentences.append(_("A person recognised you."))
    elif record.confidence:
        sentences += describe_match(record.confidence, None)
    return " ".join(sentences)


def _describe_times(record: AttendanceRecord) -> str:
    if record.first_seen and record.last_seen:
        first, last = (date_format(timezone.localtime(seen), "H:i") for seen in (record.first_seen, record.last_seen))
        return _("The recording shows you from %(first)s to %(last)s.") % {"first": first, "last": last}
    return _("The recording shows you.")
