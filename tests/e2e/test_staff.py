"""A lecturer's day in a real browser: from the login to the workbook."""

from pathlib import Path

import pytest
from django.urls import reverse
from openpyxl import load_workbook
from playwright.sync_api import Browser, Page, expect

from campus.accounts.services import set_tour_ended
from campus.attendance.models import AttendanceRecord
from campus.attendance.proposals import recount_lecture, save_attendance
from campus.attendance.reports import write_recording_report
from campus.common import jobs
from campus.recordings.models import Recording
from campus.recordings.services import save_segment_progress
from recognition.types import Attendance, Crop, Presence, UnknownPerson
from tests.campus.conftest import World, jpeg
from tests.e2e.conftest import SignIn, sees
from tests.e2e.work import end, plan, take


def count(recording: Recording, there: str, absent: str) -> None:
    held = jobs.AGGREGATE.claim(recording.pk, "counter")
    crop = Crop(time=5.0, quality=0.9, jpeg=jpeg())
    seen = Presence(
        label=there, present=True, intervals=((0.0, 178.0),), seconds=178.0, share=0.99, confidence=0.95, crops=(crop,)
    )
    save_attendance(
        recording=held,
        attendance=Attendance(
            180.0,
            (seen, Presence(label=absent, present=False)),
            (UnknownPerson(intervals=((0.0, 9.0),), seconds=9.0, crops=(crop,)),),
        ),
    )
    write_recording_report(recording=held)
    assert jobs.finish(held, Recording.State.DONE, coverage=1.0)


@pytest.fixture
def video(tmp_path: Path, video_bytes: bytes) -> Path:
    path = tmp_path / "Vorlesung über Bäume.mp4"
    path.write_bytes(video_bytes)
    return path


def test_from_login_to_workbook(page: Page, world: World, video: Path, tmp_path: Path):
    page.goto("/login/")
    page.get_by_label("Username").fill("own")
    page.get_by_label("Password").fill("password")
    page.get_by_role("button", name="Log in").click()
    sees(page, "CS101")
    page.get_by_role("link", name="New lecture", exact=True).click()
    page.get_by_label("Class", exact=True).select_option(label="CS101 Computing")
    page.get_by_label("Title").fill("Trees")
    page.get_by_role("button", name="Create lecture").click()
    sees(page, "Upload the recording")

    page.set_input_files("input[type=file]", video)
    page.get_by_role("button", name="Upload and take attendance").click()
    page.wait_for_url("**/recordings/**")
    recording = Recording.objects.get(original_name=video.name)
    assert Path(recording.file.path).read_bytes() == video.read_bytes()
    sees(page, "waiting")

    plan(recording)
    sees(page, "looking for faces")
    expect(page.locator(".strip li")).to_have_count(3)
    first, second = take(recording, 0), take(recording, 1)
    save_segment_progress(segment=first, share=0.5)
    expect(page.locator(".strip .running")).to_have_count(2)
    expect(page.locator("[data-percent]")).not_to_have_text("0 %")
    end(first, faces=12)
    sees(page, "12 faces found so far")
    end(second, faces=12)
    end(take(recording, 2), faces=12)
    sees(page, "counting")
    there, absent = recording.lecture.course.students.order_by("pk")
    count(recording, str(there.pk), str(absent.pk))
    sees(page, "Attendance", "1 present")
    face = page.locator(".roll .face img")
    expect(face).to_have_count(1)
    expect(face).to_have_js_property("naturalWidth", 40)

    page.get_by_role("link", name=f"Change {absent.name}").click()
    form = page.get_by_role("region", name="Set the status")
    form.get_by_label("Status").select_option("Excused")
    form.get_by_label("Reason").fill("Doctor's note")
    form.get_by_role("button", name="Save").click()
    sees(page, "1 excused", "Not recognisable → Excused by own: Doctor's note")
    assert AttendanceRecord.objects.get(lecture=recording.lecture, student=absent).override_status == "excused"

    with page.expect_download() as download:
        page.get_by_role("link", name="Download Excel").click()
    assert download.value.suggested_filename.startswith("CS101_attendance_")
    download.value.save_as(tmp_path / "report.xlsx")
    rows = {row[1]: row[2] for row in load_workbook(tmp_path / "report.xlsx")["Attendance"].iter_rows(values_only=True)}
    assert (rows[there.name], rows[absent.name]) == ("Present", "Excused")

    page.get_by_role("button", name="Account:").click()
    page.get_by_role("button", name="Log out").click()
    page.wait_for_url("**/login/")


def test_who_was_seen_once_only_is_confirmed_with_one_press(page: Page, world: World, sign_in: SignIn):
    world.recording.sightings.update(present=False, to_confirm=True)
    recount_lecture(lecture=world.lecture)
    sign_in(world.own)
    page.goto(reverse("course", args=[world.course.pk]))
    sees(page, "1 to confirm")
    page.goto(reverse("lecture", args=[world.lecture.pk]))
    faces = page.locator(".confirm img")
    expect(faces).to_have_count(2)
    for n in range(2):
        expect(faces.nth(n)).to_have_js_property("naturalWidth", 40)
    page.locator(".confirm").get_by_role("button", name="Present").click()
    sees(page, f"{world.student.name}: present.", "To be confirmed → Present by own")
    expect(page.locator(".confirm")).to_have_count(0)


def test_without_the_script_the_form_still_uploads(
    chromium: Browser, address: str, world: World, video: Path, sign_in: SignIn
):
    with chromium.new_context(base_url=address, java_script_enabled=False) as context:
        sign_in(world.own, context)
        page = context.new_page()
        page.goto(reverse("lecture", args=[world.lecture.pk]))
        page.set_input_files("input[type=file]", video)
        page.get_by_role("button", name="Upload and take attendance").click()
        page.wait_for_url("**/recordings/**")
    assert Recording.objects.filter(original_name=video.name).exists()


def test_with_the_keyboard_alone(page: Page, world: World):
    set_tour_ended(user=world.own, ended=True)
    page.goto("/login/")
    expect(page.locator("[name=username]")).to_be_focused()
    page.keyboard.type("own")
    page.keyboard.press("Tab")
    page.keyboard.type("password")
    page.keyboard.press("Enter")
    sees(page, "Your classes")
    page.keyboard.press("Tab")
    focused = page.locator(":focus")
    expect(focused).to_have_text("Skip to content")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(focused).to_have_text("New lecture")
    expect(focused).to_have_css("outline-style", "solid")
