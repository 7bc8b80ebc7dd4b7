"""An upload is kept as it is, or refused with a sentence and nothing left behind."""

import errno
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from django.core.files.uploadedfile import SimpleUploadedFile, TemporaryUploadedFile
from django.test import Client
from django.urls import reverse

from campus.recordings.models import Recording
from tests.campus.conftest import World

JSON = {"Accept": "application/json"}


@pytest.fixture
def lecturer(client: Client, world: World) -> Client:
    client.force_login(world.own)
    return client


def upload(client: Client, world: World, name: str, content: bytes, **more):
    return client.post(reverse("upload", args=[world.lecture.pk]), {"file": SimpleUploadedFile(name, content)}, **more)


def nothing_left(name: str) -> bool:
    media = Path(django_settings.MEDIA_ROOT)
    known = {media / file for file in Recording.objects.values_list("file", flat=True)}
    left = [*Path(django_settings.FILE_UPLOAD_TEMP_DIR).iterdir(), *(set((media / "recordings").glob("*")) - known)]
    return not left and not Recording.objects.filter(original_name=name).exists()


def test_the_plain_form_saves_what_was_sent(lecturer: Client, world: World, video_bytes: bytes):
    response = upload(lecturer, world, "lecture.mp4", video_bytes)
    recording = Recording.objects.get(original_name="lecture.mp4")
    assert response["Location"] == reverse("recording", args=[recording.pk])
    assert Path(recording.file.path).read_bytes() == video_bytes
    assert (recording.size, recording.uploaded_by, recording.state) == (len(video_bytes), world.own, "uploaded")
    page = lecturer.get(response["Location"]).content.decode()
    assert "lecture.mp4" in page
    assert "waiting" in page


def test_a_file_is_uploaded_in_place_of_another(lecturer: Client, world: World, video_bytes: bytes):
    page = lecturer.get(reverse("recording", args=[world.recording.pk])).content.decode()
    address = f"{reverse('lecture', args=[world.lecture.pk])}?replaces={world.recording.pk}"
    assert address in page
    page = lecturer.get(address).content.decode()
    assert f"Replace {world.recording.original_name}" in page
    form = f"{reverse('upload', args=[world.lecture.pk])}?replaces={world.recording.pk}"
    assert form in page
    lecturer.post(form, {"file": SimpleUploadedFile("lecture.mp4", video_bytes)})
    assert Recording.objects.get(original_name="lecture.mp4").replaces == world.recording
    world.recording.delete()
    answer = lecturer.post(form, {"file": SimpleUploadedFile("again.mp4", video_bytes[:-1])})
    assert answer.status_code == 400
    assert "not one of the lecture&#x27;s uploads" in answer.content.decode()
    assert "not one of the lecture&#x27;s uploads" in lecturer.get(address).content.decode()


def test_the_script_is_told_where_to_go(lecturer: Client, world: World, video_bytes: bytes):
    response = upload(lecturer, world, "lecture.mp4", video_bytes, headers=JSON)
    assert response.status_code == 201
    assert response.json() == {
        "url": reverse("recording", args=[Recording.objects.get(original_name="lecture.mp4").pk])
    }


def test_a_body_goes_to_the_disk_and_never_into_memory(lecturer: Client, world: World, video_bytes: bytes, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "campus.web.views.recordings.create_recording", lambda *, file, **_: seen.append(type(file)) or world.recording
    )
    upload(lecturer, world, "lecture.mp4", video_bytes)
    assert seen == [TemporaryUploadedFile]


@pytest.mark.parametrize(
    "name",
    [
        "../../etc/passwd.mp4",
        "..\\..\\boot.mp4",
        "=cmd|' /C calc'!A0.mp4",
        "<script>alert(1)</script>.mp4",
        "Vorlesung Größe.mp4",
    ],
)
def test_a_name_is_data_and_no_path(lecturer: Client, world: World, video_bytes: bytes, name: str):
    response = upload(lecturer, world, name, video_bytes)
    recording = Recording.objects.latest("created_at")
    assert Path(recording.file.path).parent == Path(django_settings.MEDIA_ROOT, "recordings")
    assert Path(recording.file.path).name == f"{recording.pk}.mp4"
    assert b"<script>alert" not in lecturer.get(response["Location"]).content


def test_no_file_empty_and_twice(lecturer: Client, world: World, video_bytes: bytes):
    none = lecturer.post(reverse("upload", args=[world.lecture.pk]))
    assert none.status_code == 400
    assert "Choose a video or a photo first." in none.content.decode()
    empty = upload(lecturer, world, "empty.mp4", b"")
    assert empty.status_code == 400
    assert "empty" in empty.content.decode()
    assert nothing_left("empty.mp4")
    upload(lecturer, world, "one.mp4", video_bytes)
    twice = upload(lecturer, world, "two.mp4", video_bytes, headers=JSON)
    assert twice.status_code == 400
    assert "already here" in twice.json()["detail"]
    assert nothing_left("two.mp4")


def test_too_large_is_said_before_the_body_is_read(
    lecturer: Client, world: World, video_bytes: bytes, settings, monkeypatch
):
    settings.MAX_RECORDING_BYTES = 1000
    monkeypatch.setattr("campus.common.upload_limits.MAX_FORM_BYTES", 0)
    monkeypatch.setattr("django.http.multipartparser.MultiPartParser.parse", lambda _: pytest.fail("the body was read"))
    response = upload(lecturer, world, "big.mp4", video_bytes, headers=JSON)
    assert response.status_code == 413
    assert "larger than" in response.json()["detail"]


def test_strangers_cannot_fill_the_disk(client: Client, world: World, video_bytes: bytes, monkeypatch):
    monkeypatch.setattr("django.http.multipartparser.MultiPartParser.parse", lambda _: pytest.fail("the body was read"))
    assert upload(client, world, "x.mp4", video_bytes).status_code == 302
    client.force_login(world.other)
    assert upload(client, world, "x.mp4", video_bytes).status_code == 404


def test_no_room_is_said_before_the_body_is_read(lecturer: Client, world: World, video_bytes: bytes, monkeypatch):
    monkeypatch.setattr("campus.common.upload_limits.RESERVED_DISK_BYTES", 1 << 62)
    response = upload(lecturer, world, "x.mp4", video_bytes, headers=JSON)
    assert response.status_code == 507
    assert "free some space" in response.json()["detail"]


def test_a_disk_that_fills_up_on_the_way_is_a_sentence(lecturer: Client, world: World, video_bytes: bytes, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("django.core.files.uploadhandler.TemporaryFileUploadHandler.receive_data_chunk", full)
    response = upload(lecturer, world, "x.mp4", video_bytes, headers=JSON)
    assert response.status_code == 507
    assert "disk is full" in response.json()["detail"]
    assert nothing_left("x.mp4")
