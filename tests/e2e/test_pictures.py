"""The pictures of the documents: pages of the sample class, whose students do not exist and have drawn faces.

WRITE_PICTURES=1 .venv/bin/python -m pytest tests/e2e/test_pictures.py
writes them to docs/pictures.
"""

import io
import os
from pathlib import Path

from django.urls import reverse
from django.utils import timezone
from PIL import Image
from playwright.sync_api import Page, ViewportSize

from campus.accounts.roles import Role
from campus.attendance.overrides import sign_off_lecture
from campus.attendance.sample_class import create_sample_class
from tests.campus import factories
from tests.conftest import REPOSITORY
from tests.e2e.conftest import SignIn, sees
from tests.test_documentation import MAX_PICTURE_BYTES

PICTURES = REPOSITORY / "docs" / "pictures"
SIZE = ViewportSize(width=1100, height=700)
SHORT = ViewportSize(width=1100, height=400)
COLOURS = 128


def take(page: Page, path: Path, *shown: str) -> None:
    """What the window shows, once these texts are there, with few colours so that the file is small."""
    sees(page, *shown)
    page.wait_for_function(
        "() => [...document.images].every((image) => image.complete || image.getBoundingClientRect().top > innerHeight)"
    )
    with Image.open(io.BytesIO(page.screenshot(animations="disabled"))) as picture:
        picture.convert("RGB").quantize(COLOURS).save(path, optimize=True)
    assert path.stat().st_size < MAX_PICTURE_BYTES, path.name


def test_the_pictures_of_the_documents(page: Page, sign_in: SignIn, settings, tmp_path: Path):
    folder = PICTURES if os.environ.get("WRITE_PICTURES") else tmp_path
    settings.INSTITUTION = "Example University"
    page.set_viewport_size(SIZE)
    administrator = factories.person(Role.ADMINISTRATOR, first_name="Grace", last_name="Hopper")
    registrar = factories.person(Role.REGISTRAR, first_name="Katherine", last_name="Johnson")
    lecturer = factories.person(Role.LECTURER, first_name="Ada", last_name="Lovelace", email="ada@example.org")

    sign_in(registrar)
    page.goto(reverse("home"))
    take(page, folder / "registrar-home.png", "Getting started")
    course = create_sample_class(user=registrar)
    course.lecturers.add(lecturer)
    *signed, by_hand, _from_picture = course.lectures.filter(ends_at__lte=timezone.now()).order_by("starts_at")
    for lecture in signed:
        sign_off_lecture(lecture=lecture, user=registrar)
    page.goto(reverse("course-students", args=[course.pk]))
    take(page, folder / "class-students.png", "Ada Abel")
    page.goto(reverse("course-settings", args=[course.pk]))
    take(page, folder / "class-settings.png", "Attendance rules")
    page.goto(reverse("admin:auth_user_add"))
    page.get_by_label("First name").fill("Alan")
    page.get_by_label("Last name").fill("Turing")
    page.get_by_label("E-mail").fill("alan@example.org")
    take(page, folder / "invite.png", "Invite somebody")
    page.get_by_role("button", name="Invite", exact=True).click()
    page.set_viewport_size(SHORT)
    take(page, folder / "invitation-link.png", "Copy the link now")
    page.set_viewport_size(SIZE)

    sign_in(administrator)
    page.goto(reverse("admin:auth_user_changelist"))
    take(page, folder / "staff.png", "Ada Lovelace", "Alan Turing")

    sign_in(lecturer)
    page.goto(reverse("home"))
    take(page, folder / "lecturer-home.png", course.code)
    page.goto(reverse("lecture", args=[by_hand.pk]))
    take(page, folder / "roll.png", "Attendance")
    page.goto(reverse("register", args=[course.pk]))
    take(page, folder / "register.png", "Register")
    assert {path.name for path in folder.glob("*.png")} == {path.name for path in PICTURES.iterdir()}
