"""Names in zips of other systems: all of a zip are in one coding, which is guessed and can be chosen."""

import io
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

import pytest
from django.core.files import File

from campus.academics.models import Course, Student
from campus.biometrics.models import FacePhoto, PhotoImport
from campus.biometrics.photo_import import zip_entries
from campus.biometrics.photo_waiting import set_name_encoding, waiting_folders
from campus.biometrics.photo_zip import create_photo_import, process_photo_import
from campus.biometrics.zip_names import NameEncoding
from campus.common import jobs
from campus.common.errors import UserError
from tests.campus import factories
from tests.campus.web.admin_tools import picture

pytestmark = pytest.mark.django_db

NAMES = [
    ("gb18030", ["王小明", "李娜"]),
    ("cp932", ["山田太郎", "表はな"]),  # 表 has a backslash in Shift-JIS
    ("cp866", ["Иванов Сергей", "Щукина Анна"]),
    ("cp852", ["Łukasz Wójcik", "Żaneta Ćwik"]),
    ("cp850", ["Zoë Åberg", "Søren Ø"]),
    ("cp949", ["김민준", "이서연"]),
    ("cp950", ["陳大文", "林志玲"]),
    ("cp1251", ["Иванов Сергей", "Щукина Анна"]),
    ("utf-8", ["王小明", "Łukasz Wójcik"]),
]


class OldEntry(zipfile.ZipInfo):
    """An entry as a program writes it that does not say the coding of its name."""

    raw_name = b""

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:  # noqa: N802
        return self.raw_name, self.flag_bits


def old_zip(encoding: str, names: list[str]) -> "File[Any]":
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for colour, name in zip(("red", "blue"), names, strict=True):
            entry = OldEntry(colour)
            entry.raw_name = f"{name}/1.jpg".encode(encoding)
            archive.writestr(entry, picture(colour))
    content.seek(0)
    return File(content, name="photos.zip")


def import_zip(file: "File[Any]", course: Course | None) -> PhotoImport:
    row = create_photo_import(file=file, name="photos.zip", course=course, user=factories.user())
    assert process_photo_import(row=jobs.IMPORT_PHOTOS.claim(row.pk, owner="worker"))
    row.refresh_from_db()
    return row


@pytest.mark.parametrize(("encoding", "names"), NAMES)
def test_the_names_of_the_class_tell_how_a_zip_was_written(encoding: str, names: list[str]) -> None:
    course = factories.course(code="CS101")
    for n, name in enumerate([*names, "Ann Lee"]):
        factories.enrol(course, Student.objects.create(number=f"{n}", name=name))
    row = import_zip(old_zip(encoding, names), course)
    assert (row.added, row.skipped, row.waiting.count()) == (2, [], 0)
    assert set(FacePhoto.objects.values_list("student__name", flat=True)) == set(names)


@pytest.mark.parametrize(("encoding", "names"), NAMES)
def test_a_wrong_guess_waits_and_can_be_put_right(encoding: str, names: list[str]) -> None:
    course = factories.course(code="CS101")
    row = import_zip(old_zip(encoding, names), course)
    assert (row.added, row.waiting.count()) == (0, 2)
    for n, name in enumerate(names):
        factories.enrol(course, Student.objects.create(number=f"{n}", name=name))
    result = set_name_encoding(row=row, encoding=encoding)
    assert {photo.student.name for photo in result.added if photo.student} == set(names)
    assert not row.waiting.exists()


def test_names_are_garbled_or_not_but_never_lost() -> None:
    row = import_zip(old_zip("cp866", ["Иванов Сергей", "Щукина Анна"]), None)
    assert row.name_encoding
    set_name_encoding(row=row, encoding="cp437")
    assert len(waiting_folders(row)) == 2
    set_name_encoding(row=row, encoding="cp932")
    set_name_encoding(row=row, encoding="cp866")
    assert [waiting.folder for waiting in waiting_folders(row)] == ["Иванов Сергей", "Щукина Анна"]


def test_a_zip_in_plain_letters_or_unicode_has_no_coding_to_choose() -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("王小明/1.jpg", picture())
        archive.writestr("Ann/1.jpg", picture())
    row = import_zip(File(content, name="photos.zip"), None)
    assert row.name_encoding == ""
    assert [waiting.folder for waiting in waiting_folders(row)] == ["Ann", "王小明"]


def test_a_name_that_is_there_in_unicode_too_is_read_so(tmp_path: Path) -> None:
    entry = OldEntry("name")
    entry.raw_name = "Łukasz/1.jpg".encode("cp852")
    utf8 = "Łukasz/1.jpg".encode()
    entry.extra = struct.pack("<HHBL", 0x7075, 5 + len(utf8), 1, zlib.crc32(entry.raw_name)) + utf8
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(entry, picture())
    path = tmp_path / "photos.zip"
    path.write_bytes(content.getvalue())
    (found,) = zip_entries(path, NameEncoding.CP437)
    assert (str(found.path), found.raw_name) == ("Łukasz/1.jpg", None)


def test_the_coding_is_not_changed_under_a_workers_hands() -> None:
    file = old_zip("cp866", ["Иванов Сергей", "Щукина Анна"])
    row = create_photo_import(file=file, name="photos.zip", course=None, user=factories.user())
    with pytest.raises(UserError, match="in progress"):
        set_name_encoding(row=row, encoding="cp437")
