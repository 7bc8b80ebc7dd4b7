"""The own account in a browser: a second step is set up and asked for, a token is made once and gone."""

import pyotp
from playwright.sync_api import Page, expect

from campus.accounts.models import TwoFactorDevice
from tests.campus.conftest import World
from tests.e2e.conftest import SignIn, sees, usable


def test_two_factor_and_token(page: Page, world: World, sign_in: SignIn):
    sign_in(world.own)
    page.goto("/account/")
    page.get_by_label("Purpose").fill("Timetable script")
    page.get_by_role("button", name="Create token").click()
    sees(page, "rollcall_")
    usable(page)
    page.goto("/account/")
    expect(page.get_by_role("region", name="API tokens")).to_contain_text("Timetable script")
    expect(page.locator(".secret")).to_have_count(0)

    page.get_by_role("link", name="Set up").click()
    secret = str(page.locator("details .secret").text_content())
    page.get_by_label("Code").fill(pyotp.TOTP(secret).now())
    page.get_by_role("button", name="Turn on").click()
    sees(page, "Two-factor login is on")
    TwoFactorDevice.objects.update(last_time_step=0)  # as if half a minute had passed
    page.get_by_role("button", name="Account:").click()
    page.get_by_role("button", name="Log out").click()
    sees(page, "You are logged out")
    page.goto("/account/")
    page.get_by_label("Username").fill("own")
    page.get_by_label("Password").fill("password")
    page.get_by_role("button", name="Log in").click()
    sees(page, "Enter the code")
    usable(page)
    page.get_by_label("Code").fill(pyotp.TOTP(secret).now())
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/account/")
