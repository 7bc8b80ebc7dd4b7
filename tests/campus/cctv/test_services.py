"""Sources: passwords, tests, deletion, assignment of their files, and the import of a folder."""

import unicodedata
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.utils import timezone

from campus.academics.services import get_or_create_room
from campus.cctv.fetching import finish_fetch
from campus.cctv.file_discovery import RemoteFile, parse_files
from campus.cctv.models import Camera, Collection, FootageFile, Source, SourceTest
from campus.cctv.selectors import (
    awaiting_assignment,
    cameras_for,
    collections_for,
    footage_files_for,
    lectures_near,
    preview_test_files,
    sources_for,
    without_lecture,
)
from campus.cctv.services import (
    delete_camera,
    delete_source,
    discard_footage_file,
    finish_source_test,
    request_source_test,
    restart_collection,
    restore_footage_file,
    save_source,
)
from campus.common import jobs
from campus.common.errors import UserError
from campus.recordings.models import Clip
from recognition.messages import Message
from recognition.types import VideoInfo
from tests.campus import factories

pytestmark = pytest.mark.django_db

PATTERN = "{camera}/{date:%Y%m%d}/{start:%H%M%S}-{end:%H%M%S}.mp4"


@pytest.fixture
def nvr() -> Source:
    """A server with a password and one camera in B 12."""
    source = Source(name="NVR", kind="sftp", address="sftp://nvr.example.org/rec", pattern=PATTERN)
    save_source(source=source, password="correct horse", username="rollcall")
    factories.camera("B 12", source, label="one")
    return source


@pytest.fixture
def lecture():
    return factories.lecture(room="B 12")


def path(minutes: int = 0, camera: str = "one") -> str:
    """The path of a quarter of an hour, `minutes` after the lecture's start."""
    starts = factories.STARTS + timedelta(minutes=minutes)
    return f"{camera}/{starts:%Y%m%d}/{starts:%H%M%S}-{starts + timedelta(minutes=15):%H%M%S}.mp4"


def test_a_password_is_encrypted_and_bound_to_its_address(nvr: Source):
    assert nvr.secret == "correct horse"
    assert "horse" not in repr(Source.objects.values_list("secret", flat=True).get())
    save_source(source=nvr, name="NVR 2")
    assert Source.objects.get().secret == "correct horse"
    for change in ({"address": "sftp://elsewhere.example.org/rec"}, {"kind": "smb"}):
        with pytest.raises(ValidationError) as refusal:
            save_source(source=Source.objects.get(), **change)
        assert "password" in refusal.value.message_dict
    save_source(source=Source.objects.get(), password="other", address="sftp://elsewhere.example.org/rec")
    assert Source.objects.get().secret == "other"
    save_source(source=Source.objects.get(), password="", address="sftp://nvr.example.org/rec")
    assert Source.objects.get().secret == ""


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("address", "sftp://me:secret@nvr.example.org/"),
        ("pattern", "{cam}.mp4"),
        ("time_zone", "Mars/Olympus"),
        ("clock_offset", float("nan")),
        ("clock_offset", 1e9),
        ("name", "NVR"),
    ],
)
def test_invalid_fields_of_a_source_are_named(nvr: Source, field: str, value: object):
    with pytest.raises(ValidationError) as refusal:
        save_source(
            source=Source(kind="sftp", address="sftp://nvr.example.org/"),
            **dict[str, Any](name="another") | {field: value},
        )
    assert field in refusal.value.message_dict


def test_a_source_test_previews_each_file(nvr: Source, lecture):
    request_source_test(source=nvr)
    test = jobs.TEST_SOURCE.claim(nvr.test.pk, owner="worker")
    now = timezone.now()
    files = [
        RemoteFile(path(), 10, now),
        RemoteFile(path(24 * 60), 10, now - timedelta(minutes=1)),
        RemoteFile(path(camera="two"), 10, now - timedelta(minutes=2)),
        RemoteFile("lost+found/old.mp4", 10, None),
        RemoteFile("readme.txt", 10, now - timedelta(minutes=3)),
    ]
    factories.footage_file(nvr.cameras.get(), factories.STARTS, path=path(), state=FootageFile.State.STORED)
    assert finish_source_test(test=test, files=files)
    assert not finish_source_test(test=test, files=[])  # the attempt is over
    test = SourceTest.objects.get()
    assert (test.state, test.file_count) == (SourceTest.State.DONE, 5)
    rows = {preview.file.path: preview for preview in preview_test_files(test)}
    assert [rows[file.path].fits for file in files] == [True, True, True, False, False]
    assert rows[path()].lectures == [lecture]
    assert rows[path()].footage_file is not None
    assert str(rows[path()].note) == ""
    assert "No lecture" in str(rows[path(24 * 60)].note)
    assert "two" in str(rows[path(camera="two")].note)
    assert "pattern" in str(rows["lost+found/old.mp4"].note)
    assert rows["readme.txt"].lectures == []


@pytest.mark.parametrize("folder", ["Hörsaal 1", unicodedata.normalize("NFD", "Hörsaal 1"), "HÖRSAAL  1"])
def test_a_folder_is_its_cameras_however_its_name_is_written(nvr: Source, folder: str):
    camera = factories.camera("B 13", nvr, label="Hörsaal 1")
    (parsed,) = parse_files(nvr, [RemoteFile(path(camera=folder), 1000)])
    assert parsed.camera == camera


def test_a_room_is_one_room_however_its_name_is_written():
    room = get_or_create_room("Hörsaal 2")
    assert {get_or_create_room(name) for name in ("HÖRSAAL 2", unicodedata.normalize("NFD", "hörsaal  2"))} == {room}


def test_a_repeated_source_test_starts_again(nvr: Source):
    request_source_test(source=nvr)
    first = jobs.TEST_SOURCE.claim(nvr.test.pk, owner="first")
    request_source_test(source=nvr)
    assert not finish_source_test(test=first, files=[])
    assert jobs.TEST_SOURCE.claim(nvr.test.pk, owner="second")
    assert SourceTest.objects.count() == 1


def test_only_registrars_see_sources(nvr: Source, lecture):
    teacher, other = factories.user(), factories.user()
    lecture.course.lecturers.add(teacher)
    factories.footage_file(nvr.cameras.get(), factories.STARTS)
    Collection.objects.create(lecture=lecture, next_check_at=timezone.now(), deadline_at=timezone.now())
    for rows in (sources_for, cameras_for, footage_files_for):
        assert rows(factories.registrar()).count() == 1
        assert not rows(teacher).exists()
    assert collections_for(teacher).count() == 1
    assert not collections_for(other).exists()


def test_a_source_with_recordings_cannot_be_deleted(nvr: Source, lecture, tmp_path: Path):
    camera = nvr.cameras.get()
    footage_file = factories.footage_file(camera, factories.STARTS, minutes=15)
    clip = Clip.objects.create(
        recording=factories.recording(lecture, camera=camera),
        footage_file=footage_file,
        start=0,
        end=900,
        recording_start=0,
    )
    with pytest.raises(UserError, match="Attendance was taken"):
        delete_source(source=nvr)
    with pytest.raises(UserError, match="Attendance was taken"):
        delete_camera(camera=camera)
    assert Path(footage_file.file.path).exists()
    clip.recording.delete()


def test_deleting_a_source_deletes_its_files(nvr: Source, django_capture_on_commit_callbacks):
    footage_file = factories.footage_file(nvr.cameras.get(), factories.STARTS)
    with django_capture_on_commit_callbacks(execute=True):
        delete_source(source=nvr)
    assert not FootageFile.objects.exists()
    assert not Path(footage_file.file.path).exists()


def test_footage_that_awaits_assignment(nvr: Source, lecture):
    camera = nvr.cameras.get()

    def discover(starts_at: datetime | None, camera_: Camera | None = camera, **fields) -> FootageFile:
        return factories.footage_file(
            camera_, starts_at, minutes=15, **dict[str, Any](source=nvr, state=FootageFile.State.DISCOVERED) | fields
        )

    night = discover(factories.STARTS - timedelta(hours=9), note=Message("No lecture is in B 12 then."))
    nobodys = discover(factories.STARTS, None, needs_assignment=True)
    timeless = discover(None, needs_assignment=True)
    clash = discover(factories.STARTS, needs_assignment=True)
    discover(factories.STARTS, state=FootageFile.State.DISCARDED, needs_assignment=True)
    discover(factories.STARTS, None, lecture=lecture, needs_assignment=True)
    used = discover(factories.STARTS, state=FootageFile.State.STORED)
    Clip.objects.create(
        recording=factories.recording(lecture, camera=camera), footage_file=used, start=0, end=900, recording_start=0
    )
    unused = discover(factories.STARTS - timedelta(hours=9), state=FootageFile.State.STORED)
    assert set(without_lecture(FootageFile.objects.all())) == {night, nobodys, timeless, clash, unused}
    assert set(awaiting_assignment(FootageFile.objects.all())) == {nobodys, timeless, clash}


def test_footage_is_assignable_to_lectures_of_the_days_around(lecture):
    far = factories.lecture(lecture.course, starts_at=factories.STARTS + timedelta(days=9))
    factories.lecture(lecture.course, starts_at=factories.STARTS + timedelta(days=1), cancelled=True)
    assert list(lectures_near(factories.STARTS)) == [lecture]
    assert list(lectures_near(far.starts_at)) == [far]


def test_a_restored_file_is_fetched_again(nvr: Source):
    lecture = factories.lecture(room="B 12", starts_at=timezone.now() - timedelta(hours=2))
    Collection.objects.create(
        lecture=lecture, next_check_at=timezone.now(), deadline_at=timezone.now() + timedelta(days=1)
    )
    footage_file = factories.footage_file(nvr.cameras.get(), lecture.starts_at, minutes=15, fully_written=True)
    discard_footage_file(footage_file=footage_file)
    restore_footage_file(footage_file=footage_file)
    footage_file.refresh_from_db()
    assert footage_file.state == FootageFile.State.FETCHING
    with pytest.raises(UserError, match="not discarded"):
        restore_footage_file(footage_file=footage_file)


def test_a_live_recording_cannot_be_restored():
    source = factories.source(kind=Source.Kind.RTSP, address="rtsp://10.0.0.7/")
    footage_file = factories.footage_file(factories.camera("B 12", source), factories.STARTS)
    discard_footage_file(footage_file=footage_file)
    with pytest.raises(UserError, match="no other copy"):
        restore_footage_file(footage_file=footage_file)


def test_a_missing_collection_is_restarted(lecture):
    row = Collection.objects.create(
        lecture=lecture,
        state="missing",
        note=Message("Nothing came."),
        next_check_at=lecture.ends_at,
        deadline_at=lecture.ends_at,
    )
    type(lecture).objects.filter(pk=lecture.pk).update(
        starts_at=timezone.now() - timedelta(days=2), ends_at=timezone.now() - timedelta(days=1)
    )
    row = Collection.objects.select_related("lecture").get()
    restart_collection(collection=row)
    row.refresh_from_db()
    assert (row.state, str(row.note), row.check_count) == (Collection.State.COLLECTING, "", 0)
    assert row.next_check_at <= timezone.now() < row.deadline_at
    Collection.objects.update(state="off", note=Message("No camera in use is in the lecture's room."))
    with pytest.raises(UserError, match="No camera in use"):
        restart_collection(collection=Collection.objects.get())


@pytest.fixture
def folder(tmp_path: Path, settings) -> Path:
    settings.SOURCE_FOLDERS = [str(tmp_path)]
    folder = tmp_path / "old recordings"
    for name in (path(), path(15), path(camera="two"), path(24 * 60), "notes.txt", ".hidden/x.mp4"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    (folder / "link.mp4").symlink_to("/etc/passwd")
    return folder


def import_folder(folder: Path, *more: str) -> None:
    call_command(
        "import_footage",
        str(folder),
        "--pattern",
        PATTERN,
        "--camera",
        "one=B 12",
        "--camera",
        "two=C 1",
        "--time-zone",
        "UTC",
        *more,
    )


def test_a_dry_run_only_shows_how_files_are_read(folder: Path, lecture, capsys):
    factories.camera("B 12")
    factories.camera("C 1")
    before = Source.objects.count()
    import_folder(folder, "--dry-run")
    said = capsys.readouterr().out
    assert f"{path()}: 2026-11-16 09:00, {lecture}" in said
    assert "No lecture is in C 1 then." in said
    assert "hidden" not in said
    assert "link" not in said
    assert "4 files, 2 of them show a lecture." in said
    assert Source.objects.count() == before
    assert not FootageFile.objects.exists()


def test_an_imported_folder_is_disabled_afterwards(folder: Path, lecture, capsys, monkeypatch):
    factories.camera("B 12")
    factories.camera("C 1")
    monkeypatch.setattr(
        "campus.cctv.management.commands.import_footage.time.sleep",
        lambda _: FootageFile.objects.update(state="stored"),
    )
    import_folder(folder)
    assert "2 still to fetch" in capsys.readouterr().out
    source = Source.objects.get(address=str(folder))
    assert not source.enabled
    assert source.footage_files.count() == 4
    assert Collection.objects.get().lecture == lecture
    monkeypatch.setattr("campus.cctv.management.commands.import_footage.time.sleep", None)
    import_folder(folder)  # everything is stored, so nothing is awaited
    assert source.footage_files.count() == 4


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--pattern", "{cam}"], "{cam}"),
        (["--pattern", PATTERN], "no room “one”"),
        (["--pattern", "*/*/*.mp4"], "which room"),
        (["--pattern", PATTERN, "--time-zone", "x"], "time zone"),
    ],
)
def test_an_import_that_fails_says_why(folder: Path, arguments: list[str], says: str):
    with pytest.raises(CommandError, match=says):
        call_command("import_footage", str(folder), *arguments)
    assert not Source.objects.exists()


def test_only_allowed_folders_are_imported(tmp_path: Path, settings):
    settings.SOURCE_FOLDERS = []
    with pytest.raises(CommandError, match="ROLLCALL_SOURCE_FOLDERS"):
        import_folder(tmp_path)


def test_file_times_use_the_time_zone_and_clock_of_the_source(nvr: Source, lecture):
    save_source(source=nvr, time_zone="Europe/Berlin", clock_offset=90)
    request_source_test(source=nvr)
    test = jobs.TEST_SOURCE.claim(nvr.test.pk, owner="worker")
    finish_source_test(test=test, files=[RemoteFile("one/20261116/100130-101630.mp4", 1, None)])
    (preview,) = preview_test_files(SourceTest.objects.select_related("source").get())
    assert preview.parsed is not None
    assert preview.parsed.starts_at == datetime(2026, 11, 16, 9, 0, tzinfo=UTC)
    assert preview.lectures == [lecture]


@pytest.mark.parametrize(
    ("pattern", "note"), [(PATTERN, "5 of 15 minutes"), ("{camera}/{date:%Y%m%d}/{start:%H%M%S}-*.mp4", "")]
)
def test_a_file_is_short_only_if_its_name_says_its_length(
    nvr: Source, lecture, tmp_path: Path, pattern: str, note: str
):
    save_source(source=nvr, pattern=pattern)
    row = FootageFile.objects.create(
        source=nvr,
        camera=nvr.cameras.get(),
        path=path(),
        state="fetching",
        starts_at=lecture.starts_at,
        ends_at=lecture.ends_at,
    )
    part = tmp_path / "part"
    part.write_bytes(b"film")
    (tmp_path / "media" / "footage").mkdir()
    info = VideoInfo(**dict[str, Any](factories.INFO) | {"duration": 300.0})
    assert finish_fetch(footage_file=jobs.FETCH.claim(row.pk, owner="worker"), part=part, sha256="0" * 64, info=info)
    row.refresh_from_db()
    assert row.state == FootageFile.State.STORED
    assert row.ends_at == lecture.starts_at + timedelta(minutes=5)
    assert note in str(row.note)
    assert bool(row.note) is bool(note)
