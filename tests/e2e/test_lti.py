"""A lecturer comes from a learning platform in a browser: in a new tab, with its cookies and policies, to the class,
and back with a link. The registrar sees on the page of connections what was exchanged.
"""

from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from campus.attendance.models import AttendanceRecord
from campus.attendance.overrides import sign_off_lecture
from campus.connections import runs
from campus.identity.models import IdentityProvider
from tests.campus import factories
from tests.campus.connections.platforms import connect, course_of, work_off
from tests.e2e.conftest import SignIn, usable
from tests.servers.lti_platform import Platform, lti_platform


@pytest.fixture
def platform(settings) -> Iterator[Platform]:
    settings.CONNECTION_NETWORKS = ["127.0.0.0/8"]
    with lti_platform(Platform()) as served:
        served.add_member("grace", "Grace Hopper", "T1", role="Instructor")
        yield served


def come(context: BrowserContext, address: str, platform: Platform, *, deep: bool = False) -> Page:
    """Open the link on the platform's page; the new tab."""
    launch = f"{address}/lti/launch/"
    given = {
        "iss": platform.issuer,
        "client_id": platform.client_id,
        "login_hint": "grace",
        "target_link_uri": launch,
        "lti_message_hint": urlencode({"deep": "yes" if deep else "", "target": launch}),
    }
    page = context.new_page()
    page.goto(f"{platform.issuer}/launch-link?" + urlencode({"to": f"{address}/lti/login/?{urlencode(given)}"}))
    with context.expect_page() as opened:
        page.get_by_role("link").click()
    tab = opened.value
    tab.get_by_role("button", name="Go on").click()  # what a platform's script does
    return tab


def test_from_the_platform_to_the_class_and_back(
    context: BrowserContext, address: str, platform: Platform, sign_in: SignIn
) -> None:
    lecturer, registrar = factories.user(username="T1"), factories.registrar(username="registrar")
    course = course_of(platform, *(f"Student {n}" for n in range(4)))
    course.lecturers.set([lecturer])
    connect(platform)
    IdentityProvider.objects.update(matching="user-name", match_claim="lis_person_sourcedid")

    tab = come(context, address, platform)
    expect(tab.get_by_role("heading", name="Which class is this?")).to_be_visible()
    usable(tab)
    tab.get_by_role("button", name="Link this class").click()
    expect(tab).to_have_url(f"{address}/classes/{course.pk}/")
    work_off("roster")
    tab = come(context, address, platform)
    expect(tab).to_have_url(f"{address}/classes/{course.pk}/")

    lecture = factories.lecture(course, title="Loops")
    tab = come(context, address, platform, deep=True)
    tab.get_by_label("Class or lecture").select_option(value=f"lecture:{lecture.pk}")
    tab.get_by_role("button", name="Choose").click()
    tab.get_by_role("button", name="Back to Moodle").click()
    expect(tab.get_by_text("The link is there.")).to_be_visible()
    assert len(platform.chosen) == 1

    for student in course.students.all():
        AttendanceRecord.objects.create(lecture=lecture, student=student, override_status="present")
    sign_off_lecture(lecture=lecture, user=registrar)
    del platform.members["user-4"]
    runs.request_due_runs()
    work_off()
    assert len(platform.marks()) == 3

    context.clear_cookies()
    sign_in(registrar)
    page = context.new_page()
    page.goto("/connections/")
    card = page.locator(".connection")
    expect(card.get_by_text("works")).to_be_visible()
    expect(card.get_by_text("3 marks stand there, 1 given up")).to_be_visible()
    expect(card.get_by_text("no such user")).to_be_visible()
    usable(page)
    card.get_by_role("button", name="Preview roster").click()
    expect(page.get_by_text("under way")).to_be_visible()
    work_off("roster")
    expect(page.get_by_role("link", name="Preview")).to_be_visible()  # the page refreshes itself
    page.get_by_role("button", name="Stop").click()
    expect(card.get_by_text("switched off")).to_be_visible()
