"""What an identity provider says of itself: given by the administrator, fetched from an address, or asked of a
federation (MDQ).

https://datatracker.ietf.org/doc/draft-young-md-query-saml/
"""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import quote

from cryptography import x509
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from campus.common.outgoing_http import Answer, OutgoingError, request
from campus.identity.models import IdentityProvider, SamlMetadata
from campus.identity.saml import messages
from campus.identity.sign_in import SignInError

REFRESHED_AFTER: Final = timedelta(hours=6)
RETRIED_AFTER: Final = timedelta(minutes=10)
KEPT_WITHOUT_DATE: Final = timedelta(days=14)  # where the metadata don't say until when they are valid
MAX_ENTITY_ID_LENGTH: Final = 255
MD = "{urn:oasis:names:tc:SAML:2.0:metadata}"
SHIBMD_SCOPE = "{urn:mace:shibboleth:metadata:1.0}Scope"
logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class IdpMetadata:
    """`scopes`: what may stand behind the @ of its attributes; `certificates` (PEM) are those that it signs with."""

    entity_id: str
    xml: str
    scopes: frozenset[str]
    certificates: tuple[str, ...]
    valid_until: datetime | None


def idp_metadata(provider: IdentityProvider, entity_id: str = "") -> IdpMetadata:
    """Those of the provider, or of this member of its federation. Raises SignInError."""
    if provider.settings.get("metadata_xml"):
        return read_metadata(provider.settings["metadata_xml"].encode())
    is_federation = bool(provider.settings.get("mdq_url"))
    stored = SamlMetadata.objects.filter(
        provider=provider, **({"entity_id": entity_id} if is_federation else {})
    ).first()
    now = timezone.now()
    if stored and stored.checked_at > now - REFRESHED_AFTER:
        return read_metadata(stored.xml.encode())
    try:
        return fetch_metadata(provider, entity_id)
    except (OutgoingError, SignInError) as error:
        if stored is None or stored.fetched_at < now - KEPT_WITHOUT_DATE:
            raise SignInError(error.message) from error
        logger.warning("The metadata of the sign-in %s can't be fetched anew: %s", provider.slug, error)
        stored.checked_at = now - REFRESHED_AFTER + RETRIED_AFTER
        stored.save(update_fields=["checked_at"])
        return read_metadata(stored.xml.encode())


def known_metadata(provider: IdentityProvider, entity_id: str) -> IdpMetadata:
    """Those of somebody at whom people have signed in: nothing is fetched for a stranger. Raises SignInError."""
    if (
        provider.settings.get("mdq_url")
        and not SamlMetadata.objects.filter(provider=provider, entity_id=entity_id).exists()
    ):
        raise SignInError("Nobody has signed in at “{entity}” yet.", entity=entity_id)
    metadata = idp_metadata(provider, entity_id)
    if metadata.entity_id != entity_id:
        raise SignInError(
            "Expected: a message of {expected}. Received: of {received}.",
            expected=metadata.entity_id,
            received=entity_id,
        )
    return metadata


def fetch_metadata(provider: IdentityProvider, entity_id: str = "") -> IdpMetadata:
    """Fetch, check and keep them. Raises OutgoingError and SignInError."""
    return keep_metadata(provider, ask_for_metadata(provider, entity_id), entity_id)


def ask_for_metadata(provider: IdentityProvider, entity_id: str = "") -> Answer:
    """What their server answers. Raises OutgoingError and SignInError."""
    mdq_url = provider.settings.get("mdq_url", "")
    url = (
        f"{mdq_url.rstrip('/')}/entities/{quote(entity_id, safe='')}" if mdq_url else provider.settings["metadata_url"]
    )
    answer = request(
        "GET",
        url,
        networks_setting="CONNECTION_NETWORKS",
        headers={"Accept": "application/samlmetadata+xml"},
        max_bytes=messages.MAX_MESSAGE_BYTES,
    )
    if mdq_url and answer.status == 404:
        raise SignInError("The federation does not know “{entity}”.", entity=entity_id)
    if not answer.is_success:
        raise SignInError("The server of the metadata answered {status}.", status=answer.status)
    return answer


def keep_metadata(provider: IdentityProvider, answer: Answer, entity_id: str = "") -> IdpMetadata:
    """Those of an answer, once they were checked. Raises SignInError."""
    mdq_url = provider.settings.get("mdq_url", "")
    metadata = read_metadata(answer.body, certificate=provider.settings.get("signing_certificate", ""))
    if mdq_url and metadata.entity_id != entity_id:
        raise SignInError(
            "Expected: metadata of {expected}. Received: of {received}.",
            expected=entity_id,
            received=metadata.entity_id,
        )
    now = timezone.now()
    row = {"xml": metadata.xml, "fetched_at": now, "checked_at": now}
    if not mdq_url:
        SamlMetadata.objects.filter(provider=provider).exclude(entity_id=metadata.entity_id).delete()
    SamlMetadata.objects.update_or_create(provider=provider, entity_id=metadata.entity_id, defaults=row)
    return metadata


def read_metadata(document: bytes, *, certificate: str = "") -> IdpMetadata:
    """Check the metadata of one identity provider. With a certificate, they must be signed by its key.

    Raises SignInError.
    """
    root = messages.parse(document)
    descriptor = root.find(f"{MD}IDPSSODescriptor")
    if root.tag != f"{MD}EntityDescriptor" or descriptor is None or not root.get("entityID"):
        raise SignInError(
            "Expected: metadata of one identity provider (EntityDescriptor, IDPSSODescriptor). Received: {received}.",
            received=root.tag.partition("}")[2] or root.tag,
        )
    if len(root.get("entityID", "")) > MAX_ENTITY_ID_LENGTH:
        raise SignInError("The entity ID has more than {n} characters.", n=MAX_ENTITY_ID_LENGTH)
    if certificate:
        messages.check_signatures(root, [root])
        if not messages.has_valid_signature(document, root, [certificate]):
            raise SignInError("The metadata are not signed by the key of the certificate in the settings.")
    until = _moment(root.get("validUntil", ""))
    if until and until < timezone.now():
        raise SignInError("The metadata were valid until {until}.", until=until)
    certificates = [
        pem
        for key in descriptor.findall(f"{MD}KeyDescriptor")
        if key.get("use") != "encryption"
        for element in key.iter(f"{messages.DS}X509Certificate")
        if (pem := _certificate(element.text or ""))
    ]
    if not certificates:
        raise SignInError(
            "The metadata of {entity} have no certificate to check signatures with.", entity=root.get("entityID")
        )
    try:
        xml = document.decode()
    except UnicodeDecodeError as error:
        raise SignInError("The metadata are not in UTF-8.") from error
    scopes = [scope for parent in (root, descriptor) for scope in parent.findall(f"{MD}Extensions/{SHIBMD_SCOPE}")]
    return IdpMetadata(
        entity_id=root.get("entityID", ""),
        xml=xml,
        scopes=frozenset(
            (scope.text or "").strip().lower() for scope in scopes if scope.get("regexp") not in ("true", "1")
        ),
        certificates=tuple(certificates),
        valid_until=until,
    )


def _moment(text: str) -> datetime | None:
    """Until when they are valid. Raises SignInError."""
    try:
        moment = parse_datetime(text)
    except ValueError:
        moment = None
    if text and moment is None:
        raise SignInError("The metadata are valid until “{text}”, which is no time.", text=text[:50])
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment


def _certificate(text: str) -> str:
    """In PEM; "" for what is none."""
    pem = f"-----BEGIN CERTIFICATE-----\n{''.join(text.split())}\n-----END CERTIFICATE-----\n"
    try:
        x509.load_pem_x509_certificate(pem.encode())
    except (ValueError, x509.InvalidVersion):
        return ""
    return pem
