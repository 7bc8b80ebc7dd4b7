"""Whoever deletes or merges what is held gets a sentence, and nothing has changed."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from campus.academics.models import Course, Enrolment, Student
from campus.attendance.student_merge import merge_guest
from campus.common.errors import UserError
from campus.privacy.legal_holds import place_hold
from campus.privacy.models import LegalHold
from tests.campus import factories
from tests.campus.conftest import World
from tests.campus.web.admin_tools import client_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def guest(world: World) -> Student:
    guest = factories.student(name="Guest", guest=True)
    factories.enrol(world.course, guest)
    return guest


def hold(subject: Any) -> LegalHold:
    return place_hold(subject=subject, reason="Case 7", until=None, user=factories.registrar())


@pytest.mark.parametrize("held", ["guest", "student"])
def test_a_merge_is_refused_whichever_of_the_two_is_held(world: World, guest: Student, held: str):
    hold({"guest": guest, "student": world.student}[held])
    before = list(Enrolment.objects.order_by("pk").values())
    with pytest.raises(UserError, match="A legal hold is in force: Case 7"):
        merge_guest(guest=guest, student=world.student, user=world.registrar)
    assert list(Enrolment.objects.order_by("pk").values()) == before
    admin = client_of("office", registrar=True)
    merge = reverse("admin:academics_student_merge", args=[guest.pk])
    page = admin.post(merge, {"_form_submitted": "True", "student": world.student.number}, follow=True)
    assert "A legal hold is in force: Case 7" in page.content.decode()
    assert Student.objects.filter(pk=guest.pk).exists()


@pytest.mark.django_db(transaction=True)
def test_each_deletion_of_what_is_held_says_why_not(world: World, guest: Student):
    course = Course.objects.create(code="EMPTY", name="Nobody")
    lecture = factories.lecture(course, starts_at=timezone.now() + timedelta(days=3))
    before = {Student.objects.count(), Course.objects.count()}
    delete: list[Callable[[], object]] = []
    for row in (guest, course, lecture):
        hold(row)
        delete += [row.delete, type(row).objects.filter(pk=row.pk).delete]
    for attempt in delete:
        with pytest.raises(UserError, match="A legal hold is in force: Case 7"):
            attempt()
    admin = client_of("office", registrar=True)
    for row in (guest, course, lecture):
        name = row._meta.model_name
        deletion = reverse(f"admin:academics_{name}_delete", args=[row.pk])
        assert re.search(
            r"[12] legal holds?", admin.get(deletion).content.decode()
        )  # the lecture's is the class's, too
        admin.post(deletion, {"post": "yes"})
        row.refresh_from_db()
    # A lecture of a held class has no hold of its own.
    inside = factories.lecture(course, starts_at=timezone.now() + timedelta(days=4))
    for address, fields in (
        (reverse("admin:academics_lecture_delete", args=[inside.pk]), {"post": "yes"}),
        (
            reverse("admin:academics_lecture_changelist"),
            {"action": "delete_selected", "_selected_action": [inside.pk], "post": "yes"},
        ),
    ):
        page = admin.post(address, fields, follow=True)
        assert "A legal hold is in force: Case 7" in page.content.decode(), address
    refused = admin.delete(f"/api/v1/lectures/{inside.pk}/")
    assert "A legal hold is in force: Case 7" in refused.content.decode()
    inside.refresh_from_db()
    assert {Student.objects.count(), Course.objects.count()} == before


def test_a_hold_whose_last_day_is_over_keeps_nothing(guest: Student):
    hold(guest)
    LegalHold.objects.update(until=timezone.localdate() - timedelta(days=1))
    guest.delete()
    assert not LegalHold.objects.exists()
