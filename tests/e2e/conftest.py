"""Debian's Chromium on a real server. Skipped where it is not installed."""

import os
import shutil
import time
from collections.abc import Callable, Iterator
from typing import Literal, Protocol

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect, sync_playwright

from campus.accounts.services import set_tour_ended
from campus.common import jobs
from tests.campus.conftest import own_folders, video_bytes, world

__all__ = ["own_folders", "video_bytes", "world"]

TIMEOUT_SECONDS = 60.0  # seconds until something that should happen is taken for not happening
WIDE, NARROW = ViewportSize(width=1280, height=1000), ViewportSize(width=390, height=844)
SERIOUS = ("serious", "critical")
expect.set_options(timeout=TIMEOUT_SECONDS * 1000)


@pytest.fixture(scope="session")
def program() -> str:
    """Where Chromium is."""
    found = shutil.which("chromium")
    if found is None:
        pytest.skip("chromium is not installed (Debian: apt install chromium)")
    return found


@pytest.fixture(scope="module")
def chromium(program: str) -> Iterator[Browser]:
    """Playwright runs an event loop in this thread, where Django would refuse the database; nothing here is
    asynchronous, though."""
    with pytest.MonkeyPatch.context() as patch, sync_playwright() as playwright:
        patch.setitem(os.environ, "DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def nobody_works(settings) -> Iterator[None]:
    """No broker is there: the tests do the workers' part by the same services."""
    settings.BROKER_URL = "redis://127.0.0.1:1/0"
    jobs.producer.cache_clear()
    yield
    jobs.producer.cache_clear()


@pytest.fixture
def address(transactional_db, nobody_works, live_server) -> str:
    """Of the server that the page is on."""
    return live_server.url


@pytest.fixture
def context(chromium: Browser, address: str) -> Iterator[BrowserContext]:
    context = chromium.new_context(base_url=address, locale="en-GB", viewport=WIDE, reduced_motion="reduce")
    context.set_default_timeout(TIMEOUT_SECONDS * 1000)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    page = context.new_page()
    refused: list[str] = []
    page.on("console", lambda said: refused.append(said.text) if "Content Security Policy" in said.text else None)
    yield page
    assert not refused


class SignIn(Protocol):
    def __call__(self, user: User, context: BrowserContext | None = None) -> None: ...


@pytest.fixture
def sign_in(request: pytest.FixtureRequest, address: str) -> SignIn:
    """Somebody is signed in without the form, in the page's context or another one; it is not for the first time."""

    def sign_in(user: User, context: BrowserContext | None = None) -> None:
        set_tour_ended(user=user, ended=True)
        client = Client()
        client.force_login(user)
        name = settings.SESSION_COOKIE_NAME
        context = context or request.getfixturevalue("context")
        context.add_cookies([{"name": name, "value": client.cookies[name].value, "url": address}])

    return sign_in


def sees(page: Page, *texts: str) -> None:
    """Each of the texts can be read on the page, now or soon."""
    for text in texts:
        expect(page.locator("#main")).to_contain_text(text, use_inner_text=True)


def until(page: Page, condition: Callable[[], object]) -> None:
    """Ask the database until it is so, while the page goes on."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        page.wait_for_timeout(50)


def usable(page: Page) -> None:
    """axe finds nothing serious and nothing overflows sideways in what the page shows now: wide and light, narrow
    and dark."""
    views: tuple[tuple[ViewportSize, Literal["light", "dark"]], ...] = ((WIDE, "light"), (NARROW, "dark"))
    for size, scheme in views:
        page.set_viewport_size(size)
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        page.evaluate(
            "dark => document.documentElement.classList.toggle('dark', dark)", scheme == "dark"
        )  # the admin looks at load only
        faults = [fault for fault in Axe().run(page).response["violations"] if fault["impact"] in SERIOUS]
        assert not [(page.url, scheme, fault["id"], [node["html"] for node in fault["nodes"]]) for fault in faults]
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"], (page.url, scheme)
    page.set_viewport_size(WIDE)
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    page.evaluate("document.documentElement.classList.remove('dark')")
