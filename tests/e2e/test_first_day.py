"""A registrar's first day in a real browser, from an empty database to a trained class with timetable and lecturer: by
the next step of the first page each time, and with few interactions. The networks are the real ones."""

import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
from django.utils import timezone, translation
from django.utils.translation import gettext
from playwright.sync_api import Locator, Page, ViewportSize, expect

from campus.academics.models import Course, FileImport
from campus.accounts.roles import Role
from campus.biometrics.models import FacePhoto, Gallery, PhotoImport
from campus.biometrics.services import TRAINING_DELAY, request_due_trainings
from campus.common import jobs
from tests.campus import factories
from tests.e2e.conftest import NARROW, SignIn, sees
from workers.file_imports import read_file
from workers.leased_task import run_attempt
from workers.training import check_photo, import_photos, train

MOST_INTERACTIONS = 60
STUDENTS, PHOTOS = 3, 2


class Hands:
    """What a person does on a page, counted: clicks, texts typed, choices, and files."""

    def __init__(self, page: Page) -> None:
        self.page, self.count = page, 0

    def press(self, what: str | Locator) -> None:
        self.count += 1
        (self.page.locator(what) if isinstance(what, str) else what).click()

    def type(self, field: str, text: str) -> None:
        self.count += 1
        self.page.locator(f"#main [name={field}]").fill(text)

    def choose(self, field: str, label: str) -> None:
        self.count += 1
        self.page.locator(f"#main [name={field}]").select_option(label=label)

    def give(self, file: Path) -> None:
        self.count += 1
        self.page.set_input_files("#main [name=file]", file)

    def next_step(self, action: str) -> None:
        """Go to the first page, and from there to what it says is next."""
        self.press("header .brand")
        button = self.page.locator(".setup a.button")
        expect(button).to_have_text(action)
        self.press(button)


def work() -> None:
    """All that waits for workers."""
    for job, task, model in (
        (jobs.READ_FILE, read_file, FileImport),
        (jobs.IMPORT_PHOTOS, import_photos, PhotoImport),
        (jobs.CHECK_PHOTO, check_photo, FacePhoto),
        (jobs.TRAIN, train, Gallery),
    ):
        for row in model.objects.filter(state=job.waiting_state):
            run_attempt(job, task, job.claim(row.pk, owner="worker"))


@pytest.fixture
def files(shared_data: Path, tmp_path: Path) -> tuple[Path, Path]:
    """A roster, and a zip with photos of everybody on it."""
    roster, photos = tmp_path / "roster.csv", tmp_path / "photos.zip"
    people = sorted(path for path in (shared_data / "people").iterdir() if path.is_dir())[:STUDENTS]
    lines = [f"M{n};{person.name.replace('_', ' ')}" for n, person in enumerate(people)]
    roster.write_text("\n".join(["Student number;Name", *lines]))
    with zipfile.ZipFile(photos, "w") as archive:
        for n, person in enumerate(people):
            for picture in sorted(person.iterdir())[:PHOTOS]:
                archive.write(picture, f"M{n}/{picture.name}")
    return roster, photos


@pytest.mark.parametrize(
    ("language", "size", "scheme"),
    [("en-gb", ViewportSize(width=1400, height=900), "light"), ("de", NARROW, "dark")],
)
def test_from_nothing_to_a_trained_class(
    page: Page,
    sign_in: SignIn,
    address: str,
    files: tuple[Path, Path],
    settings: Any,
    language: Literal["en-gb", "de"],
    size: ViewportSize,
    scheme: Literal["light", "dark"],
):
    settings.INSTITUTION = "Example University"
    registrar = factories.person(Role.REGISTRAR)
    sign_in(registrar)
    page.context.add_cookies([{"name": settings.LANGUAGE_COOKIE_NAME, "value": language, "url": address}])
    page.set_viewport_size(size)
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    roster, photos = files
    today = timezone.localdate()
    first, last = (day.isoformat() for day in (today - timedelta(weeks=1), today + timedelta(weeks=12)))
    hands = Hands(page)
    page.goto("/")
    with translation.override(language):
        hands.next_step(gettext("Look at what students are asked"))
        hands.type("basis_text", "None of these people exist.")  # so that nobody has to agree
        hands.press("#main [name=act][value=basis]")

        hands.next_step(gettext("Create a term"))
        hands.type("name", "2026/27")
        hands.type("first_day", first)
        hands.type("last_day", last)
        hands.press("[name=_save]")

        hands.next_step(gettext("Create a class"))
        hands.type("code", "CS101")
        hands.type("name", "Computing")
        hands.choose("term", "2026/27")
        hands.press("[name=_save]")

        hands.next_step(gettext("Import a roster"))
        hands.give(roster)
        hands.press("#main form button.button >> nth=-1")
        work()
        hands.press("#main form button.button >> nth=-1")
        page.wait_for_url("**/students/")
        assert Course.objects.get().enrolments.count() == STUDENTS

        hands.next_step(gettext("Add photos"))
        hands.press(page.get_by_role("link", name=gettext("Upload a zip file")))
        hands.give(photos)
        hands.press("#main form button.button >> nth=-1")
        work()
        sees(page, str(STUDENTS * PHOTOS))
        Course.objects.update(gallery_outdated_at=timezone.now() - TRAINING_DELAY * 2)
        request_due_trainings()
        work()

        hands.next_step(gettext("Create the timetable"))
        hands.press(page.locator("#main [name=weekdays]").first)
        hands.type("starts", "10:00")
        hands.type("ends", "11:30")
        hands.press("#main form button.button >> nth=-1")
        hands.press("#main form button.button >> nth=-1")

        hands.next_step(gettext("Invite a lecturer"))
        hands.type("first_name", "Ada")
        hands.type("last_name", "Lovelace")
        hands.type("email", "ada@example.org")
        hands.press("#main form button[type=submit] >> nth=-1")
        sees(page, "/invitation/")
    course = Course.objects.get()
    assert course.galleries.filter(active=True).exists()
    assert course.lectures.exists()
    assert course.lecturers.get().get_full_name() == "Ada Lovelace"
    hands.press("header .brand")
    expect(page.locator(".setup .done")).to_have_count(8)  # all but the first recording
    assert hands.count <= MOST_INTERACTIONS
