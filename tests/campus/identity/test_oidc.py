"""Sign-in by OpenID Connect against providers on loopback: honest ones, and one that signs what is wrong."""

import re
from collections.abc import Iterator
from pathlib import Path

import pyotp
import pytest
import urllib3
from django.test import Client
from oidc_provider_mock import User as MockUser
from oidc_provider_mock import run_server_in_thread

from campus.accounts.models import LoginSession
from campus.accounts.recent_login import CONFIRMED_KEY
from campus.accounts.services import enable_two_factor
from campus.identity.models import FailedSignIn, IdentityProvider
from tests.campus.conftest import World
from tests.servers.openid import CLIENT, SECRET, OpenIDPeer, openid_peer
from tests.servers.stores import certificate


def make_provider(issuer: str, **values: object) -> IdentityProvider:
    provider = IdentityProvider.objects.create(
        slug="sso",
        name="University",
        active=True,
        matching=IdentityProvider.Matching.USER_NAME,
        settings={"issuer": issuer, "scopes": "openid profile email", "client_id": CLIENT},
        **values,
    )
    provider.secret = SECRET
    provider.save()
    return provider


@pytest.fixture(autouse=True)
def loopback(settings) -> None:
    settings.CONNECTION_NETWORKS = ["127.0.0.0/8", "::1/128"]


@pytest.fixture
def peer() -> Iterator[OpenIDPeer]:
    with openid_peer() as peer:
        peer.claims = {"preferred_username": "own"}
        yield peer


@pytest.fixture
def provider(peer: OpenIDPeer, world: World) -> IdentityProvider:
    return make_provider(peer.issuer)


def begin(client: Client, query: str = "") -> str:
    return client.get(f"/sign-in/sso/{query}")["Location"]


def walk(client: Client, peer: OpenIDPeer, query: str = ""):
    return client.get(peer.authorize(begin(client, query)))


def why(response) -> str:
    """What an administrator reads of it."""
    assert response.status_code == 403
    code = re.search(r'<code class="secret">(\w{8})</code>', response.content.decode())[1]
    error = str(FailedSignIn.objects.get(code=code).error)
    assert error not in response.content.decode()
    return error


def test_a_lecturer_signs_in_and_out(client: Client, peer: OpenIDPeer, provider: IdentityProvider, world: World):
    page = client.get("/login/?next=/classes/").content.decode()
    assert 'href="/sign-in/sso/?next=/classes/"' in page
    assert "Log in with University" in page
    response = walk(client, peer, "?next=/classes/")
    assert response["Location"] == "/classes/"
    assert "University" in client.get("/account/").content.decode()
    assert peer.requests.count("/jwks") == 1
    client.session.save()
    assert LoginSession.objects.get(user=world.own).provider == provider.pk
    page = client.post("/logout/").content.decode()
    assert f"{peer.issuer}/end_session?id_token_hint=" in page
    assert client.get("/account/").status_code == 302


def test_an_independent_provider(client: Client, world: World):
    """oidc-provider-mock, with its login form."""
    with run_server_in_thread(user_claims=[MockUser(sub="s-7", claims={"preferred_username": "own"})]) as server:
        make_provider(f"http://localhost:{server.server_port}")
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = urllib3.request("POST", begin(client), body=b"sub=s-7", headers=form, redirect=False)
        back = answer.headers["Location"]
        assert client.get(back)["Location"] == "/"
    assert client.get("/account/").status_code == 200


def test_a_state_and_a_code_are_used_once(client: Client, peer: OpenIDPeer, provider: IdentityProvider):
    back = peer.authorize(begin(client))
    code = re.search("code=([^&]+)", back)[1]
    assert Client().get(back).status_code == 400, "another browser has not begun it"
    assert client.get(back).status_code == 302
    assert client.get(back).status_code == 400
    replayed = re.sub("code=[^&]+", f"code={code}", peer.authorize(begin(client)))
    assert "invalid_grant" in why(client.get(replayed))


@pytest.mark.parametrize(
    ("claims", "sentence"),
    [
        ({"aud": "another"}, r"“aud” is not right\. Expected: “rollcall”\. Received: “another”"),
        ({"aud": ["rollcall", "another"]}, "lacks a claim: azp"),
        ({"iss": "https://evil.example"}, r"“iss” is not right"),
        ({"nonce": "another"}, "“nonce” is not right"),
        ({"nonce": None}, "lacks a claim: nonce"),
        ({"sub": None}, "lacks a claim: sub"),
        ({"preferred_username": None}, r"“preferred_username” is missing"),
        ({"preferred_username": "nobody"}, "Nobody here fits"),
    ],
)
def test_wrong_claims_are_named(
    client: Client, peer: OpenIDPeer, provider: IdentityProvider, claims: dict, sentence: str
):
    peer.claims |= claims
    assert re.search(sentence, why(walk(client, peer)))
    assert client.get("/account/").status_code == 302


@pytest.mark.parametrize("clock", [-3600, 3600])
def test_a_wrong_clock_is_named(client: Client, peer: OpenIDPeer, provider: IdentityProvider, clock: int):
    peer.clock = clock
    assert "Compare both clocks" in why(walk(client, peer))
    peer.clock = clock / 120  # half a minute
    assert walk(client, peer).status_code == 302


def test_a_token_without_a_signature_is_refused(client: Client, peer: OpenIDPeer, provider: IdentityProvider):
    peer.algorithm = "none"
    assert "not accepted" in why(walk(client, peer))


def test_a_key_in_the_place_of_another_is_refused(client: Client, peer: OpenIDPeer, provider: IdentityProvider):
    walk(client, peer)
    honest = peer.keys[-1]
    peer.keys.append(type(honest).generate_key(2048, {"kid": "first"}))
    peer.published = [honest]  # the provider itself knows nothing of the key
    assert "signature is not valid" in why(walk(client, peer))


def test_new_keys_are_fetched(client: Client, peer: OpenIDPeer, provider: IdentityProvider):
    walk(client, peer)
    peer.keys.append(type(peer.keys[0]).generate_key(2048, {"kid": "second"}))
    assert walk(client, peer)["Location"] == "/"
    assert peer.requests.count("/jwks") == 2


def test_a_provider_that_is_down_or_somebody_else(client: Client, world: World, tmp_path: Path, settings):
    with openid_peer(certificate(tmp_path)) as peer:
        provider = make_provider(peer.issuer)
        assert "certificate" in why(client.get("/sign-in/sso/"))
    assert "could not be reached" in why(client.get("/sign-in/sso/"))
    settings.CONNECTION_NETWORKS = []
    assert "ROLLCALL_CONNECTION_NETWORKS" in why(client.get("/sign-in/sso/"))
    IdentityProvider.objects.update(active=False)
    assert client.get("/sign-in/sso/").status_code == 404
    assert provider.name not in client.get("/login/").content.decode()


def test_the_provider_logs_people_out(peer: OpenIDPeer, provider: IdentityProvider, world: World):
    browsers = {}
    for session in ("here", "there"):
        browsers[session] = Client()
        peer.claims["sid"] = session
        assert walk(browsers[session], peer).status_code == 302

    def send(token: str):
        return Client(enforce_csrf_checks=True).post("/sign-in/sso/logout/", {"logout_token": token})

    for wrong in (
        {"aud": "another", "sub": "s-1"},
        {"iss": "https://evil.example", "sub": "s-1"},
        {"events": {}, "sub": "s-1"},
        {"nonce": "x", "sub": "s-1"},
        {"jti": None, "sub": "s-1"},
        {"iat": 1000, "sub": "s-1"},
        {},
    ):
        assert send(peer.logout_token(**wrong)).status_code == 400, wrong
    assert send("rubbish").status_code == 400
    assert all(browser.get("/account/").status_code == 200 for browser in browsers.values())
    token = peer.logout_token(sid="there")
    assert send(token).status_code == 200
    assert [browsers[name].get("/account/").status_code for name in ("here", "there")] == [200, 302]
    assert walk(browsers["there"], peer).status_code == 302
    assert send(token).status_code == 200, "the same token again"
    assert browsers["there"].get("/account/").status_code == 200
    assert send(peer.logout_token(sub="s-1")).status_code == 200
    assert all(browser.get("/account/").status_code == 302 for browser in browsers.values())


def test_a_second_factor_there_counts_if_it_is_listed(client: Client, peer: OpenIDPeer, provider, world: World):
    secret = pyotp.random_base32()
    enable_two_factor(user=world.own, secret=secret, code=pyotp.TOTP(secret).now())
    peer.claims |= {"amr": ["pwd", "otp"], "sid": "there"}
    assert walk(client, peer)["Location"] == "/login/code/"
    assert client.get("/account/").status_code == 302
    LoginSession.objects.get(external_session="there").delete()  # as a logout of the provider's does
    assert client.get("/login/code/")["Location"] == "/login/"
    IdentityProvider.objects.update(second_factor_values=["otp"])
    assert walk(client, peer)["Location"] == "/"


def test_who_signed_in_elsewhere_confirms_it_there(client: Client, peer: OpenIDPeer, provider, world: World):
    world.own.set_unusable_password()
    world.own.save()
    walk(client, peer)
    session = client.session
    session[CONFIRMED_KEY] = 0
    session.save()
    page = client.get(client.get("/account/two-factor/")["Location"]).content.decode()
    assert 'type="password"' not in page
    confirm = re.search(r'href="(/sign-in/sso/[^"]+)"', page)[1].replace("&amp;", "&")
    begun = client.get(confirm)["Location"]
    assert "prompt=login" in begun
    peer.claims["auth_time"] = 1_000_000
    assert "did not ask for the password" in why(client.get(peer.authorize(begun)))
    peer.claims |= {"auth_time": None}
    assert "auth_time" in why(client.get(peer.authorize(client.get(confirm)["Location"])))
    del peer.claims["auth_time"]
    peer.claims["sub"] = "somebody else"
    assert "not who is signed in" in why(client.get(peer.authorize(client.get(confirm)["Location"])))
    del peer.claims["sub"]
    assert client.get(peer.authorize(client.get(confirm)["Location"]))["Location"] == "/account/two-factor/"
    assert client.get("/account/two-factor/").status_code == 200


def test_passwords_are_for_emergencies(client: Client, peer: OpenIDPeer, provider, world: World, django_user_model):
    django_user_model.objects.create_superuser("root", "", "password")
    IdentityProvider.objects.update(replaces_passwords=True)
    form = {"username": "own", "password": "password"}
    assert client.post("/login/", form).status_code == 200
    assert client.post("/login/", form | {"username": "root"}).status_code == 302
    IdentityProvider.objects.update(active=False)
    assert client.post("/login/", form).status_code == 302


def test_a_student_has_the_own_page_and_nothing_else(client: Client, peer: OpenIDPeer, provider, world: World):
    IdentityProvider.objects.update(for_staff=False, for_students=True, student_number_claim="person.number")
    peer.user_info = {"person": {"number": world.student.number}}
    browser = Client(enforce_csrf_checks=True)
    assert browser.get("/me/own/")["Location"] == "/login/"
    assert walk(browser, peer)["Location"] == "/me/own/"
    page = browser.get("/me/own/").content.decode()
    assert world.student.given_name in page
    assert browser.get("/account/").status_code == browser.get("/").status_code == 302
    assert browser.get("/api/v1/me/").status_code in (401, 403)
    assert browser.post("/me/own/", {"act": "withdraw"}).status_code == 403, "another site sent it"
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)[1]
    assert browser.post("/me/own/", {"act": "withdraw", "csrfmiddlewaretoken": token}).status_code == 302
    assert browser.get("/me/own/data/")["Content-Type"] == "application/zip"
    Client().post("/sign-in/sso/logout/", {"logout_token": peer.logout_token(sub="s-1")})
    assert browser.get("/me/own/")["Location"] == "/login/"
