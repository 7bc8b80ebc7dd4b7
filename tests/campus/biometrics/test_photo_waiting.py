"""Photos whose student is not sure wait, folder by folder: nothing is lost, and one choice files them."""

import io
import os
from pathlib import Path, PurePosixPath

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from PIL import Image
from rest_framework.test import APIClient

from campus.academics.models import Student
from campus.biometrics.models import FacePhoto, PhotoImport
from campus.biometrics.photo_waiting import (
    discard_folder,
    file_folder,
    import_photo_files,
    students_for_import,
    waiting_folders,
)
from campus.biometrics.photo_zip import (
    PHOTO_IMPORT_RETENTION,
    create_photo_import,
    delete_expired_photo_imports,
    process_photo_import,
)
from campus.common import jobs
from campus.common.errors import UserError
from campus.common.storage import local_path, write_media
from recognition.messages import Message
from tests.campus import factories
from tests.campus.biometrics.test_photo_import import zipped
from tests.campus.web.admin_tools import Campus, add_photo, picture
from workers.leased_task import run_attempt
from workers.thumbnails import make_thumbnail

pytestmark = pytest.mark.django_db


@pytest.fixture
def campus() -> Campus:
    return Campus()


@pytest.fixture
def row(campus: Campus) -> PhotoImport:
    """An import of three folders, two of which wait."""
    files = {
        "all/007/1.jpg": picture("red"),
        "all/Anna/1.jpg": picture("green"),
        "all/Anna/2.png": picture("blue", "PNG"),
        "all/Robert/1.jpg": picture("pink"),
        "all/Robert/copy.jpg": picture("pink"),
        "all/Robert/empty.jpg": b"",
    }
    file = SimpleUploadedFile("photos.zip", zipped(files).getvalue())
    row = create_photo_import(file=file, name="photos.zip", course=campus.course, user=factories.registrar())
    assert process_photo_import(row=jobs.IMPORT_PHOTOS.claim(row.pk, owner="worker"))
    row.refresh_from_db()
    return row


def test_unknown_folders_wait_with_their_photos(row: PhotoImport) -> None:
    assert (row.state, row.processed, row.added, len(row.skipped)) == ("done", 6, 1, 1)
    assert [(waiting.folder, len(waiting.photos)) for waiting in waiting_folders(row)] == [
        ("all/Anna", 2),
        ("all/Robert", 1),
    ]
    assert not Path(row.file.path).exists(), "the zip goes, the photos that wait are kept by themselves"


def test_a_choice_files_all_photos_of_the_folder(row: PhotoImport, campus: Campus) -> None:
    paths = [Path(photo.file.path) for photo in row.waiting.filter(folder="all/Anna")]
    result = file_folder(row=row, folder="all/Anna", student=campus.ann)
    assert len(result.added) == 2
    row.refresh_from_db()
    assert (row.added, campus.ann.photos.count()) == (3, 3)
    assert [waiting.folder for waiting in waiting_folders(row)] == ["all/Robert"]
    with pytest.raises(UserError, match="wait any more"):
        file_folder(row=row, folder="all/Anna", student=campus.ann)
    assert campus.ann.photos.order_by("original_name").last().file.read() == picture("blue", "PNG")
    assert all(path.exists() for path in paths), "until the change is committed"


def test_the_files_of_what_was_filed_or_discarded_go(
    row: PhotoImport, campus: Campus, django_capture_on_commit_callbacks
) -> None:
    paths = [Path(photo.file.path) for photo in row.waiting.all()]
    with django_capture_on_commit_callbacks(execute=True):
        file_folder(row=row, folder="all/Anna", student=campus.ann)
        assert discard_folder(row=row, folder="all/Robert") == 1
    assert not any(path.exists() for path in paths)
    assert not row.waiting.exists()


def test_a_photo_that_the_student_has_already_no_longer_waits(row: PhotoImport, campus: Campus) -> None:
    add_photo(campus.ann, "green")
    result = file_folder(row=row, folder="all/Anna", student=campus.ann)
    assert (len(result.added), len(result.skipped)) == (1, 1)
    assert "already here" in str(result.skipped[0].reason)
    assert not row.waiting.filter(folder="all/Anna").exists()


def test_a_photo_that_cant_be_added_now_goes_on_waiting(row: PhotoImport, campus: Campus, settings) -> None:
    settings.MAX_PHOTO_BYTES = 10
    result = file_folder(row=row, folder="all/Anna", student=campus.ann)
    assert not result.added
    assert row.waiting.filter(folder="all/Anna").count() == 2


def test_students_without_photos_are_offered_first(row: PhotoImport, campus: Campus) -> None:
    Student.objects.create(number="099", name="Aaron Elsewhere")
    assert list(students_for_import(row.user, row)) == [campus.bob, campus.ann]


def test_a_student_who_came_later_is_suggested(row: PhotoImport, campus: Campus) -> None:
    late = Student.objects.create(number="1", name="Robert")
    factories.enrol(campus.course, late)
    assert [waiting.match.student for waiting in waiting_folders(row)] == [None, late]


def test_what_waits_goes_with_its_import(row: PhotoImport) -> None:
    photos = [Path(photo.file.path) for photo in row.waiting.all()]
    PhotoImport.objects.update(created_at=timezone.now() - PHOTO_IMPORT_RETENTION)

    for path in photos:
        os.utime(path, (0, 0))
    delete_expired_photo_imports()
    assert not PhotoImport.objects.exists()
    assert not any(path.exists() for path in photos)


def test_the_dashboard_says_that_photos_wait(row: PhotoImport) -> None:
    client = Client()
    client.force_login(row.user)
    page = client.get(reverse("admin:index")).content.decode()
    assert "1 import has photos of whom it is not sure" in page
    assert reverse("admin:biometrics_facephoto_import", args=[row.pk]) in page


def test_the_batches_of_a_folder_are_one_import(campus: Campus) -> None:
    user = factories.registrar()

    def send(path: str, colour: str) -> PhotoImport | None:
        files = [(PurePosixPath(path), SimpleUploadedFile("1.jpg", picture(colour)))]
        return import_photo_files(files=files, course=campus.course, user=user)[1]

    first, second = send("people/Anna/1.jpg", "red"), send("people/Robert/1.jpg", "green")
    assert first
    assert first == second
    assert send("people/007/1.jpg", "blue") is None
    assert [waiting.folder for waiting in waiting_folders(first)] == ["people/Anna", "people/Robert"]


def test_a_photo_that_lies_loose_is_filed_by_its_own_name(campus: Campus) -> None:
    files = {"007.jpg": picture("red"), "Bob Roe.jpg": picture("green"), "IMG_1.jpg": picture("blue")}
    file = SimpleUploadedFile("photos.zip", zipped(files).getvalue())
    row = create_photo_import(file=file, name="photos.zip", course=campus.course, user=factories.registrar())
    process_photo_import(row=jobs.IMPORT_PHOTOS.claim(row.pk, owner="worker"))
    assert (campus.ann.photos.count(), campus.bob.photos.count()) == (1, 1)
    assert [waiting.folder for waiting in waiting_folders(row)] == ["IMG_1"]


def test_the_page_shows_each_folder_with_a_picture_and_files_it(row: PhotoImport, campus: Campus) -> None:
    client = Client()
    client.force_login(row.user)
    address = reverse("course-photo-import", args=[row.course_id, row.pk])
    page = client.get(address).content.decode()
    assert "Whose photos are these?" in page
    assert page.index("Bob Roe (008)") < page.index("Ann Ångström (007)")
    answer = client.post(address, {"folder": "all/Anna", "student": "Ann Ångström (007)"}, follow=True)
    assert "2 photos added" in answer.content.decode()
    answer = client.post(address, {"folder": "all/Robert", "student": "nobody"}, follow=True)
    assert "no such student" in answer.content.decode()
    client.post(address, {"folder": "all/Robert", "student": "", "suggested": "008"})
    assert (campus.ann.photos.count(), campus.bob.photos.count()) == (3, 1)


def test_the_page_says_how_many_of_the_added_photos_are_usable_and_why_not(row: PhotoImport, campus: Campus) -> None:
    client = Client()
    client.force_login(row.user)
    address = reverse("course-photo-import", args=[row.course_id, row.pk])
    client.post(address, {"folder": "all/Anna", "student": "007"})
    FacePhoto.objects.update(state="accepted")
    dark, pending = row.photos.order_by("pk")[:2]
    FacePhoto.objects.filter(pk=pending.pk).update(state="pending")
    FacePhoto.objects.filter(pk=dark.pk).update(state="rejected", reason=Message("The face is too dark."))
    page = client.get(address).content.decode()
    usable = row.photos.count() - 2
    assert f"Added photos: {usable} usable, 1 not usable, 1 still being checked." in page
    assert "The face is too dark." in page
    assert 'data-section="verdicts" data-refresh' in page
    FacePhoto.objects.filter(pk=pending.pk).update(state="accepted")
    assert 'data-section="verdicts" data-refresh' not in client.get(address).content.decode()


@pytest.mark.django_db(transaction=True)
def test_a_worker_makes_the_picture_of_each_folder_once(row: PhotoImport, settings) -> None:
    settings.BROKER_URL = "memory://"
    client = Client()
    client.force_login(row.user)
    address = reverse("course-photo-import", args=[row.course_id, row.pk])
    FacePhoto.objects.update(state="accepted")
    for _ in range(2):
        page = client.get(address).content.decode()
        assert page.count("The picture is being made.") == page.count(" data-refresh") == 2
    shown = list(jobs.THUMBNAIL.waiting().order_by("folder"))
    assert [photo.folder for photo in shown] == ["all/Anna", "all/Robert"], "the second photo of Anna is not shown"
    write_media(shown[1].file.name, b"no picture")
    pictures = [reverse("admin:biometrics_facephoto_waiting", args=[row.pk, photo.pk]) for photo in shown]
    assert [client.get(picture).status_code for picture in pictures] == [404, 404]
    for photo in shown:
        run_attempt(jobs.THUMBNAIL, make_thumbnail, jobs.THUMBNAIL.claim(photo.pk, "worker"))
    page = client.get(address).content.decode()
    assert [picture in page for picture in pictures] == [True, False]
    assert "data-refresh" not in page
    assert "The picture can&#x27;t be shown." in page or "The picture can't be shown." in page
    answer = client.get(pictures[0])
    with Image.open(io.BytesIO(b"".join(answer)), formats=("JPEG",)) as small:
        assert max(small.size) <= 192
    discard_folder(row=row, folder="all/Anna")
    assert not list(local_path().rglob(f"*{shown[0].pk}*"))


def test_an_import_is_its_owners_alone(row: PhotoImport, campus: Campus) -> None:
    client = Client()
    client.force_login(factories.registrar())
    for name, arguments in (
        ("admin:biometrics_facephoto_import", [row.pk]),
        ("admin:biometrics_facephoto_waiting", [row.pk, row.waiting.first().pk]),
    ):
        assert client.get(reverse(name, args=arguments)).status_code == 404
    client.post(reverse("course-photo-import", args=[row.course_id, row.pk]), {"folder": "all/Anna", "student": "007"})
    assert row.waiting.count() == 3


def test_programs_file_folders_too(row: PhotoImport, campus: Campus) -> None:
    client = APIClient()
    client.force_authenticate(row.user)
    address = f"/api/v1/photo-imports/{row.pk}"
    anna, _robert = client.get(f"{address}/waiting/").json()
    assert (anna["folder"], anna["student"], anna["candidates"]) == ("all/Anna", None, [])
    photo = client.get(f"{address}/waiting/{anna['photos'][0]['id']}/picture/")
    assert b"".join(photo) == picture("green")
    wish = {"folder": "all/Anna", "student": campus.ann.pk}
    assert client.post(f"{address}/file/", wish, format="json").json() == {"added": 2, "skipped": []}
    assert client.post(f"{address}/discard/", {"folder": "all/Robert"}, format="json").status_code == 204
    assert client.get(f"{address}/waiting/").json() == []
    assert client.post(f"{address}/encoding/", {"name_encoding": "cp866"}, format="json").status_code == 200
    other = APIClient()
    other.force_authenticate(factories.registrar())
    assert other.post(f"{address}/file/", wish, format="json").status_code == 404
    assert FacePhoto.objects.filter(student=campus.ann).count() == 3
