"""What a class's page has instead of the admin: weekly lectures, the import of a roster, and photos from a zip file."""

import io
import zipfile
from datetime import date

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from campus.academics.models import Course, FileImport, LectureSeries, Term
from campus.accounts.roles import Role
from campus.biometrics.models import FacePhoto, PhotoImport
from tests.campus import factories
from tests.campus.conftest import World, jpeg
from tests.campus.file_imports import read_uploads

SERIES = {
    "title": "Waves",
    "room": "B 12",
    "weekdays": ["0", "2"],
    "every_weeks": "1",
    "starts": "09:15",
    "ends": "10:45",
    "first_day": "2099-03-02",
    "last_day": "2099-03-29",
}
ROSTER = b"student number,name\nN71,Mia Weber\nN72,Li Wei\n"


@pytest.fixture
def registrar(client: Client, world: World) -> Client:
    client.force_login(world.registrar)
    return client


def url(name: str, *args: object) -> str:
    return reverse(name, args=args)


def plan(registrar: Client, world: World) -> LectureSeries:
    preview = registrar.post(url("course-timetable", world.course.pk), SERIES)
    series = LectureSeries.objects.get()
    assert preview["Location"] == f"{url('course-timetable-preview', world.course.pk)}?series={series.pk}"
    page = registrar.get(preview["Location"])
    assert page.context["writes"] == 8
    assert not series.lectures.exists()
    (shown,) = page.context["previews"]
    registrar.post(preview["Location"], {f"fingerprint-{series.pk}": shown.fingerprint})
    return series


def test_weekly_lectures_are_seen_before_they_are_created(registrar: Client, world: World):
    series = plan(registrar, world)
    assert (series.course, series.room.name, series.lectures.count()) == (world.course, "B 12", 8)
    page = registrar.get(url("course-timetable", world.course.pk)).content.decode()
    assert "8 lectures" in page
    assert "Nothing to change" in registrar.get(url("course-timetable-preview", world.course.pk)).content.decode()


def test_weekly_lectures_are_changed_and_removed(registrar: Client, world: World):
    series = plan(registrar, world)
    form = registrar.get(url("series", series.pk)).content.decode()
    assert 'value="B 12"' in form
    changed = registrar.post(url("series", series.pk), SERIES | {"room": "B 13", "last_day": "2099-03-15"})
    page = registrar.get(changed["Location"])
    (shown,) = page.context["previews"]
    assert {day.label for day in shown.days} == {"changed", "removed"}
    registrar.post(changed["Location"], {f"fingerprint-{series.pk}": shown.fingerprint})
    assert [lecture.room.name for lecture in series.lectures.all()] == ["B 13"] * 4
    registrar.post(url("series", series.pk), {"remove": "yes"})
    assert not LectureSeries.objects.exists()
    assert world.course.lectures.filter(starts_at__year=2099).count() == 4


def test_a_timetable_without_days_lasts_the_term(registrar: Client, world: World):
    days = SERIES | {"first_day": "", "last_day": ""}
    refused = registrar.post(url("course-timetable", world.course.pk), days)
    assert refused.status_code == 400
    assert "the class has no term" in refused.content.decode()
    world.course.term = Term.objects.create(name="T", first_day=date(2099, 3, 1), last_day=date(2099, 4, 1))
    world.course.save()
    assert registrar.post(url("course-timetable", world.course.pk), days).status_code == 302
    assert LectureSeries.objects.get().last_day == date(2099, 4, 1)
    ended_before = SERIES | {"starts": "11:00"}
    assert (
        "ends before it starts"
        in registrar.post(url("series", LectureSeries.objects.get().pk), ended_before).content.decode()
    )


def test_a_preview_that_is_out_of_date_writes_nothing(registrar: Client, world: World):
    registrar.post(url("course-timetable", world.course.pk), SERIES)
    series = LectureSeries.objects.get()
    preview = url("course-timetable-preview", world.course.pk)
    (shown,) = registrar.get(preview).context["previews"]
    LectureSeries.objects.update(starts="08:00")
    answer = registrar.post(preview, {f"fingerprint-{series.pk}": shown.fingerprint}, follow=True)
    assert "once more" in answer.content.decode()
    assert not series.lectures.exists()


def test_a_roster_is_imported_after_a_preview(registrar: Client, world: World):
    address = url("course-roster", world.course.pk)
    preview = registrar.post(address, {"file": SimpleUploadedFile("roster.csv", ROSTER)})["Location"]
    assert "is being read" in registrar.get(preview).content.decode()
    read_uploads()
    page = registrar.get(preview).content.decode()
    assert "2 new, 0 changed, 0 unchanged." in page
    assert not world.course.students.filter(number="N71").exists()
    done = registrar.post(preview, follow=True)
    assert done.redirect_chain == [(url("course-students", world.course.pk), 302)]
    assert "Roster imported: 2 new" in done.content.decode()
    assert world.course.students.filter(number__in=["N71", "N72"]).count() == 2


def test_a_roster_that_can_not_be_read_says_so_where_it_was_chosen(registrar: Client, world: World):
    address = url("course-roster", world.course.pk)
    preview = registrar.post(address, {"file": SimpleUploadedFile("roster.xlsx", b"PK\x03\x04 no workbook")})
    read_uploads()
    page = registrar.get(preview["Location"], follow=True)
    assert page.redirect_chain == [(address, 302)]
    assert str(FileImport.objects.get().error) in page.content.decode()


def zip_of(*names: str) -> SimpleUploadedFile:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, jpeg())
    return SimpleUploadedFile("photos.zip", buffer.getvalue())


def test_a_zip_belongs_to_its_class_and_shows_its_progress(registrar: Client, world: World):
    page = registrar.post(url("course-photo-zip", world.course.pk), {"file": zip_of("S1/1.jpg")})["Location"]
    row = PhotoImport.objects.get()
    assert (row.course, page) == (world.course, url("course-photo-import", world.course.pk, row.pk))
    assert "photos.zip is being read" in registrar.get(page).content.decode()
    assert page in registrar.get(url("course-photo-zip", world.course.pk)).content.decode()
    other = url("course-photo-import", world.foreign.course_id, row.pk)
    assert registrar.get(other).status_code == 404


def test_dropped_photos_of_nobody_wait_on_the_page_of_the_class(registrar: Client, world: World):
    files = {"path": ["nobody/1.jpg"], "photos": [SimpleUploadedFile("1.jpg", jpeg())]}
    answer = registrar.post(
        url("course-photo-zip", world.course.pk), files, headers={"Accept": "application/json"}
    ).json()
    row = PhotoImport.objects.get()
    assert answer["waiting"] == url("course-photo-import", world.course.pk, row.pk)
    assert "Whose photos are these?" in registrar.get(answer["waiting"]).content.decode()
    registrar.post(answer["waiting"], {"folder": "nobody", "student": world.student.number})
    assert FacePhoto.objects.filter(student=world.student, original_name="1.jpg").exists()


def test_only_registrars_plan_and_import(client: Client, registrar: Client, world: World):
    series = plan(registrar, world)
    row = PhotoImport.objects.create(user=world.registrar, course=world.course, original_name="photos.zip")
    read = FileImport.objects.create(user=world.registrar, course=world.course, kind=FileImport.Kind.ROSTER)
    pages = {
        url("course-timetable", world.course.pk): SERIES,
        url("course-timetable-preview", world.course.pk): {},
        url("series", series.pk): {"remove": "yes"},
        url("course-roster", world.course.pk): {"file": SimpleUploadedFile("roster.csv", ROSTER)},
        url("course-roster-preview", world.course.pk, read.pk): {},
        url("course-photo-zip", world.course.pk): {"file": zip_of("S1/1.jpg")},
        url("course-photo-import", world.course.pk, row.pk): {"folder": "x", "discard": "1"},
    }
    for user in (world.own, factories.person(Role.AUDITOR)):
        client.force_login(user)
        for page, data in pages.items():
            assert client.post(page, data).status_code == 403
    assert client.get(url("course-timetable", world.course.pk)).status_code == 200, "an auditor reads"
    assert LectureSeries.objects.count() == 1


def test_the_admin_leads_to_the_pages_of_the_class(registrar: Client, world: World):
    form = registrar.get(reverse("admin:academics_course_add")).context["adminform"].form
    fields = {name: form.get_initial_for_field(field, name) for name, field in form.fields.items()}
    fields = {name: value for name, value in fields.items() if value is not None}
    inlines = {
        f"{name}-{count}_FORMS": 0 for name in ("register_policy", "galleries") for count in ("TOTAL", "INITIAL")
    }
    added = registrar.post(reverse("admin:academics_course_add"), {**fields, **inlines, "code": "NEW1", "name": "New"})
    course = Course.objects.get(code="NEW1")
    assert added["Location"] == url("course", course.pk)
    for press, page in (
        ("roster_in", "course-roster"),
        ("photos_zip", "course-photos"),
        ("timetable", "course-timetable"),
    ):
        pressed = registrar.get(url(f"admin:academics_course_{press}", course.pk))
        assert pressed["Location"] == url(page, course.pk), press
    zipped = PhotoImport.objects.create(course=world.course, user=world.registrar, original_name="photos.zip")
    opened = registrar.get(url("admin:biometrics_facephoto_import", zipped.pk))
    assert opened["Location"] == url("course-photo-import", world.course.pk, zipped.pk)
    for tab in ("course-students", "course-photos"):
        assert f'href="{url("course-roster", course.pk)}"' in registrar.get(url(tab, course.pk)).content.decode()
