"""What is seen before any script has run."""

from django.urls import reverse
from playwright.sync_api import Browser, expect

from tests.campus.conftest import World
from tests.e2e.conftest import SignIn


def test_pages_are_there_without_scripts(chromium: Browser, address: str, world: World, sign_in: SignIn):
    context = chromium.new_context(base_url=address, java_script_enabled=False)
    sign_in(world.registrar, context)
    page = context.new_page()
    for name, text in (("home", "Today"), ("admin:index", "Today"), ("admin:academics_student_changelist", "Students")):
        page.goto(reverse(name))
        expect(page.get_by_role("heading", level=1)).to_contain_text(text)
        expect(page.get_by_role("combobox", name="Search for classes")).to_be_visible()
    expect(page.locator("#changelist-filter")).to_be_hidden()
    page.goto(reverse("admin:academics_course_change", args=[world.course.pk]))
    expect(page.get_by_label("Code")).to_be_visible()
    context.close()
