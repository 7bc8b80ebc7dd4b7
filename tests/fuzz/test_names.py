"""Names of folders, photos and recordings: whatever they are, they are data, and mean one thing or nothing."""

import unicodedata
from datetime import UTC, date, datetime, timedelta
from pathlib import PurePosixPath
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from hypothesis import strategies as st

from campus.academics.models import Course, Student
from campus.biometrics.photo_finder import StudentFinder
from campus.cctv.file_discovery import RemoteFile, parse_files, save_discovered_files
from campus.cctv.models import Source
from campus.cctv.path_patterns import PathFields, compile_pattern
from campus.common.errors import UserError
from campus.common.file_names import file_suffix, sanitize_file_name
from campus.common.keys import match_key, number_key
from campus.common.visible_text import remove_invisible
from tests.campus import factories
from tests.fuzz.fuzzing import fuzz

pytestmark = pytest.mark.django_db

STARTS = datetime(2026, 11, 23, 10, 15, tzinfo=UTC)
PIECES = [
    *("Zoë Åberg", "Zoe\u0308 A\u030aberg", "Dũng", "Dung", "ハク", "パク", "ﾊﾟｸ", "O\u2019Connor", "O'Connor"),
    *("\u0130\u015f\u0131k", "I\u015f\u0131k", "m5001", "M5001", "\u0665\u0660\u0660\u0661", "0001", "1E3", "Ann Lee"),
    *(
        "Ann_Lee",
        "Lee, Ann",
        "Lee",
        "_123456_assignsubmission_file_",
        "_",
        ",",
        " ",
        "-",
        "(",
        ")",
        "\u200b",
        "\u200e",
        "\u00ad",
    ),
    *("\0", "/", "\\", "..", ".", "\n", "\u202e", "\U000e0101", "\u0345", "ß", "ẞ", "ǰ", "ﬃ", "\ud800", "\u1160"),
    *("\u0301", "\ufeff", "\uff23am1", "%s", "{0}"),
]
TEXTS = st.one_of(
    st.text(max_size=40),
    st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=6).map("".join),
    st.sampled_from(PIECES).map(lambda piece: piece * 400),
)


@fuzz(text=TEXTS)
def test_a_text_has_one_key_and_a_file_name_is_no_path(text: str) -> None:
    assert match_key(match_key(text)) == match_key(text)
    assert number_key(number_key(text)) == number_key(text)
    assert remove_invisible(remove_invisible(text)) == remove_invisible(text)
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        assert match_key(unicodedata.normalize(form, text)) == match_key(text), form
    name = sanitize_file_name(text)
    assert 0 < len(name) <= 255
    assert not set(name) & set("/\\\0\n\ud800")
    assert sanitize_file_name(name) == name
    assert file_suffix(text) == "" or file_suffix(text).startswith(".")


@fuzz(
    names=st.lists(TEXTS.map(lambda text: text.replace("\ud800", "")), max_size=4),
    folders=st.lists(TEXTS, max_size=3),
    in_course=st.booleans(),
)
def test_a_folder_is_one_students_or_nobodys(names: list[str], folders: list[str], in_course: bool) -> None:
    with transaction.atomic():
        course = Course.objects.create(code="X")
        for number, name in enumerate(names):
            student = Student(number=f"{number}", name=name)
            try:
                student.full_clean()
            except ValidationError:
                continue
            student.save()
            if number % 2:
                factories.enrol(course, student)
        finder = StudentFinder(course if in_course else None)
        found = finder.match(folders)
        assert str(found.reason) or found.student
        if found.student:
            assert found.student in found.candidates
            assert not in_course or course.students.contains(found.student)
        for student in Student.objects.all():
            namesakes = [other for other in Student.objects.all() if match_key(other.name) == match_key(student.name)]
            match = StudentFinder(None).match([student.name])
            if len(namesakes) == 1 and len(student.name) <= 300 and match.student:
                assert match.student == student or number_key(student.name) == match.student.number_key
            assert StudentFinder(None).match([student.number]).student == student
        transaction.set_rollback(True)


LAYOUTS = [
    "{camera}/{date:%Y%m%d}/{start:%H%M%S}-{end:%H%M%S}.mp4",
    "{room}/{date:%Y-%m-%d}/{camera}_{start:%H.%M.%S}-{end:%H.%M.%S}*.mkv",
    "{date:%Y-%m-%d}/{start:%H}/{camera}/{start:%M.%S}.dav",
    "rec/{start:%Y/%m/%d}/{camera}/{camera}_{start:%Y%m%dT%I%M%S%p}_{end:%Y%m%dT%H%M%S}.ts",
    "{camera}_{start:%s}_{end:%s}.mp4",
    "{camera} {date:%m-%d-%Y}, {start:%I.%M.%S%p}.mp4",
    "*a*b*/{camera}-*",
    "",
]
PATTERNS = st.sampled_from(LAYOUTS) | st.text("{}*%:/aYmdHMSspI cemr.-_,", max_size=40) | TEXTS


@st.composite
def paths(draw: st.DrawFn) -> str:
    """Paths that fit one of the layouts, but for a few letters."""
    layout = compile_pattern(draw(st.sampled_from(LAYOUTS)))
    starts = STARTS + timedelta(seconds=draw(st.integers(-(10**6), 10**6)))
    ends = starts + timedelta(seconds=draw(st.integers(-100, 10**5)))
    label = draw(st.sampled_from(["cam1", "Hall", *PIECES]))
    path = layout.format_path(PathFields(camera=label, room=label, starts=starts, ends=ends), UTC)
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(path)))
        path = path[:place] + draw(TEXTS) + path[place + draw(st.integers(0, 4)) :]
    return path


@fuzz(pattern=PATTERNS, path=paths() | TEXTS, zone=st.sampled_from(["Europe/Berlin", "Asia/Kathmandu", "UTC"]))
def test_a_path_fits_a_pattern_or_does_not(pattern: str, path: str, zone: str) -> None:
    try:
        read = compile_pattern(pattern)
    except UserError:
        return
    fields = read.match(path, ZoneInfo(zone))
    assert fields is None or fields.ends is None or (fields.starts is not None and fields.ends > fields.starts)
    assert read.may_contain(path, date.min, date.max) in (True, False)
    if fields and fields.starts:
        day = fields.starts.astimezone(ZoneInfo(zone)).date()
        folder = str(PurePosixPath(path).parent)
        assert "//" in path or path.startswith("/") or folder == "." or read.may_contain(folder, day, day)


FILES = st.tuples(
    paths() | TEXTS.map(lambda text: f"{text}.mp4"),
    st.integers(0, 2**50),
    st.none() | st.integers(-(10**7), 10**7).map(lambda seconds: STARTS + timedelta(seconds=seconds)),
)


@pytest.fixture(autouse=True)
def source() -> None:
    """A source with a camera in a room, in which there are lectures."""
    source = factories.source(time_zone="UTC", clock_offset=-30)
    factories.camera("Hall", source, label="cam1")
    factories.camera("Lab", source, label="Hall")
    course = factories.course(students=1)
    for room, hours in (("Hall", 0), ("Lab", 0), ("Hall", 2)):
        factories.lecture(
            course if room == "Hall" else factories.course(),
            room=room,
            starts_at=STARTS + timedelta(hours=hours),
        )


@fuzz(pattern=st.sampled_from(LAYOUTS), files=st.lists(FILES, max_size=5, unique_by=lambda file: file[0]))
def test_files_of_a_source_are_discovered_once(pattern: str, files: list[tuple[str, int, datetime | None]]) -> None:
    source = Source.objects.get()
    source.pattern = pattern
    remote = [RemoteFile(*file) for file in files]
    parsed = parse_files(source, remote)
    assert len({found.file.path for found in parsed}) == len(parsed) <= len(files)
    for found in parsed:
        assert not (found.starts_at and found.ends_at) or found.starts_at < found.ends_at
        assert not found.lectures or found.camera
        assert found.lectures or found.note or found.error, "either it is used, or the page says why not"
    with transaction.atomic():
        now = timezone.now()
        assert save_discovered_files(source, parsed, now) == len(parsed)
        assert save_discovered_files(source, parse_files(source, remote), now) == 0
        transaction.set_rollback(True)
