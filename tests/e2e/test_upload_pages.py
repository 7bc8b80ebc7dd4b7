"""Uploads in a real browser: several at once, and on where they stopped when the server or the page was away."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from campus.common import jobs
from campus.recordings.models import Recording, Upload
from campus.recordings.services import finish_segment
from recognition.messages import Message
from tests.campus import factories
from tests.campus.conftest import World
from tests.e2e.conftest import SignIn, sees, until, usable
from tests.e2e.work import end, plan, take
from tests.web_server import WebServer

MiB = 1024 * 1024


@pytest.fixture
def web(transactional_db, nobody_works, tmp_path: Path) -> Iterator[WebServer]:
    """A server that can be killed, and takes no more than 32 MiB."""
    server = WebServer(tmp_path)
    server.environment["ROLLCALL_MAX_RECORDING_BYTES"] = str(32 * MiB)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def address(web: WebServer) -> str:
    return web.url


@pytest.fixture
def lecturer(page: Page, world: World, sign_in: SignIn) -> Page:
    sign_in(world.own)
    page.goto(reverse("lecture", args=[world.lecture.pk]))
    return page


def video(folder: Path, name: str, size: int, seed: int = 1) -> Path:
    path = folder / name
    path.write_bytes(np.random.default_rng(seed).bytes(size))
    return path


def choose(page: Page, *paths: Path) -> None:
    page.set_input_files("[data-upload] input[type=file]", paths)


def send(page: Page) -> None:
    page.get_by_role("button", name="Upload and take attendance").click()


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_killed_server_and_a_reloaded_page_lose_nothing(lecturer: Page, world: World, web: WebServer, tmp_path: Path):
    page, file = lecturer, video(tmp_path, "lecture.mp4", 30 * MiB)
    page.on("dialog", lambda asked: asked.accept())  # leave the page while it uploads? yes
    network = page.context.new_cdp_session(page)
    speed = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 2 * MiB}
    network.send("Network.enable")
    network.send("Network.emulateNetworkConditions", speed)
    choose(page, file)
    send(page)
    until(page, Upload.objects.filter(offset__gt=0).exists)
    web.kill()
    sees(page, "Connection lost")
    kept = Upload.objects.get().offset
    web.start()
    until(page, Upload.objects.filter(offset__gt=kept).exists)

    page.reload()
    sees(page, "Choose the file again by")
    choose(page, file)
    sees(page, "already uploaded; the upload continues from there")
    network.send("Network.emulateNetworkConditions", speed | {"uploadThroughput": -1})
    send(page)
    page.wait_for_url("**/recordings/**")
    recording = Recording.objects.get(original_name="lecture.mp4", lecture=world.lecture, size=30 * MiB)
    assert recording.sha256 == sha256(file) == sha256(Path(recording.file.path))
    assert Upload.objects.get().recording == recording, "it was one upload all the time"


def test_a_recording_is_replaced_from_its_page(lecturer: Page, world: World, tmp_path: Path):
    lecturer.goto(reverse("recording", args=[world.recording.pk]))
    lecturer.get_by_role("link", name="Replace").click()
    sees(lecturer, f"Replace {world.recording.original_name}", "until then it stays")
    lecturer.locator("#upload-title").scroll_into_view_if_needed()
    usable(lecturer)
    if folder := os.environ.get("ROLLCALL_SCREENSHOTS"):
        lecturer.screenshot(path=f"{folder}/recording_replace.png", full_page=True)
    choose(lecturer, video(tmp_path, "new.mp4", MiB))
    send(lecturer)
    sees(lecturer, "As soon as it counts, it replaces")
    if folder := os.environ.get("ROLLCALL_SCREENSHOTS"):
        lecturer.screenshot(path=f"{folder}/recording_replacing.png", full_page=True)
    assert Recording.objects.get(original_name="new.mp4").replaces == world.recording


def test_several_files_at_once_and_one_that_is_here_already(lecturer: Page, world: World, tmp_path: Path):
    files = [video(tmp_path, f"part {n}.mp4", 300_000, n) for n in range(3)]
    factories.recording(world.lecture, content=files[1].read_bytes(), original_name="the second part.mp4")
    choose(lecturer, *files)
    states = lecturer.locator(".upload [data-state]")
    expect(states.filter(has_text="Ready to upload.")).to_have_count(3)
    send(lecturer)
    expect(states.filter(has_text="Uploaded and verified. Attendance is being taken.")).to_have_count(2)
    sees(lecturer, "This recording is already here: the second part.mp4.")
    assert Recording.objects.filter(original_name__startswith="part").count() == Upload.objects.count() == 2
    usable(lecturer)
    lecturer.locator(".upload [data-open]").nth(1).click()
    expect(lecturer.locator("h1")).to_have_text("the second part.mp4")


def test_what_is_wrong_is_said_before_it_is_sent(lecturer: Page, tmp_path: Path):
    send(lecturer)
    sees(lecturer, "Choose a video or a photo first.")
    large = video(tmp_path, "large.mp4", 0)
    os.truncate(large, 33 * MiB)
    choose(lecturer, video(tmp_path, "empty.mp4", 0), large)
    sees(
        lecturer,
        "The file is empty.",
        "The file is 33.0 MB; the limit is 32.0 MB.",
        "export it at a lower quality",
    )
    for _ in range(2):
        lecturer.get_by_role("button", name="Remove").first.click()
    expect(lecturer.locator(".upload")).to_have_count(0)
    assert not Upload.objects.exists()


def test_who_watches_sees_all_of_it_without_a_reload(lecturer: Page, world: World, web: WebServer):
    page, recording = lecturer, factories.recording(world.lecture)
    page.goto(reverse("recording", args=[recording.pk]))
    loads: list[str] = []
    page.on("load", lambda page: loads.append(page.url))
    sees(page, "waiting", "You can leave this page.")
    expect(page.locator("[data-faces]"), "nothing found yet is no news").to_be_empty()
    plan(recording)
    sees(page, "looking for faces", "The segments wait to be searched for faces")
    web.kill()
    sees(page, "Connection lost; trying again.")
    part = take(recording, 0)
    assert finish_segment(segment=part, result="", faces=12, tracks=3, recognised_students=[world.student.pk])
    web.start()
    sees(page, "12 faces found so far", world.student.name, "1 of 3 segments have been searched")
    jobs.RECOGNISE.fail(take(recording, 1), Message("That part is damaged."), "")
    expect(page.locator(".strip .failed")).to_be_visible()
    end(take(recording, 2), faces=3)
    sees(page, "counting")
    held = jobs.AGGREGATE.claim(recording.pk, "counter")
    assert jobs.finish(held, Recording.State.DONE, coverage=0.67)
    sees(page, "That part is damaged.")
    assert not loads

    page.get_by_role("button", name="Retry failed segments").click()
    sees(page, "The failed segments are being processed again.")
    page.locator("summary", has_text="Cancel").click()
    page.get_by_role("button", name="Stop now").click()
    sees(page, "Cancelled. The file is kept")
    recording.refresh_from_db()
    assert recording.state == "cancelled"
