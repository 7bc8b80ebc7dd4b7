"""How far the attendance of lectures is, as lists of them say, and the week of the first page."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from campus.academics.models import Course, Lecture
from campus.accounts.roles import Role
from campus.attendance.models import AttendanceRecord, AttendanceStatus, SignOff
from campus.cctv.models import Collection
from campus.recordings.models import Recording, Upload
from campus.web.lecture_states import LectureRow, lecture_rows
from tests.campus import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def lecturer() -> User:
    return factories.user()


@pytest.fixture
def course(lecturer: User) -> Course:
    return factories.course(lecturers=(lecturer,), students=3)


@pytest.fixture
def lecture(course: Course) -> Lecture:
    """It is over."""
    return factories.lecture(course, starts_at=timezone.now() - timedelta(hours=3))


def row(user: User) -> LectureRow:
    (row,) = lecture_rows(user, Lecture.objects.all())
    return row


def upload(lecture: Lecture) -> None:
    user = lecture.course.lecturers.get()
    tomorrow = timezone.now() + timedelta(days=1)
    Upload.objects.create(lecture=lecture, user=user, original_name="a.mp4", size=9, expires_at=tomorrow)


def collect(lecture: Lecture) -> None:
    Collection.objects.create(lecture=lecture, next_check_at=timezone.now(), deadline_at=timezone.now())


def ask(lecture: Lecture) -> None:
    factories.records(lecture)
    first = lecture.records.first()
    assert first
    AttendanceRecord.objects.filter(pk=first.pk).update(machine_status="to_confirm")


def mark_one(lecture: Lecture) -> None:
    for n, student in enumerate(lecture.course.students.all()):
        AttendanceRecord.objects.create(lecture=lecture, student=student, override_status="" if n else "present")


STEPS: dict[str, tuple[Callable[[Lecture], Any], str]] = {
    "no recording": (lambda lecture: None, "Upload recording"),
    "footage expected": (collect, ""),
    "uploading": (upload, "Continue the upload"),
    "in progress": (factories.planned, "Watch progress"),
    "recording failed": (lambda lecture: factories.recording(lecture, state="failed"), "See what failed"),
    "recording to check": (lambda lecture: factories.recording(lecture, state="needs_review"), "Check the recording"),
    "1 to confirm": (ask, "Confirm 1 student"),
    "roll not finished": (mark_one, "Mark 2 students"),
    "provisional": (lambda lecture: factories.records(lecture, provisional=True), ""),
    "counted": (factories.records, "Sign off"),
    "cancelled": (lambda lecture: Lecture.objects.update(cancelled=True), ""),
}


@pytest.mark.parametrize("state", STEPS)
def test_a_state_leads_to_the_next_thing_to_do(client: Client, lecturer: User, lecture: Lecture, state: str) -> None:
    bring_about, action = STEPS[state]
    bring_about(lecture)
    shown = row(lecturer)
    assert (shown.state, shown.action) == (state, action)
    if action:
        client.force_login(lecturer)
        assert client.get(shown.action_url, follow=True).status_code == 200


@pytest.mark.parametrize("state", STEPS)
def test_who_only_reads_is_asked_for_nothing(client: Client, lecture: Lecture, state: str) -> None:
    bring_about, action = STEPS[state]
    bring_about(lecture)
    shown = row(factories.person(Role.AUDITOR))
    assert shown.action == (action if state == "in progress" else "")
    assert not shown.awaits_recording


def test_what_is_signed_off_needs_nothing_more(lecturer: User, lecture: Lecture) -> None:
    factories.records(lecture)
    SignOff.objects.create(lecture=lecture, user_name="ada")
    assert (row(lecturer).state, row(lecturer).action, row(lecturer).variant) == ("signed off", "", "success")


@pytest.mark.parametrize(("begins", "state", "awaits"), [(-1, "now", True), (1, "upcoming", False)])
def test_a_lecture_that_is_not_over(lecturer: User, course: Course, begins: int, state: str, awaits: bool) -> None:
    now = timezone.now()
    factories.lecture(course, starts_at=now + timedelta(minutes=begins), ends_at=now + timedelta(hours=2))
    assert (row(lecturer).state, row(lecturer).awaits_recording) == (state, awaits)


def test_a_dismissed_recording_is_none(lecturer: User, lecture: Lecture) -> None:
    factories.recording(lecture, state="failed", dismissed=True)
    assert row(lecturer).state == "no recording"


def test_who_attended_is_counted_by_what_counts(lecturer: User, lecture: Lecture) -> None:
    assert (row(lecturer).attended, row(lecturer).student_count) == (None, None)
    AttendanceStatus.objects.create(code="online", name="Online", letter="O", points=1, meaning="present")
    factories.enrol(lecture.course, factories.student())
    statuses = [("present", ""), ("absent", "online"), ("late", "absent"), ("absent", "")]
    for student, (machine, override) in zip(lecture.course.students.all(), statuses, strict=True):
        AttendanceRecord.objects.create(
            lecture=lecture, student=student, machine_status=machine, override_status=override
        )
    assert (row(lecturer).attended, row(lecturer).student_count) == (2, 4)


def in_december(day: int, hour: int = 9) -> datetime:
    return datetime(2026, 12, day, hour, tzinfo=UTC)


def test_a_week_is_from_monday_to_sunday_and_leads_to_its_neighbours(
    client: Client, lecturer: User, course: Course
) -> None:
    for title, starts_at in {
        "before": in_december(6, 23),
        "first": in_december(7, 0),
        "last": in_december(13, 23),
        "after": in_december(14, 0),
    }.items():
        factories.lecture(course, starts_at=starts_at, title=title)
    factories.lecture(factories.course(), starts_at=in_december(9), title="somebody else's")
    client.force_login(lecturer)
    page = client.get("/", {"week": "2026-W50"})
    agenda = page.context["agenda"]
    assert [row.lecture.title for row in agenda.this_week] == ["first", "last"]
    assert (agenda.week.monday, agenda.week.sunday) == (date(2026, 12, 7), date(2026, 12, 13))
    for week in ("2026-W49", "2026-W51"):
        assert f'href="?week={week}#week"' in page.content.decode()


@pytest.mark.parametrize("week", ["", "2026-W60", "0001-W01", "9999-W52", "2026-W5\x00", "next"])
def test_what_is_no_week_is_this_week(client: Client, lecturer: User, week: str) -> None:
    client.force_login(lecturer)
    shown = client.get("/", {"week": week}).context
    assert shown["agenda"].week == shown["this_week"]


def test_the_first_page_says_how_many_lectures_of_a_week_it_leaves_out(
    client: Client, lecturer: User, course: Course, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("campus.web.agenda.MAX_LECTURES_OF_WEEK", 2)
    for day in range(7, 11):
        factories.lecture(course, starts_at=in_december(day))
    client.force_login(lecturer)
    assert "2 more lectures are not shown" in client.get("/", {"week": "2026-W50"}).content.decode()


def test_a_card_and_the_list_of_todos_do_not_say_the_same(client: Client, lecturer: User, lecture: Lecture) -> None:
    noon = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    today = factories.lecture(lecture.course, starts_at=noon, ends_at=noon + timedelta(microseconds=1))
    Lecture.objects.filter(pk=lecture.pk).update(starts_at=noon - timedelta(days=1), ends_at=noon - timedelta(hours=22))
    client.force_login(lecturer)
    agenda = client.get("/").context["agenda"]
    assert [(row.lecture, row.action) for row in agenda.today] == [(today, "Upload recording")]
    assert [todo.lecture for todo in agenda.todos] == [lecture]
    failed = factories.recording(today, state="failed")
    todos = client.get("/").context["agenda"].todos
    assert reverse("recording-action", args=[failed.pk, "dismiss"]) in [todo.dismiss_url for todo in todos]


def test_recordings_of_archived_classes_are_not_listed_as_in_progress(
    client: Client, lecturer: User, lecture: Lecture
) -> None:
    recording = factories.planned(lecture)
    client.force_login(lecturer)
    assert list(client.get("/").context["in_work"]) == [recording]
    Course.objects.update(archived=True)
    assert not client.get("/").context["in_work"]
    assert Recording.objects.exists()
