"""Lectures that were counted follow a roster that is corrected afterwards."""

from datetime import date, timedelta

import pytest
from django.db.models import QuerySet

from campus.academics.models import Course, Enrolment, Lecture, Student
from campus.academics.roster_files import read_table
from campus.academics.roster_import import import_roster
from campus.academics.services import set_enrolment_starts
from campus.attendance.models import AttendanceRecord, Sighting, SignOff, Status
from campus.attendance.overrides import set_override
from campus.attendance.roster_changes import recordings_before_enrolment, recount_changed_rosters
from campus.common.errors import UserError
from campus.recordings.models import Recording, Segment
from tests.campus import factories
from tests.campus.attendance.test_services import write

pytestmark = pytest.mark.django_db
DAY = factories.STARTS.date()


@pytest.fixture
def lecture() -> Lecture:
    """A lecture with one of two students on the roster, counted."""
    lecture = factories.lecture(factories.course(students=2))
    late = lecture.course.enrolments.get(student=lecture.course.students.last())
    Enrolment.objects.filter(pk=late.pk).update(valid_from=DAY + timedelta(days=7))
    write(factories.recording(lecture, duration=3600.0, state="done", coverage=1.0))
    Sighting.objects.filter(student=late.student_id).delete()
    Course.objects.update(roster_changed_at=None)
    return lecture


def late_enrolments(lecture: Lecture) -> QuerySet[Enrolment]:
    return lecture.course.enrolments.filter(valid_from__gt=DAY)


def students(lecture: Lecture) -> set[int]:
    return set(lecture.records.values_list("student", flat=True))


def test_an_earlier_start_gives_records_in_lectures_before(lecture: Lecture) -> None:
    (late,) = late_enrolments(lecture)
    before = lecture.records.get()
    assert set_enrolment_starts(enrolments=late_enrolments(lecture), start=DAY, user=factories.registrar()) == 1
    recount_changed_rosters()
    assert students(lecture) == {before.student_id, late.student_id}
    assert lecture.records.get(pk=before.pk).updated_at == before.updated_at, "other records stay as they are"


def test_a_later_start_removes_records_that_nobody_set(lecture: Lecture) -> None:
    first, _second = Student.objects.order_by("pk")
    set_enrolment_starts(enrolments=lecture.course.enrolments.all(), start=DAY, user=factories.registrar())
    recount_changed_rosters()
    set_override(record=lecture.records.get(student=first), status="late", reason="", user=factories.registrar())
    set_enrolment_starts(
        enrolments=lecture.course.enrolments.all(), start=DAY + timedelta(days=1), user=factories.registrar()
    )
    recount_changed_rosters()
    assert students(lecture) == {first.pk}


def test_an_import_with_an_own_start_counts_for_lectures_before(lecture: Lecture) -> None:
    table = read_table(f"number,name,from\nX1,Zoë Åberg,{DAY}\n".encode())
    import_roster(table=table, columns={"number": 0, "name": 1, "from": 2}, course=lecture.course)
    recount_changed_rosters()
    assert lecture.records.filter(student__number="X1").exists()


@pytest.mark.parametrize("change", ["save", "delete"])
def test_single_enrolments_count_too(lecture: Lecture, change: str) -> None:
    enrolment = lecture.course.enrolments.get(student=lecture.records.get().student)
    if change == "save":
        enrolment.valid_from = DAY + timedelta(days=1)
        enrolment.save()
    else:
        enrolment.delete()
    recount_changed_rosters()
    assert not lecture.records.exists()


def test_signed_off_and_uncounted_lectures_stay_as_they_are(lecture: Lecture) -> None:
    uncounted = factories.lecture(lecture.course)
    SignOff.objects.create(lecture=lecture, user_name="own")
    set_enrolment_starts(enrolments=late_enrolments(lecture), start=DAY, user=factories.registrar())
    recount_changed_rosters()
    assert lecture.records.count() == 1
    assert not uncounted.records.exists()


def test_nothing_is_done_twice(lecture: Lecture) -> None:
    set_enrolment_starts(enrolments=late_enrolments(lecture), start=DAY, user=factories.registrar())
    recount_changed_rosters()
    AttendanceRecord.objects.all().delete()
    recount_changed_rosters()
    assert not AttendanceRecord.objects.exists()


def test_no_enrolment_starts_after_its_end(lecture: Lecture) -> None:
    Enrolment.objects.update(valid_to=date(2027, 1, 1))
    with pytest.raises(UserError, match="ends before"):
        set_enrolment_starts(enrolments=Enrolment.objects.all(), start=date(2027, 1, 2), user=factories.registrar())


def test_a_recording_that_failed_as_nobody_was_enrolled_is_counted_with_the_roster(
    lecture: Lecture,
) -> None:
    other = factories.lecture(factories.course())
    recording = factories.planned(other, state=Recording.State.FAILED, coverage=1.0)
    recording.segments.update(state=Segment.State.DONE, result="tracks/x")
    damaged = factories.planned(other, state=Recording.State.FAILED, coverage=1.0)
    damaged.segments.update(state=Segment.State.FAILED)
    recount_changed_rosters()
    recording.refresh_from_db()
    assert recording.state == Recording.State.FAILED, "nobody is enrolled yet"
    factories.enrol(other.course, factories.student())
    recount_changed_rosters()
    recording.refresh_from_db()
    damaged.refresh_from_db()
    assert (recording.state, damaged.state) == (Recording.State.AGGREGATING, Recording.State.FAILED)


def test_recordings_that_were_counted_before_an_enrolment_are_known(lecture: Lecture) -> None:
    courses = [lecture.course_id]
    assert not recordings_before_enrolment(courses)
    set_enrolment_starts(enrolments=late_enrolments(lecture), start=DAY, user=factories.registrar())
    recount_changed_rosters()
    assert recordings_before_enrolment(courses).get().lecture == lecture
    assert not recordings_before_enrolment([factories.course().pk])
    (late,) = Student.objects.exclude(sightings__recording__lecture=lecture)
    assert lecture.records.get(student=late).machine_status == Status.NOT_RECOGNISABLE
    Enrolment.objects.filter(student=late).update(valid_to=DAY - timedelta(days=1), valid_from=DAY - timedelta(days=2))
    assert not recordings_before_enrolment(courses)
