"""The sample class is made once, shows something on each page, and goes without a trace."""

import errno
import io
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from PIL import Image

from campus.academics.models import Course, Room, Student
from campus.accounts.roles import Role
from campus.attendance import sample_class
from campus.attendance.feed_models import FeedEntry
from campus.attendance.models import AttendanceRecord, Snapshot
from campus.attendance.register import build_register
from campus.attendance.reports import write_missing_roll_reports, write_register_report
from campus.attendance.sample_class import (
    CODE,
    OFTEN_ABSENT,
    STUDENTS,
    TO_CONFIRM,
    WITHOUT_PHOTO,
    create_sample_class,
    delete_sample_class,
)
from campus.audit.models import AuditEntry
from campus.common.errors import UserError
from campus.common.storage import write_media
from campus.outbox.models import Delivery, Webhook
from campus.recordings.models import Recording
from tests.campus import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def user() -> User:
    return factories.registrar(username="registrar", email="registrar@example.org")


LASTING = (AuditEntry, FeedEntry)  # they outlive what they are about


def everything() -> dict[type[Model], set[Any]]:
    return {
        model: set(model._base_manager.values_list("pk", flat=True))
        for model in apps.get_models()
        if model.__module__.startswith("campus.") and model not in LASTING
    }


def files(settings: Any) -> set[Path]:
    folders = (settings.MEDIA_ROOT, settings.REPORTS_DIR)
    return {path for folder in folders for path in folder.rglob("*") if path.is_file()}


def test_it_shows_a_roster_a_timetable_rolls_and_a_register(user: User) -> None:
    course = create_sample_class(user=user)
    now = timezone.now()
    assert (course.code, course.is_sample) == (CODE, True)
    assert course.students.filter(is_sample=True).count() == len(STUDENTS)
    assert course.lectures.filter(ends_at__lte=now).count() >= 8
    assert course.lectures.filter(starts_at__gt=now).count() >= 14
    register = build_register(course)
    assert len(register.rows) == len(STUDENTS)
    assert register.below_count == 1
    shown = {record.status for record in AttendanceRecord.objects.all()}
    assert shown == {"present", "late", "left_early", "absent", "excused", "to_confirm", "not_recognisable", ""}


def test_faces_are_shown_on_each_page(user: User, client: Client) -> None:
    course = create_sample_class(user=user)
    client.force_login(user)
    recording = Recording.objects.get()
    ada, absent, to_confirm, without_photo = (
        AttendanceRecord.objects.get(lecture=recording.lecture, student__name=STUDENTS[place])
        for place in (0, OFTEN_ABSENT, TO_CONFIRM, WITHOUT_PHOTO)
    )
    assert [record.status for record in (ada, absent, to_confirm, without_photo)] == [
        "present", "absent", "to_confirm", "not_recognisable"
    ]  # fmt: skip
    pages = {
        reverse("lecture", args=[recording.lecture_id]): len(STUDENTS),
        reverse("recording", args=[recording.pk]): len(STUDENTS),
        reverse("course-students", args=[course.pk]): len(STUDENTS) - 1,
        reverse("course-photos", args=[course.pk]): (len(STUDENTS) - 1) * settings.PHOTOS_PER_STUDENT,
        reverse("record", args=[ada.pk]): 3,
        reverse("confirm", args=[recording.lecture_id]): 3,
        reverse("unknown-person", args=[recording.unknown_people.get().pk]): len(STUDENTS),
    }
    for page, count in pages.items():
        text = client.get(page).content.decode()
        pictures = set(re.findall(r'"(/(?:crops|photos|unknown-people|snapshots)/[^"#?]+/)"', text))
        shown = [path for path in pictures if client.get(path).get("Content-Type") == "image/png"]
        assert len(shown) >= count, page
        for path in shown:
            with Image.open(io.BytesIO(client.get(path).getvalue())) as picture:
                picture.verify()
    assert not Snapshot.objects.exclude(state=Snapshot.State.READY).exists(), "no worker is needed"
    assert client.get(reverse("lecture-file", args=[recording.lecture_id, "xlsx"])).status_code == 200


def test_a_full_disk_leaves_nothing_behind(user: User, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    before, at_first = files(settings), everything()

    def fail(name: str, content: bytes) -> None:
        if name.startswith("crops/"):
            raise OSError(errno.ENOSPC, "No space left on device")
        write_media(name, content)

    monkeypatch.setattr(sample_class, "write_media", fail)
    with pytest.raises(UserError, match="disk"):
        create_sample_class(user=user)
    assert (files(settings), everything()) == (before, at_first)


def test_nobody_is_told(user: User) -> None:
    Webhook.objects.create(url="https://example.org/hook")
    create_sample_class(user=user)
    delete_sample_class(user=user)
    assert not Delivery.objects.exists()


def test_it_is_made_only_while_there_is_no_class(user: User) -> None:
    create_sample_class(user=user)
    before = everything()
    with pytest.raises(UserError, match="already"):
        create_sample_class(user=user)
    assert everything() == before


def test_a_number_that_is_taken_leaves_nothing_behind(user: User) -> None:
    student = factories.student(number=f"{CODE}-03")
    with pytest.raises(UserError, match="taken"):
        create_sample_class(user=user)
    assert not Course.objects.exists()
    assert list(Student.objects.all()) == [student]


def test_it_goes_whole_and_takes_nothing_else(
    user: User, settings: Any, django_capture_on_commit_callbacks: Any
) -> None:
    at_first = everything()
    create_sample_class(user=user)
    with_sample, sample_files = everything(), files(settings)
    sample = Course.objects.get()
    other = factories.lecture(factories.course(students=2, code="CS101"), starts_at=timezone.now() - timedelta(days=1))
    factories.records(other)
    factories.photo(other.course.students.first())
    write_register_report(course=other.course)
    kept = {model: keys - with_sample[model] | at_first[model] for model, keys in everything().items()}
    kept_files = files(settings) - sample_files

    factories.records(sample.lectures.first())
    factories.photo(sample.students.first())
    factories.gallery(sample)
    write_register_report(course=sample)
    write_missing_roll_reports()
    assert files(settings) > kept_files
    with django_capture_on_commit_callbacks(execute=True):
        delete_sample_class(user=user)
    assert everything() == kept
    assert files(settings) == kept_files


def test_a_sample_student_in_another_class_stays_there(user: User) -> None:
    create_sample_class(user=user)
    student = Student.objects.first()
    course = factories.course(code="CS101")
    factories.enrol(course, student)
    delete_sample_class(user=user)
    assert list(Student.objects.all()) == [student]
    assert list(Course.objects.all()) == [course]


def test_a_sample_room_that_is_used_stays(user: User) -> None:
    create_sample_class(user=user)
    room = Room.objects.get()
    lecture = factories.lecture(factories.course(code="CS101"), room=room)
    delete_sample_class(user=user)
    assert list(Room.objects.all()) == [room]
    lecture.delete()
    delete_sample_class(user=user)
    assert not Room.objects.exists()


@pytest.mark.parametrize("role", [Role.LECTURER, Role.AUDITOR])
def test_registrars_alone_make_and_remove_it(user: User, role: Role) -> None:
    other = factories.person(role)
    with pytest.raises(PermissionDenied):
        create_sample_class(user=other)
    create_sample_class(user=user)
    with pytest.raises(PermissionDenied):
        delete_sample_class(user=other)
    assert Course.objects.exists()


def test_the_home_offers_it_then_its_removal(user: User, client: Client) -> None:
    client.force_login(user)
    assert "Fill a sample class" in client.get("/").content.decode()
    page = client.post("/sample/create/", follow=True).content.decode()
    assert "The sample class is ready" in page
    page = client.get("/").content.decode()
    assert "Fill a sample class" not in page
    assert "Remove the sample" in page
    assert not any(step.done for step in client.get("/").context["term"].steps)
    assert "already" in client.post("/sample/create/", follow=True).content.decode()
    page = client.post("/sample/delete/", follow=True).content.decode()
    assert "Fill a sample class" in page
    factories.course()
    assert "Fill a sample class" not in client.get("/").content.decode()
