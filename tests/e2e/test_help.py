"""The question mark of a page and the tour of the first one: by mouse, with keys, on a phone, and without scripts."""

import pytest
from django.contrib.auth.models import User
from django.urls import reverse
from playwright.sync_api import Browser, Locator, Page, ViewportSize, expect

from campus.accounts.selectors import has_ended_tour
from campus.accounts.services import set_tour_ended
from campus.web.tour import LECTURER_TOUR, REGISTRAR_TOUR, TourStep
from tests.campus import factories
from tests.campus.conftest import World
from tests.e2e.conftest import NARROW, WIDE, SignIn, until, usable


@pytest.fixture
def help_box(page: Page, world: World, sign_in: SignIn) -> Locator:
    """That of a lecture."""
    sign_in(world.own)
    page.goto(reverse("lecture", args=[world.lecture.pk]))
    return page.get_by_role("dialog", name="Lecture")


def test_the_question_mark_explains_the_page(page: Page, help_box: Locator):
    button = page.get_by_role("button", name="Help")
    button.click()
    expect(help_box).to_contain_text("One tap marks a student")
    usable(page)
    page.keyboard.press("Escape")
    expect(help_box).to_be_hidden()
    expect(button).to_be_focused()
    button.click()
    help_box.get_by_role("button", name="Close").click()
    expect(help_box).to_be_hidden()
    button.click()
    help_box.get_by_role("link", name="More help").click()
    expect(page.locator("#lecture:target")).to_be_in_viewport()
    usable(page)


def test_its_key_opens_and_closes_it_but_not_in_a_field(page: Page, help_box: Locator):
    page.keyboard.press("?")
    expect(help_box).to_be_visible()
    page.keyboard.press("?")
    expect(help_box).to_be_hidden()
    field = page.get_by_role("combobox", name="Search for")
    field.press_sequentially("why?")
    expect(field).to_have_value("why?")
    expect(help_box).to_be_hidden()


def test_without_scripts(chromium: Browser, address: str, world: World, sign_in: SignIn):
    context = chromium.new_context(base_url=address, locale="en-GB", java_script_enabled=False, viewport=NARROW)
    sign_in(world.own, context)
    set_tour_ended(user=world.own, ended=False)
    page = context.new_page()
    page.goto(reverse("home"))
    expect(page.get_by_role("dialog")).to_have_count(0)  # and no tour
    page.get_by_role("button", name="Help").click()
    expect(page.get_by_role("dialog", name="Today")).to_be_visible()
    page.get_by_role("link", name="More help").click()
    expect(page.get_by_role("heading", name="Help", exact=True)).to_be_visible()
    context.close()


@pytest.fixture
def first_login(page: Page, world: World, sign_in: SignIn) -> User:
    sign_in(world.own)
    set_tour_ended(user=world.own, ended=False)
    page.goto(reverse("home"))
    return world.own


def walk(page: Page, steps: tuple[TourStep, ...], missing: tuple[str, ...] = ()) -> None:
    """Through the tour with the button: each card is in the window, and what it is about is marked."""
    tour = page.get_by_role("dialog", name="Tour")
    for n, step in enumerate(steps, start=1):
        expect(tour.get_by_role("heading")).to_have_text(str(step.title))
        expect(tour).to_contain_text(f"Step {n} of {len(steps)}")
        expect(tour).to_be_in_viewport(ratio=1)
        expect(tour.get_by_role("button", name="Skip the tour")).to_be_visible()
        if step.at in missing:
            expect(page.locator(".tour-target")).to_have_count(0)
        else:
            expect(page.locator(f"{step.at}.tour-target")).to_be_in_viewport()
        if n < len(steps):
            tour.get_by_role("button", name="Next").click()


@pytest.mark.parametrize("size", [WIDE, NARROW], ids=["wide", "narrow"])
def test_a_lecturers_tour_is_walked_once_and_again_from_the_account(page: Page, first_login: User, size: ViewportSize):
    page.set_viewport_size(size)
    walk(page, LECTURER_TOUR)
    page.get_by_role("button", name="Done").click()
    expect(page.get_by_role("dialog", name="Tour")).to_be_hidden()
    expect(page.locator(".tour-target")).to_have_count(0)
    until(page, lambda: has_ended_tour(first_login))
    page.goto(reverse("home"))
    expect(page.get_by_role("dialog", name="Tour")).to_have_count(0)
    page.goto(reverse("account"))
    page.get_by_role("button", name="Show the tour again").click()
    expect(page.get_by_role("dialog", name="Tour")).to_be_visible()


def test_a_registrars_tour_of_an_empty_program(page: Page, sign_in: SignIn, transactional_db: None):
    registrar = factories.registrar()
    sign_in(registrar)
    set_tour_ended(user=registrar, ended=False)
    page.goto(reverse("home"))
    walk(page, REGISTRAR_TOUR)
    usable(page)
    page.get_by_role("button", name="Skip the tour").click()
    until(page, lambda: has_ended_tour(registrar))


def test_where_there_is_nothing_to_point_at_the_card_is_in_the_middle(page: Page, sign_in: SignIn, world: World):
    sign_in(world.registrar)
    set_tour_ended(user=world.registrar, ended=False)
    page.goto(reverse("home"))
    walk(page, REGISTRAR_TOUR, missing=("[aria-labelledby=sample]",))


def test_with_the_keyboard(page: Page, first_login: User):
    tour = page.get_by_role("dialog", name="Tour")
    expect(tour.get_by_role("button", name="Next")).to_be_focused()
    page.keyboard.press("Enter")
    expect(tour).to_contain_text("Step 2 of 5")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(tour).to_contain_text("Step 1 of 5")
    page.keyboard.press("Escape")
    expect(tour).to_be_hidden()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="New lecture", exact=True)).to_be_focused()
    until(page, lambda: has_ended_tour(first_login))
