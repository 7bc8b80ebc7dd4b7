"""Uploads in a real browser: several at once, and on where they stopped when the server or the page was away."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from axe_core_python.selenium import Axe
from django.urls import reverse
from selenium.common.exceptions import NoAlertPresentException
from selenium.webdriver.common.by import By

from campus.footage.models import Recording, Upload
from campus.footage.services import segment_finished
from campus.work import claim, fail, finish
from tests.campus import factories
from tests.campus.conftest import World
from tests.e2e.conftest import Browser
from tests.e2e.test_staff import end, plan, take
from tests.web_server import WebServer

MiB = 1024 * 1024


@pytest.fixture
def web(browser: Browser, tmp_path: Path) -> Iterator[WebServer]:
    """A server that can be killed, in place of the tests' own."""
    server = WebServer(tmp_path)
    server.start()
    browser.root = server.url
    yield server
    server.kill()


def video(folder: Path, name: str, size: int, seed: int = 1) -> Path:
    path = folder / name
    path.write_bytes(np.random.default_rng(seed).bytes(size))
    return path


def choose(browser: Browser, *paths: Path) -> None:
    browser.find("input[type=file]").send_keys("\n".join(map(str, paths)))


def slow(browser: Browser, bytes_a_second: int) -> None:
    conditions = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": bytes_a_second}
    browser.driver.execute_cdp_cmd("Network.enable", {})
    browser.driver.execute_cdp_cmd("Network.emulateNetworkConditions", conditions)


def states(browser: Browser) -> list[str]:
    return [state.text for state in browser.driver.find_elements(By.CSS_SELECTOR, ".upload [data-state]")]


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_killed_server_and_a_reloaded_page_lose_nothing(browser: Browser, world: World, web: WebServer, tmp_path: Path):
    file = video(tmp_path, "lecture.mp4", 30 * MiB)
    browser.log_in("own")
    browser.open(reverse("lecture", args=[world.lecture.pk]))
    slow(browser, 8 * MiB)
    choose(browser, file)
    browser.press("Upload and take attendance")
    browser.wait(lambda _: Upload.objects.filter(offset__gt=0).exists())
    web.kill()
    browser.sees("No answer from the server")
    kept = Upload.objects.get().offset
    web.start()
    browser.wait(lambda _: Upload.objects.get().offset > kept)

    browser.driver.refresh()
    try:
        browser.driver.switch_to.alert.accept()
    except NoAlertPresentException:
        browser.driver.refresh()
    browser.sees("Choose the file again until")
    choose(browser, file)
    browser.sees("are here already; the upload goes on from there")
    slow(browser, -1)
    browser.press("Upload and take attendance")
    browser.wait(lambda _: browser.path().startswith("/recordings/"))
    recording = Recording.objects.get(original_name="lecture.mp4", lecture=world.lecture, size=30 * MiB)
    assert recording.sha256 == sha256(file) == sha256(Path(recording.file.path))
    assert Upload.objects.get().recording == recording, "it was one upload all the time"


def test_several_files_at_once_and_one_that_is_here_already(browser: Browser, world: World, tmp_path: Path):
    files = [video(tmp_path, f"part {n}.mp4", 300_000, n) for n in range(3)]
    factories.recording(world.lecture, content=files[1].read_bytes(), original_name="the second part.mp4")
    browser.log_in("own")
    browser.open(reverse("lecture", args=[world.lecture.pk]))
    choose(browser, *files)
    browser.wait(lambda _: states(browser).count("Ready to upload.") == 3)
    browser.press("Upload and take attendance")
    browser.wait(lambda _: states(browser).count("Here, and unchanged. Attendance is being taken.") == 2)
    browser.sees("This recording is already here: the second part.mp4.")
    assert Recording.objects.filter(original_name__startswith="part").count() == Upload.objects.count() == 2
    for width in (1280, 390):
        browser.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride", {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        )
        found = Axe().run(browser.driver)["violations"]
        assert not [(width, one["id"], one["nodes"][0]["html"]) for one in found]
        assert browser.driver.execute_script("return document.documentElement.scrollWidth") <= width
    links = [link.get_attribute("href") for link in browser.driver.find_elements(By.CSS_SELECTOR, ".upload [data-open]")]
    browser.driver.get(links[1])
    assert "the second part.mp4" in browser.find("h1").text


def test_what_is_wrong_is_said_before_it_is_sent(browser: Browser, world: World, tmp_path: Path, settings):
    settings.MAX_RECORDING_BYTES = 1000
    browser.log_in("own")
    browser.open(reverse("lecture", args=[world.lecture.pk]))
    browser.press("Upload and take attendance")
    browser.sees("Choose a video or a photo first.")
    choose(browser, video(tmp_path, "empty.mp4", 0), video(tmp_path, "large.mp4", 5000))
    browser.sees("The file is empty.")
    browser.sees("The file has 5 KB; a recording may have 1000 bytes.")
    for _ in range(2):
        browser.press("Remove")
    browser.wait(lambda driver: not driver.find_elements(By.CSS_SELECTOR, ".upload"))
    assert not Upload.objects.exists()


def test_who_watches_sees_all_of_it_without_a_reload(browser: Browser, world: World, web: WebServer):
    recording = factories.recording(world.lecture)
    browser.log_in("own")
    browser.open(reverse("recording", args=[recording.pk]))
    browser.driver.execute_script("window.sameDocument = true")
    browser.sees("waiting")
    plan(recording)
    browser.sees("looking for faces")
    web.kill()
    browser.sees("No answer from the server; asking again.")
    part = take(recording, 0)
    assert segment_finished(segment=part, result="", faces=12, tracks=3, found=[world.student.pk])
    web.start()
    browser.sees("12 faces found so far")
    browser.sees(world.student.name)
    fail("rollcall.recognise", take(recording, 1), "That part is damaged.", "")
    browser.wait(lambda driver: driver.find_elements(By.CSS_SELECTOR, ".strip .failed"))
    end(take(recording, 2), faces=3)
    browser.sees("counting")
    held = claim("rollcall.aggregate", recording.pk, "counter")
    assert finish(held, Recording.State.DONE, coverage=0.67)
    browser.sees("Try the failed parts again")
    assert browser.driver.execute_script("return window.sameDocument")
