"""Uploads in footage files: what the protocol promises, and what goes wrong on the way."""

import errno
import hashlib
import io
import os
from base64 import b64encode
from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from campus.attendance.models import SignOff
from campus.recordings.models import Recording, Upload
from campus.recordings.services import DuplicateRecording
from campus.recordings.uploads import (
    MAX_OPEN_UPLOADS,
    DamagedUpload,
    UploadConflict,
    append_to_upload,
    create_upload,
    delete_expired_uploads,
    finish_complete_uploads,
    finish_upload,
    part_path,
    verify_upload,
)
from tests.campus import factories
from tests.campus.conftest import World

FILE = bytes(range(256)) * 4096  # 1 MiB
SHA256 = hashlib.sha256(FILE).hexdigest()
CHUNK = 300_000
BYTES = "application/offset+octet-stream"


@pytest.fixture(autouse=True)
def no_broker(settings):
    settings.BROKER_URL = "redis://127.0.0.1:1/0"


class Tus:
    """The headers of the protocol."""

    def __init__(self, client: Client, world: World) -> None:
        self.client, self.world = client, world

    def create(self, *, size: int | str = len(FILE), version: str = "1.0.0", **told: str):
        told = {"lecture": str(self.world.lecture.pk), "filename": "lecture.mp4"} | told
        pairs = ",".join(f"{key} {b64encode(value.encode()).decode()}" for key, value in told.items())
        headers = {"Tus-Resumable": version, "Upload-Length": str(size), "Upload-Metadata": pairs}
        return self.client.post(reverse("api-uploads"), headers=headers)

    def patch(self, url: str, at: int | str, body: bytes, content_type: str = BYTES, **headers: str):
        common = {"Tus-Resumable": "1.0.0", "Upload-Offset": str(at)}
        return self.client.patch(url, body, content_type=content_type, headers=common | headers)

    def head(self, url: str):
        return self.client.head(url, headers={"Tus-Resumable": "1.0.0"})

    def offset(self, url: str) -> int:
        return int(self.head(url)["Upload-Offset"])

    def delete(self, url: str):
        return self.client.delete(url, headers={"Tus-Resumable": "1.0.0"})

    def row(self) -> Upload:
        return Upload.objects.get()


@pytest.fixture
def tus(client: Client, world: World) -> Tus:
    client.force_login(world.own)
    return Tus(client, world)


def new_recordings(world: World):
    return Recording.objects.exclude(pk__in=(world.recording.pk, world.failed.pk))


def nothing_left() -> bool:
    """No bytes that no row knows."""
    media = Path(django_settings.MEDIA_ROOT)
    known = {media / name for name in Recording.objects.values_list("file", flat=True)}
    known |= {part_path(upload) for upload in Upload.objects.filter(recording=None)}
    return not [
        path for folder in ("uploads", "recordings") for path in (media / folder).glob("*") if path not in known
    ]


def test_footage_files_become_a_recording(tus: Tus):
    made = tus.create(sha256=SHA256, filename="../../Vorlesung Größe.mp4")
    assert (made.status_code, made["Upload-Offset"], made["Tus-Resumable"]) == (201, "0", "1.0.0")
    assert made["Upload-Expires"].endswith("GMT")
    url = made["Location"]
    for at in range(0, len(FILE), CHUNK):
        assert tus.offset(url) == at
        answer = tus.patch(url, at, FILE[at : at + CHUNK])
        assert (answer.status_code, int(answer["Upload-Offset"])) == (204, min(at + CHUNK, len(FILE)))
    recording = Recording.objects.get(pk=answer["Rollcall-Recording"])
    assert Path(recording.file.path).read_bytes() == FILE
    assert Path(recording.file.path).parent == Path(django_settings.MEDIA_ROOT, "recordings")
    assert (recording.original_name, recording.sha256, recording.size) == ("Vorlesung Größe.mp4", SHA256, len(FILE))
    assert (recording.uploaded_by, recording.lecture, recording.state) == (tus.world.own, tus.world.lecture, "uploaded")
    assert tus.head(url)["Rollcall-Recording"] == str(recording.pk), "who lost the last answer learns it too"
    assert nothing_left()


def test_what_the_server_can_is_told(tus: Tus):
    answer = tus.client.options(reverse("api-uploads"))
    assert (answer.status_code, answer["Tus-Version"]) == (204, "1.0.0")
    assert set(answer["Tus-Extension"].split(",")) == {"creation", "checksum", "termination", "expiration"}
    assert {"sha1", "sha256"} <= set(answer["Tus-Checksum-Algorithm"].split(","))
    other = tus.create(version="0.2.2")
    assert (other.status_code, other["Tus-Version"]) == (412, "1.0.0")


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"size": "many"}, "whole number"),
        ({"size": 0}, "empty"),
        ({"size": -1}, "whole number"),
        ({"lecture": "B 12"}, "which lecture"),
        ({"lecture": "999999"}, "no such lecture"),
        ({"sha256": "abc"}, "64 hexadecimal"),
    ],
)
def test_nonsense_is_refused_with_a_sentence(tus: Tus, wrong: dict, why: str):
    answer = tus.create(**wrong)
    assert answer.status_code == 400
    assert why in answer.json()["detail"]
    assert not Upload.objects.exists()
    assert nothing_left()


def test_what_cannot_be_kept_is_refused_before_the_first_byte(tus: Tus, settings, monkeypatch):
    settings.MAX_RECORDING_BYTES = 1000
    large = tus.create(size=1001)
    assert (large.status_code, "larger than" in large.json()["detail"]) == (413, True)
    settings.MAX_RECORDING_BYTES = 1 << 60
    full = tus.create(size=1 << 59)
    assert (full.status_code, "free some space" in full.json()["detail"]) == (507, True)


def test_disk_space_of_unfinished_uploads_is_reserved(tus: Tus, monkeypatch):
    free, mebi = 1000 * 1024**2, 1024**2
    monkeypatch.setattr("campus.common.upload_limits.shutil.disk_usage", lambda _: type("Disk", (), {"free": free}))
    assert tus.create(size=600 * mebi).status_code == 201
    assert tus.create(size=600 * mebi).status_code == 201, "a size that was only announced reserves little"
    Upload.objects.update(offset=200 * mebi)
    assert tus.create(size=600 * mebi).status_code == 507, "what has begun to arrive reserves more"
    Upload.objects.update(expires_at=timezone.now() + timedelta(days=1))
    assert tus.create(size=600 * 1024**2).status_code == 201, "one that nobody goes on with takes no place"


def test_one_person_has_only_so_many_open_uploads(tus: Tus, settings):
    for _ in range(MAX_OPEN_UPLOADS):
        assert tus.create(size=10).status_code == 201
    refused = tus.create(size=10)
    assert (refused.status_code, "many files" in refused.json()["detail"]) == (400, True)
    oldest = Upload.objects.order_by("expires_at").first()
    assert oldest is not None
    Upload.objects.filter(pk=oldest.pk).update(expires_at=timezone.now() + timedelta(days=1))
    assert tus.create(size=10).status_code == 201, "one that nobody goes on with makes room"
    assert not Upload.objects.filter(pk=oldest.pk).exists()
    assert not part_path(oldest).exists()


def test_one_person_announces_only_so_many_bytes(tus: Tus, settings):
    settings.MAX_RECORDING_BYTES = 1000
    assert [tus.create(size=1000).status_code for _ in range(3)] == [201, 201, 400]
    tus.client.force_login(tus.world.registrar)
    assert tus.create(size=1000).status_code == 201, "others are not kept from it"


def test_a_duplicate_is_known_before_the_first_byte(tus: Tus):
    twin = factories.recording(tus.world.lecture, content=FILE, original_name="first.mp4")
    before = tus.create(sha256=SHA256)
    assert (before.status_code, before["Rollcall-Recording"]) == (409, str(twin.pk))
    assert "first.mp4" in before.json()["detail"]
    assert nothing_left()


def test_a_duplicate_that_nobody_announced_is_known_when_the_file_is_read(tus: Tus):
    factories.recording(tus.world.lecture, content=FILE, original_name="first.mp4")
    tus.patch(tus.create()["Location"], 0, FILE)
    with pytest.raises(DuplicateRecording, match=r"first\.mp4"):
        verify_upload(recording=new_recordings(tus.world).get(sha256=""))
    other = b"x" + FILE[1:]
    tus.patch(tus.create()["Location"], 0, other)
    recording = new_recordings(tus.world).latest("created_at")
    verify_upload(recording=recording)
    recording.refresh_from_db()
    assert recording.sha256 == hashlib.sha256(other).hexdigest()


def test_a_file_that_changed_on_its_way_is_found_out_and_can_be_sent_again(tus: Tus):
    answer = tus.patch(tus.create(sha256=SHA256)["Location"], 0, b"x" + FILE[1:])
    damaged = Recording.objects.get(pk=answer["Rollcall-Recording"])
    for _ in range(2):  # trying again makes nothing of it
        with pytest.raises(DamagedUpload, match="damaged on its way"):
            verify_upload(recording=damaged)
    answer = tus.patch(tus.create(sha256=SHA256)["Location"], 0, FILE)
    verify_upload(recording=Recording.objects.get(pk=answer["Rollcall-Recording"]))


@pytest.mark.parametrize("name", ["sha256", "sha1"])
def test_a_damaged_footage_file_counts_for_nothing(tus: Tus, name: str):
    url = tus.create()["Location"]
    checksum = f"{name} {b64encode(hashlib.new(name, FILE[:CHUNK]).digest()).decode()}"
    assert tus.patch(url, 0, FILE[: CHUNK - 1] + b"!", **{"Upload-Checksum": checksum}).status_code == 460
    assert tus.offset(url) == 0
    assert tus.patch(url, 0, FILE[:CHUNK], **{"Upload-Checksum": checksum}).status_code == 204
    assert tus.offset(url) == CHUNK
    assert tus.patch(url, CHUNK, b"x", **{"Upload-Checksum": "md5 AAAA"}).status_code == 400


def test_bytes_follow_those_that_are_here(tus: Tus):
    url = tus.create()["Location"]
    assert tus.patch(url, 5, FILE[5:CHUNK]).status_code == 409
    assert tus.patch(url, "", FILE[:CHUNK]).status_code == 400
    assert tus.patch(url, 0, FILE[:CHUNK], content_type="video/mp4").status_code == 415
    assert tus.patch(url, 0, FILE + b"more").status_code == 400
    assert tus.offset(url) == 0


class Breaking(io.BytesIO):
    """A connection that breaks after some bytes."""

    def read(self, size: int | None = -1, /) -> bytes:
        if self.tell() >= CHUNK:
            raise OSError("the connection was reset")
        return super().read(CHUNK)


def test_what_came_before_the_connection_broke_stays(tus: Tus):
    url = tus.create(sha256=SHA256)["Location"]
    assert append_to_upload(upload=tus.row(), offset=0, body=Breaking(FILE), length=len(FILE)) == CHUNK
    assert tus.offset(url) == CHUNK
    assert tus.patch(url, CHUNK, FILE[CHUNK:]).status_code == 204
    assert new_recordings(tus.world).get().sha256 == SHA256


class Overtaken(io.BytesIO):
    """A request that hangs while its sender has long begun another one."""

    def __init__(self, upload: Upload) -> None:
        super().__init__(b"old" * 1000)
        self.upload = upload

    def read(self, size: int | None = -1, /) -> bytes:
        append_to_upload(upload=self.upload, offset=0, body=io.BytesIO(FILE[:CHUNK]), length=CHUNK)
        return super().read(size)


def test_the_newest_request_has_the_upload(tus: Tus):
    url = tus.create(sha256=SHA256)["Location"]
    with pytest.raises(UploadConflict):
        append_to_upload(upload=tus.row(), offset=0, body=Overtaken(tus.row()), length=3000)
    assert part_path(tus.row()).read_bytes() == FILE[:CHUNK]
    assert tus.patch(url, CHUNK, FILE[CHUNK:]).status_code == 204


def test_a_full_disk_on_the_way_is_a_sentence(tus: Tus, monkeypatch):
    url = tus.create()["Location"]

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("campus.recordings.uploads.file_lock", full)
        answer = tus.patch(url, 0, FILE)
    assert (answer.status_code, "disk is full" in answer.json()["detail"]) == (507, True)
    assert tus.patch(url, 0, FILE).status_code == 204, "it goes on when there is room"


def test_a_server_stopped_at_the_end_finishes_later(tus: Tus):
    url = tus.create(sha256=SHA256)["Location"]
    append_to_upload(upload=tus.row(), offset=0, body=io.BytesIO(FILE), length=len(FILE))
    assert not new_recordings(tus.world).exists()
    assert tus.head(url)["Rollcall-Recording"] == str(new_recordings(tus.world).get().pk)


def test_a_server_stopped_between_storing_and_commit_finishes_later(tus: Tus):
    tus.create(sha256=SHA256)
    upload = tus.row()
    append_to_upload(upload=upload, offset=0, body=io.BytesIO(FILE), length=len(FILE))
    kept = Path(django_settings.MEDIA_ROOT, "recordings", f"{upload.pk}.mp4")
    kept.parent.mkdir(exist_ok=True)
    os.link(part_path(upload), kept)
    finish_complete_uploads()
    delete_expired_uploads()
    recording = new_recordings(tus.world).get()
    assert Path(recording.file.path).read_bytes() == FILE
    assert finish_upload(upload=upload) == recording, "twice is once"


def test_giving_up_leaves_nothing(tus: Tus):
    url = tus.create()["Location"]
    tus.patch(url, 0, FILE[:CHUNK])
    assert tus.delete(url).status_code == 204
    assert tus.head(url).status_code == 404
    assert not part_path(Upload(pk=url.split("/")[-2])).exists()


def test_what_nobody_goes_on_with_is_removed_but_no_recording(tus: Tus):
    done = tus.create(sha256=SHA256)["Location"]
    tus.patch(done, 0, FILE)
    left = tus.create(size=5)["Location"]
    part = part_path(Upload.objects.get(recording=None))
    finish_complete_uploads()
    delete_expired_uploads()
    assert tus.offset(left) == 0
    Upload.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    finish_complete_uploads()
    delete_expired_uploads()
    assert not Upload.objects.exists()
    assert not part.exists()
    assert Path(new_recordings(tus.world).get().file.path).exists()


def test_an_unfinished_upload_is_found_by_the_file(tus: Tus):
    url = tus.create(sha256=SHA256)["Location"]
    tus.create(size=7)
    tus.patch(url, 0, FILE[:CHUNK])
    query = {"lecture": str(tus.world.lecture.pk), "sha256": SHA256}
    (found,) = tus.client.get(reverse("api-uploads"), query).json()
    assert (found["url"], found["offset"], found["size"]) == (url, CHUNK, len(FILE))
    page = tus.client.get(reverse("lecture", args=[tus.world.lecture.pk])).content.decode()
    assert "Unfinished uploads" in page
    assert "293.0" in page.replace("\xa0", " ")
    assert len(tus.client.get(reverse("api-uploads")).json()) == 2
    assert tus.client.get(reverse("api-uploads"), {"lecture": "x"}).status_code == 400


def test_an_upload_replaces_a_recording_of_the_lecture(tus: Tus):
    old = tus.world.failed
    url = tus.create(sha256=SHA256, replaces=str(old.pk))["Location"]
    tus.patch(url, 0, FILE[:CHUNK])
    query = {"lecture": str(tus.world.lecture.pk), "sha256": SHA256}
    (found,) = tus.client.get(reverse("api-uploads"), query | {"replaces": str(old.pk)}).json()
    assert (found["url"], found["replaces"]) == (url, str(old.pk))
    assert not tus.client.get(reverse("api-uploads"), query | {"replaces": str(tus.world.recording.pk)}).json()
    new = Recording.objects.get(pk=tus.patch(url, CHUNK, FILE[CHUNK:])["Rollcall-Recording"])
    assert new.replaces == old
    assert Recording.objects.filter(pk=old.pk).exists(), "it stays until the new one counts"
    assert old.original_name in tus.client.get(reverse("recording", args=[new.pk])).content.decode()


def test_an_upload_whose_recording_to_replace_is_gone_is_another_recording(tus: Tus):
    url = tus.create(replaces=str(tus.world.failed.pk))["Location"]
    tus.world.failed.delete()
    new = Recording.objects.get(pk=tus.patch(url, 0, FILE)["Rollcall-Recording"])
    assert (new.replaces, new.lecture) == (None, tus.world.lecture)


@pytest.mark.parametrize("replaces", ["nonsense", "00000000-0000-0000-0000-000000000000", "another lecture's"])
def test_only_a_recording_of_the_lecture_is_replaced(tus: Tus, replaces: str):
    if replaces == "another lecture's":
        replaces = str(factories.recording(factories.lecture(tus.world.lecture.course)).pk)
    answer = tus.create(replaces=replaces)
    assert answer.status_code == 400
    assert "not one of the lecture's uploads" in answer.json()["detail"]
    assert not Upload.objects.exists()


def test_nobody_has_another_persons_upload(tus: Tus, client: Client):
    url = tus.create()["Location"]
    for stranger in (tus.world.other, tus.world.registrar):
        client.force_login(stranger)
        assert tus.head(url).status_code == 404
        assert tus.patch(url, 0, b"x").status_code == 404
        assert tus.delete(url).status_code == 404
        assert client.get(reverse("api-uploads")).json() == []
    client.force_login(tus.world.other)
    assert "no such lecture" in tus.create().json()["detail"]
    client.logout()
    assert tus.create().status_code == 401
    assert tus.patch(url, 0, b"x").status_code == 401


def test_who_no_longer_teaches_the_class_stops(tus: Tus):
    url = tus.create()["Location"]
    tus.world.course.lecturers.clear()
    assert tus.patch(url, 0, FILE).status_code == 404


def test_auditors_and_signed_off_lectures_take_no_upload(tus: Tus, client: Client):
    url = tus.create()["Location"]
    SignOff.objects.create(lecture=tus.world.lecture, user=tus.world.own, user_name="own")
    assert tus.create().status_code == 403
    assert tus.patch(url, 0, FILE).status_code == 403
    client.force_login(tus.world.registrar)
    assert tus.create().status_code == 201
    auditor = factories.user()
    auditor.groups.add(Group.objects.get_or_create(name="Auditor")[0])
    client.force_login(auditor)
    assert tus.create().status_code == 403


def test_two_uploads_of_one_file_become_one_recording(tus: Tus):
    first, second = (
        create_upload(lecture=tus.world.lecture, user=tus.world.own, name="a.mp4", size=len(FILE), sha256=SHA256)
        for _ in range(2)
    )
    urls = [reverse("api-upload", args=[upload.pk]) for upload in (first, second)]
    assert [tus.patch(url, 0, FILE).status_code for url in urls] == [204, 409]
    assert new_recordings(tus.world).get().pk == first.pk
    assert nothing_left()
