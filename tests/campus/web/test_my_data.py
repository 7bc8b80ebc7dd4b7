"""The page behind a student's link, which needs no login, and the registrar's pages around it."""

from uuid import UUID

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from campus.accounts.roles import Role
from campus.biometrics.models import FacePhoto, SentPhoto
from campus.consent.links import renew_student_link, student_link_token
from campus.consent.models import Consent, StudentLink
from campus.web.views import my_data
from recognition.types import PhotoFault
from tests.campus import factories
from tests.campus.biometrics.test_sent_photos import DARK, judged
from tests.campus.conftest import World, jpeg

CONSENT = {"consent": "yes"}


@pytest.fixture
def link(world: World) -> StudentLink:
    world.student.name, world.student.email = "Ann Berg", "ann@example.org"
    world.student.save()
    return renew_student_link(student=world.student, user=world.registrar)


@pytest.fixture
def page(link: StudentLink) -> str:
    return reverse("my-data", args=[student_link_token(link)])


def send(page: str, *contents: bytes, client: Client | None = None, **fields: object):
    files = [SimpleUploadedFile(f"{n}.jpg", content) for n, content in enumerate(contents)]
    return (client or Client(enforce_csrf_checks=True)).post(page, CONSENT | {"photos": files} | fields)


def text(page: str) -> str:
    response = Client().get(page)
    assert response.status_code == 200
    return response.content.decode()


def test_it_says_who_asks_and_what_for_and_little_of_the_student(page: str, world: World, settings):
    settings.INSTITUTION = "Example University"
    shown = text(page)
    assert "Your photos, Ann" in shown
    assert "Example University asks you" in shown
    assert "I agree that Example University uses my photos" in shown
    for secret in ("Berg", world.student.number, world.student.email, world.course.code, world.course.name):
        assert secret not in shown


def test_nothing_is_taken_without_consent(page: str, link: StudentLink):
    response = send(page, jpeg(), consent="")
    assert response.status_code == 400
    assert "Tick that you agree" in response.content.decode()
    assert not SentPhoto.objects.exists()
    assert send(page, jpeg()).status_code == 302
    assert Consent.objects.get().is_active
    assert "You agreed to this on" in text(page)
    assert send(page, jpeg(41), consent="").status_code == 302  # asked once


def test_the_verdict_is_said_with_what_to_do(page: str, link: StudentLink):
    send(page, jpeg(40), jpeg(41), jpeg(42))
    assert text(page).count("Being looked at") == 3
    first, second, third = link.photos.all()
    judged(first)
    judged(second, DARK)
    shown = text(page)
    assert ("Good" in shown, "Too dark" in shown, "Turn to a window" in shown) == (True, True, True)
    assert shown.count("data-refresh") == 1
    SentPhoto.objects.filter(pk=first.pk).update(state="refused", refusal="<b>Not you</b>")
    SentPhoto.objects.filter(pk=third.pk).update(state="waiting", fault=PhotoFault.SEVERAL_FACES)
    shown = text(page)
    assert "&lt;b&gt;Not you&lt;/b&gt;" in shown
    assert "Two faces" in shown
    send(page, jpeg(43), replaces=str(second.pk))
    assert not SentPhoto.objects.filter(pk=second.pk).exists()


def test_odd_requests_are_answered(page: str, link: StudentLink):
    assert send(page).status_code == 400
    assert send(page, b"<html>").status_code == 400
    assert send(page, b"").status_code == 400
    assert send(page, jpeg(), replaces="../x").status_code == 302
    response = send(page, jpeg())
    assert "sent this photo before" in response.content.decode()


def test_a_link_that_ended_or_never_was_opens_nothing(page: str, link: StudentLink, world: World):
    sent = judged(SentPhoto.objects.get(pk=_sent(page)))
    picture = reverse("own-photo-picture", args=[student_link_token(link), sent.pk])
    assert Client().get(picture).status_code == 200
    StudentLink.objects.update(expires_at=timezone.now())
    assert [Client().get(page).status_code, send(page, jpeg(41)).status_code] == [410, 410]
    assert Client().get(picture).status_code == 410
    renew_student_link(student=world.student, user=world.registrar)
    assert [Client().get(page).status_code, send(page, jpeg(41)).status_code] == [410, 410]
    made_up = reverse("my-data", args=[link.key.hex * 2])
    assert [Client().get(made_up).status_code, send(made_up, jpeg()).status_code] == [410, 410]
    assert SentPhoto.objects.count() == 1


def _sent(page: str) -> UUID:
    send(page, jpeg())
    return SentPhoto.objects.latest("created_at").pk


def test_only_own_pictures_are_read_back(page: str, link: StudentLink, world: World):
    other = renew_student_link(student=factories.student(), user=world.registrar)
    others = judged(SentPhoto.objects.get(pk=_sent(reverse("my-data", args=[student_link_token(other)]))))
    for pk in (others.pk, world.photo.pk):
        assert Client().get(reverse("own-photo-picture", args=[student_link_token(link), pk])).status_code == 404


def test_uploads_are_limited_by_link_and_by_network(page: str, world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(my_data, "MAX_CHANGES_PER_LINK", 2)
    monkeypatch.setattr(my_data, "MAX_CHANGES_PER_NETWORK", 3)
    assert [send(page).status_code for _ in range(3)] == [400, 400, 429]
    other = reverse(
        "my-data", args=[student_link_token(renew_student_link(student=factories.student(), user=world.registrar))]
    )
    assert [send(other).status_code for _ in range(2)] == [400, 429]
    assert Client().get(page).status_code == 200


def test_a_body_larger_than_photos_is_refused_before_it_is_read(page: str, settings):
    settings.MAX_PHOTO_BYTES = 100_000
    response = send(page, jpeg() + bytes(2 << 20))
    assert response.status_code == 413
    assert not SentPhoto.objects.exists()


class TestTheRegistrar:
    @pytest.fixture
    def registrar(self, client: Client, world: World) -> Client:
        client.force_login(world.registrar)
        return client

    def test_makes_the_links_of_a_class(self, registrar: Client, world: World, settings):
        address = reverse("student-links", args=[world.course.pk])
        assert "Ask 2 students for photos" in registrar.get(address).content.decode()
        assert registrar.post(address, follow=True).status_code == 200
        shown = registrar.get(address).content.decode()
        for link in StudentLink.objects.all():
            assert student_link_token(link) in shown
        assert StudentLink.objects.count() == 2

    def test_renews_and_withdraws_one(self, registrar: Client, link: StudentLink, page: str):
        address = reverse("student-link", args=[link.student_id])
        registrar.post(address, {"act": "renew"})
        assert Client().get(page).status_code == 410
        withdrawn = registrar.post(address, {"act": "withdraw", "course": "1"})
        assert withdrawn.headers["Location"] == "/classes/1/student-links/"
        assert not StudentLink.objects.exists()

    def test_approves_and_refuses(self, registrar: Client, link: StudentLink, page: str, world: World):
        send(page, jpeg(40), jpeg(41), jpeg(42))
        first, second, third = link.photos.all()
        for photo in (first, second, third):
            judged(photo)
        address = reverse("sent-photos")
        shown = registrar.get(address).content.decode()
        assert reverse("photo-face", args=[world.photo.pk]) in shown
        assert "3 photos to approve" in registrar.get(reverse("students")).content.decode()
        registrar.post(address, {"act": "refuse", "photo": str(first.pk), "reason": " "})
        registrar.post(address, {"act": "refuse", "photo": [str(second.pk), "x"], "reason": "Not you."})
        registrar.post(address, {"act": "approve", "photo": [str(third.pk), str(second.pk)]})
        states = [SentPhoto.objects.get(pk=photo.pk).state for photo in (first, second, third)]
        assert states == ["waiting", "refused", "approved"]
        assert FacePhoto.objects.filter(student=world.student, state="pending").count() == 1
        assert "Not you." in text(page)
        files = [registrar.get(reverse("sent-photo-file", args=[photo.pk])).status_code for photo in (first, third)]
        assert files == [200, 404]

    def test_an_auditor_reads_but_is_shown_no_link(self, client: Client, link: StudentLink, world: World):
        client.force_login(factories.person(Role.AUDITOR))
        for name, key in (("student-links", world.course.pk), ("student-link", link.student_id)):
            shown = client.get(reverse(name, args=[key]))
            assert shown.status_code == 200
            assert student_link_token(link) not in shown.content.decode()
