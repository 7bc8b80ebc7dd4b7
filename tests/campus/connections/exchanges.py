"""The part of a worker that does the exchanges that were asked for, and lectures whose attendance is final."""

from campus.academics.models import Course, Lecture, Student
from campus.attendance.models import AttendanceRecord, SignOff
from campus.common import jobs
from campus.connections.models import Connection, ConnectionRun, CourseLink
from campus.connections.runs import perform, request_run
from tests.campus import factories


def exchange(connection: Connection, task: str, link: CourseLink | None = None, user=None) -> ConnectionRun:
    """Ask for an exchange, and do it."""
    connection.refresh_from_db()
    run = request_run(connection=connection, task=task, link=link, user=user)
    perform(run=jobs.EXCHANGE.claim(run.pk, owner="worker"))
    run.refresh_from_db()
    return run


def signed_off(course: Course, statuses: dict[Student, str], **fields) -> Lecture:
    """A lecture with these statuses, which is signed off."""
    lecture = factories.lecture(course, **fields)
    for student, status in statuses.items():
        AttendanceRecord.objects.create(lecture=lecture, student=student, override_status=status)
    SignOff.objects.create(lecture=lecture, user_name="A lecturer")
    return lecture


def mark(lecture: Lecture, student: Student, status: str) -> None:
    """A correction."""
    lecture.records.filter(student=student).update(override_status=status)


def send_again(link: CourseLink) -> None:
    """As a person asks for it, or the sweeper, once all pauses are over."""
    CourseLink.objects.filter(pk=link.pk).update(marks_changed_at="2026-01-01T00:00:00Z", marks_due_at=None)
    link.refresh_from_db()
