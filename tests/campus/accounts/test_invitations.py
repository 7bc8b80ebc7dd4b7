"""Invitations: who may invite whom, the e-mail, and the link, which opens the account once, for a week."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from campus.accounts.invitations import (
    accept_invitation,
    invitable_roles,
    invitation_token,
    invite,
    renew_invitation,
    withdraw_invitation,
)
from campus.accounts.models import AccountEvent, Invitation
from campus.accounts.roles import Role, role_of
from campus.accounts.signin import MAX_ATTEMPTS, MAX_ATTEMPTS_PER_NETWORK
from campus.common import jobs
from campus.common.errors import UserError
from campus.outbox.models import Delivery
from campus.outbox.services import deliver
from tests.campus import factories

ADDRESS = "https://rollcall.example.org"
PASSWORD = "correct horse battery"
ADA = {"first_name": "Ada", "last_name": "Lovelace", "email": "Ada.Lovelace@example.org"}


@pytest.fixture(autouse=True)
def pages(settings) -> None:
    settings.BASE_URL = ADDRESS


@pytest.fixture
def registrar(db: None) -> User:
    return factories.registrar(first_name="Grace", last_name="Hopper")


@pytest.fixture
def administrator(db: None) -> User:
    return factories.person(Role.ADMINISTRATOR)


@pytest.fixture
def invitation(registrar: User) -> Invitation:
    return invite(**ADA, role=Role.LECTURER, by=registrar)


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def deliver_all() -> None:
    for delivery in Delivery.objects.filter(state=Delivery.State.QUEUED):
        held = jobs.DELIVER.claim(delivery.pk, "test")
        assert held
        deliver(delivery=held)


def where(invitation: Invitation) -> str:
    return reverse("invitation", args=[invitation_token(invitation)])


def choose(link: str, password: str = PASSWORD):
    return Client().post(link, {"new_password1": password, "new_password2": password})


class TestWhoMayInviteWhom:
    @pytest.mark.parametrize(
        ("inviter", "roles"),
        [
            (Role.LECTURER, set()),
            (Role.AUDITOR, set()),
            (Role.REGISTRAR, {Role.LECTURER}),
            (Role.ADMINISTRATOR, set(Role)),
        ],
    )
    def test_by_role(self, db: None, inviter: Role, roles: set[Role]):
        by = factories.person(inviter)
        assert set(invitable_roles(by)) == roles
        for role in set(Role) - roles:
            with pytest.raises(PermissionDenied):
                invite(**ADA, role=role, by=by)
        for role in roles:
            invited = invite(**ADA | {"email": f"{role.lower()}@example.org"}, role=role, by=by).user
            assert not invited.is_active
            assert not invited.has_usable_password()
            assert role_of(invited) is None
            assert accept_invitation(invitation=invited.invitation, password=PASSWORD).is_active
            assert role_of(User.objects.get(pk=invited.pk)) == role

    def test_the_form_of_a_registrar_offers_lecturers_only(self, registrar: User):
        client, page = client_of(registrar), reverse("admin:auth_user_add")
        assert re.findall(r'name="role" value="(\w+)"', client.get(page).content.decode()) == ["Lecturer"]
        refused = client.post(page, ADA | {"role": "Administrator"})
        assert refused.status_code == 200
        assert not Invitation.objects.exists()

    def test_an_auditor_has_no_form(self, db: None):
        auditor = client_of(factories.person(Role.AUDITOR))
        assert auditor.get(reverse("admin:auth_user_add")).status_code == 403
        assert auditor.post(reverse("admin:auth_user_add"), ADA | {"role": "Lecturer"}).status_code == 403

    def test_a_registrar_sees_no_invitation_of_a_higher_role(self, registrar: User, administrator: User):
        invitation = invite(**ADA, role=Role.AUDITOR, by=administrator)
        page = reverse("admin:auth_user_invitation", args=[invitation.pk])
        for data in ({}, {"send": ""}, {"withdraw": ""}):
            assert client_of(registrar).post(page, data).status_code == 403
        assert client_of(registrar).get(page).status_code == 403
        assert Invitation.objects.get().key == invitation.key


class TestForm:
    def test_one_form_makes_an_account_with_its_classes(self, registrar: User):
        course, _other = factories.course(), factories.course()
        data = ADA | {"role": "Lecturer", "courses": [course.pk]}
        assert client_of(registrar).post(reverse("admin:auth_user_add"), data).status_code == 302
        user = User.objects.get(email="Ada.Lovelace@example.org")
        assert user.username == "ada.lovelace"
        assert list(user.courses.all()) == [course]
        assert AccountEvent.objects.get(user=user, kind="invited").done_by == "Grace Hopper"

    @pytest.mark.parametrize("email", ["ADA.lovelace@EXAMPLE.org", "Ada.Lovelace@example.org"])
    def test_an_address_is_of_one_account(self, invitation: Invitation, registrar: User, email: str):
        with pytest.raises(UserError, match="already an account"):
            invite(**ADA | {"email": email}, role=Role.LECTURER, by=registrar)
        page = client_of(registrar).post(reverse("admin:auth_user_add"), ADA | {"email": email, "role": "Lecturer"})
        assert "Another account has this address." in page.content.decode()

    @pytest.mark.parametrize(
        ("email", "username"),
        [("ada.lovelace@another.org", "ada.lovelace2"), ("!#$@example.org", "staff"), (f"{'x' * 60}@a.org", "x" * 60)],
    )
    def test_the_user_name_is_made_of_the_address(
        self, invitation: Invitation, registrar: User, email: str, username: str
    ):
        assert invite(**ADA | {"email": email}, role=Role.LECTURER, by=registrar).user.username == username

    def test_without_a_mail_server_the_link_is_shown_once(self, registrar: User, settings):
        settings.EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
        client = client_of(registrar)
        answer = client.post(reverse("admin:auth_user_add"), ADA | {"role": "Lecturer"})
        assert answer.status_code == 201
        assert "no-store" in answer["Cache-Control"]
        invitation = Invitation.objects.get()
        assert f"{ADDRESS}{where(invitation)}" in answer.content.decode()
        page = reverse("admin:auth_user_invitation", args=[invitation.pk])
        assert "/invitation/" not in client.get(page).content.decode().replace("/admin/auth/user/invitations/", "")
        assert not Delivery.objects.exists()
        another = client.post(page, {"send": ""})
        assert where(invitation) not in another.content.decode()
        assert where(Invitation.objects.get()) in another.content.decode()

    def test_without_an_address_of_the_pages_it_is_where_the_registrar_is(self, registrar: User, settings):
        settings.BASE_URL = ""
        answer = client_of(registrar).post(reverse("admin:auth_user_add"), ADA | {"role": "Lecturer"})
        assert f"http://testserver{where(Invitation.objects.get())}" in answer.content.decode()


class TestEmail:
    def test_it_says_who_invites_as_what_and_until_when(self, registrar: User, settings):
        settings.INSTITUTION = "Example University"
        client_of(registrar).post(reverse("admin:auth_user_add"), ADA | {"role": "Lecturer"})
        assert not mail.outbox
        deliver_all()
        message = mail.outbox[0]
        invitation = Invitation.objects.get()
        assert message.to == ["Ada.Lovelace@example.org"]
        assert message.subject == "Example University: your account"
        until = timezone.localtime(invitation.expires_at)
        assert message.body.split("\n\n")[:5] == [
            "Dear Ada Lovelace,",
            "Grace Hopper invites you to Example University. Your role is lecturer: you can upload recordings, correct "
            "attendance and sign it off, for assigned classes only.",
            f"Choose your password here, until {until:%-d %b %Y, %H:%M}:",
            f"{ADDRESS}{where(invitation)}",
            "From then on you log in with your e-mail address, Ada.Lovelace@example.org.",
        ]

    def test_the_link_cannot_be_read_in_the_outbox(self, registrar: User):
        client_of(registrar).post(reverse("admin:auth_user_add"), ADA | {"role": "Lecturer"})
        deliver_all()
        delivery = Delivery.objects.get()
        assert delivery.state == Delivery.State.SENT
        assert invitation_token(Invitation.objects.get()) not in str(vars(delivery))

    def test_a_withdrawn_invitation_is_not_sent(self, registrar: User):
        client_of(registrar).post(reverse("admin:auth_user_add"), ADA | {"role": "Lecturer"})
        withdraw_invitation(invitation=Invitation.objects.get())
        deliver_all()
        assert not mail.outbox
        assert "was used or withdrawn" in str(Delivery.objects.get().error)

    def test_sending_again_makes_a_new_link(self, invitation: Invitation, registrar: User):
        before = where(invitation)
        page = reverse("admin:auth_user_invitation", args=[invitation.pk])
        assert client_of(registrar).post(page, {"send": ""}).status_code == 302
        deliver_all()
        assert where(Invitation.objects.get()) in mail.outbox[0].body
        assert Client().get(before).status_code == 410
        assert Client().get(where(Invitation.objects.get())).status_code == 200


class TestLink:
    def test_it_opens_the_account_and_logs_in(self, invitation: Invitation):
        client = Client()
        page = client.get(where(invitation)).content.decode()
        assert "Welcome, Ada Lovelace" in page
        answer = client.post(where(invitation), {"new_password1": PASSWORD, "new_password2": PASSWORD})
        assert answer["Location"] == "/"
        assert "Ada Lovelace" in client.get("/").content.decode()
        assert not Invitation.objects.exists()
        kinds = AccountEvent.objects.filter(user=invitation.user).values_list("kind", flat=True)
        assert "invitation-accepted" in kinds

    def test_a_weak_password_opens_nothing(self, invitation: Invitation):
        assert choose(where(invitation), "password").status_code == 400
        assert choose(where(invitation), "ada.lovelace").status_code == 400
        assert not User.objects.get(pk=invitation.user.pk).is_active

    def test_it_works_once(self, invitation: Invitation):
        assert choose(where(invitation)).status_code == 302
        again = choose(where(invitation), "another long password")
        assert again.status_code == 410
        assert "log in with it" in again.content.decode()
        assert User.objects.get(pk=invitation.user.pk).check_password(PASSWORD)
        with pytest.raises(UserError, match="used, withdrawn"):
            accept_invitation(invitation=invitation, password="another long password")

    def test_it_expires_after_seven_days_and_says_so(self, invitation: Invitation):
        days = invitation.expires_at - timezone.now()
        assert timedelta(days=6, hours=23) < days <= timedelta(days=7)
        Invitation.objects.update(expires_at=timezone.now())
        for answer in (Client().get(where(invitation)), choose(where(invitation))):
            assert answer.status_code == 410
            assert "This invitation has expired" in answer.content.decode()
            assert "Ask Grace Hopper" in answer.content.decode()
        assert not User.objects.get(pk=invitation.user.pk).is_active
        renew_invitation(invitation=Invitation.objects.get())
        assert choose(where(Invitation.objects.get())).status_code == 302

    def test_withdrawn_it_leaves_no_account(self, invitation: Invitation, registrar: User):
        page = reverse("admin:auth_user_invitation", args=[invitation.pk])
        assert client_of(registrar).post(page, {"withdraw": ""}).status_code == 302
        assert not User.objects.filter(email=ADA["email"]).exists()
        assert choose(where(invitation)).status_code == 410
        assert invite(**ADA, role=Role.LECTURER, by=registrar)

    def test_an_account_that_was_opened_is_not_withdrawn(self, invitation: Invitation):
        choose(where(invitation))
        with pytest.raises(UserError, match="used, withdrawn"):
            withdraw_invitation(invitation=invitation)
        assert User.objects.filter(pk=invitation.user.pk).exists()

    @pytest.mark.parametrize("form", ["{key}", "{key}{wrong}", "{wrong}{wrong}", "üüüü", "{key}x"])
    def test_a_forged_one_opens_nothing(self, invitation: Invitation, form: str):
        forged = reverse("invitation", args=[form.format(key=invitation.key.hex, wrong="0" * 32)])
        assert choose(forged).status_code == 410
        assert not User.objects.get(pk=invitation.user.pk).is_active

    def test_it_depends_on_the_secret_key(self, invitation: Invitation, settings):
        before = where(invitation)
        settings.SECRET_KEY = "another" * 10
        assert choose(before).status_code == 410

    def test_until_then_nobody_gets_in(self, invitation: Invitation):
        assert not Client().login(username="ada.lovelace", password="")
        Client().post(reverse("password-reset"), {"email": ADA["email"]})
        deliver_all()
        assert not mail.outbox


class TestLoginByEmail:
    def login(self, name: str, password: str = PASSWORD, client: Client | None = None):
        return (client or Client()).post(reverse("login"), {"username": name, "password": password})

    @pytest.fixture(autouse=True)
    def ada(self, invitation: Invitation) -> User:
        return accept_invitation(invitation=invitation, password=PASSWORD)

    @pytest.mark.parametrize("name", ["ada.lovelace", "Ada.Lovelace@example.org", "ADA.LOVELACE@EXAMPLE.ORG"])
    def test_both_open_the_account(self, name: str):
        assert self.login(name).status_code == 302
        data = {"username": name, "password": PASSWORD}
        assert Client().post("/api/v1/token/", data, "application/json").status_code == 200

    def test_an_address_of_two_accounts_opens_neither(self, ada: User):
        other = factories.user(email=ada.email, username="other")
        assert self.login(ada.email).status_code == 200
        assert self.login(ada.email, "password").status_code == 200
        other.is_active = False
        other.save()
        assert self.login(ada.email).status_code == 302

    def test_a_user_name_counts_more_than_an_address(self, ada: User):
        factories.user(username=ada.email)
        assert self.login(ada.email).status_code == 200
        assert self.login(ada.email, "password").status_code == 302

    def test_an_account_without_an_address_is_not_opened_by_none(self, db: None):
        factories.user(email="")
        assert self.login("", "password").status_code == 200

    def test_wrong_unknown_and_ambiguous_read_and_cost_the_same(self, ada: User):
        factories.user(email="two@example.org")
        factories.user(email="two@example.org")
        answers, costs = set(), set()
        for name in (ada.email, "ada.lovelace", "nobody@example.org", "nobody", "two@example.org"):
            with CaptureQueriesContext(connection) as captured:
                page = self.login(name, "guess").content.decode()
            answers.add(re.sub(r'value="[^"]*"', "", page))
            costs.add(len(captured))
        assert len(answers) == 1
        assert len(costs) == 1

    def test_guesses_are_limited_for_an_address_too(self, ada: User):
        client = Client()
        for _ in range(MAX_ATTEMPTS):
            self.login(ada.email, "guess", client)
        assert "Wait a quarter of an hour" in self.login(ada.email, client=client).content.decode()
        assert AccountEvent.objects.filter(user=ada, kind="wrong-password").count() == MAX_ATTEMPTS

    def test_whose_address_it_is_is_not_told_by_the_limit(self, ada: User):
        client = Client()
        for _ in range(MAX_ATTEMPTS):
            self.login("ada.lovelace", "guess", client)
        assert self.login(ada.email, client=client).status_code == 302

    def test_a_browser_is_known_by_both(self, ada: User):
        client = Client()
        self.login(ada.email, client=client)
        client.post(reverse("logout"))
        for n in range(MAX_ATTEMPTS_PER_NETWORK):
            self.login(f"name{n}", "guess")
        for name in (ada.email, "ada.lovelace"):
            assert self.login(name, client=client).status_code == 302, name
            client.post(reverse("logout"))
        assert self.login(ada.email).status_code == 200, "another browser is slowed"
