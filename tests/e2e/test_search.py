"""The search box on every page: with the keyboard, by mouse, on a phone, and without scripts."""

import pytest
from django.urls import reverse
from playwright.sync_api import Browser, Locator, Page, expect

from tests.campus import factories
from tests.campus.conftest import World
from tests.e2e.conftest import NARROW, SignIn, sees, usable


@pytest.fixture
def box(page: Page, world: World, sign_in: SignIn) -> Locator:
    """The box of the first page; three students are called Müller."""
    for name in ("Anna Müller", "Bert Müller", "Céline Müller"):
        factories.enrol(world.course, factories.student(name=name))
    sign_in(world.own)
    page.goto(reverse("home"))
    return page.get_by_role("combobox", name="Search for")


def test_with_the_keyboard(page: Page, box: Locator):
    link = page.get_by_role("link", name="Compare")
    link.focus()
    page.keyboard.press("/")
    expect(box).to_be_focused()
    expect(box).to_have_value("")
    page.keyboard.type("muller")
    options = page.get_by_role("option")
    expect(options).to_have_count(4)
    expect(page.get_by_role("group", name="Students")).to_contain_text("CS101")
    expect(page.get_by_role("search").get_by_role("status")).to_have_text("3 results")
    expect(box).to_have_attribute("aria-expanded", "true")
    for key, n in (("ArrowDown", 0), ("ArrowDown", 1), ("ArrowUp", 0), ("ArrowUp", 3), ("ArrowDown", 0)):
        page.keyboard.press(key)
        expect(options.nth(n)).to_have_attribute("aria-selected", "true")
        assert box.get_attribute("aria-activedescendant") == options.nth(n).get_attribute("id")
    usable(page)
    page.keyboard.press("Escape")
    expect(options).to_have_count(0)
    expect(link).to_be_focused()
    page.keyboard.press("/")
    page.keyboard.type("bert")
    expect(options).to_have_count(2)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Bert Müller")).to_be_visible()


def test_a_slash_in_a_field_is_a_slash(page: Page, box: Locator):
    page.goto(reverse("students"))
    field = page.get_by_label("Name or number")
    field.press_sequentially("a/b")
    expect(field).to_have_value("a/b")
    expect(field).to_be_focused()


def test_all_results_on_a_page(page: Page, box: Locator, world: World):
    box.fill("muller")
    box.press("Enter")
    sees(page, "Anna Müller", "Bert Müller", "Céline Müller")
    usable(page)
    box.fill("loops")
    page.get_by_role("option", name="All results").click()
    sees(page, "CS101 Loops")
    box.fill("b12")
    page.get_by_role("option", name="B 12", exact=True).click()
    expect(page.get_by_role("heading", name="B 12")).to_be_visible()
    usable(page)
    box.fill("nobody at all")
    expect(page.get_by_role("search").get_by_role("status")).to_have_text("Nothing found.")
    usable(page)
    box.press("Enter")
    sees(page, "Nothing found. Try part of a name")


def test_on_a_phone(page: Page, box: Locator):
    page.set_viewport_size(NARROW)
    box.fill("müller")
    option = page.get_by_role("option", name="Céline")
    expect(option).to_be_in_viewport(ratio=1)
    option.click()
    expect(page.get_by_role("heading", name="Céline Müller")).to_be_visible()


def test_without_scripts(chromium: Browser, address: str, box: Locator, world: World, sign_in: SignIn):
    context = chromium.new_context(base_url=address, java_script_enabled=False)
    sign_in(world.own, context)
    page = context.new_page()
    page.goto(reverse("home"))
    page.get_by_role("combobox", name="Search for").fill("bert")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="Bert Müller").click()
    expect(page.get_by_role("heading", name="Bert Müller")).to_be_visible()
    context.close()
