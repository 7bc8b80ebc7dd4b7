"""Unknown people of several lectures are one person, who is named once for all."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from campus.academics.models import Course, Student
from campus.attendance import recurring_people
from campus.attendance.comparison_models import UnknownComparison
from campus.attendance.models import FaceOverride, UnknownPerson
from campus.attendance.overrides import sign_off_lecture
from campus.attendance.recurring_people import identify_in_lectures, other_appearances
from campus.common import jobs
from tests.campus import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def course() -> Course:
    course = factories.course(students=2)
    factories.gallery(course)
    return course


def unknown(course: Course, **fields: object) -> UnknownPerson:
    """Somebody in a lecture of their own."""
    recording = factories.records(factories.lecture(course))
    return UnknownPerson.objects.create(recording=recording, index=0, intervals=[[0, 120]], seconds=120, **fields)


def teacher_of(course: Course) -> User:
    teacher = factories.user()
    course.lecturers.add(teacher)
    return teacher


def test_who_was_in_several_lectures_is_listed_with_whom_they_resemble_most_often(course: Course) -> None:
    first, second = course.students.all()
    group = uuid4()
    faces = [unknown(course, group=group, resembles=pks) for pks in ([second.pk], [first.pk, second.pk], [])]
    unknown(course, group=uuid4())
    (person,) = recurring_people.recurring_people(teacher_of(course), course)
    assert list(person.appearances) == faces[::-1], "the latest first"
    assert list(person.resembles) == [second, first]
    assert recurring_people.count_held_lectures(course) == 4
    assert recurring_people.recurring_people(factories.user(), course) == [], "it is nobody else's business"


def test_static_faces_visitors_and_people_of_one_lecture_are_not_listed(course: Course) -> None:
    group = uuid4()
    unknown(course, group=group)
    unknown(course, group=group, is_static=True)
    visitor = unknown(course, group=group)
    identify_in_lectures(people=[visitor], student=None, user=factories.registrar())
    assert recurring_people.recurring_people(factories.registrar(), course) == []


def test_a_person_is_named_in_all_lectures_that_are_open(course: Course) -> None:
    teacher, student = teacher_of(course), course.students.first()
    assert isinstance(student, Student)
    group = uuid4()
    signed, early, here = (unknown(course, group=group) for _ in range(3))
    sign_off_lecture(lecture=signed.recording.lecture, user=teacher)
    assert other_appearances(teacher, here) == [early, signed]
    assert other_appearances(factories.user(), here) == []
    assert identify_in_lectures(people=[here, early, signed], student=student, user=teacher) == [signed]
    named = FaceOverride.objects.filter(student=student, action="named").values_list("recording", flat=True)
    assert set(named) == {here.recording_id, early.recording_id}
    for person in (here, early):
        assert person.recording.lecture.records.get(student=student).machine_status == "present"


def test_new_people_are_compared_once(course: Course) -> None:
    recurring_people.request_due_comparisons()
    assert not UnknownComparison.objects.exists(), "there is nobody to compare"
    people = [unknown(course), unknown(course)]
    recurring_people.request_due_comparisons()
    row = jobs.COMPARE_UNKNOWN.claim(UnknownComparison.objects.get().pk, "worker")
    recurring_people.finish_comparison(comparison=row, numbers={person.pk: 1 for person in people})
    assert len({person.group for person in UnknownPerson.objects.all()}) == 1
    recurring_people.request_due_comparisons()
    assert UnknownComparison.objects.get().state == "done"
    unknown(course)
    recurring_people.request_due_comparisons()
    assert UnknownComparison.objects.get().state == "queued"


def test_a_comparison_that_failed_is_tried_again_the_next_day(course: Course) -> None:
    unknown(course)
    recurring_people.request_due_comparisons()
    UnknownComparison.objects.update(state="failed")
    recurring_people.request_due_comparisons()
    assert UnknownComparison.objects.get().state == "failed"
    UnknownComparison.objects.update(requested_at=timezone.now() - timedelta(days=2))
    recurring_people.request_due_comparisons()
    assert UnknownComparison.objects.get().state == "queued"
