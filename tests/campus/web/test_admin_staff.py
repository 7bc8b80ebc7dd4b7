"""Accounts in the admin: who may look after whose, roles, lost phones and lost tokens."""

import pyotp
import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from django.urls import reverse

from campus.accounts.models import ApiToken, TwoFactorDevice
from campus.accounts.roles import Role, role_of
from campus.accounts.services import create_token, enable_two_factor
from tests.campus import factories

PAGE = "admin:auth_user_change"


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def save(client: Client, user: User, **fields: str):
    form = {
        "username": user.username,
        "is_active": "on",
        "role": "",
        "api_tokens-TOTAL_FORMS": "0",
        "api_tokens-INITIAL_FORMS": "0",
    }
    return client.post(reverse(PAGE, args=[user.pk]), form | fields)


def role(user: User) -> Role | None:
    return role_of(User.objects.get(pk=user.pk))


@pytest.fixture
def lecturer(db: None) -> User:
    return factories.user(username="lecturer")


@pytest.fixture
def registrar(db: None) -> Client:
    return client_of(factories.registrar())


@pytest.fixture
def administrator(db: None) -> Client:
    return client_of(factories.person(Role.ADMINISTRATOR, username="administrator"))


@pytest.mark.parametrize("wanted", Role.values)
def test_an_administrator_gives_roles(administrator: Client, lecturer: User, wanted: str):
    assert 'name="role"' in administrator.get(reverse(PAGE, args=[lecturer.pk])).content.decode()
    assert save(administrator, lecturer, role=wanted).status_code == 302
    assert role(lecturer) == wanted
    assert lecturer.groups.count() == 1


def test_a_registrar_makes_lecturers_accounts_and_gives_no_roles(registrar: Client, lecturer: User):
    new = {"username": "new", "password1": "correct horse battery", "password2": "correct horse battery"}
    assert registrar.post(reverse("admin:auth_user_add"), new).status_code == 302
    assert role(User.objects.get(username="new")) == Role.LECTURER
    assert 'name="role"' not in registrar.get(reverse(PAGE, args=[lecturer.pk])).content.decode()
    assert save(registrar, lecturer, first_name="Ada", role="Administrator", is_superuser="on").status_code == 302
    lecturer.refresh_from_db()
    assert lecturer.first_name == "Ada"
    assert role(lecturer) == Role.LECTURER


@pytest.mark.parametrize("kind", [Role.ADMINISTRATOR, Role.AUDITOR, Role.REGISTRAR, "superuser"])
def test_a_registrar_touches_no_higher_account(registrar: Client, kind: str):
    other = factories.user(is_superuser=True) if kind == "superuser" else factories.person(Role(kind))
    assert save(registrar, other, is_active="").status_code == 403
    assert registrar.post(reverse("admin:auth_user_password_change", args=[other.pk])).status_code == 403
    assert (
        registrar.post(
            reverse("admin:auth_user_disable_two_factor", args=[other.pk]), {"_form_submitted": "True"}
        ).status_code
        == 403
    )
    assert User.objects.get(pk=other.pk).is_active


def test_an_administrator_touches_no_superuser(administrator: Client):
    other = factories.user(is_superuser=True)
    assert administrator.get(reverse(PAGE, args=[other.pk])).status_code == 200
    assert save(administrator, other, is_active="").status_code == 403
    assert administrator.post(reverse("admin:auth_user_delete", args=[other.pk]), {"post": "yes"}).status_code == 403
    assert save(administrator, User.objects.get(username="administrator"), is_superuser="on").status_code == 302
    assert not User.objects.get(username="administrator").is_superuser


def with_phone(user: User) -> User:
    secret = pyotp.random_base32()
    enable_two_factor(user=user, secret=secret, code=pyotp.TOTP(secret).now())
    return user


def test_a_lost_phone(registrar: Client, lecturer: User):
    with_phone(lecturer)
    assert (
        registrar.post(
            reverse("admin:auth_user_disable_two_factor", args=[lecturer.pk]), {"_form_submitted": "True"}
        ).status_code
        == 302
    )
    assert not TwoFactorDevice.objects.exists()


def test_the_last_administrators_lost_phone(lecturer: User):
    with_phone(lecturer)
    call_command("disable_two_factor", "lecturer")
    assert not TwoFactorDevice.objects.exists()
    with pytest.raises(CommandError, match="There is no account named nobody"):
        call_command("disable_two_factor", "nobody")


def test_tokens_are_seen_and_revoked_but_never_shown(registrar: Client, lecturer: User):
    _, secret = create_token(user=lecturer, name="timetable script", scope="read", days=30)
    page = registrar.get(reverse(PAGE, args=[lecturer.pk])).content.decode()
    assert "timetable script" in page
    assert secret not in page
    assert (
        registrar.post(
            reverse("admin:auth_user_revoke_tokens", args=[lecturer.pk]), {"_form_submitted": "True"}
        ).status_code
        == 302
    )
    assert not ApiToken.objects.exists()


def test_the_list_shows_roles_and_two_factors(administrator: Client, lecturer: User):
    factories.person(Role.AUDITOR)
    page = administrator.get(reverse("admin:auth_user_changelist")).content.decode()
    for label in ("administrator", "auditor", "lecturer"):
        assert label in page
