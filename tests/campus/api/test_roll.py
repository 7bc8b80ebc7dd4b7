"""The roll and excuses as a program enters them."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from campus.academics.models import Lecture
from campus.attendance.models import AttendanceRecord, Excuse
from tests.campus import factories
from tests.campus.conftest import World

PDF = b"%PDF-1.7\nhello"


@pytest.fixture
def api(world: World) -> APIClient:
    client = APIClient()
    client.force_authenticate(world.own)
    return client


@pytest.fixture
def lecture(world: World) -> Lecture:
    """A lecture without a recording."""
    return factories.lecture(world.course)


def mark(api: APIClient, lecture: Lecture, marks: object):
    return api.post(f"/api/v1/lectures/{lecture.pk}/roll/", {"marks": marks, "reason": "from the app"}, format="json")


def test_the_roll_is_taken_and_taken_back(api: APIClient, world: World, lecture: Lecture):
    (row,) = mark(api, lecture, [{"student": world.student.pk, "status": "late"}]).json()
    assert (row["student"]["id"], row["status"], row["machine_status"]) == (world.student.pk, "late", "")
    assert lecture.changes.get().reason == "from the app"
    (row,) = api.post(f"/api/v1/lectures/{lecture.pk}/roll/undo/").json()
    assert row["status"] == ""
    answer = api.post(f"/api/v1/lectures/{lecture.pk}/roll/undo/")
    assert (answer.status_code, "nothing to take back" in answer.json()["detail"]) == (400, True)


def test_marks_that_cannot_be(api: APIClient, world: World, lecture: Lecture):
    pk = world.student.pk
    for marks in (
        [{"student": pk, "status": "asleep"}],
        [{"student": pk, "status": "late"}, {"student": pk, "status": "present"}],
        [{"student": factories.student().pk, "status": "late"}],
        [{"student": 2**63 - 1, "status": "late"}],
        [{"student": pk}],
        "late",
    ):
        assert mark(api, lecture, marks).status_code == 400, marks
    assert not AttendanceRecord.objects.filter(lecture=lecture).exists()
    assert mark(api, world.foreign, [{"student": pk, "status": "late"}]).status_code == 404


def test_an_excuse_with_its_document(api: APIClient, world: World, lecture: Lecture):
    day = lecture.starts_at.date().isoformat()
    form = {"student": world.student.pk, "course": world.course.pk, "first_day": day, "last_day": day, "reason": "ill"}
    document = SimpleUploadedFile("attest.pdf", PDF)
    answer = api.post("/api/v1/excuses/", form | {"document": document}, format="multipart")
    assert answer.status_code == 201
    url = f"/api/v1/excuses/{answer.json()['id']}/"
    assert b"".join(api.get(f"{url}document/")) == PDF
    mark(api, lecture, [{"student": student.pk, "status": "present"} for student in world.course.students.all()][1:])
    found = api.get("/api/v1/attendance/", {"lecture": str(lecture.pk), "status": "excused"}).json()["results"]
    assert [(row["student"]["id"], row["excuse_reason"]) for row in found] == [(world.student.pk, "ill")]
    assert [row["id"] for row in api.get("/api/v1/excuses/", {"day": day}).json()["results"]] == [answer.json()["id"]]
    assert api.delete(url).status_code == 204
    assert api.get("/api/v1/attendance/", {"lecture": str(lecture.pk), "status": "excused"}).json()["results"] == []
    assert api.get("/api/v1/excuses/", {"day": day}).json()["results"] == []
    assert api.get(url).json()["withdrawn_by"] == "own", "it is kept"
    assert api.delete(url).status_code == 400


def test_excuses_that_cannot_be(api: APIClient, world: World):
    form = {
        "student": world.student.pk,
        "course": world.course.pk,
        "first_day": "2026-11-16",
        "last_day": "2026-11-17",
        "reason": "ill",
    }
    for wrong in (
        {"last_day": "2026-11-15"},
        {"last_day": "9999-12-31"},
        {"reason": " "},
        {"course": world.foreign.course_id},
        {"course": None},
        {"student": world.foreign.course.students.get().pk},
    ):
        assert api.post("/api/v1/excuses/", form | wrong, format="json").status_code == 400, wrong
    picture = SimpleUploadedFile("attest.pdf", b"<html>")
    assert api.post("/api/v1/excuses/", form | {"document": picture}, format="multipart").status_code == 400
    assert not Excuse.objects.exists()


def test_another_class_has_no_such_excuse(api: APIClient, world: World):
    row = factories.excuse(world.student, course=world.course)
    api.force_authenticate(world.other)
    assert api.get(f"/api/v1/excuses/{row.pk}/").status_code == 404
    assert api.delete(f"/api/v1/excuses/{row.pk}/").status_code == 404
    assert api.get("/api/v1/excuses/").json()["results"] == []
