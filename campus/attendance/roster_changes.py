"""Lectures follow their roster: students who turn out to have been in the class get a record, and those who were not in
it lose theirs.
"""

from django.db import transaction
from django.db.models import Exists, OuterRef

from campus.academics.models import Course, Lecture
from campus.academics.selectors import lecture_roster
from campus.attendance.models import AttendanceRecord, SignOff
from campus.attendance.proposals import recount_lecture
from campus.attendance.reports import refresh_lecture_reports


def recount_changed_rosters() -> None:
    """Recount what has changed since the last call. Signed-off lectures stay as they are."""
    for course in Course.objects.filter(roster_changed_at__isnull=False):
        with transaction.atomic():
            unchanged = Course.objects.filter(pk=course.pk, roster_changed_at=course.roster_changed_at)
            if unchanged.update(roster_changed_at=None):
                _recount_course(course)


def _recount_course(course: Course) -> None:
    records = AttendanceRecord.objects.filter(lecture=OuterRef("pk"))
    sign_offs = SignOff.objects.filter(lecture=OuterRef("pk"))
    for lecture in Lecture.objects.select_for_update(of=("self",)).filter(
        Exists(records), ~Exists(sign_offs), course=course
    ):
        recorded = set(lecture.records.values_list("student", flat=True))
        enrolled = set(lecture_roster(lecture).values_list("pk", flat=True))
        if recorded != enrolled:
            recount_lecture(lecture=lecture, students=enrolled - recorded)
            refresh_lecture_reports(lecture=lecture)
