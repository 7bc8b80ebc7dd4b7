"""Staff see which stream of a recording was used and how its pictures are read, and change both."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from campus.attendance.models import SignOff, Snapshot
from campus.attendance.snapshots import finish_snapshot
from campus.cctv.models import Camera
from campus.common import jobs
from campus.recordings.models import Recording
from tests.campus import factories
from tests.campus.conftest import World, jpeg


@pytest.fixture
def lecturer(client: Client, world: World) -> Client:
    client.force_login(world.own)
    return client


def capture(world: World) -> Recording:
    """Slides and camera in one file; the camera was used."""
    world.recording.info |= {"stream": 2, "other_streams": [0]}
    world.recording.save()
    world.recording.segments.update(faces=5)
    return world.recording


def address(recording: Recording, name: str, *more: object) -> str:
    return reverse(name, args=[recording.pk, *more])


def test_the_page_says_which_stream_was_used_and_another_can_be_used(lecturer: Client, world: World) -> None:
    recording = capture(world)
    page = lecturer.get(address(recording, "recording")).content.decode()
    assert "Stream 2 of 2 was used: faces were seen in it." in page
    assert "The picture is being extracted." in page
    for snapshot in Snapshot.objects.order_by("stream"):
        finish_snapshot(snapshot=jobs.SNAPSHOT.claim(snapshot.pk, "me"), jpeg=jpeg(60 + snapshot.stream))
    page = lecturer.get(address(recording, "recording")).content.decode()
    assert "A picture of stream 1" in page
    assert address(recording, "recording-stream", 2) not in page
    assert address(recording, "recording-stream", 1) in page

    lecturer.post(address(recording, "recording-stream", 1))
    recording.refresh_from_db()
    assert (recording.stream, recording.state) == (1, "uploaded")
    assert "Stream 2" not in lecturer.get(address(recording, "recording")).content.decode(), "it may soon be another"


def test_a_stream_that_is_not_there_cannot_be_used(lecturer: Client, world: World) -> None:
    recording = capture(world)
    for number in (0, 3):
        assert lecturer.post(address(recording, "recording-stream", number)).status_code == 404


def test_a_recording_of_one_stream_asks_for_no_pictures_until_somebody_wants_to_choose(
    lecturer: Client, world: World
) -> None:
    lecturer.get(address(world.recording, "recording"))
    assert not Snapshot.objects.exists()
    assert lecturer.get(address(world.recording, "recording-picture")).status_code == 200
    assert Snapshot.objects.get().stream == 1


def test_the_shape_of_a_recording_is_set_on_its_page(lecturer: Client, world: World) -> None:
    recording = world.recording
    where = address(recording, "recording-picture")
    assert where in lecturer.get(address(recording, "recording")).content.decode()
    refused = lecturer.post(where, {"aspect_ratio": "7:1", "rotation": 0})
    assert refused.status_code == 400
    assert "7:1" in refused.content.decode()
    lecturer.post(where, {"aspect_ratio": "16:9", "rotation": 270, "is_mirrored": "on"})
    recording.refresh_from_db()
    assert (recording.aspect_ratio, recording.rotation, recording.is_mirrored) == ("16:9", 270, True)
    assert (recording.stream, recording.state) == (None, "uploaded")


def test_nobody_changes_the_pictures_of_a_lecture_that_was_signed_off(lecturer: Client, world: World) -> None:
    recording = capture(world)
    SignOff.objects.create(lecture=recording.lecture, user=world.registrar, user_name="registrar")
    page = lecturer.get(address(recording, "recording")).content.decode()
    assert address(recording, "recording-picture") not in page
    for where in (address(recording, "recording-picture"), address(recording, "recording-stream", 1)):
        lecturer.post(where, {"rotation": 90})
    recording.refresh_from_db()
    assert (recording.rotation, recording.stream, recording.state) == (0, None, "done")


def collected(world: World) -> tuple[Camera, Recording]:
    camera = factories.camera()
    recording = capture(world)
    recording.file, recording.camera = "", camera
    recording.save()
    footage_file = factories.footage_file(camera, recording.lecture.starts_at, 2)
    recording.clips.create(footage_file=footage_file, start=0, end=120, recording_start=0)
    return camera, recording


def test_what_was_collected_is_set_at_its_camera(lecturer: Client, world: World) -> None:
    camera, recording = collected(world)
    page = lecturer.get(address(recording, "recording")).content.decode()
    assert "Stream 2 of 2 was used" in page
    assert "/stream/" not in page
    assert "Picture settings of the camera" not in page
    assert lecturer.get(address(recording, "recording-picture")).status_code == 404
    lecturer.force_login(world.registrar)
    page = lecturer.get(address(recording, "recording")).content.decode()
    assert reverse("admin:cctv_camera_change", args=[camera.pk]) in page


def camera_form(page: Any, **changes: object) -> dict[str, object]:
    form = page.context["adminform"].form
    values = {name: form[name].value() for name in form.fields} | changes
    return {name: value for name, value in values.items() if value not in (None, False)}


def test_a_registrar_sets_a_camera_by_its_picture_and_counts_its_recordings_again(client: Client, world: World) -> None:
    client.force_login(world.registrar)
    camera, recording = collected(world)
    where = reverse("admin:cctv_camera_change", args=[camera.pk])
    source = client.get(reverse("admin:cctv_source_change", args=[camera.source_id])).content.decode()
    assert where in source
    page = client.get(where)
    assert "The picture is being extracted." in page.content.decode()
    assert list(Snapshot.objects.order_by("stream").values_list("stream", "time")) == [(1, 60.0), (2, 60.0)]
    answer = client.post(where, camera_form(page, aspect_ratio="4:3", rotation=180), follow=True)
    assert "One recording was counted with other picture settings." in answer.content.decode()
    camera.refresh_from_db()
    assert (camera.aspect_ratio, camera.rotation) == ("4:3", 180)
    recording.refresh_from_db()
    assert recording.state == "done", "only when somebody asks for it"

    recount = reverse("admin:cctv_camera_recount", args=[camera.pk])
    client.post(recount, {"_form_submitted": "True"}, headers={"HX-Request": "true"})
    recording.refresh_from_db()
    assert recording.state == "uploaded"
    assert "One recording is being counted again." in client.get(where).content.decode()


def test_a_camera_without_footage_says_that_there_is_no_picture(client: Client, world: World) -> None:
    client.force_login(world.registrar)
    page = client.get(reverse("admin:cctv_camera_change", args=[factories.camera().pk]))
    assert "There is no picture yet." in page.content.decode()
    assert not Snapshot.objects.exists()
