"""What a SAML answer has to be to be believed: read from a second identity provider, which can say anything wrong."""

import base64
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from campus.identity.models import IdentityProvider
from campus.identity.saml.keys import make_key_pair
from campus.identity.saml.metadata import read_metadata
from campus.identity.saml.responses import read_response
from campus.identity.saml.service_provider import addresses
from campus.identity.sign_in import Assertion, SignInError
from tests.servers.second_saml_idp import ENTITY_ID, SUBJECT_ID, SecondSamlIdp

SITE = "https://rollcall.example.edu"
OURS = make_key_pair()
IDP = SecondSamlIdp()
STRANGER = SecondSamlIdp()
REQUEST = "id-question"
EPPN = "urn:oid:1.3.6.1.4.1.5923.1.1.1.6"
MAIL = "urn:oid:0.9.2342.19200300.100.1.3"
UID = "urn:oid:0.9.2342.19200300.100.1.1"
NUMBER = "urn:oid:1.3.6.1.4.1.25178.1.2.14"


@pytest.fixture
def provider(db: None) -> IdentityProvider:
    return IdentityProvider.objects.create(
        kind="saml", slug="second", name="Second", secret=OURS, settings={"metadata_xml": IDP.metadata}
    )


Read = Callable[..., Assertion]


@pytest.fixture
def read(provider: IdentityProvider) -> Read:
    """Reads an answer with these values changed, or this very message."""
    where = addresses(provider, SITE)
    context: dict[str, Any] = {"sp": where.entity_id, "consumer": where.consumer, "request_id": REQUEST}

    def read(
        message: str = "", *, change: Callable[[str], str] = str, idp: SecondSamlIdp = IDP, **changed: Any
    ) -> Assertion:
        outer: dict[str, Any] = {
            name: changed.pop(name) for name in ("status", "destination", "answered") if name in changed
        }
        envelope: dict[str, Any] = {"consumer": where.consumer, "request_id": REQUEST, **outer}
        message = message or idp.response(change(idp.assertion(**context | changed)), **envelope)
        return read_response(provider, SITE, read_metadata(IDP.metadata.encode()), message=message, request_id=REQUEST)

    return read


def test_a_right_answer_is_believed_once(read: Read):
    assertion = read()
    assert (assertion.issuer, assertion.subject) == (ENTITY_ID, "grace@second.example.org")
    assert assertion.authentication == ["https://refeds.org/profile/mfa"]
    assert assertion.session_id
    with pytest.raises(SignInError, match="used before"):
        read()


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        (
            {"audience": "https://other.example.org/sp"},
            r"Audience is wrong\. Expected: \S+/sign-in/second/saml/metadata/\. Received: https://other",
        ),
        ({"recipient": "https://other.example.org/acs"}, "Recipient is wrong"),
        ({"destination": "https://other.example.org/acs"}, "Destination is wrong"),
        ({"request_id": "id-of-another"}, r"InResponseTo is wrong\. Expected: id-question\. Received: id-of-another"),
        ({"answered": "id-of-another"}, "InResponseTo is wrong"),
        ({"issuer": "https://elsewhere.example.org"}, "Issuer is wrong"),
        ({"clock": timedelta(hours=-1)}, r"NotOnOrAfter is \S+, and it is \S+ here: 3[23].. seconds"),
        ({"clock": timedelta(minutes=10)}, r"NotBefore is .* 5\d\d seconds apart"),
        ({"attributes": {MAIL: "grace@second.example.org"}, "name_id": ""}, "no lasting subject.*Received: mail"),
        ({"attributes": {SUBJECT_ID: "dean@first.example.org"}, "name_id": ""}, "Left out.*: subject-id"),
        ({"algorithm": "RSA_SHA1"}, "rsa-sha1. Expected: SHA-256"),
        ({"digest": "SHA1"}, "sha1. Expected: SHA-256"),
        ({"status": "Responder"}, r"refused the sign-in: Responder"),
    ],
)  # fmt: skip
def test_administrators_read_which_value_is_wrong(read: Read, changed: dict[str, Any], why: str):
    with pytest.raises(SignInError, match=why):
        read(**changed)


def test_a_clock_may_be_off_by_a_minute(read: Read):
    assert read(clock=timedelta(minutes=1))
    assert read(clock=timedelta(minutes=-6, seconds=10), id="a2")


def without_signature(assertion: str) -> str:
    return re.sub(r"<ds:Signature.*?</ds:Signature>", "", assertion, flags=re.DOTALL)


def test_unsigned_foreign_and_changed_assertions_are_refused(read: Read):
    with pytest.raises(SignInError, match="not signed"):
        read(change=without_signature)
    with pytest.raises(SignInError, match="does not fit the keys in the metadata"):
        read(idp=STRANGER)
    with pytest.raises(SignInError, match="does not fit the keys"):
        read(change=lambda text: text.replace("grace@", "dean@"))
    assert read()


def evil(assertion: str, signed: str) -> str:
    """A copy that says another name, unsigned, around or beside the signed one."""
    return without_signature(assertion).replace("grace@", "dean@").replace('ID="a1"', signed)


SIGNATURE = re.compile("<ds:Signature .*</ds:Signature>", re.DOTALL)


def in_object(assertion: str) -> str:
    """The signed assertion lies within a signature of the evil one."""
    shell = (
        f'<ds:Signature xmlns:ds="http://www.w3.org/2000/09/xmldsig#"><ds:Object>{assertion}</ds:Object></ds:Signature>'
    )
    return evil(assertion, 'ID="evil"').replace("</saml:Issuer>", f"</saml:Issuer>{shell}", 1)


def in_own_signature(assertion: str) -> str:
    """The evil assertion has the signature of the signed one, in which that one lies."""
    signature = SIGNATURE.search(assertion)[0]
    holding = signature.replace("</ds:Signature>", f"<ds:Object>{assertion}</ds:Object></ds:Signature>")
    return evil(assertion, 'ID="evil"').replace("</saml:Issuer>", f"</saml:Issuer>{holding}", 1)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda text: evil(text, 'ID="evil"') + text,
        lambda text: text + evil(text, 'ID="evil"'),
        lambda text: evil(text, 'ID="evil"').replace("<saml:Subject>", f"{text}<saml:Subject>", 1),
        lambda text: evil(text, 'ID="a1"') + f"<samlp:Extensions>{text}</samlp:Extensions>",
        in_object,
        in_own_signature,
    ],
)
def test_signatures_can_not_be_wrapped(read: Read, wrap: Callable[[str], str]):
    with pytest.raises(SignInError):
        read(change=wrap)


def test_a_comment_does_not_shorten_a_name(read: Read):
    """Signatures leave comments out, so a comment in a signed name must not end it."""
    changed = {"attributes": {SUBJECT_ID: "dean@second.example.org.evil.second.example.org"}}
    with pytest.raises(SignInError):
        read(change=lambda text: text.replace("org.evil", "org<!-- -->.evil"), name_id="", **changed)


@pytest.mark.parametrize(
    "prologue",
    [
        '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE r SYSTEM "http://127.0.0.1:1/evil.dtd">',
        '<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>',
    ],
)
def test_document_types_and_entities_are_refused(read: Read, provider: IdentityProvider, prologue: str):
    where = addresses(provider, SITE)
    assertion = IDP.assertion(sp=where.entity_id, consumer=where.consumer, request_id=REQUEST)
    plain = base64.b64decode(IDP.response(assertion, consumer=where.consumer, request_id=REQUEST)).decode()
    for message in (prologue + plain, f"{prologue}<r>&x;</r>"):
        for encoding in ("utf-8", "utf-16"):
            with pytest.raises(SignInError, match="not XML that may be read"):
                read(base64.b64encode(message.encode(encoding)).decode())


@pytest.mark.parametrize("message", ["", "!", "AAAA", base64.b64encode(b"<r/>").decode(), "A" * 800_000])
def test_nonsense_is_refused(read: Read, message: str):
    with pytest.raises(SignInError):
        read(message or " ")


def test_addresses_of_a_foreign_domain_are_not_verified_in_a_federation(read: Read, provider: IdentityProvider):
    attributes = {
        SUBJECT_ID: "grace@second.example.org",
        MAIL: "president@first.example.org",
        EPPN: "x@first.example.org",
    }
    assert read(attributes=attributes).claims["email_verified"] == ["true"], "the university's own identity provider"
    provider.settings = {"mdq_url": "https://mdq.example.org"}
    claims = read(attributes=attributes, id="a2").claims
    assert claims["email_verified"] == ["false"]
    assert "eduPersonPrincipalName" not in claims


def test_of_other_universities_of_a_federation_no_number_and_no_group_is_read(read: Read, provider: IdentityProvider):
    """Else whoever runs an identity provider somewhere could send in a student of ours."""
    number = "urn:schac:personalUniqueCode:de:first.example.org:Matrikelnummer:4711"
    attributes = {SUBJECT_ID: "grace@second.example.org", MAIL: "grace@second.example.org", UID: "own", NUMBER: number}
    for home_scope, id_, expected in (
        ("", "a1", set()),
        ("first.example.org", "a2", set()),
        ("second.example.org", "a3", {"uid", "schacPersonalUniqueCode", "preferred_username"}),
    ):
        provider.settings = {"mdq_url": "https://mdq.example.org", "home_scope": home_scope}
        claims = read(attributes=attributes, id=id_).claims
        assert {"uid", "schacPersonalUniqueCode", "preferred_username"} & {*claims} == expected
        assert {"subject-id", "email"} <= {*claims}


@pytest.mark.parametrize("moment", ["2026-01-01T00:00:00", "2026-99-01T00:00:00Z", "now"])
def test_the_moment_of_the_password_has_to_be_one(read: Read, moment: str):
    with pytest.raises(SignInError, match="AuthnInstant is wrong"):
        read(authenticated=moment)


def test_metadata_that_are_damaged_are_refused_with_a_sentence():
    good = IDP.metadata
    for wrong, why in (
        (
            good.replace("<md:EntityDescriptor ", '<md:EntityDescriptor validUntil="2026-99-01T00:00:00Z" ', 1),
            "is no time",
        ),
        (
            good.replace("<md:EntityDescriptor ", '<md:EntityDescriptor validUntil="2020-01-01T00:00:00" ', 1),
            "valid until",
        ),
        (
            re.sub(
                "<ds:X509Certificate>.*?</ds:X509Certificate>",
                "<ds:X509Certificate>AAAA</ds:X509Certificate>",
                good,
                flags=re.DOTALL,
            ),
            "no certificate",
        ),
    ):
        assert wrong != good
        with pytest.raises(SignInError, match=why):
            read_metadata(wrong.encode())
    with pytest.raises(SignInError, match="not in UTF-8"):
        read_metadata(good.encode("utf-16"))


def test_metadata_have_to_be_signed_by_the_federation():
    signed = IDP.signed_metadata().encode()
    assert read_metadata(signed, certificate=IDP.certificate).scopes == {"second.example.org"}
    for document, certificate in (
        (signed, STRANGER.certificate),
        (IDP.metadata.encode(), IDP.certificate),
        (signed.replace(b"/sso", b"/evil"), IDP.certificate),
    ):
        with pytest.raises(SignInError, match="not signed by the key"):
            read_metadata(document, certificate=certificate)
