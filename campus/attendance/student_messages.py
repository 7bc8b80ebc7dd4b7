"""Messages to students and guardians who have opted in, of what a class has chosen. They say what a person has signed
off, never what the machine proposes.
"""

from collections.abc import Callable

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from campus.academics.models import Lecture, Student
from campus.accounts.institution import institution_name
from campus.attendance.models import Excuse, RegisterPolicy
from campus.attendance.policy import policy_for
from campus.attendance.register import build_register, max_lecture_points, tally_statuses
from campus.attendance.statuses import Status, meaning_of, status_definitions
from campus.attendance.weekly_notifications import MIN_COUNTED_LECTURES
from campus.outbox.models import MessageOptIn
from campus.outbox.opt_ins import queue_messages

ABSENT, BELOW, EXCUSE = "message.absent", "message.below", "message.excuse"


def message_signed_off(*, lecture: Lecture) -> None:
    """Tell who was absent, and who fell below the required attendance by this lecture. Signing off again tells nobody a
    second time.
    """
    policy = policy_for(lecture.course)
    if not (policy.message_absent or policy.message_below):
        return
    opted_in = MessageOptIn.objects.filter(withdrawn_at=None, confirmed_at__isnull=False).values("student")
    records = list(lecture.records.filter(student__in=opted_in).select_related("student"))
    if policy.message_absent:
        for record in records:
            if meaning_of(record.status) == Status.ABSENT:
                key = f"absent:{lecture.pk}:{record.student_id}"  # that of the e-mail to absentees: one of the two
                queue_messages(student=record.student, event=ABSENT, key=key, write=_absence(record.student, lecture))
    if policy.message_below:
        for student, percent in _newly_below(lecture, {record.student_id for record in records}):
            key = f"below:{lecture.pk}:{student.pk}"
            write = _low_share(student, lecture, percent, policy.required_percent)
            queue_messages(student=student, event=BELOW, key=key, write=write)


def message_excuse(*, excuse: Excuse) -> None:
    """Tell that an excuse was entered or withdrawn, where one of its classes has chosen so."""
    courses = [excuse.course_id] if excuse.course_id else list(excuse.student.courses.values_list("pk", flat=True))
    if not RegisterPolicy.objects.filter(course__in=courses, message_excuse=True).exists():
        return

    def write() -> str:
        values = {
            "student": excuse.student.name,
            "first": date_format(excuse.first_day, "DATE_FORMAT"),
            "last": date_format(excuse.last_day, "DATE_FORMAT"),
            "institution": institution_name(),
        }
        if excuse.withdrawn_at:
            return _("%(student)s: the excuse from %(first)s to %(last)s was withdrawn. %(institution)s") % values
        return _("%(student)s is excused from %(first)s to %(last)s. %(institution)s") % values

    state = "withdrawn" if excuse.withdrawn_at else "entered"
    queue_messages(student=excuse.student, event=EXCUSE, key=f"excuse:{excuse.pk}:{state}", write=write)


def _absence(student: Student, lecture: Lecture) -> Callable[[], str]:
    def write() -> str:
        return _("%(student)s: absent on %(when)s, %(course)s. %(institution)s") % {
            "student": student.name,
            "when": date_format(timezone.localtime(lecture.starts_at), "DATETIME_FORMAT"),
            "course": lecture.course,
            "institution": institution_name(),
        }

    return write


def _low_share(student: Student, lecture: Lecture, percent: int, required: int) -> Callable[[], str]:
    def write() -> str:
        return _(
            "%(student)s: attendance in %(course)s is now %(percent)d %%, below the required %(required)d %%. "
            "%(institution)s"
        ) % {
            "student": student.name,
            "course": lecture.course,
            "percent": percent,
            "required": required,
            "institution": institution_name(),
        }

    return write


def _newly_below(lecture: Lecture, students: set[int]) -> list[tuple[Student, int]]:
    """Those of the students who are below the required attendance over the lectures that were signed off, and were not
    without this one; each with the share in percent.
    """
    register = build_register(lecture.course, only=students, signed_off_only=True)
    column = next((n for n, row in enumerate(register.lectures) if row.pk == lecture.pk), None)
    if column is None:
        return []
    points = max_lecture_points(status_definitions().values())
    found = []
    for row in register.rows:
        before = tally_statuses(row.statuses[:column] + row.statuses[column + 1 :], points)
        was_below = before.share is not None and before.share < register.required_share
        was_known = before.counted_lectures >= MIN_COUNTED_LECTURES
        if (
            row.is_below
            and row.tally.share is not None
            and row.tally.counted_lectures >= MIN_COUNTED_LECTURES
            and not (was_known and was_below)
        ):
            found.append((row.student, round(100 * row.tally.share)))
    return found
