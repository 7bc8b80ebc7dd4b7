"""Lectures follow their roster: students who turn out to have been in the class get a record, and those who were not in
it lose theirs.
"""

from collections.abc import Collection

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from campus.academics.models import Course, Enrolment, Lecture
from campus.academics.selectors import lecture_roster
from campus.attendance.models import AttendanceRecord, Sighting, SignOff
from campus.attendance.proposals import recount_lecture
from campus.attendance.reports import refresh_lecture_reports
from campus.attendance.roll import save_roll
from campus.recordings.models import Recording, Segment
from campus.recordings.services import retry_recording


def courses_with_changed_roster() -> QuerySet[Course]:
    """The classes whose lectures have not been recounted since their roster changed."""
    return Course.objects.filter(roster_changed_at__isnull=False)


def recount_changed_rosters() -> None:
    """Recount what has changed since the last call. Signed-off lectures stay as they are."""
    for course in courses_with_changed_roster():
        with transaction.atomic():
            unchanged = Course.objects.filter(pk=course.pk, roster_changed_at=course.roster_changed_at)
            is_first = unchanged.update(roster_changed_at=None)
            if is_first:
                _recount_course(course)
        if is_first:
            _retry_votes(course)


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
            save_roll(lecture)
            refresh_lecture_reports(lecture=lecture)


def _retry_votes(course: Course) -> None:
    """Vote again on recordings that were processed but could not be counted, as nobody was enrolled."""
    segments = Segment.objects.filter(recording=OuterRef("pk"))
    processed = Recording.objects.filter(
        Exists(segments), ~Exists(segments.exclude(state=Segment.State.DONE)), state=Recording.State.FAILED
    )
    for recording in processed.filter(lecture__course=course).select_related("lecture__course"):
        if lecture_roster(recording.lecture).exists():
            retry_recording(recording=recording, user=None)


def recordings_before_enrolment(courses: Collection[int]) -> QuerySet[Recording]:
    """The recordings of these classes that were counted before a student of the lecture was enrolled, so that nobody
    looked for him or her in them.
    """
    not_looked_for = Enrolment.objects.filter(
        ~Exists(Sighting.objects.filter(recording=OuterRef(OuterRef("pk")), student=OuterRef("student"))),
        Q(valid_to=None) | Q(valid_to__gte=OuterRef("lecture__starts_at__date")),
        course=OuterRef("lecture__course"),
        valid_from__lte=OuterRef("lecture__starts_at__date"),
    )
    return Recording.objects.filter(
        Exists(not_looked_for), state=Recording.State.DONE, lecture__course__in=courses, lecture__sign_off=None
    )
