"""Sign-in and logout by SAML, with an identity provider on pysaml2 that answers over HTTP."""

import re
import ssl
from collections.abc import Iterator
from datetime import timedelta
from functools import cache
from html import unescape
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qs, urlsplit

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from saml2 import BINDING_HTTP_REDIRECT, BINDING_SOAP
from saml2.saml import NAMEID_FORMAT_PERSISTENT, NameID
from urllib3 import request as fetch

from campus.accounts.models import LoginSession
from campus.accounts.recent_login import CONFIRMED_KEY
from campus.accounts.roles import Role
from campus.accounts.services import set_role
from campus.identity.models import ExternalIdentity, FailedSignIn, IdentityProvider, SamlMetadata
from campus.identity.provider_settings import settings_form
from campus.identity.saml.keys import make_key_pair
from campus.identity.services import save_provider
from tests.campus.conftest import World
from tests.servers.rest import Reply, rest_server
from tests.servers.saml_idp import SamlIdp
from tests.servers.stores import certificate

SITE = "https://rollcall.example.edu"


own_key = cache(make_key_pair)  # making one takes a while


@pytest.fixture(scope="module")
def idp_server() -> Iterator[SamlIdp]:
    with SamlIdp() as idp:
        yield idp


@pytest.fixture
def idp(idp_server: SamlIdp, settings) -> SamlIdp:
    settings.CONNECTION_NETWORKS, settings.BASE_URL = ["127.0.0.0/8"], SITE
    idp_server.__dict__.update(SamlIdp.defaults())
    return idp_server


@pytest.fixture
def provider(world: World, idp: SamlIdp, client: Client) -> IdentityProvider:
    """It makes accounts for staff of its university, and knows us by our metadata."""
    form = settings_form("saml", {"metadata_url": f"{idp.url}/metadata"})
    assert not form.errors
    provider = IdentityProvider.objects.create(
        kind="saml",
        slug="university",
        name="University",
        active=True,
        settings=form.cleaned_data,
        creates_accounts=True,
        secret=own_key(),
    )
    provider.access_rules.create(claim="eduPersonScopedAffiliation", value="staff@example.edu", role=Role.LECTURER)
    idp.trust(client.get(reverse("saml-metadata", args=["university"])).text)
    return provider


def ask(client: Client, **query: str) -> str:
    """Where the browser is sent to sign in."""
    answer = client.get(reverse("sign-in", args=["university"], query=query))
    assert answer.status_code == 302, answer.text
    return str(answer["Location"])


def post(client: Client, message: str, **more: str) -> Any:
    return client.post(reverse("saml-consumer", args=["university"]), {"SAMLResponse": message, **more})


def sign_in(client: Client, idp: SamlIdp, **query: str) -> Any:
    assert fetch("GET", ask(client, **query), retries=False).status == 200
    return post(client, idp.answers[-1])


def reason(answer: Any) -> str:
    """Why a sign-in was refused, as administrators read it; the person reads the code alone."""
    assert answer.status_code == 403, answer
    failed = FailedSignIn.objects.first()
    assert failed.code in answer.text
    assert str(failed.error) not in answer.text
    return str(failed.error)


def user_of(client: Client) -> User:
    return User.objects.get(pk=client.session["_auth_user_id"])


def test_somebody_signs_in_and_is_the_same_person_next_time(provider: IdentityProvider, idp: SamlIdp, client: Client):
    idp.options |= {"sign_response": True, "encrypt_assertion": True}
    answer = sign_in(client, idp, next="/classes/")
    assert answer.status_code == 302, reason(answer)
    assert answer["Location"] == "/classes/"
    identity = ExternalIdentity.objects.get()
    assert (identity.issuer, identity.subject) == (idp.entity_id, "ada-at-rollcall@example.edu")
    assert (identity.user.get_full_name(), identity.user.email) == ("Ada Byron", "ada@example.edu")
    second = Client()
    assert sign_in(second, idp)["Location"] == "/"
    assert user_of(second) == identity.user
    assert client.get("/classes/").status_code == 200, "the session in the other browser goes on"
    assert not identity.user.account_events.filter(kind="password-changed").exists()
    idp.attributes.pop("eduPersonScopedAffiliation")
    idp.attributes["pairwise-id"] = ["bob@example.edu"]
    assert "Nobody here fits “bob@example.edu”" in reason(sign_in(Client(), idp))


def test_the_subject_is_one_that_lasts(provider: IdentityProvider, idp: SamlIdp):
    """pairwise-id, or else subject-id, a persistent name, eduPersonPrincipalName; never a name of one session."""
    idp.attributes |= {"subject-id": ["ada@example.edu"]}
    idp.name_id = NameID(format=NAMEID_FORMAT_PERSISTENT, text="persistent-ada")
    expected = ["ada-at-rollcall@example.edu", "ada@example.edu", "persistent-ada"]
    for subject, gone in zip(expected, ("pairwise-id", "subject-id", ""), strict=True):
        idp.attributes |= {"mail": [f"{subject}-1@example.edu".replace("@", "-", 1)]}
        answer = sign_in(Client(), idp)
        assert answer.status_code == 302, reason(answer)
        assert ExternalIdentity.objects.filter(subject=subject).exists(), subject
        idp.attributes.pop(gone, None)
    idp.__dict__.update(name_id=SamlIdp.defaults()["name_id"])
    idp.attributes.pop("eduPersonPrincipalName")
    assert "There is no lasting subject" in reason(sign_in(Client(), idp))


def test_an_answer_is_taken_once_in_the_browser_that_asked(provider: IdentityProvider, idp: SamlIdp, client: Client):
    sign_in(client, idp)
    stolen = idp.answers[-1]
    for browser in (client, Client()):
        assert "to no request of this browser" in reason(post(browser, stolen, sent_on="1"))
    # A form of another site brings no cookie: our own page sends it on.
    fresh = Client()
    page = post(fresh, stolen)
    assert page.status_code == 200
    assert f'name="SAMLResponse" value="{stolen}"' in page.text
    # Where both browsers have asked, each takes its own answer only.
    ask(fresh)
    assert "to no request of this browser" in reason(post(fresh, stolen))
    assert "_auth_user_id" not in fresh.session


def test_whoever_is_signed_in_confirms_there(provider: IdentityProvider, idp: SamlIdp, client: Client):
    sign_in(client, idp)
    session = client.session
    session[CONFIRMED_KEY] = 0.0
    session.save()
    address = ask(client, confirm="yes", next="/account/")
    request = idp.read_request(address)
    assert request.force_authn == "true"
    fetch("GET", address)
    assert post(client, idp.answers[-1])["Location"] == "/account/"
    assert client.session[CONFIRMED_KEY] > timezone.now().timestamp() - 60


def test_a_federation_by_its_query_service_and_a_page_to_choose_from(provider: IdentityProvider, idp: SamlIdp):
    form = settings_form(
        "saml",
        {
            "mdq_url": f"{idp.url}/mdq",
            "discovery_url": f"{idp.url}/disco",
            "signing_certificate": idp.certificate,
            "entity_categories": "https://refeds.org/category/code-of-conduct/v2",
            "contact_email": "it@example.edu",
            "privacy_url": f"{SITE}/privacy",
        },
    )
    assert not form.errors, form.errors
    IdentityProvider.objects.filter(pk=provider.pk).update(settings=form.cleaned_data)
    own = Client().get(reverse("saml-metadata", args=["university"])).text
    for text in ("DiscoveryResponse", "code-of-conduct/v2", "mailto:it@example.edu", "/privacy", "subject-id:req"):
        assert text in own
    client = Client()
    chooser = fetch("GET", ask(client, next="/classes/"), redirect=False)
    assert chooser.status == 302
    back = urlsplit(chooser.headers["Location"])
    assert back.path == reverse("saml-discovery", args=["university"])
    asked = client.get(f"{back.path}?{back.query}")
    fetch("GET", asked["Location"])
    assert post(client, idp.answers[-1])["Location"] == "/classes/"
    # Somebody whom the federation does not know, or did not sign for.
    unknown = Client().get(back.path, {"entityID": "https://evil.example.org"})
    assert "The federation does not know" in reason(unknown)
    other = SamlIdp()
    IdentityProvider.objects.filter(pk=provider.pk).update(
        settings=form.cleaned_data | {"signing_certificate": other.certificate}
    )
    SamlMetadata.objects.all().delete()
    refused = Client().get(back.path, {"entityID": idp.entity_id})
    assert "not signed by the key of the certificate" in reason(refused)
    # An identity provider speaks for its own scope alone.
    IdentityProvider.objects.filter(pk=provider.pk).update(settings=form.cleaned_data)
    idp.attributes |= {"pairwise-id": ["dean@other.edu"], "eduPersonPrincipalName": ["dean@other.edu"]}
    client = Client()
    fetch("GET", client.get(back.path, {"entityID": idp.entity_id})["Location"])
    assert "pairwise-id" in reason(post(client, idp.answers[-1]))


def test_metadata_are_kept_while_their_server_is_down(provider: IdentityProvider, idp: SamlIdp, client: Client):
    sign_in(client, idp)
    idp.is_down = True
    SamlMetadata.objects.update(checked_at=timezone.now() - timedelta(days=1))
    assert "/sso" in ask(Client())
    SamlMetadata.objects.update(
        checked_at=timezone.now() - timedelta(days=15), fetched_at=timezone.now() - timedelta(days=15)
    )
    refused = Client().get(reverse("sign-in", args=["university"]))
    assert "The server of the metadata answered 503" in reason(refused)


def test_the_identity_provider_ends_sessions(provider: IdentityProvider, idp: SamlIdp, client: Client):
    sign_in(client, idp)
    soap = reverse("saml-logout-soap", args=["university"])
    envelope = idp.logout_request(SITE + soap, BINDING_SOAP)
    forged = envelope.replace("_transient-of-ada", "_transient-of-bob")
    assert client.post(soap, forged, content_type="text/xml").status_code == 400
    answer = client.post(soap, envelope, content_type="text/xml")
    assert answer.status_code == 200, answer.text
    assert "status:Success" in answer.text
    assert not LoginSession.objects.filter(provider=provider.pk).exists()
    assert client.post(soap, envelope, content_type="text/xml").status_code == 400, "it was used before"

    sign_in(client, idp)
    address = urlsplit(idp.logout_request(SITE + reverse("saml-logout", args=["university"]), BINDING_HTTP_REDIRECT))
    assert Client().get(f"{address.path}?{address.query[:-8]}").status_code == 403
    assert LoginSession.objects.filter(provider=provider.pk).exists()
    back = client.get(f"{address.path}?{address.query}")
    assert not LoginSession.objects.filter(provider=provider.pk).exists()
    where = parse_qs(urlsplit(back["Location"]).query)
    assert (where["RelayState"], "Signature" in where) == (["here"], True)
    assert fetch("GET", back["Location"]).status == 200
    assert idp.logged_out == ["SAMLResponse"]


def test_a_logout_here_ends_the_session_there(provider: IdentityProvider, idp: SamlIdp, client: Client):
    sign_in(client, idp)
    page = client.post(reverse("logout"))
    address = page.context["elsewhere"]
    assert idp.read_logout(address) == "_transient-of-ada"
    assert "_auth_user_id" not in client.session
    back = client.get(reverse("saml-logout", args=["university"]), {"SAMLResponse": "x"})
    assert back["Location"] == reverse("login")


def test_administrators_read_what_is_wrong_with_the_settings(
    world: World, provider: IdentityProvider, idp: SamlIdp, client: Client, tmp_path: Path
):
    set_role(user=world.registrar, role=Role.ADMINISTRATOR)
    client.force_login(world.registrar)

    def test(**settings: str) -> str:
        """What "Test it" says."""
        IdentityProvider.objects.filter(pk=provider.pk).update(settings=provider.settings | settings)
        page = client.post(f"/admin/identity/identityprovider/{provider.pk}/test/").content.decode()
        return " ".join(unescape(re.sub("<[^>]+>", " ", page.partition('class="findings"')[2])).split())

    said = test()
    assert f"The metadata of {idp.entity_id} can be read. They have 1 keys." in said
    assert "Both clocks agree" in said
    assert "A sign-in can begin there." in said
    assert " wrong " not in said
    for hours in (-2, 2):
        idp.ahead = hours * 3600
        assert re.search(rf"wrong Its clock is {'-' * (hours < 0)}(7200|7199|7201) seconds ahead", test())
    idp.ahead = 0
    assert "not signed by the key of the certificate" in test(signing_certificate=idp.certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate(tmp_path))
    with rest_server(lambda _asked: Reply(), tls=context) as address:
        assert "is not accepted: self-signed certificate. Have it replaced there" in test(metadata_url=address)
    with rest_server(lambda _asked: Reply(b"<html/>")) as address:
        assert "Expected: metadata of one identity provider" in test(metadata_url=address)
    assert "could not be reached" in test(metadata_url=address)
    federation = {"metadata_url": "", "mdq_url": f"{idp.url}/mdq"}
    assert "The federation's query service answers." in test(**federation)
    idp.is_down = True
    assert "answered 503" in test(**federation)
    idp.is_down = False
    # What the settings look at, and nobody had.
    test()
    assert sign_in(Client(), idp).status_code == 302
    assert "The latest sign-ins had all that the settings and rules look at." in test()
    IdentityProvider.objects.filter(pk=provider.pk).update(student_number_claim="schacPersonalUniqueCode")
    assert "None of 1 people had “schacPersonalUniqueCode”" in test()


def test_a_secret_that_is_typed_in_does_not_take_the_place_of_our_key(provider: IdentityProvider, client: Client):
    IdentityProvider.objects.update(secret="")
    assert client.get(reverse("saml-metadata", args=["university"])).status_code == 200
    key = IdentityProvider.objects.get().secret
    save_provider(provider=IdentityProvider.objects.get(), secret="typed by the browser")
    assert IdentityProvider.objects.get().secret == key != ""


def test_another_address_of_the_metadata_counts_at_once(provider: IdentityProvider, idp: SamlIdp):
    for number in range(2):  # as a federation leaves them
        SamlMetadata.objects.create(
            provider=provider, entity_id=str(number), xml="", fetched_at=timezone.now(), checked_at=timezone.now()
        )
    save_provider(provider=IdentityProvider.objects.get())
    assert "/sso" in ask(Client())
    assert [row.entity_id for row in SamlMetadata.objects.all()] == [idp.entity_id]


def test_a_logout_request_is_refused_when_it_is_old(provider: IdentityProvider, idp: SamlIdp, client: Client):
    answer = sign_in(client, idp)
    assert answer.status_code == 302, reason(answer)
    soap = reverse("saml-logout-soap", args=["university"])
    with patch("saml2.entity.instant", lambda: "2026-01-01T00:00:00Z"):
        envelope = idp.logout_request(SITE + soap, BINDING_SOAP)
    assert "2026-01-01" in envelope
    answer = client.post(soap, envelope, content_type="text/xml")
    assert answer.status_code == 400
    assert LoginSession.objects.filter(provider=provider.pk).exists()
