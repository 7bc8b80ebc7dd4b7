"""A lecturer's week in a real browser: from today's recording to the register, from page to page by what each one
shows, and with few interactions. Signing in is not counted; the recording's result comes without the networks."""

from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import pytest
from django.utils import timezone, translation
from django.utils.translation import gettext
from playwright.sync_api import Page, ViewportSize, expect

from campus.academics.models import Lecture, Student
from campus.attendance.models import AttendanceRecord, Excuse, Sighting
from campus.attendance.proposals import recount_lecture
from campus.recordings.models import Recording
from tests.campus import factories
from tests.campus.conftest import World
from tests.e2e.conftest import NARROW, SignIn, until, usable

MOST_INTERACTIONS = 12
DROP = """(row, [name, type]) => {
  const transfer = new DataTransfer();
  transfer.items.add(new File([name], name, { type }));
  for (const kind of ["dragover", "drop"]) {
    row.dispatchEvent(new DragEvent(kind, { dataTransfer: transfer, bubbles: true, cancelable: true }));
  }
}"""


class Hands:
    """What a person does on a page, counted, and what the page looks like on the way."""

    def __init__(self, page: Page, size: ViewportSize, scheme: Literal["light", "dark"]) -> None:
        self.page, self.size, self.scheme, self.count = page, size, scheme, 0

    def look(self) -> None:
        usable(self.page)
        self.page.set_viewport_size(self.size)
        self.page.emulate_media(color_scheme=self.scheme, reduced_motion="reduce")

    def press(self, role: Literal["button", "link", "menuitemradio"], name: str, within: str = "#main") -> None:
        self.count += 1
        self.page.locator(within).get_by_role(role, name=name).click()

    def open(self, what: str) -> None:
        self.count += 1
        self.page.locator(what).click()

    def type(self, label: str, text: str) -> None:
        self.count += 1
        self.page.get_by_label(label).fill(text)

    def drop(self, lecture: str, name: str) -> None:
        self.count += 1
        self.page.locator(lecture).evaluate(DROP, [name, "video/mp4"])

    def download(self, name: str) -> Path:
        with self.page.expect_download() as started:
            self.press("link", name)
        return Path(started.value.suggested_filename)


@pytest.fixture
def today(world: World) -> Lecture:
    """It is on now. There were four before, and Cem came to one of them."""
    ann, bob = world.course.students.order_by("pk")
    cem = factories.student(name="Cem Kaya")
    factories.enrol(world.course, cem)
    for student, name in ((ann, "Ann Lee"), (bob, "Bob Roth")):
        Student.objects.filter(pk=student.pk).update(name=name, surname="")
    now = timezone.now()
    for week in range(1, 5):
        lecture = factories.lecture(world.course, starts_at=now - timedelta(weeks=week))
        AttendanceRecord.objects.bulk_create(
            AttendanceRecord(lecture=lecture, student=student, machine_status=status)
            for student, status in ((ann, "present"), (bob, "present"), (cem, "present" if week == 1 else "absent"))
        )
    return factories.lecture(world.course, starts_at=now - timedelta(minutes=5), title="Trees")


def finish(recording: Recording, crop: dict[str, Any]) -> None:
    """The recording shows Ann, and perhaps Bob."""
    lecture = recording.lecture
    seen = {"intervals": [[0, 5000]], "seconds": 5000, "share": 0.93, "confidence": 0.93, "crops": [crop]}
    ann, bob, cem = (lecture.course.students.get(name=name) for name in ("Ann Lee", "Bob Roth", "Cem Kaya"))
    Sighting.objects.create(recording=recording, student=ann, present=True, **seen)
    Sighting.objects.create(recording=recording, student=bob, present=False, to_confirm=True, **seen)
    Sighting.objects.create(recording=recording, student=cem, present=False)
    Recording.objects.filter(pk=recording.pk).update(
        state=Recording.State.DONE, coverage=1.0, info=factories.INFO | {"duration": 5400.0}, duration=5400.0
    )
    recount_lecture(lecture=lecture)


@pytest.mark.parametrize(
    ("language", "size", "scheme"),
    [("en-gb", ViewportSize(width=1400, height=900), "light"), ("de", NARROW, "dark")],
)
def test_from_the_recording_to_the_register(
    page: Page,
    world: World,
    today: Lecture,
    sign_in: SignIn,
    address: str,
    settings: Any,
    language: str,
    size: ViewportSize,
    scheme: Literal["light", "dark"],
):
    sign_in(world.own)
    page.context.add_cookies([{"name": settings.LANGUAGE_COOKIE_NAME, "value": language, "url": address}])
    page.set_viewport_size(size)
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    hands = Hands(page, size, scheme)
    ann, cem = (today.course.students.get(name=name) for name in ("Ann Lee", "Cem Kaya"))
    page.goto("/")
    with translation.override(language):
        expect(page.locator("[aria-labelledby=week]")).to_contain_text("Trees")
        hands.look()
        hands.drop(".today > li:has-text('Trees')", "hall.mp4")
        page.wait_for_url("**/recordings/**")
        finish(Recording.objects.get(lecture=today), world.sighting.crops[0])

        expect(page.locator("#to-confirm-part")).to_contain_text("Bob Roth")
        hands.look()
        hands.press("button", gettext("Present"), "#to-confirm-part")
        page.wait_for_url(f"**/lectures/{today.pk}/**")

        status = f"#student-{ann.pk} .badge a"
        hands.open(status)
        hands.press("menuitemradio", gettext("Late"))
        expect(page.locator(status)).to_have_text(gettext("Late"))
        hands.press("button", gettext("Undo"), ".toast")
        expect(page.locator(status)).to_have_text(gettext("Present"))

        hands.press("link", gettext("Excuse"), f"#student-{cem.pk}")
        hands.look()
        hands.type(gettext("Reason"), "Ill")
        hands.press("button", gettext("Excuse"))
        expect(page.locator(f"#student-{cem.pk}")).to_contain_text("Ill")
        assert Excuse.objects.get().student == cem

        hands.open(".ask summary:visible")
        hands.press("button", gettext("Yes, sign off"))
        until(page, lambda: hasattr(Lecture.objects.get(pk=today.pk), "sign_off"))
        hands.look()

        hands.press("link", gettext("Register"))
        below = page.locator(".register tbody tr", has_text=gettext("below"))
        expect(below).to_have_count(1)
        expect(below).to_contain_text("Cem Kaya")
        hands.look()
        assert hands.download("Excel").suffix == ".xlsx"
    assert hands.count <= MOST_INTERACTIONS
