"""What administrators do: set a provider up, try it and its rules, find why somebody was refused."""

import pytest
from django.test import Client

from campus.accounts.models import LoginSession
from campus.accounts.roles import Role
from campus.accounts.services import set_role
from campus.common.messages import localize
from campus.identity.models import FailedSignIn, IdentityProvider
from campus.identity.passwords import may_use_password
from recognition.messages import Message
from tests.campus.conftest import World
from tests.servers.openid import CLIENT, SECRET, OpenIDPeer, openid_peer

LIST = "/admin/identity/identityprovider/"
RULES = {f"access_rules-{name}": value for name, value in {"TOTAL_FORMS": "1", "INITIAL_FORMS": "0"}.items()} | {
    "access_rules-0-order": "1",
    "access_rules-0-claim": "groups",
    "access_rules-0-value": "registry",
    "access_rules-0-role": Role.REGISTRAR,
    "failures-TOTAL_FORMS": "0",
    "failures-INITIAL_FORMS": "0",
}


@pytest.fixture
def administrator(client: Client, world: World, settings) -> Client:
    settings.CONNECTION_NETWORKS = ["127.0.0.0/8", "::1/128"]
    set_role(user=world.registrar, role=Role.ADMINISTRATOR)
    client.force_login(world.registrar)
    return client


def form(issuer: str, **changes: object) -> dict[str, object]:
    return {
        "name": "University",
        "kind": "oidc",
        "slug": "sso",
        "active": "on",
        "for_staff": "on",
        "oidc_issuer": issuer,
        "oidc_client_id": CLIENT,
        "oidc_scopes": "profile",
        "new_secret": SECRET,
        "matching": "user-name",
        "second_factor_values": "mfa\notp\n",
        **RULES,
        **changes,
    }


def set_up(administrator: Client, peer: OpenIDPeer) -> IdentityProvider:
    assert administrator.post(f"{LIST}add/", form(peer.issuer)).status_code == 302
    return IdentityProvider.objects.get()


def test_a_provider_is_set_up_tested_and_tried(administrator: Client, world: World):
    refused = administrator.post(f"{LIST}add/", form("no address", oidc_client_id=""))
    assert refused.status_code == 200
    assert not IdentityProvider.objects.exists()
    with openid_peer() as peer:
        provider = set_up(administrator, peer)
        assert provider.settings["scopes"] == "openid profile"
        assert provider.second_factor_values == ["mfa", "otp"]
        assert (provider.secret, provider.access_rules.get().role) == (SECRET, Role.REGISTRAR)
        page = administrator.get(f"{LIST}{provider.pk}/change/").content.decode()
        assert "/sign-in/sso/callback/" in page
        assert SECRET not in page

        def test() -> str:
            return administrator.post(f"{LIST}{provider.pk}/test/").content.decode()

        page = test()
        assert "It knows this client and its secret." in page
        assert ">wrong<" not in page.replace("\n", "").replace(" ", "")
        peer.clock = 600
        assert "seconds ahead of this server" in test()
        peer.metadata_changes = {"code_challenge_methods_supported": ["plain"]}
        assert "PKCE" in test()
        provider.secret = "another"
        provider.save()
        assert "does not know this client" in test()
        peer.metadata_changes = {"issuer": "https://other.example"}
        assert "calls itself otherwise" in test()
    assert "could not be reached" in test()


def test_what_somebody_would_get(administrator: Client, world: World):
    with openid_peer() as peer:
        provider = set_up(administrator, peer)
    address = f"{LIST}{provider.pk}/try/"
    claims = '{"sub": "4", "preferred_username": "own", "groups": ["registry", "x"]}'
    page = administrator.post(address, {"claims": claims}).content.decode()
    assert "registrar" in page
    assert "groups = registry" in page
    assert not provider.identities.exists()
    assert "is missing" in administrator.post(address, {"claims": '{"sub": "4"}'}).content.decode()
    assert administrator.post(address, {"claims": "[1]"}).status_code == 400
    failure = FailedSignIn(provider=provider, code="ABCDEFGH", error=localize(Message("Why.")))
    failure.claims = '{"issuer": "i", "sub": "5", "claims": {"preferred_username": ["own"], "groups": ["registry"]}}'
    failure.save()
    page = administrator.post(address, {"past": str(failure.pk)}).content.decode()
    assert "groups = registry" in page
    assert "ABCDEFGH" in administrator.get(f"{LIST}{provider.pk}/change/").content.decode()


def test_only_administrators_give_roles(client: Client, world: World):
    provider = IdentityProvider.objects.create(slug="sso", name="University")
    client.force_login(world.registrar)
    for address in (LIST, f"{LIST}{provider.pk}/change/", f"{LIST}{provider.pk}/test/", f"{LIST}{provider.pk}/try/"):
        assert client.get(address).status_code == 403


def test_switching_off_ends_sessions_and_keeps_the_secret(administrator: Client, world: World):
    with openid_peer() as peer:
        provider = set_up(administrator, peer)
        LoginSession.objects.create(session_key="x", provider=provider.pk, expire_date="2100-01-01T00:00Z")
        changed = {key: value for key, value in form(peer.issuer, new_secret="").items() if key != "active"}
        initial = {"access_rules-INITIAL_FORMS": "1", "access_rules-0-id": provider.access_rules.get().pk}
        answer = administrator.post(
            f"{LIST}{provider.pk}/change/", {**changed, **initial, "access_rules-0-provider": provider.pk}
        )
    assert answer.status_code == 302, answer.content.decode()
    provider.refresh_from_db()
    assert (provider.active, IdentityProvider.objects.get().secret) == (False, SECRET)
    assert not LoginSession.objects.filter(provider=provider.pk).exists()
    LoginSession.objects.create(session_key="y", provider=provider.pk, expire_date="2100-01-01T00:00Z")
    administrator.post(f"{LIST}{provider.pk}/delete/", {"post": "yes"})
    assert not LoginSession.objects.filter(provider=provider.pk).exists()


def test_somebody_keeps_a_password_for_emergencies(administrator: Client, world: World):
    IdentityProvider.objects.create(slug="sso", name="University", active=True, replaces_passwords=True)
    assert not may_use_password(world.own)
    page = f"/admin/auth/user/{world.own.pk}/change/"
    assert "Password for emergencies" in administrator.get(page).content.decode()
    values = {"first_name": "", "last_name": "", "email": "", "role": Role.LECTURER, "keeps_password": "on"}
    tokens = {"api_tokens-TOTAL_FORMS": "0", "api_tokens-INITIAL_FORMS": "0"}
    assert administrator.post(page, {**values, **tokens}).status_code == 302
    assert may_use_password(world.own)


def test_an_administrator_links_somebody_by_hand(administrator: Client, world: World):
    provider = IdentityProvider.objects.create(slug="sso", name="University")
    page = "/admin/identity/externalidentity/add/"
    values = {"provider": provider.pk, "issuer": "https://id.example", "subject": "7"}
    assert "Choose either" in administrator.post(page, values).content.decode()
    assert administrator.post(page, {**values, "user": world.own.pk}).status_code == 302
    assert world.own.external_identities.get().get_linked_by_rule_display() == "by an administrator"
