"""Zips of photos: of any bytes, each file is added, waits or is refused with a reason, and no coding loses one."""

import io
import shutil
import struct
import zipfile
from pathlib import Path
from zlib import crc32

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.files import File
from django.db import transaction
from hypothesis import strategies as st

from campus.academics.models import Course
from campus.biometrics.photo_waiting import set_name_encoding, waiting_folders
from campus.biometrics.photo_zip import create_photo_import, process_photo_import
from campus.biometrics.zip_names import NameEncoding
from campus.common import jobs
from campus.common.errors import UserError
from recognition.errors import RecognitionError
from tests.campus import factories
from tests.campus.conftest import jpeg
from tests.fuzz.fuzzing import fuzz
from tests.fuzz.mutations import mutated

pytestmark = pytest.mark.django_db

STUDENTS = {"1": "Zoë Åberg", "2": "Иванов Сергей", "3": "山田太郎", "4": "Ann Lee", "5": "Ann Lee"}
SYMBOLIC_LINK = 0o120777 << 16


class RawEntry(zipfile.ZipInfo):
    """An entry whose name is any bytes."""

    raw_name = b""

    def _encodeFilenameFlags(self) -> tuple[bytes, int]:  # noqa: N802
        return self.raw_name, self.flag_bits


def _unicode_path(name: bytes, checked: bytes) -> bytes:
    """The extra field that has a name in UTF-8, with the checksum of the plain name."""
    return struct.pack("<HHBL", 0x7075, 5 + len(name), 1, crc32(checked)) + name


def _build(entries: list[dict]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for number, fields in enumerate(entries):
            entry = RawEntry(f"{number}")
            entry.raw_name, entry.extra, entry.compress_type = fields["name"], fields["extra"], fields["packed"]
            archive.writestr(entry, fields["content"])
            # What the list of contents claims.
            entry.flag_bits |= fields["flags"]
            entry.external_attr = fields["attributes"]
            entry.compress_type = fields["claimed_packing"] or entry.compress_type
            entry.file_size = fields["claimed_size"] or entry.file_size
            entry.compress_size = fields["claimed_packed_size"] or entry.compress_size
            entry.header_offset += fields["moved"]
    return content.getvalue()


WORDS = st.sampled_from(
    ["..", ".", "", "C:", "~", "con", "__MACOSX", ".hidden", "people", *STUDENTS, *STUDENTS.values()]
)
CODINGS = st.sampled_from(["utf-8", "cp437", "cp866", "cp932", "gb18030", "utf-16-le"])
PATHS = st.builds(
    lambda folders, slash, file, coding: slash.join([*folders, file]).encode(coding, errors="replace"),
    st.lists(WORDS | st.text(max_size=12), max_size=4),
    st.sampled_from(["/", "\\", "//", "\0"]),
    st.sampled_from(["1.jpg", "a.HEIC", "readme.txt", "inner.zip", "Thumbs.db", "..", "", "x" * 300 + ".jpg"]),
    CODINGS,
)
NAMES = PATHS | st.binary(max_size=40) | PATHS.map(lambda path: (path * 200)[:60_000])
PHOTO = jpeg()
CONTENTS = st.sampled_from([PHOTO, PHOTO, PHOTO + b"2", b"", b"no photo", bytes(3_000_000)])
EXTRAS = st.one_of(
    st.just(b""),
    st.binary(max_size=12),
    st.builds(_unicode_path, st.binary(max_size=20) | PATHS, PATHS),
    st.sampled_from([struct.pack("<HHQQ", 1, 16, 2**63, 1), struct.pack("<HH", 1, 0), b"\x75\x70\xff\xff\1"]),
)
SIZES = st.sampled_from([0, 0, 0, 0, 1, 10, 2**31, 2**32 - 1, 2**32, 2**63])
ENTRIES = st.fixed_dictionaries(
    {
        "name": NAMES,
        "content": CONTENTS,
        "extra": EXTRAS,
        "packed": st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]),
        "claimed_packing": st.sampled_from([0, 0, 0, 0, 8, 9, 12, 93, 99]),
        "flags": st.sampled_from([0, 0, 0, 0x1, 0x8, 0x20, 0x40, 0x800, 0x2000]),
        "attributes": st.sampled_from([0, 0, 0, SYMBOLIC_LINK, 0x10, 2**32 - 1]),
        "claimed_size": SIZES,
        "claimed_packed_size": SIZES,
        "moved": st.sampled_from([0, 0, 0, 0, 1, 2**31]),
    }
)
PLAIN = {"flags": 0, "attributes": 0, "claimed_size": 0, "claimed_packed_size": 0, "claimed_packing": 0, "moved": 0}
SEEDS = [
    _build([{"name": name.encode(coding), "content": PHOTO, "extra": b"", "packed": packed, **PLAIN}])
    for name, coding in (("1/1.jpg", "utf-8"), ("Иванов Сергей/1.jpg", "cp866"), ("Åberg, Zoë/1.jpg", "cp850"))
    for packed in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
]
SEEDS += [_build([]), b"not a zip" + SEEDS[0], SEEDS[0] + bytes(100), SEEDS[0] + SEEDS[1]]
TOKENS = [*(b"PK" + bytes(kind) for kind in ((1, 2), (3, 4), (5, 6), (6, 6), (6, 7))), b"\xff" * 4, bytes(4), b"../"]


@pytest.fixture(autouse=True)
def roster() -> None:
    """A class of students; two have one name."""
    course = factories.course()
    for number, name in STUDENTS.items():
        factories.enrol(course, factories.student(number=number, name=name))
    factories.user()


@fuzz(
    content=st.lists(ENTRIES, min_size=1, max_size=4).map(_build) | mutated(SEEDS, TOKENS) | st.binary(max_size=300),
    in_course=st.booleans(),
    encoding=st.sampled_from(NameEncoding.values),
)
def test_each_file_of_a_zip_is_added_or_waits_or_is_refused(content: bytes, in_course: bool, encoding: str) -> None:
    course = Course.objects.get() if in_course else None
    with transaction.atomic():
        file = File(io.BytesIO(content), name="photos.zip")
        row = create_photo_import(file=file, name="photos.zip", course=course, user=User.objects.get())
        try:
            assert process_photo_import(row=jobs.IMPORT_PHOTOS.claim(row.pk, owner="worker"))
        except (RecognitionError, UserError):
            pass
        else:
            row.refresh_from_db()
            assert row.processed == row.total
            assert all(reason for _path, _student, reason in row.skipped)
            waiting = row.waiting.count()
            assert row.added + len(row.skipped) + waiting <= row.total
            added = len(set_name_encoding(row=row, encoding=encoding).added)
            left = sum(len(folder.photos) for folder in waiting_folders(row))
            assert left == row.waiting.count() <= waiting - added
        transaction.set_rollback(True)
    stored = Path(settings.MEDIA_ROOT)
    assert all(path.resolve().is_relative_to(stored.resolve()) for path in stored.rglob("*"))
    shutil.rmtree(stored)
    stored.mkdir()
