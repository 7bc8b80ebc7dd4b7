"""Every page of the product, as whoever it is for, wide and narrow, light and dark: axe finds nothing serious, nothing
overflows
sideways, and the browser complains about nothing. A new page is looked at by itself.

ROLLCALL_SCREENSHOTS=folder keeps a picture of each.
"""

import asyncio
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import axe_playwright_python
from django.conf import settings
from django.test import Client
from django.urls import reverse
from playwright.async_api import Browser, BrowserContext, Error, Page, async_playwright
from playwright.sync_api import ViewportSize

from campus.biometrics.models import FacePhoto, LectureFace
from campus.common.storage import write_media
from tests.campus.conftest import World
from tests.campus.permissions import address as where_is
from tests.campus.permissions import people, reader, routes, things
from tests.campus.rows import multiply
from tests.e2e.conftest import NARROW, SERIOUS, WIDE
from tests.e2e.term import lived_in

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
OPTIONS = {"resultTypes": ["violations"], "preload": False, "iframes": False}
VIEWS: list[tuple[ViewportSize, Literal["light", "dark"]]] = [(WIDE, "light"), (NARROW, "dark")]
# The same for every row; what its form for changes is, but empty; a page of Swagger's; and a probe, which is not ready
# here without a broker (tests/campus/operations/test_probes.py); and where a
# platform sends a browser with what it says.
NOT_OURS = ("_delete", "_history", "_add", "api-docs", "readyz", "lti-login", "lti-registration")
AT_ONCE = 3
PAGE_SECONDS = 60  # for all views of a page
WHOLE = re.compile(r"\s*<!doctype html", re.IGNORECASE)  # a part of a page is looked at where it is shown
PICTURES = os.environ.get("ROLLCALL_SCREENSHOTS")


class Looker:
    """Looks at one page after the other."""

    def __init__(self, browser: Browser, root: str, cookies: dict[str, str]) -> None:
        self.browser, self.root, self.cookies = browser, root, cookies
        self.contexts: dict[str, BrowserContext] = {}
        self.faults: list[str] = []
        self.seen: set[str] = set()

    async def context(self, who: str) -> BrowserContext:
        if who not in self.contexts:
            self.contexts[who] = context = await self.browser.new_context(
                base_url=self.root, locale="en-GB", reduced_motion="reduce"
            )
            await context.add_init_script(AXE)
            if who in self.cookies:
                await context.add_cookies(
                    [{"name": settings.SESSION_COOKIE_NAME, "value": self.cookies[who], "url": self.root}]
                )
        return self.contexts[who]

    async def look(self, who: str, where: str) -> None:
        """Judge it if it is a page; what leads elsewhere, or is a file, is none."""
        page = await (await self.context(who)).new_page()
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: said.append(error.message))
        await page.set_viewport_size(WIDE)
        try:
            response = await page.goto(where)
        except Error as error:
            if "Download is starting" not in error.message and "ERR_ABORTED" not in error.message:
                self.faults.append(f"{where}: {error.message}")
        else:
            assert response is not None
            if response.status >= 400:
                self.faults.append(f"{where}: {response.status} for {who}")
            elif (
                response.status == 200
                and page.url == self.root + where
                and response.headers["content-type"].startswith("text/html")  # a video's content never ends
                and WHOLE.match(await response.text())
            ):
                self.seen.add(where)
                await self.judge(page, where)
                self.faults += [f"{where}: {text}" for text in said]
        await page.close()

    async def judge(self, page: Page, where: str) -> None:
        for size, scheme in VIEWS:
            await page.set_viewport_size(size)
            await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            await page.evaluate(
                "dark => document.documentElement.classList.toggle('dark', dark)", scheme == "dark"
            )  # the admin's own
            found = await page.evaluate(
                "options => axe.run({ exclude: ['ul.select2-selection__rendered'] }, options)", OPTIONS
            )
            for fault in found["violations"]:
                if fault["impact"] in SERIOUS:
                    self.faults += [
                        f"{where} {size['width']} {scheme}: {fault['id']}: {node['html']}" for node in fault["nodes"]
                    ]
            try:  # what scripts lay out follows the new width a moment later
                await page.wait_for_function(
                    "width => document.documentElement.scrollWidth <= width", arg=size["width"], timeout=3000
                )
            except Error:
                self.faults.append(f"{where} {size['width']}: overflows")
            if PICTURES:
                name = re.sub(r"\W+", "_", where).strip("_") or "home"
                await page.screenshot(path=f"{PICTURES}/{name}.{size['width']}.{scheme}.png", full_page=True)


async def look_at(program: str, root: str, cookies: dict[str, str], pages: Iterable[tuple[str, str]]) -> Looker:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        looker = Looker(browser, root, cookies)
        left, late = list(pages), set[tuple[str, str]]()

        async def some() -> None:
            while left:
                who, where = left.pop()
                try:
                    async with asyncio.timeout(PAGE_SECONDS):
                        await looker.look(who, where)
                except TimeoutError:  # the browser loses a page now and then, but never the same one twice
                    if (who, where) in late:
                        looker.faults.append(f"{where}: not looked at within {PAGE_SECONDS} s")
                    else:
                        late.add((who, where))
                        left.append((who, where))

        await asyncio.gather(*(some() for _ in range(AT_ONCE)))
        await browser.close()
    return looker


def signed_in(client: Client) -> str | None:
    cookie = client.cookies.get(settings.SESSION_COOKIE_NAME)
    return cookie.value if cookie else None


def test_everybody_can_use_every_page(program: str, address: str, world: World):
    keys, clients = things(world), people(world)
    work = lived_in(world)
    multiply(3)
    for crop in LectureFace.objects.values_list("crop", flat=True):
        write_media(crop, b"face")  # each copy has a file of its own
    for photo in FacePhoto.objects.filter(crop="", thumbnail="").exclude(state="pending"):
        photo.crop.name = f"crops/photos/{photo.pk}.jpg"
        write_media(photo.crop.name, b"face")
        photo.save(update_fields=["crop"])
    pages = [
        (who, where_is(route, keys))
        for route in routes()
        if (who := reader(route)) and not route.name.endswith(NOT_OURS)
    ]
    pages = [(who, where) for who, where in pages if not where.startswith("/api/")]
    pages += [("lecturer", reverse("recording", args=[pk])) for pk in (world.recording.pk, work.pk)]
    pages += [
        ("registrar", reverse("lecture", args=[lecture.pk]))
        for lecture in world.course.lectures.filter(sign_off=None)[:1]
    ]
    cookies = {who: cookie for who, client in clients.items() if (cookie := signed_in(client))}
    looker = asyncio.run(look_at(program, address, cookies, dict.fromkeys(pages)))
    assert not looker.faults, "\n".join(looker.faults)
    assert {reverse("home"), reverse("admin:index"), reverse("login")} <= looker.seen
