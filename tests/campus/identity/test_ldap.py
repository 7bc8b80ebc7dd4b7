"""Name and password checked by OpenLDAP's server."""

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.contrib.auth.models import User
from django.http import HttpRequest
from django.test import Client
from django.urls import reverse

from campus.accounts.recent_login import CONFIRMED_KEY
from campus.accounts.roles import Role, assigned_role
from campus.identity.checks import check_ldap
from campus.identity.ldap import check_password
from campus.identity.models import ExternalIdentity, FailedSignIn, IdentityProvider
from campus.identity.provider_settings import settings_form
from campus.identity.sign_in import SignInError
from tests.campus.conftest import World
from tests.servers.rest import Reply, rest_server
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


def expired_certificate(folder: Path) -> Path:
    """Of this machine, and its key: as one looks that is valid by a clock that is a day behind."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=9)).not_valid_after(now - timedelta(hours=1))
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    made = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "expired.pem").write_bytes(made.public_bytes(pem) + private)
    return folder / "expired.pem"


def findings(directory: IdentityProvider) -> tuple[list[bool], str]:
    """What "Test it" says: which of it is good, and the last sentence."""
    found = check_ldap(HttpRequest(), directory)
    return [finding.is_good for finding in found], str(found[-1].text)


def test_administrators_read_what_is_wrong_with_the_settings(directory: IdentityProvider, slapd: Slapd, tmp_path: Path):
    assert findings(directory)[0] == [True, True]
    good = dict(directory.settings)
    expired = expired_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(expired)
    for changed, secret, why in (
        ({"ca_certificate": ""}, ADMIN_PASSWORD, "No TLS connection"),
        ({"server": f"ldap://localhost:{slapd.port}"}, ADMIN_PASSWORD, "No TLS connection"),
        ({}, "wrong", "does not accept the account"),
        ({"people_base": "ou=nowhere,dc=example,dc=edu"}, ADMIN_PASSWORD, "base or filter"),
        ({"groups_base": "ou=nowhere,dc=example,dc=edu"}, ADMIN_PASSWORD, "base or filter"),
        ({"server": "ldap://10.1.2.3"}, ADMIN_PASSWORD, "ROLLCALL_CONNECTION_NETWORKS"),
    ):
        directory.settings, directory.secret = good | changed, secret
        are_good, text = findings(directory)
        assert (are_good, why in text) == ([False], True), text
    with rest_server(lambda _asked: Reply(), tls=context) as address:
        directory.settings = good | {"server": address.replace("https", "ldaps"), "ca_certificate": expired.read_text()}
        assert "that is valid now" in findings(directory)[1]
    directory.settings, directory.secret = good | {"subject_attribute": "employeeID"}, ADMIN_PASSWORD
    with pytest.raises(SignInError, match=r"“employeeID” is missing\. Received: cn, .*uid"):
        check_password(directory, "ada", PASSWORD)
    for changed, why in (
        ({"subject_attribute": "employeeID"}, "None of 1 people had “employeeID”"),
        ({"people_filter": "(sAMAccountName={user})"}, "The filter finds nobody"),
    ):
        directory.settings = good | changed
        assert (findings(directory)[0], why in findings(directory)[1]) == ([True, False], True)
    directory.settings, directory.student_number_claim = good, "matriculation"
    assert "None of 1 people had “matriculation”" in findings(directory)[1]
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
