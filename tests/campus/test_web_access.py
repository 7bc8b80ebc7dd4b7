"""Who may open which page: nobody without a login, no lecturer another's class, and no page without a line here."""

import pytest
from django.test import Client
from django.urls import reverse

from campus.attendance.models import AttendanceChange
from campus.footage.models import Recording
from campus.web.urls import urlpatterns
from tests.campus.conftest import World

# name of the page -> (what it is about, method, what its owner gets)
PAGES = {
    "home": (None, "get", 200),
    "about": (None, "get", 200),
    "logout": (None, "post", 302),
    "password": (None, "get", 200),
    "course": (("course",), "get", 200),
    "register": (("course",), "post", 302),
    "lecture-new": (None, "get", 200),
    "lecture": (("lecture",), "get", 200),
    "lecture-edit": (("lecture",), "get", 200),
    "calendar-links": (None, "get", 200),
    "upload": (("lecture",), "post", 400),
    "recording": (("recording",), "get", 200),
    "recording-progress": (("recording",), "get", 200),
    "recording-act": (("recording", "restart"), "post", 302),
    "record": (("record",), "get", 200),
    "confirm": (("record", "present"), "post", 302),
    "report": (("report",), "get", 200),
    "chip": (("sighting", 0), "get", 200),
    "unknown-chip": (("unknown", 0), "get", 200),
    "photo": (("photo",), "get", 200),
    "photo-face": (("photo",), "get", 200),
}
NEEDS_AN_OBJECT = [name for name, (about, _, _) in PAGES.items() if about]


def url(world: World, name: str) -> str:
    about = PAGES[name][0] or ()
    return reverse(name, args=[getattr(world, what).pk if isinstance(what, str) and hasattr(world, what) else what for what in about])


def ask(client: Client, world: World, name: str):
    return getattr(client, PAGES[name][1])(url(world, name))


def test_every_page_is_in_the_table():
    assert {pattern.name for pattern in urlpatterns} == {*PAGES, "login", "calendar"}


@pytest.mark.parametrize("name", [name for name in PAGES if name != "logout"])
def test_without_a_login_there_is_only_the_login(client: Client, world: World, name: str):
    response = ask(client, world, name)
    assert response.status_code == 302
    assert response["Location"].startswith("/login/?next=/")


@pytest.mark.parametrize("name", NEEDS_AN_OBJECT)
def test_another_lecturers_class_does_not_exist(client: Client, world: World, name: str):
    client.force_login(world.other)
    assert ask(client, world, name).status_code == 404
    world.recording.refresh_from_db()
    assert world.recording.run == 1


@pytest.mark.parametrize("name", NEEDS_AN_OBJECT)
def test_a_closed_account_sees_nothing(client: Client, world: World, name: str):
    client.force_login(world.own)
    world.own.is_active = False
    world.own.save()
    assert ask(client, world, name).status_code == 302


@pytest.mark.parametrize("who", ["own", "registrar"])
@pytest.mark.parametrize("name", PAGES)
def test_lecturer_and_registrar_get_it(client: Client, world: World, name: str, who: str):
    client.force_login(getattr(world, who))
    response = ask(client, world, name)
    assert response.status_code == PAGES[name][2]
    assert "default-src 'none'" in response["Content-Security-Policy"]
    assert "unsafe" not in response["Content-Security-Policy"]
    assert response["X-Content-Type-Options"] == "nosniff"


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
    assert client.get(reverse("recording-act", args=[world.failed.pk, action])).status_code == 405
    assert Recording.objects.get(pk=world.failed.pk).state == "failed"


def test_another_lecturer_cannot_set_a_status(client: Client, world: World):
    client.force_login(world.other)
    assert client.post(reverse("record", args=[world.record.pk]), {"status": "excused", "reason": ""}).status_code == 404
    assert not AttendanceChange.objects.exists()


def test_a_lecture_cannot_be_put_into_another_lecturers_class(client: Client, world: World):
    client.force_login(world.other)
    form = {"course": world.course.pk, "starts_at": "2026-12-01T09:00", "ends_at": "2026-12-01T10:30"}
    assert client.post(reverse("lecture-new"), form).status_code == 400
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
