"""Photos of many students at once: what is taken, what is not and why, and that no zip harms."""

import os
import stat
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.files import File
from django.core.management import CommandError, call_command
from django.utils import timezone, translation

from campus.academics.models import Course, Student
from campus.biometrics import photo_zip, zip_reader
from campus.biometrics.models import FacePhoto, PhotoImport
from campus.biometrics.photo_import import ImportResult, import_all, zip_entries
from campus.biometrics.photo_zip import create_photo_import, delete_expired_photo_imports, process_photo_import
from campus.biometrics.services import add_photo
from campus.biometrics.zip_names import NameEncoding
from campus.common import jobs
from campus.common.errors import UserError
from recognition.errors import Cancelled, RecognitionError
from tests.campus import factories
from tests.campus.web.admin_tools import Campus, picture

pytestmark = pytest.mark.django_db


@pytest.fixture
def campus(db: None) -> Campus:
    return Campus()


def zipped(files: dict[str, bytes], **options: Any) -> BytesIO:
    content = BytesIO()
    with zipfile.ZipFile(content, "w", **options) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    content.seek(0)
    return content


def reasons(file: BytesIO, course: Course | None = None) -> dict[str, str]:
    """Path → reason, "" for what was taken."""
    return {row.path: str(row.reason) for row in import_zip(file, course).rows}


def import_zip(file: BytesIO, course: Course | None = None) -> ImportResult:
    path = Path(settings.MEDIA_ROOT, "upload.zip")
    path.write_bytes(file.getvalue())
    return import_all(zip_entries(path, NameEncoding.UTF8), course=course, add=add_photo)


def test_folders_are_found_by_number_then_by_name_whatever_the_case_and_underscores(campus: Campus) -> None:
    Student.objects.create(number="009", name="007")  # a name that looks like another student's number
    found = reasons(
        zipped(
            {
                "top/007/1.jpg": picture("red"),
                "top/ann_ångström/2.jpg": picture("blue"),
                "top/BOB  ROE/1.png": picture("red", "PNG"),
            }
        )
    )
    assert set(found.values()) == {""}
    assert [photo.original_name for photo in campus.ann.photos.order_by("original_name")] == ["1.jpg", "2.jpg"]
    assert campus.bob.photos.count() == 1


def test_junk_of_other_systems_is_left_out(campus: Campus) -> None:
    file = zipped({"007/1.jpg": picture(), "__MACOSX/007/._1.jpg": b"x", "007/.DS_Store": b"x", "007/Thumbs.db": b"x"})
    assert list(reasons(file)) == ["007/1.jpg"]


def test_what_is_not_taken_is_named_with_the_reason(campus: Campus) -> None:
    Student.objects.create(number="010", name="Bob Roe")
    outsider = Student.objects.create(number="011", name="Cy Out")
    found = reasons(
        zipped(
            {
                "007/1.jpg": picture(),
                "007/copy.jpg": picture(),
                "007/list.txt": b"hello",
                "007/empty.jpg": b"",
                "nobody/1.jpg": picture(),
                "Bob Roe/1.jpg": picture(),
                "011/1.jpg": picture(),
                "loose.jpg": picture(),
            }
        )
    )
    assert found["007/1.jpg"] == ""
    assert "already here" in found["007/copy.jpg"]
    assert "no photo" in found["007/list.txt"]
    assert "empty" in found["007/empty.jpg"]
    assert "No student" in found["nobody/1.jpg"]
    assert "008, 010" in found["Bob Roe/1.jpg"]
    assert "No student" in found["loose.jpg"]
    outsider.photos.all().delete()
    assert reasons(zipped({"011/1.jpg": picture()}), campus.course) == {
        "011/1.jpg": "Cy Out (011) is not on the roster of CS101."
    }
    # On the class's roster only one student has that name.
    assert reasons(zipped({"Bob Roe/1.jpg": picture()}), campus.course) == {"Bob Roe/1.jpg": ""}


def test_paths_that_lead_out_and_links_are_refused(campus: Campus, tmp_path: Path) -> None:
    file = zipped(
        {
            "/etc/007/1.jpg": picture(),
            "../007/2.jpg": picture(),
            "..\\007\\3.jpg": picture(),
            "C:\\007\\4.jpg": picture(),
        }
    )
    assert set(reasons(file).values()) == {"Its path leads out of the zip."}
    content = BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        link = zipfile.ZipInfo("007/link.jpg")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    assert reasons(content) == {"007/link.jpg": "It is a link."}
    assert not FacePhoto.objects.exists()


def test_bombs_are_refused_before_they_are_unpacked(
    campus: Campus, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bomb = zipped({"007/bomb.jpg": bytes(20_000_000)}, compression=zipfile.ZIP_DEFLATED)
    assert "packed that small" in reasons(bomb)["007/bomb.jpg"]
    assert "unusual" in reasons(zipped({"007/1.jpg": picture()}, compression=zipfile.ZIP_BZIP2))["007/1.jpg"]
    path = tmp_path / "photos.zip"
    path.write_bytes(zipped({"007/1.jpg": picture()}).getvalue())
    for limit, value, sentence in (
        ("MAX_UNPACKED_BYTES", 1000, "larger than"),
        ("MAX_FILES", 0, "1 files"),
        ("MAX_DIRECTORY_BYTES", 10, "too many files"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(zip_reader, limit, value)
            with pytest.raises(UserError, match=sentence):
                zip_reader.list_files(zip_reader.open_zip(path), NameEncoding.UTF8)


def test_a_file_larger_than_a_photo_may_be_is_skipped(campus: Campus, settings: Any) -> None:
    settings.MAX_PHOTO_BYTES = 100
    assert "larger than" in reasons(zipped({"007/1.jpg": picture()}))["007/1.jpg"]


@pytest.mark.parametrize("content", [b"", b"no zip at all", b"PK\x03\x04 half a zip"])
def test_what_is_no_zip_is_refused_with_a_sentence(campus: Campus, content: bytes) -> None:
    with pytest.raises(RecognitionError, match="not a zip, or it is damaged"):
        import_zip(BytesIO(content))


def test_a_damaged_file_costs_only_itself(campus: Campus) -> None:
    good = picture()
    content = bytearray(zipped({"007/1.jpg": good, "007/2.jpg": picture("blue")}).getvalue())
    content[content.index(good) + 200] ^= 0xFF
    found = reasons(BytesIO(bytes(content)))
    assert "can't be read" in found["007/1.jpg"]
    assert found["007/2.jpg"] == ""


def test_an_empty_zip_says_so(campus: Campus) -> None:
    with pytest.raises(UserError, match="nothing in it"):
        import_zip(zipped({}))


def test_the_command_takes_a_folder_and_makes_students_when_asked(campus: Campus, tmp_path: Path) -> None:
    for name in ("007", "New_Person"):
        (tmp_path / "people" / name).mkdir(parents=True)
        (tmp_path / "people" / name / "1.jpg").write_bytes(picture())
    (tmp_path / "people" / "007" / "2.jpg").symlink_to("/etc/passwd")
    folder = str(tmp_path / "people")
    call_command("import_photos", folder, course="cs101")
    assert FacePhoto.objects.count() == 1
    call_command("import_photos", folder, course="CS101", create_students=True)
    new = Student.objects.get(number="New_Person")
    assert (new.name, new.photos.count(), list(new.courses.all())) == ("New Person", 1, [campus.course])
    for wrong in (
        (folder, {"course": "XX"}),
        (str(tmp_path / "none"), {}),
        (folder, {}),
    ):  # the last: all are here already
        with pytest.raises(CommandError):
            call_command("import_photos", wrong[0], **wrong[1])


@pytest.fixture
def row(campus: Campus) -> PhotoImport:
    """A zip of three photos and a text that a worker has begun with."""
    files = {f"00{7 + n % 2}/{n}.jpg": picture(colour) for n, colour in enumerate(("red", "green", "blue"))}
    file = File(zipped(files | {"007/list.txt": b"hello"}), name="photos.zip")
    with translation.override("de"):
        kept = create_photo_import(file=file, name="photos.zip", course=campus.course, user=factories.user())
    return jobs.IMPORT_PHOTOS.claim(kept.pk, owner="first")


def test_a_worker_takes_a_zip_apart(row: PhotoImport) -> None:
    assert process_photo_import(row=row)
    row.refresh_from_db()
    assert (row.total, row.processed) == (4, 4)
    assert (row.state, row.added, FacePhoto.objects.count()) == ("done", 3, 3)
    ((path, student, reason),) = row.skipped_files
    assert (path, student) == ("007/list.txt", "Ann Ångström")
    with translation.override("de"):
        assert str(reason).startswith("Kein Foto"), "in the language of who reads it"
    assert not Path(row.file.path).exists()


def test_the_next_attempt_goes_on_where_the_last_one_stopped(row: PhotoImport, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(photo_zip, "MAX_ATTEMPT_SECONDS", 0)
        for looked_at in (1, 2):
            assert not process_photo_import(row=row)
            row.refresh_from_db()
            assert (row.processed, row.state) == (looked_at, "queued")
    assert process_photo_import(row=row)
    row.refresh_from_db()
    assert (row.added, len(row.skipped)) == (3, 1)


def test_who_lost_the_zip_writes_nothing_more(row: PhotoImport, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photo_zip, "PROGRESS_SECONDS", 0)
    PhotoImport.objects.update(lease_owner="second", added=2, processed=2)
    with pytest.raises(Cancelled):
        process_photo_import(row=row)
    assert PhotoImport.objects.get().added == 2


def test_a_zip_that_is_gone_is_a_sentence_and_old_ones_are_forgotten(row: PhotoImport, settings: Any) -> None:
    delete_expired_photo_imports()
    assert Path(row.file.path).exists()
    os.utime(row.file.path, (0, 0))
    PhotoImport.objects.update(created_at=timezone.now() - photo_zip.PHOTO_IMPORT_RETENTION)
    delete_expired_photo_imports()
    assert not PhotoImport.objects.exists()
    with pytest.raises(UserError, match="Upload it again"):
        process_photo_import(row=row)
