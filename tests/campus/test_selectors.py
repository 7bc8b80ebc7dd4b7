"""Who may see what: one question at the class, the other selectors follow."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, Group, User

from campus.academics.selectors import courses_for, lectures_for, students_for
from campus.accounts.roles import Role, role_of
from campus.attendance.history import student_history
from campus.attendance.models import AttendanceChange, Snapshot
from campus.attendance.selectors import (
    changes_for,
    excuses_for,
    records_for,
    reports_for,
    sightings_for,
    snapshots_for,
    unknown_people_for,
)
from campus.biometrics.selectors import galleries_for, photos_for
from campus.recordings.selectors import recordings_for
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
    snapshots_for,
    changes_for,
    excuses_for,
]


@pytest.mark.parametrize("selector", SELECTORS)
def test_each_sees_what_is_his_or_hers(world: World, selector: Callable[[Any], Any]) -> None:
    Snapshot.objects.create(recording=world.recording, time=5)
    factories.excuse(world.student)
    AttendanceChange.objects.create(
        lecture=world.lecture, record=world.record, old_status="absent", new_status="late", user_name="own"
    )
    everything = set(selector(world.registrar))
    assert everything
    for who in (
        factories.user(is_superuser=True),
        factories.person(Role.ADMINISTRATOR),
        factories.person(Role.AUDITOR),
    ):
        assert set(selector(who)) == everything
    mine, theirs = set(selector(world.own)), set(selector(world.other))
    assert mine
    assert mine <= everything
    assert not mine & theirs
    for nobody in (
        AnonymousUser(),
        factories.user(),
        factories.user(is_superuser=True, is_active=False),
        factories.user(is_staff=True),
    ):
        assert not selector(nobody).exists()


def test_a_student_of_two_classes_is_seen_once(world: World) -> None:
    second = factories.course(lecturers=(world.own,))
    factories.enrol(second, world.student)
    assert students_for(world.own).filter(pk=world.student.pk).count() == 1
    assert photos_for(world.own).filter(pk=world.photo.pk).count() == 1


def test_a_students_history_has_the_own_classes_only(world: World) -> None:
    factories.enrol(world.foreign.course, world.student)
    factories.records(world.foreign)
    assert [one.course.code for one in student_history(world.own, world.student)] == ["CS101"]
    assert [one.course.code for one in student_history(world.other, world.student)] == ["MA202"]
    assert {one.course.code for one in student_history(world.registrar, world.student)} == {"CS101", "MA202"}


def test_of_several_roles_the_most_careful_counts(db: None) -> None:
    who = factories.person(Role.REGISTRAR)
    who.groups.add(Group.objects.get(name=Role.AUDITOR))
    assert role_of(User.objects.get(pk=who.pk)) == Role.AUDITOR
    assert role_of(factories.user()) == Role.LECTURER
    assert role_of(factories.user(is_active=False)) is None
    assert role_of(AnonymousUser()) is None
