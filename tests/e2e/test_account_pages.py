"""The own account in a browser: a second step is set up and asked for, a token is made once and gone, and no page keeps anybody out."""

import pyotp
from axe_core_python.selenium import Axe

from campus.accounts.models import SecondStep
from tests.campus.conftest import World
from tests.e2e.conftest import Browser


def accessible(browser: Browser) -> None:
    faults = Axe().run(browser.driver)["violations"]
    assert not [fault["id"] for fault in faults if fault["impact"] in ("serious", "critical")], browser.path()


def test_second_step_and_token(browser: Browser, world: World):
    for page in ("/login/", "/password/reset/", "/password/reset/x/y/"):
        browser.open(page)
        accessible(browser)
    browser.log_in("own")
    browser.open("/account/")
    accessible(browser)
    browser.fill(name="Timetable script")
    browser.press("Make the token")
    browser.sees("rollcall_")
    accessible(browser)
    browser.open("/account/")
    assert browser.find(".token").text.startswith("Timetable script")
    assert not browser.driver.find_elements("css selector", ".secret")

    browser.press("Set it up")
    accessible(browser)
    secret = str(browser.find("details .secret").get_attribute("textContent"))
    browser.fill(code=pyotp.TOTP(secret).now())
    browser.press("Switch it on")
    browser.sees("From now on a code is asked for")
    accessible(browser)
    SecondStep.objects.update(last_step=0)  # as if half a minute had passed
    browser.press("Log out")
    browser.sees("You are logged out")
    browser.open("/account/")
    browser.fill(username="own", password="password")
    browser.press("Log in")
    browser.sees("The password is right")
    accessible(browser)
    browser.fill(code=pyotp.TOTP(secret).now())
    browser.press("Log in")
    browser.wait(lambda _: browser.path() == "/account/")
