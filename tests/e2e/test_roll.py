"""The camera failed: the roll is taken by hand on a phone, by taps, and by keyboard at a desk."""

import pytest
from django.urls import reverse
from playwright.sync_api import Browser, Page, expect

from campus.academics.models import Lecture
from tests.campus import factories
from tests.campus.conftest import World
from tests.e2e.conftest import NARROW, SignIn, sees, until, usable


@pytest.fixture
def lecture(world: World, sign_in: SignIn) -> Lecture:
    """A lecture of eight students, without a recording."""
    for n in range(6):
        factories.enrol(world.course, factories.student(name=f"Zoë Number {n}"))
    sign_in(world.own)
    return factories.lecture(world.course)


def overrides(lecture: Lecture) -> list[str]:
    return list(lecture.records.order_by("student__sort_key").values_list("override_status", flat=True))


def test_by_hand_on_a_phone(page: Page, lecture: Lecture):
    page.set_viewport_size(NARROW)
    page.goto(reverse("lecture", args=[lecture.pk]))
    rows = page.locator(".roll > li")
    expect(rows).to_have_count(8)
    box = rows.first.locator(".mark").first.bounding_box()
    assert box
    assert min(box["width"], box["height"]) >= 44, "large enough for a thumb"
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.resource_type))
    for n, letter in enumerate(["P", "L", "P", "A"]):
        rows.nth(n).get_by_role("button", name={"P": "Present", "L": "Late", "A": "Absent"}[letter]).click()
    sees(page, "2 present", "1 late", "1 absent", "4 no status yet", "marked by own")
    page.get_by_role("button", name="All 4 others present").click()
    sees(page, "6 present")
    assert overrides(lecture) == ["present", "late", "present", "absent", *["present"] * 4]
    expect(rows.last.get_by_role("button", name="Present")).to_have_attribute("aria-pressed", "true")
    page.locator(".toast").get_by_role("button", name="Undo").click()
    sees(page, "4 no status yet")
    assert "fetch" in requested
    assert "document" not in requested, "the page was not loaded again"
    rows.last.scroll_into_view_if_needed()
    expect(page.locator("#roll-head")).to_be_in_viewport()


def test_several_at_once_are_taken_back_and_nothing_covers_the_sign_off(page: Page, lecture: Lecture):
    page.set_viewport_size(NARROW)
    page.goto(reverse("lecture", args=[lecture.pk]))
    toast, several = page.locator(".toast"), page.locator(".together")
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.resource_type))

    def set_all(status: str) -> None:
        page.get_by_label("Select all 8 shown").check()
        several.get_by_label("Status").select_option(status)
        several.get_by_role("button", name="Set for selected").click()
        expect(toast).to_contain_text("8 statuses changed.")
        expect(several).to_be_hidden()

    set_all("Excused")
    expect(page.locator(".badge a").first).to_be_focused()
    usable(page)
    toast.get_by_role("button", name="Undo").click()
    sees(page, "8 no status yet")
    toast.get_by_role("button", name="Dismiss").click()
    expect(toast).to_have_count(0)
    set_all("Present")
    page.locator("summary", has_text="Sign off").click()
    expect(toast).to_have_count(0)
    assert "fetch" in requested
    assert "document" not in requested, "the page was not loaded again"
    page.get_by_role("button", name="Yes, sign off").click()
    sees(page, "Signed off by own")
    assert set(overrides(lecture)) == {"present"}


def test_what_a_toast_covers_can_be_scrolled_to(page: Page, lecture: Lecture):
    page.set_viewport_size(NARROW)
    long = factories.student(name="Zoë " + "von Hohenstein-Wartenberg " * 5 + "Zyz")
    factories.enrol(lecture.course, long)  # the last one, in a toast of several lines
    page.goto(reverse("lecture", args=[lecture.pk]))
    page.locator(".roll > li").last.get_by_role("button", name="Present").click()
    toast = page.locator(".toast")
    toast.hover()  # so that it stays
    for _pick in range(2):
        page.evaluate("scrollTo(0, document.documentElement.scrollHeight)")
        is_clear = "() => [...document.querySelectorAll('#main :is(a, button, li)')].every((part) =>"
        is_clear += " part.closest('.toasts') || part.getBoundingClientRect().bottom"
        is_clear += " <= document.querySelector('.toast').getBoundingClientRect().top)"
        page.wait_for_function(is_clear)
        page.get_by_label("Select all 9 shown").check()  # the bar for several lifts it


def test_marks_by_hand_are_asked_about_on_a_page(page: Page, lecture: Lecture):
    page.goto(reverse("lecture", args=[lecture.pk]))
    page.locator(".roll > li").first.get_by_role("button", name="Late").click()
    sees(page, "1 late")
    page.get_by_label("Select all 8 shown").check()
    page.locator(".together").get_by_label("Status").select_option("Present")
    page.get_by_role("button", name="Set for selected").click()
    sees(page, "One of these students was marked by hand.")


def test_with_the_keyboard(page: Page, lecture: Lecture):
    page.goto(reverse("lecture", args=[lecture.pk]))
    first, second = page.locator(".roll > li").nth(0), page.locator(".roll > li").nth(1)
    first.get_by_role("button", name="Present").focus()
    page.keyboard.press("a")
    expect(first.get_by_role("button", name="Absent")).to_have_attribute("aria-pressed", "true")
    sees(page, "1 absent")
    expect(first.get_by_role("button", name="Absent")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(second.get_by_role("button", name="Absent")).to_be_focused()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("p")
    sees(page, "1 present")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("e")
    sees(page, "1 excused", "1 present")
    until(page, lambda: overrides(lecture)[:2] == ["excused", "present"])
    usable(page)


def test_a_status_is_changed_where_it_stands_and_taken_back(page: Page, world: World, sign_in: SignIn):
    sign_in(world.own)
    page.goto(reverse("lecture", args=[world.lecture.pk]))
    menu, toast, several = page.get_by_role("menu"), page.locator(".toast"), page.locator(".together")
    status = page.locator(f"#student-{world.student.pk} .badge a")
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    expect(page.locator(".badge a").first).to_be_focused()
    status.focus()
    page.keyboard.press("Enter")
    expect(menu.get_by_role("menuitemradio", name="As detected")).to_be_focused()
    usable(page)
    expect(menu).to_be_hidden()
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowUp")
    expect(menu.get_by_role("menuitemradio", name="Absent")).to_be_focused()
    page.keyboard.press("Escape")
    expect(menu).to_be_hidden()
    expect(status).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("e")
    expect(toast).to_contain_text(f"{world.student.name}: Excused")
    expect(status).to_be_focused()
    expect(status).to_have_text("Excused")
    sees(page, "Present → Excused")
    assert world.lecture.records.get(student=world.student).override_status == "excused"
    toast.get_by_role("button", name="Undo").click()
    expect(toast).to_have_text(f"Taken back. {world.student.name}: Present")
    expect(status).to_have_text("Present")
    expect(status).to_be_focused()
    status.click()
    status.click()
    expect(menu).to_be_hidden()
    expect(several).to_be_hidden()
    page.keyboard.press("x")
    expect(several).to_be_visible()
    expect(several).to_contain_text("1 selected")
    page.get_by_label("Select all 2 shown").check()
    expect(several).to_contain_text("2 selected")
    page.get_by_role("button", name="Select nobody").click()
    expect(several).to_be_hidden()


def test_a_tap_that_is_not_saved_says_so(page: Page, lecture: Lecture):
    page.goto(reverse("lecture", args=[lecture.pk]))
    page.context.set_offline(True)
    button = page.locator(".roll > li").first.get_by_role("button", name="Present")
    button.click()
    sees(page, "Not saved: the server cannot be reached.")
    expect(button).to_have_attribute("aria-pressed", "false")
    page.context.set_offline(False)
    button.click()
    sees(page, "1 present")
    expect(page.locator("#roll-head [data-problem]")).to_be_empty()


def test_without_the_script(chromium: Browser, address: str, lecture: Lecture, world: World, sign_in: SignIn):
    with chromium.new_context(base_url=address, java_script_enabled=False) as context:
        sign_in(world.own, context)
        page = context.new_page()
        page.goto(reverse("lecture", args=[lecture.pk]))
        page.locator(".roll > li").first.get_by_role("button", name="Late").click()
        sees(page, "1 late", "marked by own")
        page.get_by_role("button", name="All 7 others absent").click()
        sees(page, "7 absent")
        page.locator(".badge a").first.click()
        sees(page, "Set the status")


def test_on_paper_it_is_a_list_to_sign_without_reasons(page: Page, lecture: Lecture, world: World):
    factories.excuse(world.student, reason="Appendicitis", last_day=lecture.ends_at.date())
    page.goto(reverse("lecture", args=[lecture.pk]))
    sees(page, "Appendicitis")
    page.emulate_media(media="print")
    expect(page.locator("#main")).not_to_contain_text("Appendicitis", use_inner_text=True)
    expect(page.locator(".roll > li").first).to_be_visible()
    expect(page.locator(".sign").first).to_be_visible()
    for hidden in (".mark", ".top", "#roll-filters", ".together", "[data-upload]"):
        expect(page.locator(hidden).first).to_be_hidden()
