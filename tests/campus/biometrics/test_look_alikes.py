"""Two students whose photos are one person's: nobody is said absent until a person has decided, and nothing is lost."""

import pytest
from django.test import Client
from django.urls import reverse
from rest_framework.test import APIClient

from campus.academics.models import Course, Student
from campus.biometrics.look_alikes import keep_apart, save_look_alikes, students_in_doubt
from campus.biometrics.models import LookAlike
from campus.biometrics.selectors import look_alikes_for
from tests.campus import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def course() -> Course:
    return factories.course(code="CS101")


@pytest.fixture
def pair(course: Course) -> LookAlike:
    """Ann Lee, enrolled as 1001 and as 1002."""
    students = [Student.objects.create(number=number, name="Ann Lee") for number in ("1001", "1002")]
    for student in students:
        factories.enrol(course, student)
    save_look_alikes(course=course, pairs=[(students[1].pk, students[0].pk, 0.99)])
    return LookAlike.objects.get()


def test_a_pair_is_in_doubt_until_somebody_decides(course: Course, pair: LookAlike) -> None:
    assert students_in_doubt(course) == {pair.first_id: pair.second, pair.second_id: pair.first}
    assert students_in_doubt(factories.course(code="MA202")) == {}
    keep_apart(pair=pair, user=factories.registrar(username="office"))
    pair.refresh_from_db()
    assert (pair.decided_by, students_in_doubt(course)) == ("office", {})


def test_twins_are_not_asked_about_again(course: Course, pair: LookAlike) -> None:
    registrar = factories.registrar()
    keep_apart(pair=pair, user=registrar)
    save_look_alikes(course=course, pairs=[(pair.first_id, pair.second_id, 0.995)])
    assert not look_alikes_for(registrar).filter(decided_at=None).exists()


def test_a_pair_whose_photos_were_put_right_is_no_longer_asked_about(course: Course, pair: LookAlike) -> None:
    save_look_alikes(course=factories.course(code="MA202"), pairs=[])
    assert students_in_doubt(course)
    save_look_alikes(course=course, pairs=[])
    assert not LookAlike.objects.exists()


def test_the_photos_of_both_are_shown_side_by_side_and_merged(course: Course, pair: LookAlike) -> None:
    photo = factories.photo(pair.second, state="accepted", crop="crops/photos/a.jpg")
    client = Client()
    client.force_login(factories.registrar())
    address = reverse("admin:biometrics_facephoto_same_person")
    page = client.get(address).content.decode()
    assert reverse("admin:biometrics_facephoto_thumbnail", args=[photo.pk]) in page
    assert "Keep 1001" in page
    client.post(address, {"pair": "nonsense", "apart": "1"})
    client.post(address, {"pair": pair.pk})
    assert LookAlike.objects.filter(decided_at=None).exists()
    client.post(address, {"pair": pair.pk, "keep": pair.first_id})
    assert list(Student.objects.all()) == [pair.first]
    assert pair.first.photos.get() == photo
    assert "No two students" in client.get(address).content.decode()


def test_who_said_that_they_are_two_people_is_shown_and_can_be_taken_back(course: Course, pair: LookAlike) -> None:
    client = Client()
    client.force_login(factories.registrar(first_name="Maria", last_name="Lindner"))
    address = reverse("admin:biometrics_facephoto_same_person")
    client.post(address, {"pair": pair.pk, "apart": "1"})
    page = client.get(address).content.decode()
    assert "No two students" in page
    assert "Marked as two people by Maria Lindner" in page
    client.post(address, {"pair": pair.pk, "undo": "1"})
    page = client.get(address).content.decode()
    assert "Marked as two people" not in page
    assert "Keep 1001" in page
    assert students_in_doubt(course)


def test_programs_take_it_back_too(course: Course, pair: LookAlike) -> None:
    client = APIClient()
    client.force_authenticate(factories.registrar(username="office"))
    address = "/api/v1/look-alikes/"
    assert client.post(f"{address}{pair.pk}/separate/").status_code == 204
    assert client.get(address, {"open": True}).json()["results"] == []
    (row,) = client.get(address, {"open": False}).json()["results"]
    assert row["decided_by"] == "office"
    assert client.post(f"{address}{pair.pk}/reopen/").status_code == 204
    assert students_in_doubt(course)


def test_the_dashboard_says_that_somebody_has_to_decide(pair: LookAlike) -> None:
    client = Client()
    client.force_login(factories.registrar())
    page = client.get(reverse("admin:index")).content.decode()
    assert "1 pair of students may be one person" in page
    assert reverse("admin:biometrics_facephoto_same_person") in page


def test_programs_decide_too(course: Course, pair: LookAlike) -> None:
    other = factories.student()
    client = APIClient()
    client.force_authenticate(factories.registrar())
    (row,) = client.get("/api/v1/look-alikes/").json()["results"]
    address = f"/api/v1/look-alikes/{row['id']}/"
    assert client.post(f"{address}merge/", {"student": other.pk}, format="json").status_code == 400
    assert client.post(f"{address}merge/", {"student": pair.second_id}, format="json").status_code == 204
    assert not Student.objects.filter(pk=pair.first_id).exists()
    lecturer = APIClient()
    lecturer.force_authenticate(factories.user())
    assert lecturer.get("/api/v1/look-alikes/").json()["results"] == []


def test_a_lecturer_may_not_merge(course: Course, pair: LookAlike) -> None:
    lecturer = factories.user()
    course.lecturers.add(lecturer)
    client = APIClient()
    client.force_authenticate(lecturer)
    address = f"/api/v1/look-alikes/{pair.pk}/merge/"
    assert client.post(address, {"student": pair.first_id}, format="json").status_code == 403
