"""Recordings that are sent straight to S3 (moto's server), to addresses that the server signs."""

import hashlib
import os
from base64 import b64encode
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import urllib3
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from campus.attendance.models import SignOff
from campus.common.storage import media
from campus.recordings import direct_uploads, uploads
from campus.recordings.direct_uploads import discard_unknown_parts, finish_direct_uploads
from campus.recordings.models import Recording, Upload
from campus.recordings.services import DuplicateRecording
from campus.recordings.uploads import DamagedUpload, delete_expired_uploads, part_path, verify_upload
from campus.web.middleware import STRICT
from tests.campus import factories
from tests.campus.conftest import World
from tests.servers.s3 import BUCKET, UncheckedMoto
from tests.servers.stores import free_port
from tests.workers.remote_stores import use_store

PART_BYTES = 5 * 1024**2  # as small as S3 takes one that is not the last
FILE = os.urandom(PART_BYTES + 1000)
SHA256 = hashlib.sha256(FILE).hexdigest()
TUS = {"Tus-Resumable": "1.0.0"}


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[UncheckedMoto]:
    with UncheckedMoto(tmp_path_factory.mktemp("moto")) as server:
        yield server


@pytest.fixture(autouse=True)
def store(moto: UncheckedMoto, settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", moto.username)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", moto.password)
    use_store(settings, monkeypatch, moto.storage_url(tmp_path.name))
    monkeypatch.setattr(direct_uploads, "MIN_PART_BYTES", PART_BYTES)
    settings.DIRECT_UPLOADS = True
    settings.BROKER_URL = "memory://"


@pytest.fixture
def client(world: World) -> Client:
    client = Client()
    client.force_login(world.own)
    return client


def announce(
    client: Client, world: World, *, size: int = len(FILE), sha256: str = SHA256, lecture: int | None = None
) -> Any:
    told = {"lecture": str(lecture or world.lecture.pk), "filename": "lecture.mp4", "sha256": sha256}
    metadata = ",".join(f"{key} {b64encode(value.encode()).decode()}" for key, value in told.items())
    return client.post(reverse("api-uploads"), headers=TUS | {"Upload-Length": str(size), "Upload-Metadata": metadata})


def recording_of(answer: dict[str, Any]) -> Recording:
    return Recording.objects.get(pk=answer["recording"])


def ask(client: Client, upload: Any) -> dict[str, Any]:
    answer = client.post(upload.headers["Rollcall-Parts"], headers=TUS)
    assert answer.status_code == 200, answer.content
    return answer.json()


def send(part: dict[str, Any], content: bytes = FILE) -> None:
    answer = urllib3.request("PUT", part["url"], body=content[part["start"] : part["start"] + part["size"]])
    assert answer.status == 200, answer.data


def test_a_recording_is_made_once_all_parts_have_come(client: Client, world: World) -> None:
    upload = announce(client, world)
    state = ask(client, upload)
    assert [(part["start"], part["size"]) for part in state["missing"]] == [(0, PART_BYTES), (PART_BYTES, 1000)]
    assert (state["offset"], state["recording"]) == (0, None)
    assert not part_path(Upload.objects.get()).exists(), "nothing of it lies on the web server"
    send(state["missing"][1])
    state = ask(client, upload)
    (first,) = state["missing"]
    assert (first["start"], state["offset"]) == (0, 1000)
    assert client.get(upload.headers["Location"]).json()["offset"] == 1000
    send(first)
    done = ask(client, upload)
    assert (done["missing"], done["offset"]) == ([], len(FILE))
    recording = recording_of(done)
    assert (recording.state, recording.uploaded_by) == (Recording.State.UPLOADED, world.own)
    assert media().read(recording.file.name) == FILE
    verify_upload(recording=recording)
    recording.refresh_from_db()
    assert recording.sha256 == SHA256
    assert ask(client, upload) == done, "twice is once"
    assert client.head(upload.headers["Location"], headers=TUS).headers["Rollcall-Recording"] == done["recording"]
    late = urllib3.request("PUT", first["url"], body=FILE[:PART_BYTES])
    assert (late.status >= 400, media().read(recording.file.name)) == (True, FILE), "nothing changes what was checked"


def test_an_address_is_for_one_part_of_one_upload_for_an_hour(client: Client, world: World, tmp_path: Path) -> None:
    upload = announce(client, world)
    _, last = ask(client, upload)["missing"]
    url = urlsplit(last["url"])
    query = {name: value for name, (value,) in parse_qs(url.query).items()}
    row = Upload.objects.get()
    assert url.path == f"/{BUCKET}/{tmp_path.name}/media/recordings/{row.pk}.mp4"
    assert (query["uploadId"], query["partNumber"]) == (row.parts_id, "2")
    assert (query["X-Amz-Algorithm"], query["X-Amz-Expires"]) == ("AWS4-HMAC-SHA256", "3600")
    assert query["X-Amz-SignedHeaders"] == "content-length;host", "no other size, at no other server"


def test_many_parts_are_signed_a_few_at_a_time(
    client: Client, world: World, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.MAX_RECORDING_BYTES = 10**13
    monkeypatch.setattr(direct_uploads, "MIN_PART_BYTES", 8 * 1024**2)
    size = 200 * 1024**3
    missing = ask(client, announce(client, world, size=size))["missing"]
    assert len(missing) == direct_uploads.MAX_SIGNED_PARTS
    assert missing[1]["start"] == missing[0]["size"] >= size / direct_uploads.MAX_PARTS, "S3 takes so many of one file"


def test_what_is_not_the_announced_file_does_not_count(client: Client, world: World) -> None:
    upload = announce(client, world)
    for part in ask(client, upload)["missing"]:
        send(part, FILE[::-1])
    with pytest.raises(DamagedUpload):
        verify_upload(recording=recording_of(ask(client, upload)))


def test_a_file_without_announced_hash_is_a_duplicate_once_it_is_read(client: Client, world: World) -> None:
    Recording.objects.filter(pk=world.recording.pk).update(sha256=SHA256)
    upload = announce(client, world, sha256="")
    for part in ask(client, upload)["missing"]:
        send(part)
    with pytest.raises(DuplicateRecording):
        verify_upload(recording=recording_of(ask(client, upload)))


def test_a_part_of_another_size_is_still_missing(client: Client, world: World) -> None:
    upload = announce(client, world)
    _, last = ask(client, upload)["missing"]
    urllib3.request("PUT", last["url"], body=b"too short")
    assert len(ask(client, upload)["missing"]) == 2


@pytest.mark.parametrize("moment", ["refuse_duplicate", "_find_tags"])
def test_two_requests_that_finish_make_one_recording(
    client: Client, world: World, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = announce(client, world)
    for part in ask(client, upload)["missing"]:
        send(part)
    module = direct_uploads if moment.startswith("_") else uploads
    original: Any = getattr(module, moment)
    others: list[Any] = []

    def overtaken(*args: Any) -> Any:
        result = original(*args) if moment.startswith("_") else None
        if not others:
            others.append(None)
            others.append(ask(client, upload))
        return result or original(*args)

    monkeypatch.setattr(module, moment, overtaken)
    assert ask(client, upload) == others[1]
    assert media().read(recording_of(others[1]).file.name) == FILE


def test_an_upload_comes_in_one_way(client: Client, world: World, settings: Any) -> None:
    direct, by_tus = announce(client, world), announce(client, world, sha256="")
    ask(client, direct)

    def patch(upload: Any, content: bytes) -> int:
        kind = "application/offset+octet-stream"
        return client.patch(
            upload.headers["Location"], content, content_type=kind, headers=TUS | {"Upload-Offset": "0"}
        ).status_code

    def parts(upload: Any) -> Any:
        return client.get(upload.headers["Location"]).json()["parts"]

    assert patch(direct, b"bytes") == 409
    assert patch(by_tus, b"bytes") == 204
    assert client.post(by_tus.headers["Rollcall-Parts"], headers=TUS).status_code == 409
    assert (parts(direct), parts(by_tus)) == (direct.headers["Rollcall-Parts"], None)
    settings.DIRECT_UPLOADS = False
    assert "Rollcall-Parts" not in announce(client, world, sha256="").headers
    assert client.post(direct.headers["Rollcall-Parts"], headers=TUS).status_code == 409
    assert direct.headers["Location"] not in [row["url"] for row in client.get(reverse("api-uploads")).json()]


def test_an_upload_whose_sender_never_asked_again_is_finished(client: Client, world: World) -> None:
    complete, begun = announce(client, world), announce(client, world, sha256="")
    for part in ask(client, complete)["missing"]:
        send(part)
    send(ask(client, begun)["missing"][1])
    finish_direct_uploads()
    recording = Recording.objects.get(sha256=SHA256)
    assert media().read(recording.file.name) == FILE
    assert len(ask(client, begun)["missing"]) == 1


def test_nothing_is_left_of_what_was_given_up(
    client: Client, world: World, moto: UncheckedMoto, tmp_path: Path, django_capture_on_commit_callbacks: Any
) -> None:
    cancelled, expired = announce(client, world), announce(client, world)
    for upload in (cancelled, expired):
        send(ask(client, upload)["missing"][1])
    assert len(moto.unfinished(tmp_path.name)) == 2
    with django_capture_on_commit_callbacks(execute=True):
        client.delete(cancelled.headers["Location"], headers=TUS)
        Upload.objects.update(expires_at=timezone.now())
        delete_expired_uploads()
    assert moto.unfinished(tmp_path.name) == []


def test_parts_of_no_upload_are_discarded_after_a_day(
    client: Client, world: World, moto: UncheckedMoto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lecture = factories.lecture(world.course)
    gone, kept = announce(client, world, lecture=lecture.pk), announce(client, world)
    for upload in (gone, kept):
        send(ask(client, upload)["missing"][1])
    lecture.delete()
    with monkeypatch.context() as patched:  # moto says of all parts that they are of 2010
        patched.setattr(direct_uploads, "UNKNOWN_PARTS_RETENTION", timedelta(days=365 * 100))
        discard_unknown_parts()
    assert len(moto.unfinished(tmp_path.name)) == 2, "a server may be storing a file"
    discard_unknown_parts()
    (file,) = moto.unfinished(tmp_path.name)
    assert file["UploadId"] == Upload.objects.get().parts_id


def test_others_and_duplicates_get_no_address(client: Client, world: World, settings: Any) -> None:
    upload = announce(client, world)
    other = Client()
    other.force_login(world.other)
    assert other.post(upload.headers["Rollcall-Parts"], headers=TUS).status_code == 404
    assert Client().post(upload.headers["Rollcall-Parts"], headers=TUS).status_code == 401
    Recording.objects.filter(pk=world.recording.pk).update(sha256=SHA256)
    refused = announce(client, world)
    assert (refused.status_code, refused.headers["Rollcall-Recording"]) == (409, str(world.recording.pk))
    SignOff.objects.create(lecture=world.lecture, user=world.own, user_name="own")
    assert client.post(upload.headers["Rollcall-Parts"], headers=TUS).status_code == 403


def test_one_person_announces_only_so_many_bytes(client: Client, world: World, settings: Any) -> None:
    settings.MAX_RECORDING_BYTES = len(FILE)
    assert announce(client, world, size=len(FILE) + 1).status_code == 413
    for _ in range(2):
        ask(client, announce(client, world))
    assert announce(client, world).status_code == 400, "what was signed counts"


def test_a_storage_that_is_away_is_a_sentence(
    client: Client, world: World, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = announce(client, world)
    ask(client, upload)
    with monkeypatch.context() as patched:
        use_store(settings, patched, f"s3://{BUCKET}/x?endpoint=http://127.0.0.1:{free_port()}&region=us-east-1")
        answer = client.post(upload.headers["Rollcall-Parts"], headers=TUS)
    assert (answer.status_code, "storage cannot be used" in answer.json()["detail"]) == (503, True)


def test_only_the_pages_with_the_form_may_connect_to_the_bucket(
    client: Client, world: World, moto: UncheckedMoto, settings: Any, tmp_path: Path
) -> None:
    def policy(url: str) -> str:
        return client.get(url).headers["Content-Security-Policy"]

    lecture = reverse("lecture", args=[world.lecture.pk])
    folder = f"http://127.0.0.1:{moto.port}/{BUCKET}/{tmp_path.name}/media/recordings/"
    assert f"connect-src 'self' {folder};" in policy(lecture)
    assert ask(client, announce(client, world))["missing"][0]["url"].startswith(folder)
    assert policy(reverse("courses")) == STRICT
    settings.DIRECT_UPLOADS = False
    assert policy(lecture) == STRICT
