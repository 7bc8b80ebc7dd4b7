"""A class is copied to another term: what is copied, and what is not."""

from datetime import date, timedelta

import pytest
from django.core.exceptions import ValidationError
from django.forms import model_to_dict
from django.utils import timezone

from campus.academics.models import Course, Term
from campus.attendance.course_copy import COPIED, copy_course
from campus.attendance.models import RegisterPolicy
from tests.campus import factories
from tests.campus.conftest import World

NOT_COPIED = {
    *("id", "code", "name", "term", "archived", "is_sample"),
    *("gallery_outdated_at", "lecture_faces_since", "roster_changed_at"),
}


@pytest.fixture
def spring(db: None) -> Term:
    return Term.objects.create(name="Spring 2099", first_day=date(2099, 3, 1), last_day=date(2099, 7, 1))


def test_every_setting_is_either_copied_or_named_here():
    fields = {field.name for field in Course._meta.concrete_fields if not field.name.endswith("_key")}
    assert set(COPIED) | NOT_COPIED == fields


def test_settings_lecturers_and_policy_are_copied_and_lectures_are_not(world: World, spring: Term):
    Course.objects.filter(pk=world.course.pk).update(
        coordinator_name="Ada",
        coordinator_email="ada@example.org",
        present_seconds=7,
        present_percent=8,
        late_minutes=3,
        early_minutes=4,
    )
    world.course.refresh_from_db()
    RegisterPolicy.objects.update_or_create(course=world.course, defaults={"required_percent": 61})
    copied = copy_course(
        course=world.course, term=spring, code="NEW", name="New", with_roster=False, user=factories.registrar()
    )
    copied = Course.objects.get(pk=copied.pk)
    assert (copied.code, copied.name, copied.term) == ("NEW", "New", spring)
    assert model_to_dict(copied, COPIED) == model_to_dict(world.course, COPIED)
    assert list(copied.lecturers.all()) == list(world.course.lecturers.all())
    assert copied.register_policy.required_percent == 61
    assert RegisterPolicy.objects.get(course=world.course).pk != copied.register_policy.pk
    for related in ("lectures", "series", "enrolments", "galleries", "reports"):
        assert not getattr(copied, related).exists()


def test_the_students_of_today_are_enrolled_from_the_first_day_of_the_term(world: World, spring: Term):
    world.course.enrolments.all().delete()
    today = timezone.localdate()
    stays, leaves, left = (factories.student() for _ in range(3))
    for student, end in ((stays, None), (leaves, today), (left, today - timedelta(days=1))):
        world.course.enrolments.create(student=student, valid_from=date(2020, 1, 1), valid_to=end)
    copied = copy_course(
        course=world.course, term=spring, code="NEW", name="New", with_roster=True, user=factories.registrar()
    )
    assert {(row.student, row.valid_from, row.valid_to) for row in copied.enrolments.all()} == {
        (stays, spring.first_day, None),
        (leaves, spring.first_day, None),
    }
    copied.refresh_from_db()
    assert copied.gallery_outdated_at is not None


def test_of_a_term_that_is_over_its_last_students_come_along(world: World, spring: Term):
    last = date(2021, 7, 1)
    world.course.term = Term.objects.create(name="Spring 2021", first_day=date(2021, 3, 1), last_day=last)
    world.course.save()
    world.course.enrolments.all().delete()
    student = factories.student()
    world.course.enrolments.create(student=student, valid_from=date(2021, 3, 1), valid_to=last)
    copied = copy_course(
        course=world.course, term=spring, code="NEW", name="New", with_roster=True, user=factories.registrar()
    )
    assert [row.student for row in copied.enrolments.all()] == [student]


def test_a_code_that_is_taken_is_refused_and_nothing_is_left(world: World, spring: Term):
    with pytest.raises(ValidationError):
        copy_course(
            course=world.course,
            term=spring,
            code=world.course.code.lower(),
            name="New",
            with_roster=True,
            user=factories.registrar(),
        )
    assert not spring.courses.exists()
