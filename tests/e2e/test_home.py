"""A lecturer's first page in a real browser: the next thing to do about each lecture, and recordings that are dropped
on it."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import Page, ViewportSize, expect

from campus.academics.models import Lecture
from campus.attendance.proposals import recount_lecture
from campus.common.days import Week
from campus.recordings.models import Recording, Upload
from tests.campus import factories
from tests.campus.conftest import World
from tests.e2e.conftest import NARROW, WIDE, SignIn, sees, usable

DROP = """files => {
  const transfer = new DataTransfer();
  for (const [name, type] of files) transfer.items.add(new File([name], name, { type }));
  for (const kind of ["dragover", "drop"]) {
    document.body.dispatchEvent(new DragEvent(kind, { dataTransfer: transfer, bubbles: true, cancelable: true }));
  }
}"""


def drop(page: Page, *files: tuple[str, str]) -> None:
    page.evaluate(DROP, files)


@pytest.fixture
def lecture(world: World) -> Lecture:
    """It is on now."""
    return factories.lecture(world.course, starts_at=timezone.now() - timedelta(minutes=5), title="Trees")


@pytest.fixture
def home(page: Page, world: World, lecture: Lecture, sign_in: SignIn) -> Page:
    sign_in(world.own)
    page.goto("/")
    return page


def test_a_recording_is_dropped_on_the_only_lecture(home: Page, lecture: Lecture):
    drop(home, ("hall.mp4", "video/mp4"))
    sees(home, "Upload to this lecture?", "hall.mp4", "CS101 Trees")
    usable(home)
    assert not Recording.objects.filter(lecture=lecture).exists(), "nothing is sent before it is confirmed"
    home.get_by_role("button", name="CS101 Trees").click()
    home.wait_for_url("**/recordings/**")
    assert Upload.objects.get(recording__lecture=lecture).original_name == "hall.mp4"


def test_of_several_lectures_one_is_chosen_and_gets_all_the_files(home: Page, world: World, lecture: Lecture):
    earlier = factories.lecture(world.course, starts_at=timezone.now() - timedelta(minutes=30), title="Lists")
    home.reload()
    drop(home, ("one.mp4", "video/mp4"), ("notes.pdf", "application/pdf"), ("two.JPG", ""))
    sees(home, "Which lecture does it show?", "Only videos and photos can be uploaded here.")
    home.get_by_role("button", name="CS101 Lists").click()
    expect(home.locator("#upload-title")).to_contain_text("Upload to CS101")
    expect(home.locator(".upload [data-open]:visible")).to_have_count(2)
    usable(home)
    sent = Recording.objects.filter(lecture__in=[earlier, lecture]).values_list("lecture", "original_name")
    assert sorted(sent) == [(earlier.pk, "one.mp4"), (earlier.pk, "two.JPG")]


def test_nothing_is_sent_that_is_no_recording_or_that_somebody_thinks_better_of(home: Page, lecture: Lecture):
    drop(home, ("notes.pdf", "application/pdf"))
    dialog = home.get_by_role("dialog")
    expect(dialog.get_by_role("button")).to_have_text(["Cancel"])
    dialog.get_by_role("button", name="Cancel").click()
    drop(home, ("hall.mp4", "video/mp4"))
    home.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(home.locator("[data-drop-upload]")).to_be_hidden()
    assert not Recording.objects.filter(lecture=lecture).exists()


def test_without_a_mouse_the_button_of_the_lecture_leads_to_its_upload(home: Page, lecture: Lecture, tmp_path: Path):
    video = tmp_path / "phone.mp4"
    video.write_bytes(b"video")
    button = home.locator(".today").get_by_role("link", name="Upload recording")
    button.focus()
    home.keyboard.press("Enter")
    home.wait_for_url(f"**{reverse('lecture', args=[lecture.pk])}#upload-title")
    home.set_input_files("input[type=file]", video)
    home.get_by_role("button", name="Upload and take attendance").click()
    home.wait_for_url("**/recordings/**")


@pytest.mark.parametrize("size", [WIDE, NARROW])
def test_from_a_question_to_the_sign_off(home: Page, world: World, size: ViewportSize):
    world.recording.sightings.update(present=False, to_confirm=True)
    recount_lecture(lecture=world.lecture)
    home.set_viewport_size(size)
    week = Week(timezone.localdate(world.lecture.starts_at) - timedelta(days=world.lecture.starts_at.weekday()))
    home.goto(f"/?week={week.next}")
    home.get_by_role("link", name="Previous week").click()
    row = home.locator(".lecture-table tr", has_text="Loops")
    expect(row).to_contain_text("1 to confirm")
    usable(home)
    home.set_viewport_size(size)
    row.get_by_role("link", name="Confirm 1 student").click()
    home.get_by_role("button", name="Yes, present").click()
    home.goto(f"/?week={week}")
    expect(row).to_contain_text("counted")
    row.get_by_role("link", name="Sign off").click()
    home.locator("#result").wait_for()
    home.locator("summary", has_text="Sign off").click()
    home.get_by_role("button", name="Yes, sign off").click()
    sees(home, "Signed off by")
    home.goto(f"/?week={week}")
    expect(row).to_contain_text("signed off")
    expect(row).to_contain_text("1 of 2")
    expect(row.get_by_role("link")).to_have_count(1)
