"""The page behind a student's link, which needs no login, and the registrar's pages around it."""

import re
from datetime import date
from uuid import UUID

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from campus.academics.models import Holiday
from campus.accounts.institution import save_institution
from campus.accounts.roles import Role
from campus.attendance.models import Objection
from campus.attendance.objections import add_working_days
from campus.audit.models import AuditEntry
from campus.biometrics.models import FacePhoto, SentPhoto
from campus.consent.links import find_student_link, renew_student_link, student_link_token
from campus.consent.models import Consent, StudentLink
from campus.consent.selectors import current_text
from campus.consent.services import publish_text
from campus.outbox.models import Delivery
from campus.web.views import my_data
from recognition.types import PhotoFault
from tests.campus import factories
from tests.campus.biometrics.test_sent_photos import DARK, judged
from tests.campus.conftest import World, jpeg


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
    return (client or Client(enforce_csrf_checks=True)).post(page, {"photos": files} | fields)


def text(page: str) -> str:
    response = Client().get(page)
    assert response.status_code == 200
    return response.content.decode()


def test_it_says_what_for_and_records_each_answer_with_its_text(page: str, link: StudentLink, settings):
    settings.INSTITUTION = "Example University"
    save_institution(legal_basis="consent")
    shown = text(page)
    for sentence in ("Ann", "Example University would like to note", "You have not answered yet", "Either answer"):
        assert sentence in shown
    for secret in ("Berg", link.student.number, link.student.email):
        assert secret not in shown
    old, new = current_text("en").pk, publish_text(texts={"en-gb": "New {institution}.", "de": "Neu."}, user=None)
    assert Client().post(page, {"act": "agree", "text": old}).status_code == 400  # it has changed meanwhile
    assert send(page, jpeg()).status_code == 400  # nothing is taken before
    given = {"text": current_text("en").pk}
    assert Client(enforce_csrf_checks=True).post(page, given | {"act": "agree"}).status_code == 302
    answer = Consent.objects.get()
    assert (answer.is_active, answer.text.version, answer.method, answer.recorded_by) == (True, new, "link", "")
    assert "You have agreed" in text(page)
    assert send(page, jpeg()).status_code == 302
    assert Client().post(page, {"act": "withdraw"}).status_code == 302
    assert not SentPhoto.objects.exists()
    assert not FacePhoto.objects.filter(student=link.student).exists()
    assert "You have withdrawn your consent" in text(page)
    Client().post(page, given | {"act": "refuse"})
    assert "You have not agreed" in text(page)
    assert AuditEntry.objects.filter(action="changed-consent", student_id=link.student_id).count() == 3


def test_who_is_recognised_by_another_basis_reads_which(page: str):
    save_institution(legal_basis="other", basis_text="Section 1 <of> the act.")
    shown = text(page)
    assert "Section 1 &lt;of&gt; the act." in shown
    assert "I agree" not in shown


def test_a_mark_is_objected_to_and_a_person_answers_in_time(page: str, link: StudentLink, world: World, client: Client):
    Holiday.objects.create(name="Closed", first_day=date(2026, 11, 30), last_day=date(2026, 12, 1))
    assert add_working_days(date(2026, 11, 27), 1) == date(2026, 12, 2)  # from a Friday over a weekend and holidays
    shown = text(page)
    assert world.course.code in shown
    assert "The recording shows you from" in shown
    objection = {"act": "object", "record": world.record.pk, "text": "I left <early>."}
    assert Client().post(page, objection | {"text": "x" * 1001}).status_code == 400
    assert Client().post(page, objection | {"record": world.record.pk + 1}).status_code == 400  # somebody else's
    assert Client().post(page, objection).status_code == 302
    assert Client().post(page, objection).status_code == 400  # one waits already
    row = Objection.objects.get()
    assert "I left &lt;early&gt;." in text(page)
    client.force_login(world.other)
    assert client.get(reverse("objection", args=[row.pk])).status_code == 404
    client.force_login(world.own)
    assert "Objection of Ann Berg" in client.get("/").content.decode()
    Objection.objects.update(due_on=date(2026, 1, 1))
    registrar = Client()
    registrar.force_login(world.registrar)
    assert "1 overdue objection" in registrar.get("/admin/").content.decode()
    answered = client.post(reverse("objection", args=[row.pk]), {"status": "left_early", "answer": "You are right."})
    assert answered.status_code == 302
    world.record.refresh_from_db()
    assert world.record.status == "left_early"
    shown = text(page)
    assert "The mark is changed." in shown
    assert "You are right." in shown
    assert Delivery.objects.get(event="student.objection-answered").to == "ann@example.org"
    again = client.post(reverse("objection", args=[row.pk]), {"status": "", "answer": "No."})
    assert again.status_code == 400


def test_the_number_page_says_the_same_to_all_and_sends_the_link_that_is_valid(link: StudentLink, settings):
    settings.BASE_URL, settings.EMAIL_HOST = "https://rollcall.example.org", "mail.example.org"
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    pages = [Client().post("/me/", {"number": number}) for number in (link.student.number, "nobody")]
    assert len({re.sub(rb'name="csrfmiddlewaretoken".*', b"", page.content) for page in pages}) == 1
    message = Delivery.objects.get()
    assert (message.to, message.body) == ("ann@example.org", "")
    assert find_student_link(student_link_token(link)) == link  # it goes on


def test_all_that_is_held_is_downloaded(link: StudentLink):
    response = Client().get(reverse("my-data-file", args=[student_link_token(link)]))
    assert response.headers["Content-Type"] == "application/zip"


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
