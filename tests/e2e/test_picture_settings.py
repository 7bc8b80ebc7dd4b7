"""The picture shows what is chosen, in a real browser."""

import os

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from campus.attendance.models import Snapshot
from campus.attendance.snapshots import finish_snapshot
from campus.cctv.models import FootageFile
from campus.common import jobs
from tests.campus import factories
from tests.campus.conftest import World, jpeg
from tests.e2e.conftest import SignIn, sees, until


def extract_pictures(page: Page) -> None:
    """As a worker does, when the page has asked for them."""
    until(page, Snapshot.objects.filter(state=Snapshot.State.QUEUED).exists)
    for snapshot in Snapshot.objects.filter(state=Snapshot.State.QUEUED):
        finish_snapshot(snapshot=jobs.SNAPSHOT.claim(snapshot.pk, "me"), jpeg=jpeg(300))


def show(page: Page, name: str) -> None:
    """A picture of the page, for who wants to look at it."""
    if folder := os.environ.get("ROLLCALL_SCREENSHOTS"):
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)


def shows_choices(page: Page) -> None:
    """Choose all there is, and see that the picture follows."""
    picture = page.locator(".preview img").first
    expect(picture).to_be_visible()
    expect(picture).to_have_css("rotate", "none")
    page.get_by_label("Shape").select_option("16:9")
    page.get_by_label("Turned").select_option("to the right")
    page.get_by_label("Mirrored").check()
    expect(picture).to_have_css("rotate", "90deg")
    expect(page.locator(".preview > span").first).to_have_css("scale", "-1 1")
    box = picture.bounding_box()
    assert box is not None
    assert box["height"] / box["width"] == pytest.approx(16 / 9, rel=0.02), "it is turned"
    frame = page.locator(".preview").first.bounding_box()
    assert frame is not None
    assert box["height"] <= frame["height"]


def test_a_lecturer_sees_what_the_settings_of_a_recording_do(page: Page, world: World, sign_in: SignIn):
    sign_in(world.own)
    page.goto(reverse("recording", args=[world.recording.pk]))
    page.get_by_role("link", name="Picture settings").click()
    sees(page, "The picture is being extracted.")
    page.get_by_label("Shape").select_option("4:3")
    extract_pictures(page)
    expect(page.locator(".preview img")).to_be_visible()
    expect(page.get_by_label("Shape")).to_have_value("4:3")
    shows_choices(page)
    page.get_by_role("button", name="Save and take attendance again").click()
    sees(page, "Attendance is being taken again.")


def test_a_lecturer_uses_the_other_stream(page: Page, world: World, sign_in: SignIn):
    world.recording.info |= {"stream": 2, "other_streams": [0]}
    world.recording.save()
    sign_in(world.own)
    page.goto(reverse("recording", args=[world.recording.pk]))
    extract_pictures(page)
    expect(page.get_by_alt_text("A picture of stream 2")).to_be_visible()
    page.get_by_role("button", name="Use this one").click()
    sees(page, "Attendance is being taken again.")
    world.recording.refresh_from_db()
    assert world.recording.stream == 1


def test_a_registrar_sees_what_the_settings_of_a_camera_do(page: Page, world: World, sign_in: SignIn):
    camera = factories.camera()
    world.recording.file, world.recording.camera = "", camera
    world.recording.save()
    footage_file = factories.footage_file(camera, world.lecture.starts_at, 2)
    world.recording.clips.create(footage_file=footage_file, start=0, end=120, recording_start=0)
    sign_in(world.registrar)
    page.goto(reverse("admin:cctv_camera_change", args=[camera.pk]))
    extract_pictures(page)
    shows_choices(page)
    page.get_by_role("button", name="Save", exact=True).click()
    sees(page, "One recording was counted with other picture settings.")


def test_a_registrar_sees_what_a_camera_shows_before_its_first_lecture(page: Page, world: World, sign_in: SignIn):
    camera = factories.camera()
    footage_file = factories.footage_file(camera, world.lecture.starts_at, 2, state="discovered", fully_written=True)
    sign_in(world.registrar)
    page.goto(reverse("admin:cctv_camera_change", args=[camera.pk]))
    sees(page, "There is no picture yet.")
    show(page, "camera_without_picture")
    page.locator("a, button", has_text="Fetch a file for the picture").first.click()
    page.locator("button[type=submit]", has_text="Fetch a file").last.click()
    sees(page, "A file of this camera is being fetched.")
    FootageFile.objects.filter(pk=footage_file.pk).update(state="stored")
    sees(page, "The picture is being extracted.")
    extract_pictures(page)
    shows_choices(page)
    show(page, "camera_picture_of_a_file")
    sees(page, f"From {footage_file.path}.")
