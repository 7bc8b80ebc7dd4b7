"""What the registrar's buttons do: each through its service, none by a mere link, every refusal as a sentence."""

from datetime import date, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from openpyxl import load_workbook

from campus.academics.models import Course, Enrolment
from campus.attendance.models import AttendanceChange, AttendanceRecord, Report
from campus.biometrics.models import FacePhoto, Gallery, PhotoImport
from campus.biometrics.photo_zip import process_photo_import
from campus.common import jobs
from campus.recordings.models import Recording, Segment
from recognition.messages import Message
from tests.campus import factories
from tests.campus.biometrics.test_photo_import import zipped
from tests.campus.web.admin_tools import Campus, add_photo, client_of, picture
from workers.leased_task import run_attempt
from workers.training import import_photos

pytestmark = pytest.mark.django_db


@pytest.fixture
def registrar(db: None) -> Client:
    return client_of("registrar", registrar=True)


@pytest.fixture
def campus(db: None) -> Campus:
    return Campus()


def press(client: Client, action: str, pk: object, **fields: str) -> str:
    """Open the dialog, send it, and return what the page says then."""
    address = reverse(f"admin:{action}", args=[pk])
    assert client.get(address).status_code == 200
    response = client.post(address, {"_form_submitted": "True", **fields}, headers={"HX-Request": "true"})
    return client.get(response["HX-Redirect"]).content.decode()


def test_train_asks_for_a_gallery_or_says_what_is_missing(campus: Campus, registrar: Client) -> None:
    assert "no usable photos" in press(registrar, "academics_course_train", campus.course.pk)
    assert not Gallery.objects.exists()
    add_photo(campus.ann)
    assert "Training started" in press(registrar, "academics_course_train", campus.course.pk)
    assert Gallery.objects.get().state == Gallery.State.QUEUED


def test_train_several_classes_names_those_that_cannot(campus: Campus, registrar: Client) -> None:
    add_photo(campus.ann)
    empty = Course.objects.create(code="E1", name="Empty")
    address = reverse("admin:academics_course_changelist")
    page = registrar.post(
        address, {"action": "train_all", "_selected_action": [campus.course.pk, empty.pk]}, follow=True
    ).content.decode()
    assert "started: 1" in page
    assert "E1 Empty: There are no usable photos" in page
    assert Gallery.objects.get().course == campus.course


def test_the_class_page_names_students_with_too_few_photos(campus: Campus, registrar: Client, settings: Any) -> None:
    settings.PHOTOS_PER_STUDENT = 1
    add_photo(campus.ann, state=FacePhoto.Verdict.ACCEPTED)
    add_photo(campus.bob, state=FacePhoto.Verdict.REJECTED)
    response = registrar.get(reverse("admin:academics_course_change", args=[campus.course.pk]))
    course_admin = response.context["adminform"].model_admin
    course = course_admin.get_queryset(response.wsgi_request).get()
    assert str(campus.bob) in course_admin.lacking(course)
    assert str(campus.ann) not in course_admin.lacking(course)
    assert "1 of 2" in course_admin.ready(course)
    settings.PHOTOS_PER_STUDENT = 2
    course = course_admin.get_queryset(response.wsgi_request).get()
    assert str(campus.ann) in course_admin.lacking(course)
    assert "0 of 2" in course_admin.ready(course)


def test_the_register_is_written_and_can_be_downloaded(campus: Campus, registrar: Client) -> None:
    page = press(registrar, "academics_course_register", campus.course.pk)
    address = reverse("admin:attendance_report_download", args=[Report.objects.get().pk])
    assert address in page
    response = registrar.get(address)
    assert response["Content-Disposition"].startswith("attachment")
    assert response["X-Content-Type-Options"] == "nosniff"
    assert load_workbook(BytesIO(response.getvalue())).sheetnames


@pytest.mark.parametrize(("action", "state"), [("restart", "uploaded"), ("retry", "processing"), ("cancel", "failed")])
def test_recordings_are_steered_through_their_services(
    campus: Campus, registrar: Client, action: str, state: str
) -> None:
    page = press(registrar, f"recordings_recording_{action}", campus.recording.pk)
    campus.recording.refresh_from_db()
    assert campus.recording.state == state
    if action == "restart":
        assert campus.recording.run == 2
    if action == "retry":
        assert [segment.state for segment in campus.recording.segments.all()] == [
            Segment.State.DONE,
            Segment.State.PENDING,
        ]
    if action == "cancel":
        assert "nothing to cancel" in page


def test_looking_at_a_button_changes_nothing(campus: Campus, registrar: Client) -> None:
    Recording.objects.update(state=Recording.State.PROCESSING)
    for action, pk in (
        ("recordings_recording_cancel", campus.recording.pk),
        ("recordings_recording_restart", campus.recording.pk),
        ("academics_course_register", campus.course.pk),
    ):
        registrar.get(reverse(f"admin:{action}", args=[pk]))
    campus.recording.refresh_from_db()
    assert campus.recording.state == Recording.State.PROCESSING
    assert not Report.objects.exists()
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = registrar.cookies
    address = reverse("admin:recordings_recording_cancel", args=[campus.recording.pk])
    assert strict.post(address, {"_form_submitted": "True"}).status_code == 403


def test_a_correction_needs_a_reason_keeps_the_machine_s_word_and_is_logged(campus: Campus, registrar: Client) -> None:
    record = AttendanceRecord.objects.create(lecture=campus.lecture, student=campus.ann, machine_status="absent")
    address = reverse("admin:attendance_attendancerecord_correct", args=[record.pk])
    assert b"required" in registrar.post(address, {"_form_submitted": "True", "status": "present"}).content
    assert not AttendanceChange.objects.exists()
    press(
        registrar, "attendance_attendancerecord_correct", record.pk, status="present", reason="was hidden by a pillar"
    )
    record.refresh_from_db()
    assert (record.machine_status, record.override_status) == ("absent", "present")
    change = AttendanceChange.objects.get()
    assert (change.old_status, change.new_status, change.reason, change.user_name) == (
        "absent",
        "present",
        "was hidden by a pillar",
        "registrar",
    )
    press(registrar, "attendance_attendancerecord_correct", record.pk, status="", reason="a mistake")
    record.refresh_from_db()
    assert record.status == "absent"


def test_many_photos_of_a_student_at_once(campus: Campus, registrar: Client) -> None:
    files = [
        SimpleUploadedFile(name, data)
        for name, data in (
            ("a.jpg", picture()),
            ("b.jpg", picture("blue")),
            ("copy.jpg", picture()),
            ("empty.jpg", b""),
        )
    ]
    response = registrar.post(reverse("admin:academics_student_photos", args=[campus.ann.pk]), {"photos": files})
    assert campus.ann.photos.count() == 2
    assert "2 added, 2 skipped" in " ".join(response.content.decode().split())
    assert "already here" in response.content.decode()


def test_photos_come_one_by_one_and_their_verdicts_are_told(campus: Campus, registrar: Client) -> None:
    json = {"Accept": "application/json"}
    files = [SimpleUploadedFile("a.jpg", picture()), SimpleUploadedFile("empty.jpg", b"")]
    address = reverse("admin:academics_student_photos", args=[campus.ann.pk])
    taken, refused = registrar.post(address, {"photos": files}, headers=json).json()["rows"]
    assert (taken["reason"], refused["id"]) == ("", "")
    assert "empty" in refused["reason"]
    many = {
        "course": campus.course.pk,
        "path": ["people/008/1.jpg", "people/nobody/1.jpg"],
        "photos": [SimpleUploadedFile("1.jpg", picture("blue")), SimpleUploadedFile("1.jpg", picture("green"))],
    }
    rows = registrar.post(reverse("admin:biometrics_facephoto_zip"), many, headers=json).json()["rows"]
    assert [(row["path"], row["student"], bool(row["id"])) for row in rows] == [
        ("people/008/1.jpg", "Bob Roe", True),
        ("people/nobody/1.jpg", "", False),
    ]
    FacePhoto.objects.filter(pk=taken["id"]).update(state="rejected", reason=Message("The face is blurred."))
    verdicts = reverse("admin:biometrics_facephoto_verdicts")
    told = registrar.get(verdicts, {"id": [taken["id"], "x" * 36, "../../etc"]}).json()["rows"]
    assert [(row["id"], row["state"], row["reason"]) for row in told] == [
        (taken["id"], "rejected", "The face is blurred.")
    ]
    auditor = User.objects.create_user("auditor", password="a long password")
    auditor.groups.add(Group.objects.get(name="Auditor"))
    registrar.force_login(auditor)
    assert (
        registrar.post(address, {"photos": [SimpleUploadedFile("b.jpg", picture("pink"))]}, headers=json).status_code
        == 403
    )
    assert registrar.get(reverse("admin:academics_student_import")).status_code == 403


def test_one_goes_back_to_an_earlier_gallery(campus: Campus, registrar: Client, settings: Any) -> None:
    galleries = []
    for n in range(2):
        Gallery.objects.update(active=False)
        row = Gallery.objects.create(
            course=campus.course, state="ready", active=True, embedder="e", path=f"galleries/{n}.npz"
        )
        path = Path(settings.MEDIA_ROOT, row.path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"gallery")
        galleries.append(row)
    assert "gallery is now in use" in press(registrar, "biometrics_gallery_activate", galleries[0].pk)
    assert Gallery.objects.get(active=True) == galleries[0]
    Path(settings.MEDIA_ROOT, galleries[1].path).unlink()
    assert "has no file any more" in press(registrar, "biometrics_gallery_activate", galleries[1].pk)
    assert Gallery.objects.get(active=True) == galleries[0]


def test_a_zip_of_photos_for_a_class(campus: Campus, registrar: Client) -> None:
    address = reverse("admin:biometrics_facephoto_zip")
    file = SimpleUploadedFile("a.zip", zipped({"007/1.jpg": picture(), "<b>x</b>/1.jpg": picture()}).getvalue())
    to = registrar.post(address, {"file": file, "course": campus.course.pk})["Location"]
    page = registrar.get(to, follow=True).content.decode()  # to the page of the class
    assert "a.zip is being read" in page
    assert "data-refresh" in page
    process_photo_import(row=jobs.IMPORT_PHOTOS.claim(PhotoImport.objects.get().pk, owner="worker"))
    page = registrar.get(to, follow=True).content.decode()
    assert "2 of 2 files checked: 1 added, 0 skipped" in page
    assert "&lt;b&gt;x&lt;/b&gt;" in page
    assert "is being read" not in page
    assert "<b>x</b>" not in page
    assert to in registrar.get(address).content.decode(), "it is found again"
    assert client_of("another", registrar=True).get(to).status_code == 404
    broken = registrar.post(address, {"file": SimpleUploadedFile("a.zip", b"no zip")})["Location"]
    run_attempt(jobs.IMPORT_PHOTOS, import_photos, jobs.IMPORT_PHOTOS.claim(PhotoImport.objects.first().pk, "worker"))
    assert "not a zip, or it is damaged" in registrar.get(broken).content.decode()


def test_a_deleted_photo_leaves_no_file(
    campus: Campus, registrar: Client, django_capture_on_commit_callbacks: Any
) -> None:
    paths = []
    for student, address, form in (
        (campus.ann, "admin:biometrics_facephoto_delete", {"post": "yes"}),
        (campus.bob, "admin:academics_student_delete", {"post": "yes"}),
    ):
        photo = add_photo(student)
        paths.append(Path(photo.file.path))
        with django_capture_on_commit_callbacks(execute=True):
            registrar.post(reverse(address, args=[photo.pk if "photo" in address else student.pk]), form)
    assert not FacePhoto.objects.exists()
    assert not [path for path in paths if path.exists()]


def test_a_new_enrolment_begins_with_the_term_unless_a_day_is_given(registrar: Client, campus: Campus) -> None:
    course = factories.course()
    first = factories.lecture(course, starts_at=timezone.now() - timedelta(days=20))
    term_start = timezone.localtime(first.starts_at).date()
    url = "/admin/academics/enrolment/add/"
    assert f'value="{timezone.localdate().isoformat()}"' not in registrar.get(url).content.decode()
    registrar.post(url, {"course": course.pk, "student": campus.ann.pk, "valid_from": "", "valid_to": ""})
    registrar.post(url, {"course": course.pk, "student": campus.bob.pk, "valid_from": "2026-09-14", "valid_to": ""})
    days = dict(Enrolment.objects.filter(course=course).values_list("student", "valid_from"))
    assert days == {campus.ann.pk: term_start, campus.bob.pk: date(2026, 9, 14)}


def test_the_first_day_of_many_enrolments_is_changed_at_once(registrar: Client, campus: Campus) -> None:
    url = "/admin/academics/enrolment/"
    selected = {"action": "set_starts", "_selected_action": [row.pk for row in Enrolment.objects.all()]}
    form = registrar.post(url, selected)
    assert "First day of 2 enrolments" in form.content.decode()
    assert registrar.post(url, selected | {"start": "2026-09-14"}).status_code == 302
    assert set(Enrolment.objects.values_list("valid_from", flat=True)) == {date(2026, 9, 14)}
    Enrolment.objects.update(valid_to=date(2026, 12, 1))
    page = registrar.post(url, selected | {"start": "2027-01-01"}, follow=True).content.decode()
    assert "ends before" in page
