"""Machines with folders of their own share a store: one that speaks S3 (moto's server), or a web server's folders."""

import io
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured, SuspiciousOperation
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.test import Client, RequestFactory
from django.urls import reverse

from campus.academics.models import Course
from campus.attendance.annotated_videos import read_face_paths
from campus.attendance.services import delete_recording
from campus.cctv.fetching import finish_fetch, partial_file_path
from campus.cctv.models import FootageFile
from campus.common import jobs
from campus.common.encryption import MAGIC
from campus.common.file_responses import video_response
from campus.common.key_rotation import Outcome, rotate_media
from campus.common.storage import (
    STORAGE_MARK,
    is_storage_here,
    local_path,
    media,
    read_media,
    reports,
    write_media,
)
from campus.operations.backup import check_backup, make_backup, open_folder, restore_storage
from campus.operations.checks import State, check_storage
from campus.recordings.models import Upload
from campus.recordings.services import start_due_votes
from campus.recordings.uploads import append_to_upload, create_upload, finish_upload
from campus.settings.file_stores import file_stores
from recognition.media.video import probe
from tests.campus import factories
from tests.campus.conftest import video_bytes
from tests.faults import fake_vision
from tests.servers.stores import free_port
from tests.workers.classroom import create_class, train_gallery
from tests.workers.remote_stores import Server, server, store, use_store
from workers import vision
from workers.aggregate import aggregate
from workers.faults import Fault, find_fault
from workers.ingest import ingest
from workers.leased_task import run_attempt
from workers.segments import recognise

__all__ = ["server", "store", "video_bytes"]


def use_machine(settings: Any, folder: Path) -> None:
    """Another machine goes on: one whose folders are empty."""
    settings.MEDIA_ROOT, settings.REPORTS_DIR = folder / "media", folder / "Reports"
    settings.FILE_UPLOAD_TEMP_DIR = str(folder / "uploads")
    for name in ("media", "Reports", "uploads"):
        (folder / name).mkdir(parents=True)


def files_of(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_what_shows_faces_is_encrypted_before_it_leaves(store: Any) -> None:
    name = default_storage.save("crops/1/a.jpg", ContentFile(b"face"))
    assert store("media/crops/1/a.jpg").startswith(MAGIC)
    assert read_media(name) == default_storage.open(name).read() == b"face"
    assert (default_storage.size(name), default_storage.exists(name)) == (4, True)
    assert not files_of(local_path())
    default_storage.delete(name)
    default_storage.delete(name)
    with pytest.raises(FileNotFoundError):
        read_media(name)


@pytest.mark.parametrize("outside", ["../reports/x", "/etc/passwd", "a/../../x"])
def test_no_name_leads_outside(outside: str) -> None:
    with pytest.raises(SuspiciousOperation):
        media().open(outside)
    with pytest.raises(SuspiciousOperation):
        media().write(outside, b"")


def test_folders_are_listed_and_deleted() -> None:
    for name in ("tracks/1/a.npz", "tracks/1/b.npz", "tracks/10/a.npz"):
        media().write(name, b"12345")
    assert [(file.name, file.size) for file in media().walk("tracks/1")] == [
        ("tracks/1/a.npz", 5),
        ("tracks/1/b.npz", 5),
    ]
    media().delete_folder("tracks/1")
    assert [file.name for file in media().walk("tracks")] == ["tracks/10/a.npz"]


def test_videos_are_read_in_ranges() -> None:
    content = os.urandom(3_000_000)
    media().write("recordings/a.mp4", content)
    with media().open("recordings/a.mp4") as file:
        assert file.size == len(content)
        file.seek(2_500_000)
        assert file.read(1000) == content[2_500_000:2_501_000]
    request = RequestFactory().get("/", headers={"Range": "bytes=2999990-"})
    response = video_response(request, "recordings/a.mp4")
    assert (response.status_code, b"".join(response)) == (206, content[-10:])


def test_what_is_written_is_stored_whole_or_not_at_all(settings: Any) -> None:
    with pytest.raises(TypeError), reports().writing("a.xlsx") as path:
        path.open("wb").write("text")  # type: ignore[arg-type]
    assert not reports().exists("a.xlsx")
    with reports().writing("a.xlsx") as path:
        path.write_bytes(b"whole")
    assert reports().read("a.xlsx") == b"whole"
    assert not files_of(Path(settings.FILE_UPLOAD_TEMP_DIR))


def test_keys_are_rotated_by_compare_and_swap(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("galleries/1.npz", "galleries/2.npz"):
        write_media(name, b"gallery")
    old = settings.ENCRYPTION_KEYS
    settings.ENCRYPTION_KEYS = [bytes(range(32)), *old]
    assert rotate_media(only_check=True) == {Outcome.OLDER_KEY: 2}
    assert rotate_media() == {Outcome.ROTATED: 2}
    assert rotate_media() == {Outcome.NEWEST_KEY: 2}
    settings.ENCRYPTION_KEYS = [bytes(range(32))]
    assert read_media("galleries/1.npz") == b"gallery"


def test_a_head_is_replaced_where_the_file_begins_so() -> None:
    media().write("a", b"head and body")
    assert not media().replace_head("a", b"feet", b"hand")
    assert media().replace_head("a", b"head", b"hand")
    assert media().read("a") == b"hand and body"
    with pytest.raises(FileNotFoundError):
        media().replace_head("b", b"head", b"hand")


def test_a_machine_that_does_not_reach_the_store_takes_itself_out(
    server: Server, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert is_storage_here()
    assert check_storage().state == State.OK
    use_store(settings, monkeypatch, server.prepare("x", monkeypatch).replace(str(server.port), str(free_port())))
    assert not is_storage_here()
    with pytest.raises(OSError, match="did not answer") as caught, media().local_copy("recordings/a.mp4"):
        pass
    assert find_fault(caught.value) == Fault.MACHINE
    assert check_storage().state == State.PROBLEM


@pytest.mark.django_db
def test_backup_and_restore(tmp_path: Path) -> None:
    write_media("crops/1/a.jpg", b"face")
    media().write("recordings/a.mp4", b"video" * 1000)
    reports().write("CS101/a.xlsx", b"table")
    folder = open_folder(tmp_path / "backups", "correct horse battery", create=True)
    name = make_backup(folder, ["storage"], say=lambda line: None)
    check_backup(folder, name)
    for kind in (media(), reports()):
        kind.delete_folder("crops")
        kind.delete_folder("CS101")
    media().write("recordings/a.mp4", b"other")
    restore_storage(folder, name)
    assert (read_media("crops/1/a.jpg"), reports().read("CS101/a.xlsx")) == (b"face", b"table")
    assert media().read("recordings/a.mp4") == b"video" * 1000


@pytest.mark.django_db
def test_an_upload_in_parts_is_stored_when_it_is_complete() -> None:
    lecture, user = factories.lecture(), factories.user()
    upload = create_upload(lecture=lecture, user=user, name="a.mp4", size=10)
    append_to_upload(upload=upload, offset=0, body=io.BytesIO(b"1234567890"), length=10)
    recording = finish_upload(upload=upload)
    assert finish_upload(upload=upload) == recording, "twice is once"
    assert media().read(recording.file.name) == b"1234567890"
    assert not files_of(local_path())
    assert Upload.objects.get().recording == recording


@pytest.mark.django_db
def test_a_fetched_file_is_stored_when_it_is_complete(video_bytes: bytes, tmp_path: Path) -> None:
    row = factories.footage_file(None, None, content=video_bytes, state=FootageFile.State.FETCHING)
    media().delete(row.file.name)
    footage_file = jobs.FETCH.claim(row.pk, "me")
    part = partial_file_path(footage_file)
    part.parent.mkdir()
    part.write_bytes(video_bytes)
    assert finish_fetch(footage_file=footage_file, part=part, sha256="0" * 64, info=probe(part))
    footage_file.refresh_from_db()
    assert media().read(footage_file.file.name) == video_bytes
    assert not files_of(local_path())


@pytest.mark.django_db
def test_a_fetch_that_lost_its_lease_leaves_no_file(video_bytes: bytes) -> None:
    row = factories.footage_file(None, None, content=video_bytes, state=FootageFile.State.FETCHING)
    media().delete(row.file.name)
    footage_file = jobs.FETCH.claim(row.pk, "me")
    part = partial_file_path(footage_file)
    part.parent.mkdir()
    part.write_bytes(video_bytes)
    FootageFile.objects.update(lease_owner="another")
    assert not finish_fetch(footage_file=footage_file, part=part, sha256="0" * 64, info=probe(part))
    assert not list(media().walk("footage"))


@pytest.mark.parametrize("url", ["https:", "s3:", "ftp://example.org", "/var/lib/files"])
def test_another_address_is_refused(url: str) -> None:
    with pytest.raises(ImproperlyConfigured, match="ROLLCALL_STORAGE_URL"):
        file_stores(url)


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(sys.modules, "recognition.pipeline", fake_vision)
    monkeypatch.setattr("recognition.pipeline", fake_vision, raising=False)
    monkeypatch.setattr("recognition.embedding.load_embedder", fake_vision.load_embedder)
    monkeypatch.setattr("recognition.media.video.plan_segments", fake_vision.plan_segments)
    monkeypatch.setattr(vision, "probe", lambda path, _stream: fake_vision.probe(path))
    vision.embedder.cache_clear()
    yield
    vision.embedder.cache_clear()


@pytest.mark.usefixtures("models")
@pytest.mark.django_db(transaction=True)
def test_attendance_on_machines_that_share_no_folder(settings: Any, tmp_path: Path, client: Client) -> None:
    teacher = factories.user()
    use_machine(settings, tmp_path / "web")
    course: Course = create_class(3)
    course.lecturers.add(teacher)
    use_machine(settings, tmp_path / "trainer")
    train_gallery(course)
    use_machine(settings, tmp_path / "another web")
    lecture = factories.lecture(course, minutes=2)
    script = {"segments": [[0, 1], [0, 1]]}
    recording = factories.recording(lecture, content=json.dumps(script).encode(), original_name="lecture.mp4")
    use_machine(settings, tmp_path / "first worker")
    run_attempt(jobs.INGEST, ingest, jobs.INGEST.claim(recording.pk, "ingest"))
    for number, segment in enumerate(recording.segments.all()):
        use_machine(settings, tmp_path / f"vision worker {number}")
        run_attempt(jobs.RECOGNISE, recognise, jobs.RECOGNISE.claim(segment.pk, f"worker {number}"))
    start_due_votes(recording_id=recording.pk)
    use_machine(settings, tmp_path / "last worker")
    run_attempt(jobs.AGGREGATE, aggregate, jobs.AGGREGATE.claim(recording.pk, "vote"))
    recording.refresh_from_db()
    assert (recording.state, recording.coverage) == ("done", 1.0)
    by_name = [record.status for record in lecture.records.order_by("student__name")]
    assert by_name == ["present", "present", "absent"]
    assert read_face_paths(recording), "who was seen where"
    machines = ("web", "trainer", "another web", "first worker", "vision worker 0", "vision worker 1", "last worker")
    left = {path.split("/")[1] for machine in machines for path in files_of(tmp_path / machine)}
    assert left == {"cache"}, "nothing but copies is left on any machine"

    use_machine(settings, tmp_path / "web of the next day")
    client.force_login(teacher)
    workbook = client.get(reverse("report", args=[recording.report.pk]))
    assert b"".join(workbook).startswith(b"PK")
    delete_recording(recording=recording)
    kept = {file.name.split("/")[0] for file in media().walk()} - {STORAGE_MARK}
    assert kept == {"photos", "galleries", "crops"}, "of the photos and the training"
    assert not list(media().walk("recordings"))
