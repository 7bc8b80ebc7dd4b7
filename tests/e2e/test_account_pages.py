"""The own account in a browser: a second step is set up and asked for, a token is made once and gone."""

import pyotp
from playwright.sync_api import Page, expect

from campus.accounts.models import TwoFactorDevice
from tests.campus.conftest import World
from tests.e2e.conftest import SignIn, sees, usable


def test_two_factor_and_token(page: Page, world: World, sign_in: SignIn):
    sign_in(world.own)
    page.goto("/account/")
    page.get_by_label("What it is for").fill("Timetable script")
    page.get_by_role("button", name="Make the token").click()
    sees(page, "rollcall_")
    usable(page)
    page.goto("/account/")
    expect(page.locator(".token")).to_contain_text("Timetable script")
    expect(page.locator(".secret")).to_have_count(0)

    page.get_by_role("link", name="Set it up").click()
    secret = str(page.locator("details .secret").text_content())
    page.get_by_label("Code").fill(pyotp.TOTP(secret).now())
    page.get_by_role("button", name="Switch it on").click()
    sees(page, "From now on a code is asked for")
    TwoFactorDevice.objects.update(last_time_step=0)  # as if half a minute had passed
    page.get_by_role("button", name="Log out").click()
    sees(page, "You are logged out")
    page.goto("/account/")
    page.get_by_label("Username").fill("own")
    page.get_by_label("Password").fill("password")
    page.get_by_role("button", name="Log in").click()
    sees(page, "The password is right")
    usable(page)
    page.get_by_label("Code").fill(pyotp.TOTP(secret).now())
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/account/")
