"""An excuse that is handed in afterwards, with its document, on a phone; the register shows it."""

from pathlib import Path

from django.urls import reverse
from playwright.sync_api import Page, expect

from campus.attendance.roll import mark_others
from tests.campus import factories
from tests.campus.conftest import World
from tests.e2e.conftest import NARROW, SignIn, sees, usable


def test_an_excuse_that_is_handed_in_afterwards(page: Page, world: World, sign_in: SignIn, tmp_path: Path):
    lecture = factories.lecture(world.course)
    mark_others(lecture=lecture, status="absent", user=world.own)
    lecture.records.filter(student=world.student).update(override_status="", machine_status="absent")
    document = tmp_path / "Attest.pdf"
    document.write_bytes(b"%PDF-1.7 hello")
    sign_in(world.own)
    page.set_viewport_size(NARROW)
    page.goto(reverse("lecture", args=[lecture.pk]))
    page.get_by_role("link", name="Excuse a student").click()
    page.get_by_label("Student", exact=True).select_option(label=str(world.student))
    page.get_by_label("Reason").fill("Appendicitis")
    page.set_input_files("input[type=file]", document)
    page.get_by_role("button", name="Excuse").click()
    sees(page, f"{world.student.name} is excused.", "1 excused", "Appendicitis")

    page.goto(reverse("register", args=[world.course.pk]))
    expect(page.get_by_title("Excused: Appendicitis")).to_have_text("E")
    page.goto(reverse("excuses"))
    with page.expect_download() as download:
        page.get_by_role("link", name="Attest.pdf").click()
    assert Path(download.value.path()).read_bytes() == document.read_bytes()
    usable(page)
    page.goto(reverse("student", args=[world.student.pk]))
    usable(page)
    page.get_by_role("button", name="Withdraw").click()
    sees(page, "withdrawn by own")
    page.goto(reverse("lecture", args=[lecture.pk]))
    sees(page, "1 not seen")
