"""The result of a lecture in a real browser: several statuses at once, a name for an unknown person, a still, the sign-off."""

import pytest
from axe_core_python.selenium import Axe
from django.urls import reverse
from selenium.webdriver.common.by import By

from campus.attendance.models import Sighting, Still
from campus.attendance.services import lecture_count, still_finished
from campus.work import claim
from tests.campus.conftest import World, jpeg
from tests.e2e.conftest import Browser


@pytest.fixture
def doubtful(world: World) -> World:
    """Somebody to be confirmed, and pictures with a box: every part of the pages is there."""
    box = {**world.sighting.chips[0], "box": [10, 20, 60, 80]}
    Sighting.objects.filter(pk=world.sighting.pk).update(chips=[box], present=False, unsure=True)
    lecture_count(lecture=world.lecture)
    return world


def test_from_the_first_look_to_the_sign_off(browser: Browser, doubtful: World):
    world = doubtful
    missing = world.lecture.records.get(machine_status="absent").student
    browser.log_in("own")
    browser.open(reverse("lecture", args=[world.lecture.pk]))
    browser.press("Sign off")
    browser.press("Yes, sign off")
    browser.sees("1 student is still to be confirmed.")

    browser.find("a.stranger").click()
    browser.sees("Who is this?")
    browser.press("This is the student")  # nobody is chosen: the browser asks
    browser.find(f"input[name=student][value='{missing.pk}']").click()
    browser.press("This is the student")
    browser.sees(f"This is {missing.name}.")
    browser.sees("1 present")

    for box in browser.driver.find_elements(By.CSS_SELECTOR, "input.pick"):
        box.click()
    browser.find("#together-status").send_keys("Excused")
    browser.find("#together-reason").send_keys("Fire alarm")
    browser.press("Set for the selected")
    browser.sees("2 statuses are changed.")
    browser.sees("2 excused")

    browser.press("Sign off")
    browser.press("Yes, sign off")
    browser.sees("Signed off by own")
    assert not browser.driver.find_elements(By.CSS_SELECTOR, "input.pick")


def test_the_whole_picture_appears_by_itself(browser: Browser, doubtful: World):
    browser.log_in("own")
    browser.open(reverse("record", args=[doubtful.record.pk]))
    browser.sees("The whole picture is being cut out of the recording.")
    still = Still.objects.get()
    still_finished(still=claim("rollcall.still", still.pk, "me"), jpeg=jpeg(300))
    browser.find(".moment svg image")


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_everybody_can_use_the_pages(browser: Browser, doubtful: World, width: int, scheme: str):
    world = doubtful
    browser.log_in("own")
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})
    browser.driver.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride", {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    )
    for name, pk in [("lecture", world.lecture.pk), ("record", world.record.pk), ("unknown", world.unknown.pk)]:
        browser.open(reverse(name, args=[pk]))
        found = Axe().run(browser.driver)["violations"]
        assert not [(name, one["id"], one["nodes"][0]["html"]) for one in found]
        assert browser.driver.execute_script("return document.documentElement.scrollWidth") <= width
