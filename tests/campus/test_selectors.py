"""Who may see what: one question at the class, the other selectors follow."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser

from campus.academics.selectors import courses_for, lectures_for, students_for
from campus.attendance.selectors import records_for, reports_for, sightings_for, unknown_people_for
from campus.biometrics.selectors import galleries_for, photos_for
from campus.footage.selectors import recordings_for
from tests.campus import factories
from tests.campus.conftest import World

SELECTORS: list[Callable[[Any], Any]] = [
    courses_for,
    lectures_for,
    students_for,
    recordings_for,
    records_for,
    reports_for,
    sightings_for,
    unknown_people_for,
    photos_for,
    galleries_for,
]


@pytest.mark.parametrize("selector", SELECTORS)
def test_each_sees_what_is_his_or_hers(world: World, selector: Callable[[Any], Any]) -> None:
    everything = set(selector(world.registrar))
    assert everything
    assert set(selector(factories.user(is_superuser=True))) == everything
    mine, theirs = set(selector(world.own)), set(selector(world.other))
    assert mine
    assert mine <= everything
    assert not mine & theirs
    for nobody in (AnonymousUser(), factories.user(), factories.user(is_superuser=True, is_active=False), factories.user(is_staff=True)):
        assert not selector(nobody).exists()


def test_a_student_of_two_classes_is_seen_once(world: World) -> None:
    second = factories.course(lecturers=(world.own,))
    factories.enrol(second, world.student)
    assert students_for(world.own).filter(pk=world.student.pk).count() == 1
    assert photos_for(world.own).filter(pk=world.photo.pk).count() == 1
