"""The pages: what the table of permissions does not ask. Closed accounts, forged forms, and whose classes a list
shows."""

import pytest
from django.test import Client
from django.urls import reverse

from campus.attendance.models import AttendanceChange
from campus.recordings.models import Recording
from tests.campus.conftest import World


@pytest.mark.parametrize("path", ["/", "/account/", "/students/"])
def test_a_closed_account_sees_nothing(client: Client, world: World, path: str):
    client.force_login(world.own)
    assert client.get(path).status_code == 200
    world.own.is_active = False
    world.own.save()
    assert client.get(path).status_code == 302


def test_home_lists_only_own_classes(client: Client, world: World):
    client.force_login(world.own)
    page = client.get("/").content.decode()
    assert "CS101" in page
    assert "MA202" not in page
    client.force_login(world.registrar)
    page = client.get("/").content.decode()
    assert "CS101" in page
    assert "MA202" in page


@pytest.mark.parametrize("action", ["cancel", "retry", "restart"])
def test_nothing_is_done_by_following_a_link(client: Client, world: World, action: str):
    client.force_login(world.own)
    assert client.get(reverse("recording-action", args=[world.failed.pk, action])).status_code == 405
    assert Recording.objects.get(pk=world.failed.pk).state == "failed"


def test_another_lecturer_cannot_set_a_status(client: Client, world: World):
    client.force_login(world.other)
    assert (
        client.post(reverse("record", args=[world.record.pk]), {"status": "excused", "reason": ""}).status_code == 404
    )
    assert not AttendanceChange.objects.exists()


def test_a_lecture_cannot_be_put_into_another_lecturers_class(client: Client, world: World):
    client.force_login(world.other)
    form = {"course": world.course.pk, "starts_at": "2026-12-01T09:00", "ends_at": "2026-12-01T10:30"}
    assert client.post(reverse("lecture-create"), form).status_code == 400
    assert world.course.lectures.count() == 1


def test_forms_need_the_csrf_token(world: World, video_bytes: bytes):
    from django.core.files.uploadedfile import SimpleUploadedFile

    client = Client(enforce_csrf_checks=True)
    client.force_login(world.own)
    file = SimpleUploadedFile("forged.mp4", video_bytes)
    assert client.post(reverse("upload", args=[world.lecture.pk]), {"file": file}).status_code == 403
    assert not Recording.objects.filter(original_name="forged.mp4").exists()
    assert client.post(reverse("record", args=[world.record.pk]), {"status": "excused"}).status_code == 403
    assert client.post(reverse("logout")).status_code == 403
