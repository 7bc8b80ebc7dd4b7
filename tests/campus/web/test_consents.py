"""Consent on the staff's pages: the institution's basis and text, the answers of a class, and its switch."""

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from campus.accounts.institution import get_institution, save_institution
from campus.accounts.roles import Role
from campus.consent.models import Consent, StudentLink
from campus.consent.selectors import current_texts, has_basis
from tests.campus import factories
from tests.campus.conftest import World


@pytest.fixture
def registrar(client: Client, world: World) -> Client:
    save_institution(legal_basis="consent")
    client.force_login(world.registrar)
    return client


def test_the_institution_chooses_its_basis_and_publishes_a_text(registrar: Client):
    basis = {"act": "basis", "legal_basis": "other", "automatic_marking": "on", "objection_days": 5}
    assert registrar.post("/institution/", basis).status_code == 400  # which?
    assert registrar.post("/institution/", basis | {"basis_text": "The act."}).status_code == 302
    institution = get_institution()
    assert (institution.legal_basis, institution.basis_text, institution.objection_days) == ("other", "The act.", 5)
    assert institution.basis_since
    texts = {"act": "text", "text_en-gb": "Agree?", "text_de": "Ja?"}
    assert registrar.post("/institution/", texts).status_code == 302
    assert {(row.version, row.text) for row in current_texts()} == {(2, "Agree?"), (2, "Ja?")}
    assert "Agree?" in registrar.get("/institution/").content.decode()


def test_answers_of_a_class_are_recorded_and_asked_for(registrar: Client, world: World, settings):
    settings.BASE_URL, settings.EMAIL_HOST = "https://rollcall.example.org", "mail.example.org"
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    page = reverse("class-consents", args=[world.course.pk])
    assert registrar.get(page).content.decode().count("not answered") >= 2
    day = timezone.localdate()
    answer = {"student": world.student.pk, "given": ["no", "yes"], "on": day.isoformat()}
    assert registrar.post(page, answer, follow=True).status_code == 200
    row = Consent.objects.get()
    assert (row.student, row.is_active, row.method, row.recorded_by) == (world.student, True, "paper", "registrar")
    outsider = factories.student()
    registrar.post(page, answer | {"student": outsider.pk})
    registrar.post(page, answer | {"on": "2999-01-01"})
    assert Consent.objects.count() == 1
    other = world.course.students.exclude(pk=world.student.pk).get()
    other.email = "bob@example.org"
    other.save()
    registrar.post(page, {"act": "ask"})
    assert {link.student for link in StudentLink.objects.all()} == {other}
    registrar.post(page, {"student": world.student.pk, "given": "no", "act": "student-off"})
    assert not has_basis(world.student)
    registrar.post(page, {"act": "class-off"})
    world.course.refresh_from_db()
    assert not world.course.automatic_marking
    assert "agreed" not in registrar.get(reverse("course-students", args=[world.course.pk])).content.decode()


@pytest.mark.parametrize("role", [Role.LECTURER, Role.AUDITOR])
def test_nobody_else_records_answers(client: Client, world: World, role: Role):
    client.force_login(world.own if role == Role.LECTURER else factories.person(role))
    page = reverse("class-consents", args=[world.course.pk])
    assert client.get(page).status_code == (403 if role == Role.LECTURER else 200)
    assert client.post(page, {"student": world.student.pk, "given": "yes"}).status_code == 403
    chip = "not answered" in client.get(reverse("course-students", args=[world.course.pk])).content.decode()
    assert chip == (role == Role.AUDITOR)


def test_the_qr_code_leads_to_where_students_ask_for_their_link(registrar: Client):
    shown = registrar.get(reverse("link-qr")).content.decode()
    assert "/me/" in shown
    assert "data:image/svg" in shown
