"""A recording that makes no sense, in a real browser: why it waits, and what can be done about it."""

import os
from datetime import timedelta

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from campus.academics.models import Lecture
from campus.attendance.models import Sighting
from campus.attendance.proposals import recount_lecture
from campus.attendance.snapshots import finish_snapshot, request_snapshot
from campus.common import jobs
from campus.recordings.models import Recording
from campus.recordings.review import Finding, ReviewReason
from recognition.messages import Message
from tests.campus import factories
from tests.campus.conftest import World, jpeg
from tests.e2e.conftest import SignIn, sees, until, usable


@pytest.fixture
def other(world: World) -> Lecture:
    """A lecture of another class of the same lecturer, an hour later."""
    course = factories.course(lecturers=(world.own,), students=2, code="PH201", name="Physics")
    return factories.lecture(course, starts_at=world.lecture.starts_at + timedelta(hours=1), title="Optics")


@pytest.fixture
def held(world: World, other: Lecture, sign_in: SignIn) -> Recording:
    world.failed.delete()
    message = Message("{n} people are seen who are not of this class.", n=12)
    Recording.objects.filter(pk=world.recording.pk).update(
        state=Recording.State.NEEDS_REVIEW,
        held=True,
        review_reasons=[Finding(ReviewReason.STRANGERS, message).to_json()],
        fitting_courses=[[other.course.pk, 11]],
        duration=4000.0,
        accepted_reasons=[],
    )
    recording = Recording.objects.get(pk=world.recording.pk)
    recount_lecture(lecture=world.lecture)
    sign_in(world.own)
    return recording


def show(page: Page, name: str) -> None:
    """A picture of the page, for who wants to look at it."""
    if folder := os.environ.get("ROLLCALL_SCREENSHOTS"):
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)


def test_why_it_waits_is_said_with_pictures_until_somebody_accepts_it(page: Page, world: World, held: Recording):
    page.goto("/")
    sees(page, "12 people are seen who are not of this class.")
    page.goto(reverse("recording", args=[held.pk]))
    sees(page, "Please check this recording before it counts.", "It shows 11 students of PH201 Physics.")
    for time in (1000.0, 3000.0):
        snapshot = request_snapshot(recording=held, time=time)
        snapshot = jobs.SNAPSHOT.claim(snapshot.pk, "worker")
        finish_snapshot(snapshot=snapshot, jpeg=jpeg(120))
    expect(page.locator(".moments image")).to_have_count(2)
    usable(page)
    show(page, "recording_review")
    page.goto(reverse("lecture", args=[world.lecture.pk]))
    sees(page, "to be checked")
    page.goto(reverse("recording", args=[held.pk]))
    page.get_by_role("button", name="It is right: count it").click()
    sees(page, "The recording counts.", "1 present")


def test_it_is_moved_to_the_class_that_it_shows(page: Page, held: Recording, other: Lecture):
    page.goto(reverse("recording", args=[held.pk]))
    page.get_by_role("button", name="Move it to PH201").click()
    sees(page, "The recording was moved.")
    held.refresh_from_db()
    assert (held.lecture, held.state) == (other, Recording.State.UPLOADED)


def test_its_start_is_dragged_or_typed_and_the_lecture_counted_again(page: Page, world: World, held: Recording):
    Recording.objects.filter(pk=held.pk).update(held=False, state=Recording.State.DONE)
    held.segments.filter(index=1).update(end=4000)
    Sighting.objects.filter(pk=world.sighting.pk).update(intervals=[[900, 4000]], seconds=3100)
    recount_lecture(lecture=world.lecture)
    page.goto(reverse("recording", args=[held.pk]))
    sees(page, "assumed: nothing says when it began", "1 late")
    show(page, "recording_place")
    slider, field = (
        page.get_by_label("Move the recording along the lecture"),
        page.get_by_label("The recording began at"),
    )
    bar = page.locator("[data-recording-bar]")
    before, typed = bar.get_attribute("x"), field.input_value()
    slider.focus()
    slider.press("ArrowRight")
    assert bar.get_attribute("x") != before
    assert field.input_value() != typed
    starts = world.lecture.starts_at - timedelta(minutes=10)
    field.fill(f"{starts:%H:%M:%S}")
    usable(page)
    page.get_by_role("region", name="When it was recorded").get_by_role("button", name="Save").click()
    sees(page, "counted again with the new start", "set by a person", "1 present")
    held.refresh_from_db()
    assert held.offset == -600.0


def test_it_is_removed(page: Page, world: World, held: Recording):
    page.goto(reverse("recording", args=[held.pk]))
    page.locator("summary", has_text="Remove").click()
    page.get_by_role("button", name="Remove the recording").click()
    sees(page, "The recording was removed.")
    until(page, lambda: not Recording.objects.exists())
    assert page.url.endswith(reverse("lecture", args=[world.lecture.pk]))


def test_what_comes_without_a_reload_can_be_used_as_after_one(page: Page, world: World, held: Recording):
    Recording.objects.filter(pk=held.pk).update(state=Recording.State.AGGREGATING, held=False)
    page.goto(reverse("recording", args=[held.pk]))
    expect(page.locator("[data-progress]")).to_be_attached()
    page.evaluate("window.isFirstPage = true")
    Recording.objects.filter(pk=held.pk).update(state=Recording.State.NEEDS_REVIEW, held=True)
    sees(page, "Please check this recording before it counts.")
    for time in (1000.0, 3000.0):
        finish_snapshot(
            snapshot=jobs.SNAPSHOT.claim(request_snapshot(recording=held, time=time).pk, "worker"), jpeg=jpeg(120)
        )
    expect(page.locator(".moments image")).to_have_count(2)
    assert page.evaluate("window.isFirstPage")
    page.reload()
    Recording.objects.filter(pk=held.pk).update(state=Recording.State.AGGREGATING, held=False)
    page.goto(reverse("recording", args=[held.pk]))
    expect(page.locator("[data-progress]")).to_be_attached()
    page.evaluate("window.isFirstPage = true")
    Recording.objects.filter(pk=held.pk).update(state=Recording.State.DONE)
    slider = page.get_by_label("Move the recording along the lecture")
    field = page.get_by_label("The recording began at")
    expect(page.get_by_role("button", name="Print a list to sign")).to_be_visible()
    before = field.input_value()
    slider.press("ArrowRight")
    assert field.input_value() != before
    page.get_by_role("button", name="Absent", exact=False).first.click()
    until(page, lambda: world.lecture.records.filter(override_status="absent").exists())
    assert page.evaluate("window.isFirstPage")
