"""The register in a real browser: what it shows follows what is typed and chosen, and so do its address and files."""

import re

import pytest
from django.urls import reverse
from playwright.sync_api import Browser, Page, expect

from campus.academics.models import Student
from campus.attendance.models import AttendanceRecord
from tests.campus import factories
from tests.campus.conftest import World
from tests.e2e.conftest import SignIn, sees, usable


@pytest.fixture
def register(world: World, sign_in: SignIn) -> str:
    """Ann came to all lectures, Bob to every other; they are in two sections."""
    ann, bob = world.course.students.order_by("pk")
    for student, name, section in ((ann, "Ann Lee", "A"), (bob, "Bob Roth", "B")):
        Student.objects.filter(pk=student.pk).update(name=name)
        world.course.enrolments.filter(student=student).update(section=section)
    AttendanceRecord.objects.all().delete()
    for n in range(4):
        lecture = factories.lecture(world.course)
        for student, status in ((ann, "present"), (bob, "absent" if n % 2 else "present")):
            AttendanceRecord.objects.create(lecture=lecture, student=student, machine_status=status)
    sign_in(world.own)
    return reverse("register", args=[world.course.pk])


def test_the_required_share_is_tried_by_typing(page: Page, register: str):
    page.goto(register)
    rows = page.locator(".register tbody tr")
    expect(rows.filter(has_text="below")).to_have_count(1)
    required = page.get_by_label("If required (%)")
    required.press_sequentially("50")
    sees(page, "This shows who would be below if 50 % were required.", "Only below 50 %")
    expect(rows.filter(has_text="below")).to_have_count(0)
    expect(required).to_be_focused()
    expect(page).to_have_url(re.compile("required=50"))
    usable(page)
    page.get_by_label("If required (%)").fill("")
    page.get_by_label("Only below").check()
    expect(rows).to_have_count(1)
    page.get_by_label("Section").select_option("A")
    sees(page, "Nobody is below the required attendance.")
    expect(page.get_by_role("link", name="CSV")).to_have_attribute("href", re.compile("section=A"))
    page.reload()
    expect(page.get_by_label("Section")).to_have_value("A")
    expect(page.get_by_label("Only below")).to_be_checked()


def test_without_scripts_there_is_a_button(
    chromium: Browser, address: str, register: str, sign_in: SignIn, world: World
):
    context = chromium.new_context(base_url=address, locale="en-GB", java_script_enabled=False)
    sign_in(world.own, context)
    page = context.new_page()
    page.goto(register)
    page.locator("#main [name=required]").fill("50")
    page.get_by_role("button", name="Show").click()
    sees(page, "This shows who would be below if 50 % were required.")
    context.close()


def test_the_names_and_the_days_stay_in_view(page: Page, register: str, world: World):
    for _ in range(40):
        student = factories.student()
        factories.enrol(world.course, student)
        for lecture in world.course.lectures.filter(records__isnull=False).distinct():
            AttendanceRecord.objects.create(lecture=lecture, student=student, machine_status="present")
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(register)
    table = page.locator(".frozen")
    before = table.locator("thead th").first.bounding_box()
    table.evaluate("box => { box.scrollTop = box.scrollHeight; box.scrollLeft = box.scrollWidth; }")
    assert table.locator("thead th").first.bounding_box() == before
    last = table.locator("tbody th").last.bounding_box()
    assert last
    assert before
    assert last["x"] == before["x"]
    page.emulate_media(media="print")
    assert table.evaluate("box => getComputedStyle(box).overflow") == "visible"
