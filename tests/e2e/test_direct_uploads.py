"""Uploads straight to S3 (moto's server) in a real browser: interrupted, and where the browser does not reach it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Page

from campus.common.storage import media
from campus.recordings.models import Recording, Upload
from tests.campus.conftest import World
from tests.e2e.conftest import SignIn, sees, until
from tests.e2e.test_upload_pages import MiB, choose, send, sha256, video
from tests.servers.s3 import UncheckedMoto
from tests.web_server import WebServer
from tests.workers.remote_stores import use_store


@pytest.fixture(scope="module")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[UncheckedMoto]:
    with UncheckedMoto(tmp_path_factory.mktemp("moto")) as server:
        yield server


@pytest.fixture
def web(transactional_db, nobody_works, moto: UncheckedMoto, settings, monkeypatch, tmp_path: Path):
    url = moto.storage_url(tmp_path.name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", moto.username)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", moto.password)
    use_store(settings, monkeypatch, url)
    server = WebServer(tmp_path)
    server.environment |= {"ROLLCALL_STORAGE_URL": url, "ROLLCALL_DIRECT_UPLOADS": "true"}
    moto.admit(server.url)
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


@pytest.fixture
def patches(page: Page) -> list[Any]:
    """The requests by which the web server was sent bytes."""
    sent: list[Any] = []
    page.on("request", lambda request: sent.append(request) if request.method == "PATCH" else None)
    return sent


def test_an_interrupted_upload_goes_on_where_it_was(
    lecturer: Page, world: World, moto: UncheckedMoto, patches: list[Any], tmp_path: Path
) -> None:
    page, file = lecturer, video(tmp_path, "Vorlesung Größe.mp4", 30 * MiB)
    page.on("dialog", lambda asked: asked.accept())  # leave the page while it uploads? yes
    network = page.context.new_cdp_session(page)
    speed = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 2 * MiB}
    network.send("Network.enable")
    network.send("Network.emulateNetworkConditions", speed)
    choose(page, file)
    send(page)

    def parts() -> list[Any]:
        return [part for file in moto.unfinished(tmp_path.name) for part in moto.parts(file)]

    until(page, parts)
    network.send("Network.emulateNetworkConditions", speed | {"offline": True})
    sees(page, "Connection lost")
    kept = len(parts())
    network.send("Network.emulateNetworkConditions", speed)
    until(page, lambda: len(parts()) > kept)

    page.reload()
    sees(page, "Choose the file again by")
    kept = len(parts())
    choose(page, file)
    sees(page, f"{kept * 8}.0 MB of 30.0 MB already uploaded; the upload continues from there")
    network.send("Network.emulateNetworkConditions", speed | {"uploadThroughput": -1})
    send(page)
    page.wait_for_url("**/recordings/**")
    recording = Recording.objects.get(lecture=world.lecture, size=30 * MiB)
    assert (recording.sha256, recording.original_name) == (sha256(file), file.name)
    assert media().read(recording.file.name) == file.read_bytes()
    assert Upload.objects.get().recording == recording, "it was one upload all the time"
    assert not patches, "no byte went through the web server"


def test_what_does_not_reach_the_bucket_goes_through_the_server(
    lecturer: Page, world: World, moto: UncheckedMoto, patches: list[Any], tmp_path: Path
) -> None:
    moto.admit("https://elsewhere.example.org")
    choose(lecturer, video(tmp_path, "lecture.mp4", MiB))
    send(lecturer)
    lecturer.wait_for_url("**/recordings/**")
    recording = Recording.objects.get(original_name="lecture.mp4", size=MiB)
    assert media().read(recording.file.name) == Path(tmp_path, "lecture.mp4").read_bytes()
    assert patches
    assert not moto.unfinished(tmp_path.name)


def test_a_duplicate_and_one_that_is_removed(lecturer: Page, world: World, moto: UncheckedMoto, tmp_path: Path) -> None:
    file = video(tmp_path, "lecture.mp4", MiB)
    Recording.objects.filter(pk=world.recording.pk).update(sha256=sha256(file), original_name="first.mp4")
    choose(lecturer, file)
    send(lecturer)
    sees(lecturer, "This recording is already here: first.mp4.")
    lecturer.route(re.compile(f":{moto.port}/"), lambda route: None)  # it never answers
    choose(lecturer, video(tmp_path, "other.mp4", MiB, seed=2))
    until(lecturer, lambda: moto.unfinished(tmp_path.name))
    lecturer.locator(".upload", has_text="other.mp4").get_by_role("button", name="Remove").click()
    until(lecturer, lambda: not moto.unfinished(tmp_path.name))
    assert not Upload.objects.exists()
