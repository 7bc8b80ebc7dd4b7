"""The registrar's first page: what is to do, which recordings are in progress, and whether workers answer."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from campus.attendance.models import AttendanceRecord, Excuse, SignOff, UnknownPerson
from campus.attendance.roll import mark_others, mark_students
from campus.attendance.roster_changes import recount_changed_rosters
from campus.biometrics.models import FacePhoto
from campus.common import jobs
from campus.recordings.models import Recording
from campus.web.dashboard import Dashboard, Todo
from tests.campus import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def registrar(client: Client) -> Client:
    client.force_login(factories.registrar(username="registrar"))
    return client


@pytest.fixture
def lecture() -> Any:
    """Of today, going on."""
    now = timezone.now()
    return factories.lecture(
        factories.course(students=3, code="CS101"), starts_at=now, ends_at=now + timedelta(minutes=1), title="Loops"
    )


def dashboard(client: Client) -> Dashboard:
    return client.get("/admin/").context["dashboard"]


def tasks(client: Client) -> dict[str, Todo]:
    return {task.icon: task for task in dashboard(client).todos}


def test_nothing_to_do_is_said(registrar: Client) -> None:
    page = registrar.get("/admin/").content.decode()
    assert "Nothing to do" in page
    assert "no lectures today" in page
    assert "No recording is being processed" in page


def test_what_needs_a_person_is_counted_with_the_way_there(registrar: Client, lecture: Any) -> None:
    student = lecture.course.students.first()
    recording = factories.planned(lecture, state=Recording.State.DONE)
    recording.segments.filter(index=0).update(state="failed")
    AttendanceRecord.objects.create(lecture=lecture, student=student, machine_status="to_confirm")
    UnknownPerson.objects.create(recording=recording, index=0)
    UnknownPerson.objects.create(recording=recording, index=1, is_static=True)
    for _ in range(5):
        factories.photo(student)
    factories.photo(lecture.course.students.last(), state=FacePhoto.Verdict.REJECTED)
    factories.gallery(lecture.course, state="failed", active=False)
    found = tasks(registrar)
    assert {icon: task.text.split()[0] for icon, task in found.items()} == {
        "person_search": "1",
        "no_accounts": "1",
        "videocam_off": "1",
        "add_a_photo": "2",
        "model_training": "1",
    }
    for task in found.values():
        assert registrar.get(task.links[0].url).status_code == 200
    AttendanceRecord.objects.update(override_status="present")
    SignOff.objects.create(lecture=lecture, user_name="ada")
    factories.gallery(lecture.course, active=False)
    assert tasks(registrar).keys() == {"videocam_off", "add_a_photo"}


def test_who_has_left_needs_no_photos(registrar: Client, lecture: Any) -> None:
    lecture.course.enrolments.update(valid_to=timezone.localdate() - timedelta(days=1))
    assert tasks(registrar) == {}


def test_a_roll_taken_by_half_is_to_do(registrar: Client) -> None:
    user = User.objects.get()
    lecture = factories.lecture(
        factories.course(students=3, code="CS101", lecturers=(user,)), starts_at=timezone.now() - timedelta(hours=2)
    )

    def todos() -> list[str]:
        home = registrar.get("/").content.decode()
        lines = [todo.text for todo in tasks(registrar).values() if todo.icon == "checklist"]
        assert ("?show=unmarked#result" in home) == bool(lines)
        return lines

    first, second, _third = lecture.course.students.order_by("pk")
    assert todos() == []
    mark_students(lecture=lecture, statuses={first.pk: "present"}, user=user)
    assert todos() == ["2 students are not marked yet"]
    Excuse.objects.create(
        student=second,
        first_day=timezone.localdate() - timedelta(days=1),
        last_day=timezone.localdate(),
        reason="ill",
        user_name="office",
    )
    assert todos() == ["1 student is not marked yet"]
    factories.enrol(lecture.course, factories.student())
    recount_changed_rosters()
    assert todos() == ["2 students are not marked yet"]
    mark_others(lecture=lecture, status="absent", user=user)
    assert todos() == []


def test_today_s_lectures_and_how_far_they_are(registrar: Client, lecture: Any) -> None:
    def state() -> str:
        (today,) = dashboard(registrar).lectures
        return today.state

    assert state() == "now"
    recording = factories.planned(lecture, segments=4)
    recording.segments.filter(index=0).update(state="done", progress=1)
    assert state() == "in progress"
    (work,) = dashboard(registrar).recordings
    assert 0 < work.percent < 50
    Recording.objects.update(state=Recording.State.FAILED)
    assert state() == "recording failed"
    record = AttendanceRecord.objects.create(lecture=lecture, student=lecture.course.students.first())
    assert state() == "recording failed", "nobody has said anything about the student"
    AttendanceRecord.objects.filter(pk=record.pk).update(override_status="late")
    assert state() == "counted", "by hand"
    AttendanceRecord.objects.filter(pk=record.pk).update(override_status="", machine_status="to_confirm")
    assert state() == "1 to confirm"
    SignOff.objects.create(lecture=lecture, user_name="ada")
    assert state() == "signed off"


def test_the_number_of_queries_does_not_grow(registrar: Client, django_assert_max_num_queries: Any) -> None:
    now = timezone.now()
    for n in range(12):
        one = factories.lecture(
            factories.course(students=2), starts_at=now - timedelta(minutes=n), ends_at=now + timedelta(hours=1)
        )
        recording = factories.planned(one)
        AttendanceRecord.objects.create(lecture=one, student=one.course.students.first(), machine_status="to_confirm")
        UnknownPerson.objects.create(recording=recording, index=0)
        factories.planned(one, state=Recording.State.FAILED)
    with django_assert_max_num_queries(42):
        assert registrar.get("/admin/").status_code == 200


def test_queues_and_workers(registrar: Client, lecture: Any, settings: Any) -> None:
    settings.BROKER_URL = "redis://127.0.0.1:1/0"  # nobody there
    jobs.producer.cache_clear()
    recording = factories.planned(lecture)
    jobs.RECOGNISE.claim(recording.segments.first().pk, "worker")
    response = registrar.get("/admin/workers/")
    jobs.producer.cache_clear()
    assert (
        "broker can&#x27;t be reached" in response.content.decode()
        or "broker can't be reached" in response.content.decode()
    )
    (vision,) = (queue for queue in response.context["queues"] if queue.name == "vision")
    assert (vision.waiting, vision.running) == (1, 1)


def test_nobody_else_sees_it(client: Client) -> None:
    assert client.get("/admin/").status_code == 302
    assert client.get("/admin/workers/").status_code == 302
    client.force_login(factories.user())
    assert client.get("/admin/").status_code in (302, 403)
    assert client.get("/admin/workers/").status_code in (302, 403)
