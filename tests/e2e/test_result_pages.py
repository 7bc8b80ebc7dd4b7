"""The result of a lecture in a real browser: several statuses at once, a name for an unknown person, a still, the
sign-off."""

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from campus.attendance.models import Sighting, Snapshot
from campus.attendance.proposals import recount_lecture
from campus.attendance.snapshots import finish_snapshot
from campus.common import jobs
from tests.campus.conftest import World, jpeg
from tests.e2e.conftest import SignIn, sees


@pytest.fixture
def doubtful(world: World, sign_in: SignIn) -> World:
    """Somebody to be confirmed, and pictures with a box."""
    box = {**world.sighting.crops[0], "box": [10, 20, 60, 80]}
    Sighting.objects.filter(pk=world.sighting.pk).update(crops=[box], present=False, to_confirm=True)
    recount_lecture(lecture=world.lecture)
    sign_in(world.own)
    return world


def sign_off(page: Page) -> None:
    page.locator("summary", has_text="Sign off").click()
    page.get_by_role("button", name="Yes, sign off").click()


def test_from_the_first_look_to_the_sign_off(page: Page, doubtful: World):
    missing = doubtful.lecture.records.get(machine_status="absent").student
    page.goto(reverse("lecture", args=[doubtful.lecture.pk]))
    sign_off(page)
    sees(page, "1 student is still to be confirmed.")

    page.locator("a.stranger").click()
    sees(page, "Who is this?")
    page.get_by_role("button", name="This is the student").click()  # nobody is chosen: the browser asks
    page.get_by_label(missing.name).check()
    page.get_by_role("button", name="This is the student").click()
    sees(page, f"Identified as {missing.name}.", "1 present")

    for box in page.locator("input.pick").all():
        box.check()
    several = page.get_by_role("group", name="Set several at once")
    several.get_by_label("Status").select_option("Excused")
    several.get_by_label("Reason").fill("Fire alarm")
    several.get_by_role("button", name="Set for selected").click()
    sees(page, "2 statuses changed.", "2 excused")

    sign_off(page)
    sees(page, "Signed off by own")
    expect(page.locator("input.pick")).to_have_count(0)


def test_the_whole_picture_appears_by_itself_and_a_half_filled_form_stays(page: Page, doubtful: World):
    page.goto(reverse("record", args=[doubtful.record.pk]))
    sees(page, "The full frame is being extracted from the recording.")
    reason = page.get_by_role("region", name="Set the status").get_by_label("Reason")
    reason.fill("Doctor's note")
    snapshot = Snapshot.objects.get()
    finish_snapshot(snapshot=jobs.SNAPSHOT.claim(snapshot.pk, "me"), jpeg=jpeg(300))
    expect(page.locator(".moment svg image")).to_be_visible()
    expect(reason).to_have_value("Doctor's note")
