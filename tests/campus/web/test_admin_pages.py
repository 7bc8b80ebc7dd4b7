"""The admin's pages: the registrar sees all of them, nobody else any, and pictures and workbooks stay behind the
same door."""

from datetime import UTC, datetime
from typing import Any

import pytest
from django.conf import settings as project
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.db.models import FloatField
from django.test import Client
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext

from campus.academics.models import Course, Room
from campus.attendance.models import AttendanceChange, AttendanceRecord, Report
from campus.attendance.overrides import set_override
from campus.biometrics.models import FacePhoto, Gallery
from campus.common.storage import delete_media, read_media, write_media
from campus.web.theme_words import WORDS
from tests.campus import factories
from tests.campus.web.admin_tools import Campus, add_photo, client_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def registrar(db: None) -> Client:
    return client_of("registrar", registrar=True)


@pytest.fixture
def campus(registrar: Client) -> Campus:
    """With a row of every kind."""
    rows = Campus()
    add_photo(rows.ann)
    Gallery.objects.create(course=rows.course)
    record = AttendanceRecord.objects.create(lecture=rows.lecture, student=rows.ann)
    set_override(record=record, status="excused", reason="ill", user=User.objects.get(username="registrar"))
    Report.objects.create(
        course=rows.course, recording=rows.recording, lecture=rows.lecture, file_name="a.xlsx", sha256="0"
    )
    return rows


def pages() -> list[str]:
    """Every list, every page of a row and every form for a new one that the admin has."""
    found = [
        reverse("admin:biometrics_facephoto_zip"),
        reverse("admin:academics_student_import"),
        reverse("admin:academics_student_export"),
    ]
    for model in admin.site._registry:
        if model is Group or model._meta.app_label in ("identity", "connections"):  # for administrators
            continue
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
        found.append(reverse(f"{name}_changelist"))
        found.extend(reverse(f"{name}_change", args=[row.pk]) for row in model._default_manager.all()[:1])
        if model._meta.model_name in ("course", "student", "lecture", "user"):
            found.append(reverse(f"{name}_add"))
    return found


def test_the_registrar_sees_every_page(campus: Campus, registrar: Client) -> None:
    found = pages()
    assert len(found) > 20
    for page in found:
        response = registrar.get(page)
        assert response.status_code == 200, page
        assert project.INSTITUTION in response.content.decode()
    assert "To do" in registrar.get("/admin/").content.decode()


def test_no_number_has_a_tail_of_digits(campus: Campus, registrar: Client) -> None:
    for model in admin.site._registry:
        numbers = [field.name for field in model._meta.fields if isinstance(field, FloatField)]
        if numbers:
            model._default_manager.update(**dict.fromkeys(numbers, 0.9733346871578181))
    for page in pages():
        assert "0.97333" not in registrar.get(page).text, page


@pytest.mark.parametrize("who", ["anonymous", "lecturer"])
def test_nobody_else_sees_any(campus: Campus, who: str) -> None:
    client = Client() if who == "anonymous" else client_of("lecturer")  # with is_staff, which opens nothing
    if who == "lecturer":
        campus.course.lecturers.add(User.objects.get(username="lecturer"))
    photo = FacePhoto.objects.get()
    report = Report.objects.get()
    hidden = [
        reverse("admin:biometrics_facephoto_thumbnail", args=[photo.pk]),
        reverse("admin:biometrics_facephoto_picture", args=[photo.pk]),
        reverse("admin:attendance_report_download", args=[report.pk]),
        reverse("admin:academics_student_photos", args=[campus.ann.pk]),
        reverse("admin:academics_course_train", args=[campus.course.pk]),
    ]
    for page in [*pages(), *hidden]:
        response = client.get(page)
        assert response.status_code == 302, page
        assert response["Location"].startswith("/admin/login/"), page


def test_there_is_one_login_and_a_lecturer_is_told_where_to_go(db: None) -> None:
    lecturer = client_of("lecturer").get("/admin/academics/student/", follow=True)
    assert lecturer.status_code == 403
    assert "Your classes are on the staff" in lecturer.content.decode()
    login = Client().get("/admin/academics/student/", follow=True)
    assert login.redirect_chain[-1][0] == "/login/?next=%2Fadmin%2Facademics%2Fstudent%2F"


def test_pictures_are_shown_safely(campus: Campus, registrar: Client) -> None:
    photo = FacePhoto.objects.get()
    thumbnail = reverse("admin:biometrics_facephoto_thumbnail", args=[photo.pk])
    assert registrar.get(thumbnail).status_code == 404, "no worker has seen the photo"
    write_media("thumbnails/a.jpg", read_media(photo.file.name))
    FacePhoto.objects.update(thumbnail="thumbnails/a.jpg")
    for kind in ("thumbnail", "picture"):
        response = registrar.get(reverse(f"admin:biometrics_facephoto_{kind}", args=[photo.pk]))
        assert response["Content-Type"] == "image/jpeg"
        assert response["X-Content-Type-Options"] == "nosniff"
        assert "private" in response["Cache-Control"]
    delete_media("thumbnails/a.jpg")
    assert registrar.get(thumbnail).status_code == 404
    assert registrar.get(f"/media/{photo.file.name}").status_code == 404


def test_lists_ask_the_database_the_same_number_of_times_however_long_they_are(
    campus: Campus, registrar: Client, django_assert_max_num_queries: Any
) -> None:
    for number in range(30):
        student = campus.course.students.create(number=f"N{number}", name=f"Student {number}")
        add_photo(student)
        AttendanceRecord.objects.create(lecture=campus.lecture, student=student)
    for model in ("academics_student", "biometrics_facephoto", "attendance_attendancerecord", "academics_course"):
        with django_assert_max_num_queries(25):
            assert registrar.get(reverse(f"admin:{model}_changelist")).status_code == 200


def test_a_registrar_cannot_become_a_superuser_nor_touch_one(campus: Campus, registrar: Client) -> None:
    client_of("root", superuser=True)
    client_of("lecturer")
    root, lecturer, me = (User.objects.get(username=name) for name in ("root", "lecturer", "registrar"))
    root.is_superuser = True
    root.save()
    form = {
        "username": "registrar",
        "is_active": "on",
        "is_superuser": "on",
        "groups": [Group.objects.get(name="Registrar").pk],
    }
    form |= {"api_tokens-TOTAL_FORMS": "0", "api_tokens-INITIAL_FORMS": "0"}
    registrar.post(reverse("admin:auth_user_change", args=[me.pk]), form)
    me.refresh_from_db()
    assert not me.is_superuser
    assert (
        registrar.post(reverse("admin:auth_user_change", args=[root.pk]), form | {"username": "taken"}).status_code
        == 403
    )
    assert (
        registrar.post(
            reverse("admin:auth_user_password_change", args=[root.pk]), {"password1": "x", "password2": "x"}
        ).status_code
        == 403
    )
    registrar.post(
        reverse("admin:auth_user_change", args=[lecturer.pk]), form | {"username": "lecturer", "first_name": "Leo"}
    )
    lecturer.refresh_from_db()
    assert (lecturer.first_name, lecturer.is_superuser, lecturer.groups.count()) == ("Leo", False, 0)


def test_what_the_machine_wrote_and_the_log_cannot_be_written(campus: Campus, registrar: Client) -> None:
    for row in (
        AttendanceRecord.objects.get(),
        AttendanceChange.objects.get(),
        Report.objects.get(),
        campus.recording,
        Gallery.objects.get(),
    ):
        name = f"admin:{row._meta.app_label}_{row._meta.model_name}"
        assert (
            registrar.post(reverse(f"{name}_change", args=[row.pk]), {"machine_status": "present"}).status_code == 403
        )
        assert registrar.post(reverse(f"{name}_delete", args=[row.pk]), {"post": "yes"}).status_code == 403
        assert registrar.get(reverse(f"{name}_add")).status_code == 403


def test_what_has_attendance_is_not_deleted_with_its_class(campus: Campus, registrar: Client) -> None:
    for row in (campus.course, campus.lecture, campus.ann):
        name = f"admin:{row._meta.app_label}_{row._meta.model_name}"
        page = registrar.post(reverse(f"{name}_delete", args=[row.pk]), {"post": "yes"})
        assert "1 attendance record" in page.content.decode()
        assert type(row).objects.filter(pk=row.pk).exists(), row


@pytest.mark.parametrize(
    ("language", "chosen", "titles"),
    [
        ("en", {"from_0": "2026-11-17"}, {"second", "third"}),
        ("en", {"to_0": "2026-11-17"}, {"first", "second"}),
        ("de", {"from_0": "17.11.2026", "to_0": "17.11.2026"}, {"second"}),
        ("en", {"from_0": "2026-11-16", "from_1": "00:30", "to_0": "2026-11-17", "to_1": "00:29:59"}, {"first"}),
        ("en", {"from_0": "soon"}, set()),
        ("en", {"from_0": "0001-01-01"}, set()),
        ("en", {"to_0": "9999-12-31"}, set()),
    ],
)
def test_moments_are_filtered_as_people_write_them(
    registrar: Client, settings: Any, language: str, chosen: dict[str, str], titles: set[str]
) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    for title, day in (("first", 15), ("second", 16), ("third", 17)):  # half past midnight of the next day in Berlin
        factories.lecture(title=title, starts_at=datetime(2026, 11, day, 23, 30, tzinfo=UTC))
    query = {f"starts_at_{name}": value for name, value in chosen.items()}
    page = registrar.get(
        reverse("admin:academics_lecture_changelist", query=query), headers={"accept-language": language}
    )
    assert {lecture.title for lecture in page.context["cl"].result_list} == titles


def test_a_deletion_says_what_goes_and_leads_back(campus: Campus, registrar: Client) -> None:
    course = factories.course(code="EMPTY", name="Nothing", students=2)
    address = reverse("admin:academics_course_delete", args=[course.pk])
    page = registrar.get(address).content.decode()
    assert f"Delete “{course}”? This can" in page
    assert "Enrolments: 2" in page
    assert f'href="{reverse("admin:academics_course_change", args=[course.pk])}">Cancel</a>' in page
    registrar.post(address, {"post": "yes"})
    assert not Course.objects.filter(pk=course.pk).exists()
    kept = registrar.get(reverse("admin:academics_course_delete", args=[campus.course.pk])).content.decode()
    assert "Archive the class instead." in kept
    assert f'href="{reverse("admin:academics_course_change", args=[campus.course.pk])}">Back</a>' in kept
    assert 'name="post"' not in kept


def test_several_rows_are_named_before_they_are_deleted(registrar: Client) -> None:
    rooms = [factories.room(f"B {n}") for n in range(2)]
    address = reverse("admin:academics_room_changelist")
    chosen = {"action": "delete_selected", "_selected_action": [room.pk for room in rooms]}
    page = registrar.post(address, chosen).content.decode()
    assert "Delete these 2?" in page
    assert all(f"<li>{room}</li>" in page for room in rooms)
    assert f'href="{address}">Cancel</a>' in page
    registrar.post(address, {**chosen, "post": "yes"})
    assert not Room.objects.exists()


def test_the_theme_speaks_german(registrar: Client) -> None:
    with translation.override("de"):
        assert [word for word in WORDS if gettext(word) == word] == []
    page = registrar.get(reverse("admin:academics_student_changelist"), headers={"Accept-Language": "de"})
    assert "Suchbegriff" in page.content.decode()
