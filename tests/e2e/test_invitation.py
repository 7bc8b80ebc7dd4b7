"""An administrator invites a lecturer, who comes from the e-mail to the first page."""

import re

from django.core import mail
from playwright.sync_api import Page, expect

from campus.accounts.roles import Role
from campus.common import jobs
from campus.outbox.models import Delivery
from campus.outbox.services import deliver
from tests.campus import factories
from tests.campus.conftest import World
from tests.e2e.conftest import SignIn, sees, usable


def test_from_the_invitation_to_the_first_page(page: Page, world: World, sign_in: SignIn, address: str, settings):
    settings.BASE_URL = address
    sign_in(factories.person(Role.ADMINISTRATOR, first_name="Grace", last_name="Hopper"))
    page.goto("/admin/auth/user/add/")
    usable(page)
    page.get_by_label("First name").fill("Ada")
    page.get_by_label("Last name").fill("Lovelace")
    page.get_by_label("E-mail").fill("ada@example.org")
    expect(page.get_by_role("radio")).to_have_count(4)
    expect(page.get_by_role("radio", name=re.compile("^Lecturer"))).to_be_checked()
    page.locator("#id_courses").select_option(label=str(world.course))
    page.get_by_role("button", name="Send invitation").click()
    sees(page, "An invitation is on its way to ada@example.org", "Ada Lovelace")
    usable(page)
    page.get_by_role("link", name="invited").click()
    sees(page, "Invited by Grace Hopper", "works once")
    usable(page)

    held = jobs.DELIVER.claim(Delivery.objects.get().pk, "worker")
    assert held
    deliver(delivery=held)
    link = re.search(r"http\S+/invitation/\S+", str(mail.outbox[0].body))
    assert link
    page.context.clear_cookies()
    page.goto(link[0])
    sees(page, "Welcome, Ada Lovelace")
    usable(page)
    page.get_by_label("New password", exact=True).fill("correct horse battery")
    page.get_by_label("New password confirmation").fill("correct horse battery")
    page.get_by_role("button", name="Set password and log in").click()
    sees(page, str(world.course))
    expect(page.locator("header .me")).to_contain_text("Ada Lovelace")
    page.get_by_role("button", name="Skip the tour").click()

    page.get_by_role("button", name="Account:").click()
    page.get_by_role("button", name="Log out").click()
    page.goto(link[0])
    sees(page, "This link is no longer valid")
    usable(page)
    page.get_by_role("link", name="Log in").click()
    page.get_by_label("E-mail").fill("ada@example.org")
    page.get_by_label("Password").fill("correct horse battery")
    page.get_by_role("button", name="Log in").click()
    sees(page, str(world.course))
