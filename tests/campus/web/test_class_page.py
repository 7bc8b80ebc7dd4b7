"""The page of a class: its tabs, and what registrars change there without the admin."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from campus.academics.models import Course, Enrolment, Student, Term
from campus.accounts.roles import Role
from campus.attendance.policy import RegisterPolicy
from campus.biometrics.models import FacePhoto, Gallery
from tests.campus import factories
from tests.campus.conftest import World

TABS = ("course", "course-students", "register", "course-photos", "course-settings")


def signed_in(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def registrar(world: World) -> Client:
    return signed_in(world.registrar)


@pytest.fixture
def lecturer(world: World) -> Client:
    return signed_in(world.own)


def text_of(client: Client, name: str, pk: int, /, **query: str | int) -> str:
    response = client.get(reverse(name, args=[pk]), query)
    assert response.status_code == 200
    return response.content.decode()


def settings_form(course: Course, **changes: object) -> dict[str, Any]:
    return {
        "code": course.code,
        "name": course.name,
        "present": 2,
        "present_unit": "seconds",
        "late_minutes": 10,
        "early_minutes": 10,
        "strictness": "balanced",
        "required_percent": 75,
        "lecturers": [user.pk for user in course.lecturers.all()],
    } | changes


@pytest.mark.parametrize("tab", TABS)
def test_each_tab_is_an_address_that_names_the_class_and_what_comes_next(lecturer: Client, world: World, tab: str):
    coming = factories.lecture(world.course, starts_at=timezone.now() + timedelta(days=2), room="B 99")
    world.own.first_name, world.own.last_name = "Ada", "Lovelace"
    world.own.save()
    page = text_of(lecturer, tab, world.course.pk)
    assert f'href="{reverse(tab, args=[world.course.pk])}" aria-current="page"' in page
    assert page.count('aria-current="page"') == 1
    for text in ("CS101", "Ada Lovelace", "B 99", reverse("lecture", args=[coming.pk])):
        assert text in page


def test_what_only_registrars_do_is_shown_to_them_alone(registrar: Client, lecturer: Client, world: World):
    auditor = signed_in(factories.person(Role.AUDITOR))
    for tab, sign in (
        ("course-students", 'name="number"'),
        ("course-photos", "data-drop"),
        ("course-photos", reverse("course-train", args=[world.course.pk])),
        ("course-settings", "Save settings"),
    ):
        assert sign in text_of(registrar, tab, world.course.pk)
        for other in (lecturer, auditor):
            assert sign not in text_of(other, tab, world.course.pk)
    assert "Only registrars can change" in text_of(lecturer, "course-settings", world.course.pk)
    assert "Excuse a student" in text_of(lecturer, "course", world.course.pk)
    assert "Excuse a student" not in text_of(auditor, "course", world.course.pk)


def test_nobody_else_changes_a_class(lecturer: Client, world: World):
    enrolment = world.course.enrolments.first()
    for name, pk, data in (
        ("course-students", world.course.pk, {"number": "N1", "name": "New"}),
        ("enrolment", enrolment.pk, {"valid_from": "2020-01-01"}),
        ("enrolment", enrolment.pk, {"remove": "yes"}),
        ("course-settings", world.course.pk, settings_form(world.course, code="OTHER")),
        ("course-train", world.course.pk, {}),
    ):
        assert lecturer.post(reverse(name, args=[pk]), data).status_code == 403
        assert signed_in(world.other).post(reverse(name, args=[pk]), data).status_code == 404
    enrolment.refresh_from_db()
    assert (enrolment.valid_from != date(2020, 1, 1), world.course.enrolments.count()) == (True, 2)
    assert not Course.objects.filter(code="OTHER").exists()


def test_students_are_by_surname_with_photos_share_and_face(lecturer: Client, world: World):
    for name in ("Ann Young", "Zoë Abel"):
        factories.enrol(world.course, factories.student(name=name))
    page = text_of(lecturer, "course-students", world.course.pk)
    assert page.index("Zoë Abel") < page.index("Ann Young")
    assert reverse("photo-face", args=[world.photo.pk]) in page
    assert ">ZA<" in page.replace("\n", "")
    assert "no photo" in page
    assert "1 of 1 usable" in page
    assert "100 %" in page
    found = text_of(lecturer, "course-students", world.course.pk, q="zoe")
    assert ("Zoë Abel" in found, "Ann Young" in found) == (True, False)


def test_a_large_class_has_pages_that_stay_small(
    lecturer: Client, registrar: Client, world: World, django_assert_max_num_queries
):
    first = factories.STARTS.date() - timedelta(days=30)
    students = Student.objects.bulk_create(
        Student(number=f"L{n}", name=f"Somebody {n:03}", number_key=f"l{n}", sort_key=f"somebody {n:03}")
        for n in range(300)
    )
    Enrolment.objects.bulk_create(Enrolment(course=world.course, student=row, valid_from=first) for row in students)
    for client in (lecturer, registrar):
        for tab in ("course-students", "course-photos"):
            with django_assert_max_num_queries(25):
                page = text_of(client, tab, world.course.pk)
            assert "Page 1 of" in page
            assert len(page) < 200_000


def test_a_student_is_added_from_the_first_day_of_the_term(registrar: Client, world: World):
    world.course.term = Term.objects.create(name="T", first_day=date(2026, 10, 5), last_day=date(2027, 2, 1))
    world.course.save()
    url = reverse("course-students", args=[world.course.pk])
    response = registrar.post(url, {"number": "N77", "name": "Mia Weber"}, follow=True)
    assert response.redirect_chain == [(url, 302)]
    assert "Mia Weber (N77) is in the class from 5 Oct 2026." in response.content.decode()
    assert world.course.enrolments.get(student__number="N77").valid_from == date(2026, 10, 5)

    again = registrar.post(url, {"number": "n77"})
    assert again.status_code == 400
    assert "is in this class already" in again.content.decode()
    unnamed = registrar.post(url, {"number": "N78"})
    assert unnamed.status_code == 400
    assert not Student.objects.filter(number="N78").exists()
    known = factories.student(name="Known Already")
    registrar.post(url, {"number": known.number, "start": "2026-11-02"})
    assert world.course.enrolments.get(student=known).valid_from == date(2026, 11, 2)


def test_the_days_of_an_enrolment_change_and_a_mistake_is_removed(registrar: Client, world: World):
    enrolment = world.course.enrolments.get(student=world.student)
    url, back = reverse("enrolment", args=[enrolment.pk]), reverse("course-students", args=[world.course.pk])
    assert registrar.post(url, {"valid_from": "2026-10-01", "valid_to": "2026-09-01"}).status_code == 400
    assert registrar.post(url, {"valid_from": "2026-10-01", "valid_to": "2026-12-01"})["Location"] == back
    enrolment.refresh_from_db()
    assert (enrolment.valid_from, enrolment.valid_to) == (date(2026, 10, 1), date(2026, 12, 1))
    assert "until 1 Dec 2026" in text_of(registrar, "course-students", world.course.pk)
    assert registrar.post(url, {"remove": "yes"})["Location"] == back
    assert not Enrolment.objects.filter(pk=enrolment.pk).exists()


def test_an_excuse_is_recorded_from_the_class(lecturer: Client, world: World):
    url = reverse("course-excuse", args=[world.course.pk])
    stranger = world.foreign.course.students.get()
    day = str(timezone.localdate(world.lecture.starts_at))
    form = {"course": world.course.pk, "first_day": day, "last_day": day, "reason": "ill"}
    assert lecturer.post(url, form | {"student": stranger.pk}).status_code == 400
    response = lecturer.post(url, form | {"student": world.student.pk}, follow=True)
    assert response.redirect_chain == [(reverse("course-students", args=[world.course.pk]), 302)]
    assert f"{world.student.name} is excused." in response.content.decode()
    one = lecturer.get(url, {"student": world.student.pk}, headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in one
    assert (world.student.number in one, one.count("<option") < 5) == (True, True)


def test_a_lecture_moves_to_another_day_and_room_from_the_class(lecturer: Client, world: World):
    url = f"{reverse('lecture-change', args=[world.lecture.pk])}?from=class"
    assert url in text_of(lecturer, "course", world.course.pk)
    part = lecturer.get(url, headers={"HX-Request": "true"})
    assert "<html" not in part.content.decode()
    assert "HX-Request" in part["Vary"]
    form = {"title": "Loops", "room": "C 1", "starts_at": "2026-11-17T10:00", "ends_at": "2026-11-17T11:00"}
    assert lecturer.post(url, form)["Location"] == reverse("course", args=[world.course.pk])
    world.lecture.refresh_from_db()
    assert (world.lecture.room.name, timezone.localtime(world.lecture.starts_at).day) == ("C 1", 17)


def test_photos_are_listed_with_their_verdicts(lecturer: Client, registrar: Client, world: World):
    other = world.course.students.exclude(pk=world.student.pk).get()
    refused = factories.photo(other, state=FacePhoto.Verdict.REJECTED, thumbnail="thumbnails/x.jpg")
    page = text_of(lecturer, "course-photos", world.course.pk)
    for text in ("accepted", "rejected", "none usable", reverse("photo-face", args=[refused.pk])):
        assert text in page
    one = text_of(registrar, "course-photos", world.course.pk, student=other.pk)
    assert f"Add photos of {other}" in one
    assert reverse("admin:academics_student_photos", args=[other.pk]) in one
    assert text_of(registrar, "course-photos", world.course.pk, student=10**20)
    for _ in range(5):
        factories.photo(world.student)
    lacking = text_of(registrar, "course-photos", world.course.pk, lacking="")
    assert (other.name in lacking, world.student.name in lacking) == (True, False)


def test_a_training_is_started_from_the_class(registrar: Client, world: World):
    response = registrar.post(reverse("course-train", args=[world.course.pk]), follow=True)
    assert "A training is in progress" in response.content.decode()
    assert Gallery.objects.filter(course=world.course, state="queued").count() == 1


def test_settings_are_saved_with_their_units(registrar: Client, world: World):
    url = reverse("course-settings", args=[world.course.pk])
    form = settings_form(world.course, present=5, present_unit="minutes", late_minutes=20, required_percent=80)
    response = registrar.post(url, form | {"mail_absentees": "on"}, follow=True)
    assert "Settings saved." in response.content.decode()
    world.course.refresh_from_db()
    assert (world.course.present_seconds, world.course.present_percent, world.course.late_minutes) == (300, None, 20)
    policy = RegisterPolicy.objects.get(course=world.course)
    assert (policy.required_percent, policy.mail_absentees) == (80, True)
    assert list(world.course.lecturers.all()) == [world.own]
    registrar.post(url, settings_form(world.course, present=10, present_unit="percent", lecturers=[]))
    world.course.refresh_from_db()
    assert (world.course.present_seconds, world.course.present_percent) == (300, 10)
    assert not world.course.lecturers.exists()
    for wrong in (
        {"present": 0, "present_unit": "percent"},
        {"present": 101, "present_unit": "percent"},
        {"code": "ma202"},
        {"required_percent": 101},
        {"warning_addresses": "nobody"},
    ):
        refused = registrar.post(url, settings_form(world.course, **wrong))
        assert refused.status_code == 400, wrong
        assert "CS101" in refused.content.decode()
    world.course.refresh_from_db()
    assert (world.course.present_percent, world.course.code) == (10, "CS101")


def test_each_rule_has_an_example_that_follows_what_is_typed(registrar: Client, world: World):
    """The lecture is from 09:00 to 10:30."""
    page = text_of(registrar, "course-settings", world.course.pk)
    for text in (
        "whoever is seen for less than 2 seconds between 09:00 and 10:30 is absent",
        "whoever is first seen after 09:10 is late",
        "whoever is last seen before 10:20 left early",
        "fewer than 1 of 1 lecture is marked",
    ):
        assert text in page
    for typed, text in (
        ({"late_minutes": 25}, "first seen after 09:25 is late"),
        ({"late_minutes": 500}, "nobody is late"),
        ({"early_minutes": 500}, "nobody leaves early"),
        ({"present": 10, "present_unit": "percent"}, "less than 9 minutes"),
        ({"present": 0}, "whoever is seen at all is present"),
        ({"required_percent": 0}, "nobody is marked"),
        ({"late_minutes": "x"}, '<div id="example-late_minutes" hx-swap-oob="innerHTML"></div>'),
    ):
        form = settings_form(world.course, **typed)
        assert text in text_of(registrar, "course-rule-examples", world.course.pk, **form)
    world.course.refresh_from_db()
    assert world.course.late_minutes == 10


def test_the_admins_form_says_what_the_rules_mean_too(registrar: Client, world: World):
    Course.objects.filter(pk=world.course.pk).update(late_minutes=10)
    page = registrar.get(reverse("admin:academics_course_change", args=[world.course.pk])).content.decode()
    assert "whoever is first seen after 09:10 is late." in page
