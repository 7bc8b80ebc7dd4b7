"""A student's own page on a phone: consent, photos that a registrar approves or refuses, and an objection."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from campus.accounts.institution import save_institution
from campus.biometrics.models import FacePhoto, SentPhoto
from campus.biometrics.sent_photos import finish_sent_photo
from campus.common import jobs
from campus.consent.links import renew_student_link, student_link_token
from recognition.messages import Message
from recognition.types import EnrolmentPhoto, PhotoFault
from tests.campus.conftest import World, jpeg
from tests.campus.web.admin_tools import picture
from tests.e2e.conftest import NARROW, SignIn, sees, until, usable

DARK = EnrolmentPhoto(verdict="rejected", reason=Message("Dark."), fault=PhotoFault.DARK, crop=jpeg())
GOOD = EnrolmentPhoto(verdict="accepted", reason=Message(), crop=jpeg())


def look_at(*results: EnrolmentPhoto) -> None:
    """As a worker would, at the photos that were sent, the earliest first."""
    waiting = SentPhoto.objects.filter(state=SentPhoto.State.CHECKING).order_by("created_at")
    for photo, result in zip(waiting, results, strict=True):
        finish_sent_photo(photo=jobs.CHECK_SENT_PHOTO.claim(photo.pk, "worker"), result=result)


def test_from_the_phone_to_the_registrar(
    page: Page, world: World, sign_in: SignIn, address: str, chromium: Browser, tmp_path: Path
) -> None:
    files = {colour: tmp_path / f"{colour}.jpg" for colour in ("red", "blue", "green")}
    for colour, path in files.items():
        path.write_bytes(picture(colour))
    save_institution(legal_basis="consent")
    link = f"/me/{student_link_token(renew_student_link(student=world.student, user=world.registrar))}/"

    phone = chromium.new_page(base_url=address, viewport=NARROW, has_touch=True, is_mobile=True, locale="en-GB")
    phone.goto(link)
    sees(phone, "You have not answered yet", "would like to note your attendance", "Either answer is fine")
    usable(phone)
    phone.set_viewport_size(NARROW)
    phone.get_by_role("button", name="I do not agree").click()
    sees(phone, "You have not agreed")
    phone.get_by_role("button", name="I agree", exact=True).click()
    sees(phone, "You have agreed", "Your photos")
    phone.get_by_label("Take a photo").set_input_files(files["red"])
    sees(phone, "Being looked at")
    phone.get_by_label("Choose photos").set_input_files(files["blue"])
    until(phone, lambda: SentPhoto.objects.count() == 2)
    look_at(DARK, GOOD)
    sees(phone, "Too dark", "Turn to a window", "It counts when the registrar has approved it")  # by itself
    usable(phone)
    phone.set_viewport_size(NARROW)
    phone.get_by_label("Replace").first.set_input_files(files["green"])
    until(phone, lambda: SentPhoto.objects.filter(state="checking").exists())
    look_at(GOOD)
    expect(phone.get_by_text("Too dark")).to_have_count(0)

    sign_in(world.registrar)
    page.goto("/students/")
    page.get_by_role("link", name="2 photos to approve").click()
    sees(page, "Photos so far", world.student.name)
    usable(page)
    page.get_by_text("Refuse", exact=True).first.click()
    page.get_by_label("Reason, which the student reads").first.fill("Take off the sunglasses.")
    page.get_by_role("button", name="Refuse the photo").first.click()
    sees(page, "1 photo refused.")
    page.get_by_role("button", name="Approve").click()
    sees(page, "1 photo approved.", "Nothing waits.")
    usable(page)
    assert FacePhoto.objects.filter(student=world.student).count() == 1  # the refusal has deleted what was there
    phone.reload()
    sees(phone, "Approved", "Take off the sunglasses.")

    phone.get_by_text("Withdraw your consent", exact=True).click()
    phone.get_by_role("button", name="Withdraw").click()
    sees(phone, "You have withdrawn your consent")
    assert not FacePhoto.objects.filter(student=world.student).exists()


def test_an_objection_and_its_answer(
    page: Page, world: World, sign_in: SignIn, address: str, chromium: Browser
) -> None:
    link = f"/me/{student_link_token(renew_student_link(student=world.student, user=world.registrar))}/"
    phone = chromium.new_page(
        base_url=address, viewport=NARROW, has_touch=True, is_mobile=True, locale="de-DE", color_scheme="dark"
    )
    phone.goto(link)
    sees(phone, "Ihre Anwesenheit und Ihre Daten", "Was über Sie gespeichert ist")
    phone.get_by_text(world.course.code).click()
    phone.get_by_text("Diesem Eintrag widersprechen").click()
    phone.get_by_label("Was stimmt nicht?").fill("Ich bin früher gegangen.")
    usable(phone)
    phone.set_viewport_size(NARROW)
    phone.get_by_role("button", name="Widerspruch senden").click()
    phone.get_by_text(world.course.code).click()
    sees(phone, "Ich bin früher gegangen.", "bekommen bis zum")

    sign_in(world.own)
    page.goto("/")
    page.get_by_role("link", name="Objection of").click()
    sees(page, "Ich bin früher gegangen.")
    usable(page)
    page.get_by_label("Mark").select_option("left_early")
    page.get_by_label("Answer, which the student reads").fill("Stimmt.")
    page.get_by_role("button", name="Answer").click()
    sees(page, "The objection is answered.", "Nothing waits.")
    phone.reload()
    phone.get_by_text(world.course.code).click()
    sees(phone, "Sie hatten recht.", "Stimmt.")


@pytest.mark.parametrize("path", ["/classes/{}/consent/", "/students/link/", "/institution/", "/me/"])
def test_the_pages_about_consent_are_usable(page: Page, world: World, sign_in: SignIn, path: str) -> None:
    save_institution(legal_basis="consent")
    sign_in(world.registrar)
    page.goto(path.format(world.course.pk))
    usable(page)


@pytest.mark.parametrize("name", ["student-links", "student-link"])
def test_the_registrar_makes_links(page: Page, world: World, sign_in: SignIn, name: str) -> None:
    sign_in(world.registrar)
    if name == "student-links":
        page.goto(f"/classes/{world.course.pk}/student-links/")
        page.get_by_role("button", name="Ask 2 students for photos").click()
    else:
        page.goto(f"/students/{world.student.pk}/student-link/")
        page.get_by_role("button", name="Make a link").click()
    sees(page, "made. Copy", "link valid until")
    usable(page)
    page.get_by_role("button", name="Withdraw").first.click()
    sees(page, "is withdrawn")


def test_it_works_without_scripts(world: World, address: str, chromium: Browser, tmp_path: Path) -> None:
    file = tmp_path / "red.jpg"
    file.write_bytes(picture("red"))
    link = f"/me/{student_link_token(renew_student_link(student=world.student, user=world.registrar))}/"
    page = chromium.new_page(base_url=address, java_script_enabled=False, locale="en-GB")
    page.goto(link)
    page.get_by_label("Choose photos").set_input_files(file)
    page.get_by_role("button", name="Send").click()
    sees(page, "Being looked at")
    look_at(GOOD)
    page.get_by_role("link", name="Refresh").click()
    sees(page, "Good")
