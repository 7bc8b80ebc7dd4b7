"""Accounts in the admin: who may look after whose, roles, lost phones and lost tokens."""

import pyotp
import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from django.urls import reverse

from campus.academics.calendar_links import calendar_link_token, renew_calendar_link
from campus.accounts.models import AccountEvent, ApiToken, LoginSession, TwoFactorDevice
from campus.accounts.roles import Role, role_of
from campus.accounts.services import create_token, deactivate, enable_two_factor, set_role
from campus.common.errors import UserError
from tests.campus import factories

PAGE = "admin:auth_user_change"


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def save(client: Client, user: User, **fields: str):
    form = {
        "role": str(role(user) or ""),
        "api_tokens-TOTAL_FORMS": "0",
        "api_tokens-INITIAL_FORMS": "0",
    }
    return client.post(reverse(PAGE, args=[user.pk]), form | fields)


def press(client: Client, action: str, user: User):
    return client.post(reverse(f"admin:auth_user_{action}", args=[user.pk]), {"_form_submitted": "True"})


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


def test_a_registrar_changes_lecturers_accounts_and_gives_no_roles(registrar: Client, lecturer: User):
    assert 'name="role"' not in registrar.get(reverse(PAGE, args=[lecturer.pk])).content.decode()
    assert save(registrar, lecturer, first_name="Ada", role="Administrator", is_superuser="on").status_code == 302
    lecturer.refresh_from_db()
    assert lecturer.first_name == "Ada"
    assert role(lecturer) == Role.LECTURER


@pytest.mark.parametrize("kind", [Role.ADMINISTRATOR, Role.AUDITOR, Role.REGISTRAR, "superuser"])
def test_a_registrar_touches_no_higher_account(registrar: Client, kind: str):
    other = factories.user(is_superuser=True) if kind == "superuser" else factories.person(Role(kind))
    assert save(registrar, other).status_code == 403
    assert registrar.post(reverse("admin:auth_user_password_change", args=[other.pk])).status_code == 403
    for action in ("disable_two_factor", "deactivate", "reactivate", "set_password"):
        assert press(registrar, action, other).status_code == 403
    assert User.objects.get(pk=other.pk).is_active


@pytest.mark.parametrize("kind", [Role.ADMINISTRATOR, Role.AUDITOR, Role.REGISTRAR])
def test_a_registrar_opens_no_higher_account_that_is_closed(registrar: Client, kind: Role):
    other = factories.person(kind, is_active=False)
    assert press(registrar, "reactivate", other).status_code == 403
    assert registrar.post(reverse("admin:auth_user_password_change", args=[other.pk])).status_code == 403
    assert not User.objects.get(pk=other.pk).is_active


def test_an_administrator_touches_no_superuser(administrator: Client):
    other = factories.user(is_superuser=True)
    assert administrator.get(reverse(PAGE, args=[other.pk])).status_code == 200
    assert save(administrator, other).status_code == 403
    assert administrator.post(reverse("admin:auth_user_delete", args=[other.pk]), {"post": "yes"}).status_code == 403
    assert save(administrator, User.objects.get(username="administrator"), is_superuser="on").status_code == 302
    assert not User.objects.get(username="administrator").is_superuser


def with_phone(user: User) -> User:
    secret = pyotp.random_base32()
    enable_two_factor(user=user, secret=secret, code=pyotp.TOTP(secret).now())
    return user


def test_a_lost_phone(registrar: Client, lecturer: User):
    with_phone(lecturer)
    assert press(registrar, "disable_two_factor", lecturer).status_code == 302
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
    assert press(registrar, "revoke_tokens", lecturer).status_code == 302
    assert not ApiToken.objects.exists()


def test_the_list_shows_roles_and_two_factors(administrator: Client, lecturer: User):
    factories.person(Role.AUDITOR)
    page = administrator.get(reverse("admin:auth_user_changelist")).content.decode()
    for label in ("administrator", "auditor", "lecturer"):
        assert label in page


class TestWhoLeaves:
    def test_one_press_ends_all_access_and_keeps_the_rest(self, registrar: Client, lecturer: User):
        course = factories.course(lecturers=(lecturer,))
        client = client_of(lecturer)
        create_token(user=lecturer, name="script", scope="read", days=30)
        feed = reverse("calendar", args=[calendar_link_token(renew_calendar_link(user=lecturer, course=None))])
        assert Client().get(feed).status_code == 200
        assert press(registrar, "deactivate", lecturer).status_code == 302
        lecturer.refresh_from_db()
        assert not lecturer.is_active
        assert client.get("/").status_code == 302
        assert not LoginSession.objects.filter(user=lecturer).exists()
        assert not ApiToken.objects.filter(user=lecturer).exists()
        assert press(registrar, "reactivate", lecturer).status_code == 302
        assert Client().get(feed).status_code == 404, "the link stays ended"
        assert client.get("/").status_code == 302, "the login too"
        assert client.login(username="lecturer", password="password")
        assert list(lecturer.courses.all()) == [course]
        kinds = AccountEvent.objects.filter(user=lecturer).values_list("kind", flat=True)
        assert {"deactivated", "reactivated"} <= set(kinds)

    def test_nobody_shuts_himself_out(self, administrator: Client):
        factories.person(Role.ADMINISTRATOR)
        me = User.objects.get(username="administrator")
        assert press(administrator, "deactivate", me).status_code == 403
        with pytest.raises(UserError, match="your own account"):
            deactivate(user=me, by=me)
        me.refresh_from_db()
        assert me.is_active

    def test_only_a_closed_account_can_be_deleted(self, administrator: Client, lecturer: User):
        where = reverse("admin:auth_user_delete", args=[lecturer.pk])
        assert administrator.post(where, {"post": "yes"}).status_code == 403
        every = {"action": "delete_selected", "_selected_action": [lecturer.pk], "post": "yes"}
        administrator.post(reverse("admin:auth_user_changelist"), every)
        assert User.objects.filter(pk=lecturer.pk).exists()
        press(administrator, "deactivate", lecturer)
        assert administrator.post(where, {"post": "yes"}).status_code == 302
        assert not User.objects.filter(pk=lecturer.pk).exists()


class TestLastAdministrator:
    @pytest.fixture
    def last(self, administrator: Client) -> User:
        factories.person(Role.ADMINISTRATOR, is_active=False)
        return User.objects.get(username="administrator")

    @pytest.mark.parametrize("wanted", [Role.LECTURER, Role.REGISTRAR, Role.AUDITOR])
    def test_keeps_the_role(self, administrator: Client, last: User, wanted: Role):
        page = save(administrator, last, role=wanted.value)
        assert "This is the last administrator." in page.content.decode()
        assert role(last) == Role.ADMINISTRATOR
        with pytest.raises(UserError, match="last administrator"):
            set_role(user=last, role=wanted)

    def test_stays_open(self, last: User):
        with pytest.raises(UserError, match="last administrator"):
            deactivate(user=last, by=factories.registrar())
        assert User.objects.get(pk=last.pk).is_active

    def test_keeps_being_a_superuser_unless_made_an_administrator(self, db: None):
        root = factories.user(is_superuser=True)
        client = client_of(root)
        assert "last administrator" in save(client, root, role=Role.LECTURER.value).content.decode()
        assert User.objects.get(pk=root.pk).is_superuser
        assert save(client, root, role=Role.ADMINISTRATOR.value).status_code == 302
        assert not User.objects.get(pk=root.pk).is_superuser
        assert role(root) == Role.ADMINISTRATOR

    def test_goes_when_there_is_another(self, administrator: Client, last: User):
        other = factories.person(Role.ADMINISTRATOR)
        assert save(administrator, last, role=Role.LECTURER.value).status_code == 302
        assert role(last) == Role.LECTURER
        with pytest.raises(UserError, match="last administrator"):
            deactivate(user=other, by=last)


class TestWords:
    def test_people_are_called_by_their_names(self, administrator: Client, lecturer: User):
        ada = factories.user(username="al1815", first_name="Ada", last_name="Lovelace")
        page = administrator.get(reverse("admin:auth_user_changelist")).content.decode()
        assert "Ada Lovelace" in page
        assert "al1815" not in page
        assert "lecturer" in page, "where no name is set"
        assert str(ada) == "Ada Lovelace"
        assert "Ada Lovelace" in client_of(ada).get("/").content.decode()

    def test_no_page_speaks_of_authentication_or_shows_a_hash(self, administrator: Client, lecturer: User):
        for page in (
            reverse("admin:auth_user_changelist"),
            reverse("admin:auth_user_add"),
            reverse(PAGE, args=[lecturer.pk]),
            reverse("admin:auth_user_password_change", args=[lecturer.pk]),
        ):
            content = administrator.get(page).content.decode()
            assert "Authentication" not in content, page
            assert "Staff" in content, page
            assert lecturer.password not in content
            assert "algorithm" not in content.lower(), page

    def test_a_class_is_offered_lecturers_by_name(self, administrator: Client, lecturer: User):
        factories.user(username="al1815", first_name="Ada", last_name="Lovelace")
        factories.user(first_name="Ada", last_name="Gone", is_active=False)
        for kind in (Role.REGISTRAR, Role.AUDITOR, Role.ADMINISTRATOR):
            factories.person(kind, first_name="Ada", last_name=kind)
        asked = {"app_label": "academics", "model_name": "course", "field_name": "lecturers", "term": "ada"}
        offered = administrator.get(reverse("admin:autocomplete"), asked).json()["results"]
        assert [one["text"] for one in offered] == ["Ada Lovelace"]
