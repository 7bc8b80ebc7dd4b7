"""A registrar downloads all that is held of a student, and erases the student: on a phone, in the dark, in German."""

import os
import zipfile
from pathlib import Path

from django.conf import settings
from playwright.sync_api import Page, expect

from campus.common import jobs
from campus.privacy.erasure import erase
from campus.privacy.models import Erasure
from tests.campus import factories
from tests.campus.conftest import World
from tests.e2e.conftest import NARROW, SignIn, sees, usable


def look(page: Page, name: str) -> None:
    """Without serious faults; kept as a picture where somebody wants to look."""
    usable(page)
    if folder := os.environ.get("ROLLCALL_SCREENSHOTS"):
        page.screenshot(path=Path(folder, f"{name}.png"), full_page=True)


def test_a_student_is_exported_and_erased(
    page: Page, world: World, sign_in: SignIn, address: str, tmp_path: Path
) -> None:
    student, registrar = world.record.student, factories.registrar()
    page.context.add_cookies([{"name": settings.LANGUAGE_COOKIE_NAME, "value": "de", "url": address}])
    name = student.name
    page.set_viewport_size(NARROW)
    page.emulate_media(color_scheme="dark")
    sign_in(registrar)
    page.goto(f"/students/{student.pk}/")
    with page.expect_download() as download:
        page.get_by_role("link", name="Alle Daten herunterladen").click()
    download.value.save_as(tmp_path / "data.zip")
    assert name in zipfile.ZipFile(tmp_path / "data.zip").read("index.html").decode()
    page.get_by_role("link", name="Löschen").click()
    look(page, "erase")
    page.get_by_label("Matrikelnummer").fill("etwas anderes")
    page.get_by_role("button", name="Löschen").click()
    expect(page.get_by_role("alert")).to_contain_text("Nichts wird gelöscht")
    assert not Erasure.objects.exists()
    page.get_by_label("Matrikelnummer").fill(student.number)
    page.get_by_role("button", name="Löschen").click()
    sees(page, "Sie können diese Seite verlassen")
    look(page, "erasure-open")
    row = Erasure.objects.get()
    world.lecture.recordings.exclude(state="done").delete()
    erase(erasure=jobs.ERASE.claim(row.pk, "me"))
    expect(page.get_by_role("heading", level=1)).to_contain_text("fertig")  # by itself
    look(page, "erasure-done")
    page.goto(f"/students/{student.pk}/")
    expect(page.get_by_role("heading", level=1)).to_contain_text(f"Erased student {student.pk}")
    assert name not in page.content()
    expect(page.get_by_role("link", name="Löschen")).to_have_count(0)
    page.goto("/erasures/")
    look(page, "erasures")
