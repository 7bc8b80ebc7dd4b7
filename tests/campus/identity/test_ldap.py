"""Name and password checked by OpenLDAP's server."""

from collections.abc import Iterator

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from campus.accounts.recent_login import CONFIRMED_KEY
from campus.accounts.roles import Role, assigned_role
from campus.identity.ldap import check_password, count_people
from campus.identity.models import ExternalIdentity, FailedSignIn, IdentityProvider
from campus.identity.provider_settings import settings_form
from campus.identity.sign_in import SignInError
from tests.campus.conftest import World
from tests.servers.slapd import ADMIN, ADMIN_PASSWORD, BASE, PASSWORD, Slapd
from tests.servers.stores import Missing, free_port


@pytest.fixture(scope="module")
def slapd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slapd]:
    try:
        with Slapd(tmp_path_factory.mktemp("slapd")) as server:
            yield server
    except Missing as missing:
        pytest.skip(str(missing))


@pytest.fixture
def directory(world: World, slapd: Slapd, settings) -> IdentityProvider:
    settings.CONNECTION_NETWORKS = ["127.0.0.0/8"]
    form = settings_form(
        "ldap",
        {
            "server": f"ldap://127.0.0.1:{slapd.port}",
            "ca_certificate": slapd.ca_certificate,
            "bind_dn": ADMIN,
            "people_base": f"ou=people,{BASE}",
            "groups_base": f"ou=groups,{BASE}",
        },
    )
    assert not form.errors
    provider = IdentityProvider.objects.create(
        kind="ldap", slug="directory", name="Directory", active=True, settings=form.cleaned_data, secret=ADMIN_PASSWORD,
        creates_accounts=True,
    )  # fmt: skip
    provider.access_rules.create(claim="groups", value="registry", role=Role.REGISTRAR)
    provider.access_rules.create(claim="employeeNumber", value="1815", role=Role.LECTURER, order=2)
    return provider


def log_in(client: Client, username: str, password: str):
    return client.post(reverse("login"), {"username": username, "password": password, "next": "/classes/"})


@pytest.mark.parametrize("scheme", ["ldap", "ldaps"])
def test_somebody_logs_in_with_the_password_of_the_directory(directory: IdentityProvider, slapd: Slapd, scheme: str):
    directory.settings["server"] = f"{scheme}://127.0.0.1:{slapd.port if scheme == 'ldap' else slapd.tls_port}"
    directory.save()
    client = Client()
    assert log_in(client, "ada", PASSWORD)["Location"] == "/classes/"
    identity = ExternalIdentity.objects.get()
    user = identity.user
    assert (user.get_full_name(), user.email, assigned_role(user)) == ("Ada Byron", "ada@example.edu", Role.REGISTRAR)
    assert not user.has_usable_password()
    assert len(identity.subject) == 36, "entryUUID"
    # The page that asks once more takes the directory's password, too.
    session = client.session
    session[CONFIRMED_KEY] = 0.0
    session.save()
    confirm = reverse("confirm-login")
    assert 'type="password"' in client.get(confirm).text
    assert client.post(confirm, {"password": "wrong"}).status_code == 400
    assert client.post(confirm, {"password": PASSWORD}).status_code == 302


def test_wrong_passwords_and_strange_names_are_refused_and_counted(directory: IdentityProvider, client: Client):
    for username, password in (
        *(("ada", "wrong"), ("ada", ""), ("nobody", PASSWORD), ("*", PASSWORD), ("ada)(uid=*", PASSWORD)),
        *(("ada\0", PASSWORD), ("a" * 300, PASSWORD), ("", PASSWORD)),
    ):
        assert check_password(directory, username, password) is None, username
    for _n in range(9):
        assert "Wrong e-mail address, username or password" in log_in(client, "ada", "wrong").text
    log_in(client, "ada", "wrong")
    assert "Too many wrong passwords" in log_in(client, "ada", PASSWORD).text
    assert not ExternalIdentity.objects.exists()


def test_an_account_for_emergencies_logs_in_while_the_directory_is_down(directory: IdentityProvider, world: World):
    directory.settings["server"] = f"ldaps://127.0.0.1:{free_port()}"
    directory.save()
    client = Client()
    assert log_in(client, "own", "password")["Location"] == "/classes/"
    refused = log_in(Client(), "ada", PASSWORD)
    failed = FailedSignIn.objects.get()
    assert refused.status_code == 403
    assert failed.code in refused.text
    assert "could not be reached" in str(failed.error)


def test_administrators_read_what_is_wrong_with_the_settings(directory: IdentityProvider, slapd: Slapd):
    assert count_people(directory) == 2
    good = dict(directory.settings)
    for changed, secret, why in (
        ({"ca_certificate": ""}, ADMIN_PASSWORD, "No TLS connection"),
        ({"server": f"ldap://localhost:{slapd.port}"}, ADMIN_PASSWORD, "No TLS connection"),
        ({}, "wrong", "does not accept the account"),
        ({"people_base": "ou=nowhere,dc=example,dc=edu"}, ADMIN_PASSWORD, "base or filter"),
        ({"server": "ldap://10.1.2.3"}, ADMIN_PASSWORD, "ROLLCALL_CONNECTION_NETWORKS"),
    ):
        directory.settings, directory.secret = good | changed, secret
        with pytest.raises(SignInError, match=why):
            count_people(directory)
    directory.settings, directory.secret = good | {"subject_attribute": "employeeID"}, ADMIN_PASSWORD
    with pytest.raises(SignInError, match=r"“employeeID” is missing\. Received: cn, .*uid"):
        check_password(directory, "ada", PASSWORD)
    for server in ("https://x", "ldap:///", "ldap://a/b", "ldap://u:p@host", "ldap://host:99999"):
        assert "server" in settings_form("ldap", good | {"server": server}).errors
    assert "people_filter" in settings_form("ldap", good | {"people_filter": "(uid=*)"}).errors


def test_nothing_is_kept_but_what_rules_and_accounts_need(directory: IdentityProvider):
    claims = check_password(directory, "ada", PASSWORD).claims
    assert claims["groups"] == ["registry"]
    assert set(claims) == {
        *("cn", "mail", "givenName", "sn", "uid", "employeeNumber", "entryUUID"),
        *("email", "email_verified", "given_name", "family_name", "name", "preferred_username", "groups"),
    }
    assert User.objects.filter(username="ada").count() == 0
