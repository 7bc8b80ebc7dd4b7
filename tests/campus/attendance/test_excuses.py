"""Excuses for several days: which lectures they cover, what stays as it is, who may enter them, and their documents."""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from campus.academics.models import Lecture, Student
from campus.accounts.roles import Role
from campus.attendance import overrides, roll
from campus.attendance.csv_files import lecture_csv, register_csv
from campus.attendance.excuses import create_excuse, withdraw_excuse
from campus.attendance.history import course_histories, student_history
from campus.attendance.models import EFFECTIVE_STATUS, AttendanceRecord, Excuse
from campus.attendance.register import build_register
from campus.attendance.reports import refresh_report
from campus.attendance.selectors import excuses_for
from campus.attendance.student_merge import merge_guest
from campus.common.errors import UserError
from campus.common.storage import read_media
from tests.campus import factories
from tests.campus.conftest import World

pytestmark = pytest.mark.django_db

DAY = factories.STARTS.date()
PDF = b"%PDF-1.7\nhello"


@pytest.fixture
def teacher() -> User:
    return factories.user(username="teacher")


@pytest.fixture
def lecture(teacher: User) -> Lecture:
    return factories.lecture(factories.course(lecturers=(teacher,), students=2, code="CS1"))


@pytest.fixture
def student(lecture: Lecture) -> Student:
    first = lecture.course.students.order_by("name").first()
    assert first is not None
    return first


def excuse(student: Student, lecture: Lecture, user: User, **fields: Any) -> Excuse:
    own: dict[str, Any] = {"course": lecture.course, "first_day": DAY, "last_day": DAY, "reason": "ill"}
    return create_excuse(student=student, user=user, **own | fields)


def record(lecture: Lecture, student: Student, machine: str = "absent", override: str = "") -> AttendanceRecord:
    return AttendanceRecord.objects.create(
        lecture=lecture, student=student, machine_status=machine, override_status=override
    )


def status(lecture: Lecture, student: Student) -> str:
    """What the row says, which the database says too."""
    row = AttendanceRecord.objects.get(lecture=lecture, student=student)
    assert AttendanceRecord.objects.values_list(EFFECTIVE_STATUS, flat=True).get(pk=row.pk) == row.status
    assert AttendanceRecord._base_manager.get(pk=row.pk).status == row.status, "also where the row came by a relation"
    return row.status


@pytest.mark.parametrize(
    ("machine", "override", "expected"),
    [
        ("absent", "", "excused"),
        ("not_recognisable", "", "excused"),
        ("", "", "excused"),
        ("present", "", "present"),
        ("late", "", "late"),
        ("left_early", "", "left_early"),
        ("to_confirm", "", "to_confirm"),
        ("absent", "absent", "absent"),
        ("absent", "late", "late"),
        ("", "present", "present"),
    ],
)
def test_an_excuse_counts_where_the_student_was_not_seen(
    lecture: Lecture, student: Student, teacher: User, machine: str, override: str, expected: str
) -> None:
    record(lecture, student, machine, override)
    row = excuse(student, lecture, teacher)
    assert status(lecture, student) == expected
    withdraw_excuse(excuse=row, user=teacher)
    assert status(lecture, student) == (override or machine)


def test_an_excuse_handed_in_afterwards_changes_the_register(lecture: Lecture, student: Student, teacher: User) -> None:
    roll.mark_others(lecture=lecture, status="present", user=teacher)
    AttendanceRecord.objects.filter(student=student).update(override_status="", machine_status="absent")
    before = build_register(lecture.course).rows[0]
    assert (before.tally.share, before.statuses[0].code) == (0, "absent")
    row = excuse(student, lecture, teacher, reason="flu")
    after = build_register(lecture.course).rows[0]
    assert (after.tally.share, after.statuses[0].code, after.reasons) == (None, "excused", {0: "flu"})
    assert ",E," in register_csv(build_register(lecture.course)).decode()
    assert "excuse" in lecture_csv(lecture).decode()
    assert [one.status.code for one in student_history(teacher, student)[0].lectures] == ["excused"]
    assert course_histories([lecture.course])[0].tally.counts == {"excused": 1, "present": 1}
    withdraw_excuse(excuse=row, user=teacher)
    assert build_register(lecture.course).rows[0].tally.share == 0


def test_an_excuse_entered_ahead_meets_the_roll(lecture: Lecture, student: Student, teacher: User) -> None:
    excuse(student, lecture, teacher)
    assert [row.status for row in roll.lecture_roll(lecture)] == ["excused", ""], "before the roll is taken"
    changed = roll.mark_others(lecture=lecture, status="absent", user=teacher)
    assert student.pk not in {row.student_id for row in changed}
    assert [row.status for row in roll.lecture_roll(lecture)] == ["excused", "absent"]
    overrides.sign_off_lecture(lecture=lecture, user=teacher)


def test_an_excuse_alone_makes_no_lecture_of_the_register(lecture: Lecture, student: Student, teacher: User) -> None:
    excuse(student, lecture, teacher)
    roll.mark_others(lecture=lecture, status="present", user=teacher)
    roll.undo_last_change(lecture=lecture, user=teacher)
    assert build_register(lecture.course).lectures == ()
    assert student_history(teacher, student) == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(first=st.integers(-3, 3), length=st.integers(0, 4), hour=st.integers(0, 23))
def test_both_days_are_included_in_the_institutions_time(
    lecture: Lecture, student: Student, teacher: User, settings: Any, first: int, length: int, hour: int
) -> None:
    """Whatever the hour of the lecture is in UTC, its day is that of the calendar on the wall."""
    settings.TIME_ZONE = "Asia/Tokyo"
    starts_at = factories.STARTS.replace(hour=hour)
    Lecture.objects.filter(pk=lecture.pk).update(starts_at=starts_at, ends_at=starts_at + timedelta(hours=1))
    day_on_the_wall = (starts_at + timedelta(hours=9)).date()
    begins = DAY + timedelta(days=first)
    row = excuse(student, lecture, teacher, first_day=begins, last_day=begins + timedelta(days=length))
    own = record(Lecture.objects.get(pk=lecture.pk), student)
    assert (status(lecture, student) == "excused") == (begins <= day_on_the_wall <= begins + timedelta(days=length))
    own.delete()
    row.delete()


def test_a_lecture_that_moves_out_of_the_days_is_not_covered(lecture: Lecture, student: Student, teacher: User) -> None:
    record(lecture, student)
    excuse(student, lecture, teacher)
    assert status(lecture, student) == "excused"
    Lecture.objects.update(starts_at=factories.STARTS + timedelta(days=2), ends_at=factories.STARTS + timedelta(days=3))
    assert status(lecture, student) == "absent"


def test_an_excuse_of_one_class_is_none_in_another(lecture: Lecture, student: Student, teacher: User) -> None:
    other = factories.lecture(factories.course())
    factories.enrol(other.course, student)
    record(other, student)
    excuse(student, lecture, teacher)
    assert status(other, student) == "absent"
    excuse(student, lecture, factories.registrar(), course=None, reason="abroad")
    assert status(other, student) == "excused"
    assert AttendanceRecord.objects.get(lecture=other).excuse_reason == "abroad"


def test_who_may_excuse(lecture: Lecture, student: Student, teacher: User) -> None:
    with pytest.raises(UserError, match="Only a registrar"):
        excuse(student, lecture, teacher, course=None)
    for nobody in (factories.user(), factories.person(Role.AUDITOR)):
        with pytest.raises(PermissionDenied):
            excuse(student, lecture, nobody)
    with pytest.raises(UserError, match="is not in"):
        excuse(factories.student(), lecture, teacher)
    everywhere = excuse(student, lecture, factories.registrar(), course=None)
    with pytest.raises(UserError, match="Only a registrar"):
        withdraw_excuse(excuse=everywhere, user=teacher)
    own = excuse(student, lecture, teacher)
    with pytest.raises(PermissionDenied):
        withdraw_excuse(excuse=own, user=factories.user())
    withdraw_excuse(excuse=own, user=teacher)
    with pytest.raises(UserError, match="withdrawn already"):
        withdraw_excuse(excuse=own, user=teacher)
    assert Excuse.objects.get(pk=own.pk).withdrawn_by == "teacher", "it is kept"


def test_each_sees_the_excuses_of_the_own_students(lecture: Lecture, student: Student, teacher: User) -> None:
    registrar, other = factories.registrar(), factories.user()
    factories.course(lecturers=(other,), students=1)
    here, everywhere = excuse(student, lecture, teacher), excuse(student, lecture, registrar, course=None)
    assert set(excuses_for(teacher)) == {here, everywhere} == set(excuses_for(registrar))
    assert not excuses_for(other).exists()
    second = factories.course(lecturers=(other,))
    factories.enrol(second, student)
    assert set(excuses_for(other)) == {everywhere}, "that of another class is not his or hers"


def test_after_the_sign_off_only_a_registrar_excuses(lecture: Lecture, student: Student, teacher: User) -> None:
    roll.mark_others(lecture=lecture, status="present", user=teacher)
    AttendanceRecord.objects.filter(student=student).update(override_status="", machine_status="absent")
    overrides.sign_off_lecture(lecture=lecture, user=teacher)
    with pytest.raises(UserError, match="Ask a registrar"):
        excuse(student, lecture, teacher)
    row = excuse(student, lecture, factories.registrar())
    assert status(lecture, student) == "excused"
    with pytest.raises(UserError, match="is signed off"):
        withdraw_excuse(excuse=row, user=teacher)


def test_an_excuse_that_changes_nothing_signed_may_be_entered(
    lecture: Lecture, student: Student, teacher: User
) -> None:
    roll.mark_others(lecture=lecture, status="present", user=teacher)
    overrides.sign_off_lecture(lecture=lecture, user=teacher)
    excuse(student, lecture, teacher, last_day=DAY + timedelta(days=7))
    assert status(lecture, student) == "present"


@pytest.mark.parametrize(
    ("name", "content", "kept"),
    [
        ("Attest.pdf", PDF, "Attest.pdf"),
        ("photo.PNG", b"\x89PNG\r\n\x1a\nrest", "photo.png"),
        ("scan.jpeg", b"\xff\xd8\xff\xe0rest", "scan.jpg"),
        ("evil.html", PDF, "evil.pdf"),
        ("../../etc/passwd", b"\xff\xd8\xff\xe0rest", "passwd.jpg"),
        (".pdf", PDF, ".pdf.pdf"),
    ],
)
def test_a_document_is_kept_by_what_it_is(
    lecture: Lecture, student: Student, teacher: User, settings: Any, name: str, content: bytes, kept: str
) -> None:
    row = excuse(student, lecture, teacher, document=SimpleUploadedFile(name, content))
    stored = Path(row.document.path)
    assert stored.parent == Path(settings.MEDIA_ROOT, "excuses")
    assert (stored.stem, stored.suffix) == (str(row.pk), Path(kept).suffix)
    assert (read_media(row.document.name), row.document_name) == (content, kept)


def test_no_browser_opens_a_document_on_the_site(
    client: Client, lecture: Lecture, student: Student, teacher: User
) -> None:
    client.force_login(teacher)
    for content in (PDF, b"\x89PNG\r\n\x1a\nrest"):
        row = excuse(student, lecture, teacher, document=SimpleUploadedFile("doctor.pdf", content))
        for address in (reverse("excuse-document", args=[row.pk]), f"/api/v1/excuses/{row.pk}/document/"):
            answer = client.get(address)
            assert b"".join(answer) == content
            assert answer["Content-Disposition"].startswith("attachment; ")
            assert answer["Content-Type"] == "application/octet-stream"
            assert "sandbox" in answer["Content-Security-Policy"]
            assert answer["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("content", [b"<html>", b"", b"MZ\x90", b"GIF89a", b"PK\x03\x04", b" %PDF-1.7"])
def test_another_document_is_refused(lecture: Lecture, student: Student, teacher: User, content: bytes) -> None:
    with pytest.raises(UserError, match="neither a PDF nor a JPEG or PNG"):
        excuse(student, lecture, teacher, document=SimpleUploadedFile("doctor.pdf", content))
    assert not Excuse.objects.exists()


def test_a_document_that_is_too_large_is_refused(
    lecture: Lecture, student: Student, teacher: User, settings: Any
) -> None:
    settings.MAX_DOCUMENT_BYTES = len(PDF) - 1
    with pytest.raises(UserError, match="larger than"):
        excuse(student, lecture, teacher, document=SimpleUploadedFile("doctor.pdf", PDF))


@pytest.mark.django_db(transaction=True)
def test_nothing_is_left_of_a_deleted_students_documents(lecture: Lecture, student: Student, teacher: User) -> None:
    stored = Path(excuse(student, lecture, teacher, document=SimpleUploadedFile("a.pdf", PDF)).document.path)
    assert stored.exists()
    student.delete()
    assert not stored.exists()


def test_a_workbook_follows_an_excuse(world: World) -> None:
    second = world.course.students.exclude(pk=world.student.pk).get()
    before = world.report.sha256
    assert refresh_report(report=world.report).sha256 == before
    row = excuse(second, world.lecture, world.own)
    after = refresh_report(report=world.report)
    assert after.sha256 != before
    withdraw_excuse(excuse=row, user=world.own)
    assert refresh_report(report=after).sha256 != after.sha256 or after.created_at > world.report.created_at


def test_a_guests_excuses_become_the_students(lecture: Lecture, teacher: User) -> None:
    guest, student = factories.student(guest=True), factories.student()
    factories.enrol(lecture.course, guest)
    row = excuse(guest, lecture, teacher)
    merge_guest(guest=guest, student=student, user=factories.registrar())
    row.refresh_from_db()
    assert row.student == student


def test_days_of_the_wrong_order_are_refused(lecture: Lecture, student: Student, teacher: User) -> None:
    with pytest.raises(ValidationError):
        excuse(student, lecture, teacher, last_day=date(2026, 1, 1))
