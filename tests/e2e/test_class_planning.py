"""A registrar plans a class's weeks, imports its roster and says whose photos are whose, without the admin."""

from django.urls import reverse
from playwright.sync_api import FilePayload, Page, expect

from campus.academics.models import LectureSeries
from campus.biometrics.models import FacePhoto
from tests.campus.conftest import World, jpeg
from tests.campus.file_imports import read_uploads
from tests.e2e.conftest import SignIn, sees, usable

ROSTER = "student number;name;notes\nN71;Mia Weber;likes mathematics\nN72;Nguyễn Thị Minh Khai;\n"


def test_a_class_is_planned_and_filled_on_its_own_pages(page: Page, world: World, sign_in: SignIn):
    sign_in(world.registrar)
    page.goto(reverse("course", args=[world.course.pk]))
    page.get_by_role("link", name="Plan weekly lectures").click()
    page.get_by_label("Monday").check()
    page.get_by_label("Wednesday").check()
    for label, value in (("Starts", "09:15"), ("Ends", "10:45"), ("Room", "B 12")):
        page.get_by_label(label, exact=True).fill(value)
    page.get_by_label("First day").fill("2099-03-02")
    page.get_by_label("Last day").fill("2099-03-29")
    usable(page)
    page.get_by_role("button", name="Preview").click()
    sees(page, "Nothing is saved until you confirm.", "Mon 2 Mar 2099")
    usable(page)
    page.get_by_role("button", name="Save 8 lectures").click()
    sees(page, "Lectures: 8 created", "Mon 2 Mar 2099")
    usable(page)

    page.get_by_role("link", name="Plan weekly lectures").click()
    page.get_by_role("link", name="Edit").click()
    page.locator(".inline").get_by_label("Ends").fill("11:00")
    usable(page)
    page.locator(".inline").get_by_role("button", name="Preview").click()
    page.get_by_role("button", name="Save 8 lectures").click()
    sees(page, "8 changed")
    assert LectureSeries.objects.get().lectures.count() == 8

    page.get_by_role("link", name="Students").last.click()
    page.locator("#add summary").click()
    page.get_by_role("link", name="Import a roster").click()
    roster: FilePayload = {"name": "roster.csv", "mimeType": "text/csv", "buffer": ROSTER.encode()}
    page.get_by_label("CSV file or Excel workbook").set_input_files(roster)
    usable(page)
    page.get_by_role("button", name="Preview").click()
    sees(page, "roster.csv is being read.")
    read_uploads()
    sees(page, "2 new, 0 changed, 0 unchanged.", "Mia Weber")
    page.locator("summary", has_text="Columns").click()
    page.locator("summary", has_text="File").click()
    usable(page)
    page.get_by_role("button", name="Import").click()
    sees(page, "Roster imported: 2 new", "Mia Weber")

    page.goto(reverse("course-photos", args=[world.course.pk]))
    with page.expect_file_chooser() as chooser:
        page.get_by_text("Choose photos").click()
    chooser.value.set_files({"name": "somebody.jpg", "mimeType": "image/jpeg", "buffer": jpeg()})
    page.get_by_role("link", name="Choose the students").click()
    sees(page, "Whose photos are these?", "somebody")
    usable(page)
    page.get_by_label("Student", exact=True).fill("N71")
    page.get_by_role("button", name="Add", exact=True).click()
    sees(page, "1 photo added.")
    expect(page.get_by_text("Whose photos are these?")).to_have_count(0)
    assert FacePhoto.objects.filter(student__number="N71").count() == 1
