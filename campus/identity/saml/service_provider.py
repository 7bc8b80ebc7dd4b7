"""Rollcall as a service provider: its addresses, its metadata, and the requests that it sends."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from django.urls import reverse

from campus.accounts.institution import institution_name
from campus.identity.claim_names import OTHER_NAMES
from campus.identity.models import IdentityProvider
from campus.identity.saml.keys import key_pair
from campus.identity.saml.metadata import IdpMetadata
from campus.identity.selectors import claims_looked_at
from campus.identity.sign_in import SignInError

if TYPE_CHECKING:
    from saml2.client import Saml2Client

POST = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"
REDIRECT = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect"
SOAP = "urn:oasis:names:tc:SAML:2.0:bindings:SOAP"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
CLOCK_SKEW_SECONDS: Final = 120
# What is asked of federations: a stable subject, and what accounts are made of and rules look at.
ATTRIBUTES: Final = [
    *("pairwise-id", "subject-id", "eduPersonPrincipalName", "eduPersonScopedAffiliation", "eduPersonEntitlement"),
    *("displayName", "givenName", "sn", "mail", "schacPersonalUniqueCode"),
]
SUBJECT_ID_WANTED: Final = {
    "name": "urn:oasis:names:tc:SAML:profiles:subject-id:req",
    "format": "urn:oasis:names:tc:SAML:2.0:attrname-format:uri",
    "values": ["any"],
}


@dataclass(frozen=True, kw_only=True)
class Addresses:
    """Of one provider, at a site such as https://rollcall.example. That of the metadata is our entity ID."""

    entity_id: str
    consumer: str
    discovery: str
    logout: str
    logout_soap: str


def addresses(provider: IdentityProvider, site: str) -> Addresses:
    """Where the provider, and the federation's pages, find us."""

    def of(name: str) -> str:
        return site + reverse(f"saml-{name}", args=[provider.slug])

    return Addresses(
        entity_id=of("metadata"),
        consumer=of("consumer"),
        discovery=of("discovery"),
        logout=of("logout"),
        logout_soap=of("logout-soap"),
    )


def _attributes(provider: IdentityProvider) -> list[str]:
    """What is asked of the identity provider: also what its own settings and rules look at."""
    names = {OTHER_NAMES.get(name, (name,))[0] for name in claims_looked_at(provider)}
    return [*ATTRIBUTES, *sorted(names.difference(ATTRIBUTES))]


def _config(provider: IdentityProvider, site: str, folder: Path, idp: IdpMetadata | None) -> Any:
    from saml2.config import SPConfig

    where = addresses(provider, site)
    key, certificate = key_pair(provider)
    key_file, certificate_file = folder / "key.pem", folder / "certificate.pem"
    key_file.write_text(key)
    certificate_file.write_text(certificate)
    name = institution_name()
    email, privacy = provider.settings.get("contact_email"), provider.settings.get("privacy_url")
    about = {"display_name": [{"text": name, "lang": "en"}], "description": [{"text": name, "lang": "en"}]}
    if privacy:
        about["privacy_statement_url"] = [{"text": privacy, "lang": "en"}]
    return SPConfig().load(
        {
            "entityid": where.entity_id,
            "key_file": str(key_file),
            "cert_file": str(certificate_file),
            "encryption_keypairs": [{"key_file": str(key_file), "cert_file": str(certificate_file)}],
            "metadata": {"inline": [idp.xml]} if idp else {},
            "only_use_keys_in_metadata": True,
            "allow_unknown_attributes": True,
            "accepted_time_diff": CLOCK_SKEW_SECONDS,
            "signing_algorithm": RSA_SHA256,
            "digest_algorithm": SHA256,
            "entity_category": provider.settings.get("entity_categories", "").split(),
            "entity_attributes": [SUBJECT_ID_WANTED],
            "contact_person": [{"contact_type": "technical", "email_address": [f"mailto:{email}"], "given_name": name}]
            if email
            else None,
            "organization": {"name": [(name, "en")], "display_name": [(name, "en")], "url": [(site, "en")]},
            "service": {
                "sp": {
                    "name": name,
                    "ui_info": about,
                    "endpoints": {
                        "assertion_consumer_service": [(where.consumer, POST)],
                        "single_logout_service": [(where.logout, REDIRECT), (where.logout_soap, SOAP)],
                        "discovery_response": [
                            (where.discovery, "urn:oasis:names:tc:SAML:profiles:SSO:idp-discovery-protocol")
                        ],
                    },
                    "required_attributes": [],
                    "optional_attributes": _attributes(provider),
                    "authn_requests_signed": True,
                    "logout_requests_signed": True,
                    "logout_responses_signed": True,
                    "want_assertions_signed": True,
                    "want_response_signed": False,
                    "allow_unsolicited": False,
                }
            },
        }
    )


@contextmanager
def service_provider(provider: IdentityProvider, site: str, idp: IdpMetadata) -> Iterator["Saml2Client"]:
    """A client of this identity provider. The private key lies in a file as long as it is there: xmlsec1 reads it."""
    from saml2.client import Saml2Client

    with tempfile.TemporaryDirectory() as folder:
        yield Saml2Client(_config(provider, site, Path(folder), idp))


def own_metadata(provider: IdentityProvider, site: str) -> str:
    """What the identity provider, or the federation, has to know of us."""
    from saml2.metadata import entity_descriptor

    with tempfile.TemporaryDirectory() as folder:
        return str(entity_descriptor(_config(provider, site, Path(folder), None)))


def authentication_request(
    provider: IdentityProvider, site: str, idp: IdpMetadata, *, confirm: bool = False
) -> tuple[str, str]:
    """The id of a signed request, and the address to which the browser takes it. To confirm, people give their password
    there again. Raises SignInError.
    """
    from saml2.client_base import SignOnError

    with service_provider(provider, site, idp) as client:
        try:
            request_id, message = client.prepare_for_authenticate(
                idp.entity_id, binding=REDIRECT, sign=True, sigalg=RSA_SHA256, force_authn="true" if confirm else None
            )
        except SignOnError as error:
            raise SignInError(
                "The metadata of {entity} have no address for a sign-in by redirect (HTTP-Redirect).",
                entity=idp.entity_id,
            ) from error
    return request_id, dict(message["headers"])["Location"]
