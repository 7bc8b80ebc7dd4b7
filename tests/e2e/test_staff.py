"""A lecturer's day in a real browser: from the login to the workbook."""

from pathlib import Path

import pytest
from axe_core_python.selenium import Axe
from django.urls import reverse
from openpyxl import load_workbook
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from campus.attendance.models import AttendanceRecord
from campus.attendance.services import lecture_count, record_attendance, report_write
from campus.biometrics.models import Gallery
from campus.footage.models import Recording, Segment
from campus.footage.services import recording_planned, segment_finished, segment_progress, segments_settled
from campus.work import claim, fail, finish
from recognition.types import Attendance, Chip, Presence, UnknownPerson, VideoInfo
from recognition.types import Segment as Part
from tests.campus import factories
from tests.campus.conftest import World, jpeg
from tests.e2e.conftest import Browser

INFO = VideoInfo(container="mp4", codec="mpeg4", width=64, height=64, rotation=0, fps=10, duration=180)


def plan(recording: Recording) -> None:
    held = claim("rollcall.ingest", recording.pk, "planner")
    assert recording_planned(recording=held, info=INFO, segments=[Part(n, 60.0 * n, 60.0 * (n + 1)) for n in range(3)])


def take(recording: Recording, index: int) -> Segment:
    return claim("rollcall.recognise", recording.segments.get(index=index).pk, f"worker {index}")


def end(segment: Segment, faces: int) -> None:
    assert segment_finished(segment=segment, result="", faces=faces, tracks=0)
    segments_settled(recording_id=segment.recording_id)


def count(recording: Recording, there: str, absent: str) -> None:
    held = claim("rollcall.aggregate", recording.pk, "counter")
    chip = Chip(5.0, 0.9, jpeg())
    seen = Presence(there, True, ((0.0, 178.0),), 178.0, 0.99, 0.95, (chip,))
    record_attendance(
        recording=held, attendance=Attendance(180.0, (seen, Presence(absent, False)), (UnknownPerson(((0.0, 9.0),), 9.0, (chip,)),))
    )
    report_write(recording=held)
    assert finish(held, Recording.State.DONE, coverage=1.0)


@pytest.fixture
def video(tmp_path: Path, video_bytes: bytes) -> Path:
    path = tmp_path / "Vorlesung über Bäume.mp4"
    path.write_bytes(video_bytes)
    return path


def test_from_login_to_workbook(browser: Browser, world: World, video: Path):
    browser.log_in("own")
    browser.sees("CS101")
    browser.press("New lecture")
    browser.find("select[name=course]").send_keys("CS101")
    browser.fill(title="Trees")
    browser.press("Create the lecture")
    browser.sees("Upload the recording")

    browser.find("input[type=file]").send_keys(str(video))
    browser.press("Upload and take attendance")
    browser.wait(lambda _: browser.path().startswith("/recordings/"))
    recording = Recording.objects.get(original_name=video.name)
    assert Path(recording.file.path).read_bytes() == video.read_bytes()
    browser.sees("waiting")

    plan(recording)
    browser.sees("looking for faces")
    assert len(browser.driver.find_elements(By.CSS_SELECTOR, ".strip li")) == 3
    first, second = take(recording, 0), take(recording, 1)
    segment_progress(segment=first, share=0.5)
    browser.wait(lambda driver: len(driver.find_elements(By.CSS_SELECTOR, ".strip .running")) == 2)
    browser.wait(lambda driver: float(driver.find_element(By.CSS_SELECTOR, "[data-share]").get_attribute("value")) > 0.1)
    end(first, faces=12)
    browser.sees("12 faces found so far")
    end(second, faces=12)
    end(take(recording, 2), faces=12)
    browser.sees("counting")
    there, absent = recording.lecture.course.students.order_by("pk")
    count(recording, str(there.pk), str(absent.pk))
    browser.sees("Who was there")
    browser.sees("1 present")
    faces = browser.driver.find_elements(By.CSS_SELECTOR, ".people .face img")
    browser.wait(lambda driver: all(driver.execute_script("return arguments[0].naturalWidth", face) for face in faces))
    assert len(faces) == 1

    browser.press(f"Change {absent.name}")
    browser.find("select[name=status]").send_keys("Excused")
    browser.fill(reason="Doctor's note")
    browser.press("Save")
    browser.sees("1 excused")
    browser.sees("Absent → Excused by own: Doctor's note")
    assert AttendanceRecord.objects.get(lecture=recording.lecture, student=absent).override_status == "excused"

    browser.press("Download the workbook")
    browser.wait(lambda _: list(browser.downloads.glob("*.xlsx")))
    (workbook,) = browser.downloads.glob("*.xlsx")
    assert workbook.name.startswith("Report_for_CS101_")
    rows = {row[1]: row[2] for row in load_workbook(workbook)["Attendance"].iter_rows(values_only=True)}
    assert (rows[there.name], rows[absent.name]) == ("Present", "Excused")

    browser.press("Log out")
    browser.wait(lambda _: browser.path() == "/login/")


def test_who_was_seen_once_only_is_confirmed_with_one_press(browser: Browser, world: World):
    world.recording.sightings.update(present=False, unsure=True)
    lecture_count(lecture=world.lecture)
    browser.log_in("own")
    browser.open(reverse("course", args=[world.course.pk]))
    browser.sees("1 to be confirmed")
    browser.open(reverse("lecture", args=[world.lecture.pk]))
    browser.sees("To be confirmed")
    faces = browser.driver.find_elements(By.CSS_SELECTOR, ".confirm img")
    browser.wait(lambda driver: all(driver.execute_script("return arguments[0].naturalWidth", face) for face in faces))
    assert len(faces) == 2
    browser.press("Present")
    browser.sees(f"{world.student.name}: present.")
    browser.sees("To be confirmed → Present by own")
    assert not browser.driver.find_elements(By.CSS_SELECTOR, ".confirm")


def test_the_training_report_can_be_read_by_everybody(browser: Browser, world: World):
    rates = {"fpir": 0.001, "miss": 0.02, "threshold": 0.95}
    pair = [str(student.pk) for student in world.course.students.all()]
    report = {"rates": {"balanced": rates}, "too_alike": [[*pair, 0.96]], "few_photos": pair}
    report["curves"] = {"genuine": [0, 0, 9], "impostor": [70, 5, 0], "edges": [0.7, 0.8, 0.9, 1.0]}
    Gallery.objects.filter(pk=world.gallery.pk).update(report=report)
    browser.log_in("registrar")
    for width in (1280, 390):
        browser.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride", {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        )
        for dark in (False, True):
            browser.open(reverse("admin:biometrics_gallery_change", args=[world.gallery.pk]))
            browser.find("svg.plot")
            browser.driver.execute_script("document.documentElement.classList.toggle('dark', arguments[0])", dark)
            found = Axe().run(browser.driver, ".training")["violations"]
            assert not [(width, dark, one["id"], one["nodes"][0]["html"]) for one in found]
            assert browser.driver.execute_script("return document.documentElement.scrollWidth") <= width


def test_without_the_script_the_form_still_uploads(browser: Browser, world: World, video: Path):
    browser.log_in("own")
    browser.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    browser.open(reverse("lecture", args=[world.lecture.pk]))
    browser.find("input[type=file]").send_keys(str(video))
    browser.press("Upload and take attendance")
    browser.wait(lambda _: browser.path().startswith("/recordings/"))
    assert Recording.objects.filter(original_name=video.name).exists()


def test_a_refused_upload_says_why_and_the_page_stays(browser: Browser, world: World, tmp_path: Path, settings, video: Path):
    settings.MAX_RECORDING_BYTES = 1000
    browser.log_in("own")
    browser.open(reverse("lecture", args=[world.lecture.pk]))
    browser.press("Upload and take attendance")
    browser.sees("Choose a video or a photo first.")
    empty = tmp_path / "empty.mp4"
    empty.touch()
    browser.find("input[type=file]").send_keys(str(empty))
    browser.press("Upload and take attendance")
    browser.sees("is empty")
    browser.find("input[type=file]").send_keys(str(video))
    browser.sees("Split it, or export it with a lower quality.")
    assert browser.path() == reverse("lecture", args=[world.lecture.pk])
    assert not Recording.objects.filter(original_name__in=[empty.name, video.name]).exists()


def test_a_failed_part_is_seen_and_tried_again(browser: Browser, world: World):
    recording = factories.recording(world.lecture, original_name="gappy.mp4")
    plan(recording)
    browser.log_in("own")
    browser.open(reverse("recording", args=[recording.pk]))
    fail("rollcall.recognise", take(recording, 0), "The file is damaged here.", "trace")
    browser.wait(lambda driver: driver.find_elements(By.CSS_SELECTOR, ".strip .failed"))
    for index in (1, 2):
        end(take(recording, index), faces=0)
    held = claim("rollcall.aggregate", recording.pk, "counter")
    finish(held, Recording.State.DONE, coverage=0.66)
    browser.sees("The file is damaged here.")
    browser.press("Try the failed parts again")
    browser.sees("The failed parts are being looked at again.")
    browser.press("Cancel")
    browser.press("Stop now")
    browser.sees("Cancelled. The file stays")
    recording.refresh_from_db()
    assert recording.state == "cancelled"


def test_with_the_keyboard_alone(browser: Browser, world: World):
    browser.open("/login/")
    active = lambda: browser.driver.switch_to.active_element  # noqa: E731
    active().send_keys("own", Keys.TAB, "password", Keys.ENTER)
    browser.sees("Your classes")
    active().send_keys(Keys.TAB)
    assert active().text == "Skip to the content"
    active().send_keys(Keys.ENTER)
    active().send_keys(Keys.TAB)
    assert active().text == "New lecture"
    outline = browser.driver.execute_script("return getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_can_be_used_by_everybody(browser: Browser, world: World, scheme: str):
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
    work = factories.planned(world.lecture, segments=3)
    world.recording.sightings.update(present=False, unsure=True)
    world.recording.unknown_people.update(still=True)
    lecture_count(lecture=world.lecture)
    browser.log_in("own")
    paths = [
        "/",
        "/about/",
        "/password/",
        reverse("lecture-new"),
        reverse("calendar-links"),
        reverse("lecture-edit", args=[world.lecture.pk]),
        reverse("course", args=[world.course.pk]),
        reverse("lecture", args=[world.lecture.pk]),
        reverse("recording", args=[work.pk]),
        reverse("recording", args=[world.failed.pk]),
        reverse("record", args=[world.record.pk]),
    ]
    for width in (1280, 390):
        browser.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride", {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        )
        for path in paths:
            browser.open(path)
            found = Axe().run(browser.driver)["violations"]
            assert not [(path, width, one["id"], one["nodes"][0]["html"]) for one in found]
            assert browser.driver.execute_script("return document.documentElement.scrollWidth") <= width, path
