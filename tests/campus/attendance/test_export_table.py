"""The flat table of all attendance: what the registers say, row by row, and never held in memory as a whole."""

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import GeneratorType
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone, translation

from campus.academics.models import Term
from campus.accounts.models import AccountEvent
from campus.attendance import export_table
from campus.attendance.excuses import create_excuse
from campus.attendance.export_table import COLUMNS, attendance_rows, export_attendance
from campus.attendance.models import AttendanceRecord, FaceOverride
from campus.attendance.overrides import sign_off_lecture
from campus.attendance.register import build_register
from campus.attendance.roll import mark_students, undo_last_change
from campus.recordings.models import Recording
from tests.campus import factories
from tests.campus.conftest import World

pytestmark = pytest.mark.django_db


def rows() -> list[dict[str, str]]:
    return [dict(zip(COLUMNS, row, strict=True)) for row in attendance_rows(AttendanceRecord.objects.all())]


def read(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))


@pytest.fixture
def term(world: World) -> World:
    """Three more lectures of the class: with statuses of all kinds, an excuse, one cancelled, one not final."""
    first, second = world.course.students.order_by("pk")
    statuses = [("present", "late"), ("absent", "absent"), ("left_early", ""), ("to_confirm", "not_recognisable")]
    for pair in statuses:
        lecture = factories.lecture(world.course)
        for student, status in zip((first, second), pair, strict=True):
            AttendanceRecord.objects.create(lecture=lecture, student=student, machine_status=status, seconds=600)
    day = factories.STARTS.date() + timedelta(days=2)
    create_excuse(student=first, course=None, first_day=day, last_day=day, reason="Ill", user=world.registrar)
    for fields in ({"cancelled": True}, {}):
        lecture = factories.lecture(world.course, **fields)
        AttendanceRecord.objects.create(lecture=lecture, student=first, machine_status="present")
    factories.recording(lecture, provisional=True, state=Recording.State.DONE)
    return world


def test_the_rows_are_what_the_register_says(term: World) -> None:
    register = build_register(term.course)
    table = rows()
    assert len(register.lectures) == 5
    for line in register.rows:
        own = [row for row in table if row["number"] == line.student.number]
        assert [row["code"] for row in own] == [status.code if status else "" for status in line.statuses]
        assert sum(Decimal(row["points"] or 0) for row in own) == line.tally.points
        assert sum(Decimal(row["points_possible"] or 0) for row in own) == line.tally.max_points
    assert {row["class"] for row in table} == {"CS101"}
    assert [row["source"] for row in table if row["code"] == "excused"] == ["excuse"]


def test_who_said_it() -> None:
    lecturer = factories.user(first_name="Maria", last_name="Lindner")
    ann, bob, cem, dee = (factories.student(name=name) for name in ("Ann A", "Bob B", "Cem C", "Dee D"))
    course = factories.course(lecturers=(lecturer,), code="CS101", name="Algorithms")
    for student in (ann, bob, cem, dee):
        factories.enrol(course, student)
    lecture = factories.lecture(course)
    recording = factories.recording(lecture, state=Recording.State.DONE)
    for student, status in ((ann, "present"), (bob, "absent"), (cem, "present"), (dee, "")):
        AttendanceRecord.objects.create(lecture=lecture, student=student, machine_status=status)
    named = FaceOverride.objects.create(recording=recording, action="named", student=cem, user_name="gone")
    recording.unknown_people.create(index=0, override=named)
    mark_students(lecture=lecture, statuses={bob.pk: "late"}, user=factories.registrar(username="registrar"))
    mark_students(lecture=lecture, statuses={bob.pk: "present"}, user=lecturer)
    by = {row["name"]: (row["code"], row["source"], row["by"]) for row in rows()}
    assert by == {
        "Ann A": ("present", "recording", ""),
        "Bob B": ("present", "correction", "Maria Lindner"),
        "Cem C": ("present", "named face", "gone"),
        "Dee D": ("", "", ""),
    }
    undo_last_change(lecture=lecture, user=lecturer)
    assert rows()[1]["by"] == "registrar"
    mark_students(lecture=lecture, statuses={dee.pk: "absent"}, user=lecturer)
    sign_off_lecture(lecture=lecture, user=lecturer)
    signed_at = timezone.localtime(lecture.sign_off.signed_at).isoformat(timespec="seconds")
    assert {row["signed_off_at"] for row in rows()} == {signed_at}


def test_times_are_those_on_the_wall_and_minutes_those_that_passed(settings) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    course = factories.course()
    for starts_at in (datetime(2026, 3, 29, 0, 30, tzinfo=UTC), datetime(2026, 10, 25, 0, 30, tzinfo=UTC)):
        lecture = factories.lecture(course, starts_at=starts_at, minutes=90)
        AttendanceRecord.objects.create(lecture=lecture, student=factories.student(), machine_status="present")
    seen = [(row["date"], row["start"], row["end"], row["minutes_scheduled"]) for row in rows()]
    assert seen == [("2026-03-29", "01:30", "04:00", "90"), ("2026-10-25", "02:30", "03:00", "90")]


@pytest.mark.parametrize("name", ["=1+1", "Zoë Łukaszewicz-Nguyễn", 'A "B", C', "Ad\nam", "أحمد", "O'Brien; =2"])
def test_names_stay_what_they_are_and_no_formula(name: str) -> None:
    lecture = factories.lecture(factories.course())
    student = factories.student(name=name)
    AttendanceRecord.objects.create(lecture=lecture, student=student, machine_status="present")
    content = b"".join(export_attendance(records=AttendanceRecord.objects.all(), user=factories.user()))
    (row,) = read(content)
    guarded = {"=1+1": "'=1+1", "O'Brien; =2": "O'Brien;' =2"}
    assert row["name"] == guarded.get(name, name)


def test_the_table_is_read_while_it_is_sent(world: World, monkeypatch, django_assert_num_queries) -> None:
    lecture = factories.lecture(world.course)
    AttendanceRecord.objects.bulk_create(
        AttendanceRecord(lecture=lecture, student=factories.student(), machine_status="present") for _ in range(12)
    )
    monkeypatch.setattr(export_table, "CHUNK", 3)
    client = Client()
    client.force_login(world.registrar)
    response = client.get(reverse("attendance-export-file"))
    assert response.streaming
    with django_assert_num_queries(4):  # the statuses, the lectures with photos, those in it, and one for their rows
        parts = list(attendance_rows(AttendanceRecord.objects.all()))
    content: Iterator[bytes] = export_attendance(records=AttendanceRecord.objects.all(), user=world.registrar)
    assert isinstance(content, GeneratorType)
    sent = list(content)
    assert len(sent) == 1 + -(-len(parts) // 3)
    assert b"".join(sent) == response.getvalue()


def test_the_first_rows_come_before_the_others_are_looked_for(world: World, monkeypatch) -> None:
    monkeypatch.setattr(export_table, "LECTURES_PER_QUERY", 2)
    for _ in range(5):
        AttendanceRecord.objects.create(
            lecture=factories.lecture(world.course), student=world.student, machine_status="present"
        )
    with CaptureQueriesContext(connection) as queries:
        table = attendance_rows(AttendanceRecord.objects.all())
        first = next(table)
        asked_before = len(queries)
        others = list(table)
    lectures = {(row[1], row[7], row[8]) for row in [first, *others]}
    assert len(lectures) == 6
    assert len(queries) - asked_before == 2  # for two lectures each
    assert [row[7:9] for row in others] == sorted(row[7:9] for row in others)


def test_classes_and_days_are_chosen_and_only_own_classes_are_in_it(world: World) -> None:
    AttendanceRecord.objects.create(lecture=world.foreign, student=factories.student(), machine_status="present")
    second = factories.lecture(world.course)
    AttendanceRecord.objects.create(lecture=second, student=world.student, machine_status="late")

    def export(user, **asked: Any) -> list[tuple[str, str]]:
        client = Client()
        client.force_login(user)
        response = client.get(reverse("attendance-export-file"), asked)
        assert response["Content-Disposition"].startswith('attachment; filename="attendance_')
        return [(row["class"], row["code"]) for row in read(response.getvalue())]

    assert export(world.registrar) == [
        ("CS101", "present"), ("CS101", "absent"), ("CS101", "late"), ("MA202", "present")
    ]  # fmt: skip
    assert {code for code, _status in export(world.own)} == {"CS101"}
    assert export(world.registrar, classes=world.foreign.course_id) == [("MA202", "present")]
    day = second.starts_at.date()
    assert export(world.own, since=day, until=day) == [("CS101", "late")]
    assert AccountEvent.objects.filter(user=world.own, kind="attendance-exported").first().about.startswith(f"{day}")
    client = Client()
    client.force_login(world.own)
    assert client.get(reverse("attendance-export-file"), {"classes": world.foreign.course_id}).status_code == 400
    assert Client().get(reverse("attendance-export-file")).status_code == 302


def test_the_export_wants_a_recent_login(world: World) -> None:
    client = Client()
    client.force_login(world.registrar)
    session = client.session
    session["confirmed-at"] = 0
    session.save()
    response = client.get(reverse("attendance-export-file"))
    assert response["Location"].startswith(reverse("confirm-login"))
    assert client.get(reverse("attendance-export")).status_code == 200


def test_the_api_gives_the_same_table(world: World) -> None:
    client = Client()
    client.force_login(world.registrar)
    page = client.get(reverse("attendance-export-file")).getvalue()
    assert client.get(reverse("api-attendance-export")).getvalue() == page
    late = client.get(reverse("api-attendance-export"), {"status": "late"})
    assert read(late.getvalue()) == []
    assert client.get(reverse("api-attendance-export"), {"since": "2026-13-01"}).status_code == 400


def test_columns_keep_their_names_in_other_languages(world: World) -> None:
    with translation.override("de"):
        content = b"".join(export_attendance(records=AttendanceRecord.objects.all(), user=world.own))
    assert content.decode("utf-8-sig").splitlines()[0] == ",".join(COLUMNS)


def test_term_section_and_where_a_status_is_from() -> None:
    day = factories.STARTS.date()
    term = Term.objects.create(name="Winter", first_day=day, last_day=day + timedelta(days=90))
    lecturer = factories.user()
    course = factories.course(lecturers=(lecturer,), term=term)
    ann, bob = factories.student(name="Ann A"), factories.student(name="Bob B")
    factories.enrol(course, ann, section="Lab 2")
    factories.enrol(course, bob)
    by_photo, by_hand = factories.lecture(course), factories.lecture(course)
    factories.records(by_photo, info=factories.INFO | {"is_photo": True})
    mark_students(lecture=by_hand, statuses={ann.pk: "present", bob.pk: "absent"}, user=lecturer)
    assert [(row["term"], row["section"], row["source"]) for row in rows()] == [
        ("Winter", "Lab 2", "photo"),
        ("Winter", "", "photo"),
        ("Winter", "Lab 2", "roll by hand"),
        ("Winter", "", "roll by hand"),
    ]
    factories.records(by_photo)
    assert {row["source"] for row in rows()} == {"recording", "roll by hand"}
