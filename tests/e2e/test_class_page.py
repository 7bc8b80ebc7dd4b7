"""A registrar's work on the page of a class, in a real browser and without the admin."""

from pathlib import Path

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from campus.biometrics.models import FacePhoto
from tests.campus import factories
from tests.campus.conftest import World
from tests.campus.web.admin_tools import picture
from tests.e2e.conftest import SignIn, sees, until, usable


@pytest.fixture
def registrar(page: Page, sign_in: SignIn, world: World) -> Page:
    sign_in(world.registrar)
    page.goto(f"/classes/{world.course.pk}/")
    return page


def open_tab(page: Page, name: str) -> None:
    page.get_by_role("navigation", name="Class", exact=True).get_by_role("link", name=name).click()


def test_a_student_is_added_excused_and_leaves_without_another_page(registrar: Page, world: World) -> None:
    page = registrar
    page.get_by_role("link", name="Add a student").click()
    page.get_by_label("Student number").fill("W1")
    page.get_by_label("Name", exact=True).fill("Mia Weber")
    usable(page)
    page.get_by_role("button", name="Add", exact=True).click()
    sees(page, "Mia Weber (W1) is in the class from")

    row = page.get_by_role("listitem").filter(has_text="Mia Weber")
    row.get_by_role("link", name="Excuse").click()
    row.get_by_label("Student").select_option(label="Mia Weber (W1)")
    row.get_by_label("Reason").fill("ill")
    usable(page)
    row.get_by_role("button", name="Excuse").click()
    sees(page, "Mia Weber is excused.")

    row.get_by_role("link", name="Edit").click()
    row.get_by_label("To, this day included").fill("2027-01-31")
    row.get_by_role("button", name="Save").click()
    sees(page, "Mia Weber: saved.", "until 31 Jan 2027")
    enrolment = world.course.enrolments.get(student__number="W1")
    assert (enrolment.valid_to.isoformat(), enrolment.student.excuses.count()) == ("2027-01-31", 1)


def test_a_lecture_moves_in_its_row(registrar: Page, world: World) -> None:
    page = registrar
    usable(page)
    page.get_by_role("row").filter(has_text="Loops").get_by_role("link", name="Edit").first.click()
    form = page.locator(".inline form")
    form.get_by_label("Room").fill("C 7")
    form.get_by_label("Starts").fill("2026-11-16T08:15")
    usable(page)
    form.get_by_role("button", name="Save").click()
    sees(page, "Lecture saved.", "C 7")
    world.lecture.refresh_from_db()
    assert f"{timezone.localtime(world.lecture.starts_at):%H:%M}" == "08:15"


def test_photos_are_dropped_on_the_class(registrar: Page, world: World, tmp_path: Path) -> None:
    page = registrar
    for colour, name in (("red", world.student.number), ("blue", "Nobody Here")):
        (tmp_path / f"{name}.jpg").write_bytes(picture(colour))
    open_tab(page, "Photos")
    usable(page)
    page.set_input_files("input[data-files]:not([webkitdirectory])", list(tmp_path.glob("*.jpg")))
    sees(page, "Of some photos it is not sure whose they are.", world.student.name)
    until(page, lambda: FacePhoto.objects.filter(student=world.student).count() == 2)
    assert page.url.endswith(f"/classes/{world.course.pk}/photos/")

    other = factories.student(name="Otto Only")
    factories.enrol(world.course, other)
    page.goto(f"/classes/{world.course.pk}/photos/?student={other.pk}")
    page.set_input_files("input[data-files]", list(tmp_path.glob("*.jpg")))
    until(page, lambda: other.photos.count() == 2)


def test_an_example_follows_what_is_typed_before_it_is_saved(registrar: Page, world: World) -> None:
    page = registrar
    open_tab(page, "Settings")
    usable(page)
    page.get_by_label("Late after").fill("25")
    expect(page.locator("#example-late_minutes")).to_contain_text("first seen after 09:25 is late")
    page.get_by_label("Unit of “present from”").select_option("per cent of the lecture")
    page.get_by_label("Present from", exact=True).fill("10")
    expect(page.locator("#example-present")).to_contain_text("less than 9 minutes")
    world.course.refresh_from_db()
    assert world.course.late_minutes == 10
    page.get_by_role("button", name="Save settings").click()
    sees(page, "Settings saved.")
    world.course.refresh_from_db()
    assert (world.course.late_minutes, world.course.present_percent) == (25, 10)
