"""Single logout: the identity provider ends sessions here, through the browser or from server to server, and learns
when somebody logs out here.
"""

import base64
import binascii
from collections.abc import Mapping
from datetime import timedelta
from typing import Final
from urllib.parse import unquote_plus
from xml.etree.ElementTree import Element

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from django.http import HttpRequest
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from campus.accounts.models import LoginSession
from campus.common.site_address import site_address
from campus.identity.models import IdentityProvider
from campus.identity.one_time import use_once
from campus.identity.saml import messages
from campus.identity.saml.messages import SAML, SAMLP
from campus.identity.saml.metadata import IdpMetadata, known_metadata
from campus.identity.saml.responses import IDP, NAME_ID, SESSION_INDEX, find_wrong_time, session_name
from campus.identity.saml.service_provider import REDIRECT, RSA_SHA256, SHA256, SOAP, addresses, service_provider
from campus.identity.sign_in import SignInError, end_sessions

LOGOUT_REQUEST: Final = f"{SAMLP}LogoutRequest"
REQUEST_LIFETIME: Final = timedelta(days=1)
HASHES: Final = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}


def log_out_by_redirect(provider: IdentityProvider, site: str, query: str) -> str:
    """End the sessions that a signed request in an address names; returns the address with our signed answer.

    `query`: as it was sent, since the signature is of these very characters. Raises SignInError.
    """
    fields = {name: value for name, _equals, value in (part.partition("=") for part in query.split("&"))}
    document = messages.inflate(unquote_plus(fields.get("SAMLRequest", "")))
    root = messages.parse(document)
    idp = _sender(provider, root)
    if not _is_signed_by(idp, fields):
        raise SignInError("The logout request is not signed by a key of {entity}.", entity=idp.entity_id)
    _end(provider, site, root, idp)
    return _answer(provider, site, root, idp, relay_state=unquote_plus(fields.get("RelayState", "")))


def log_out_by_soap(provider: IdentityProvider, site: str, envelope: bytes) -> str:
    """The same for a request in a SOAP envelope; returns the envelope with our signed answer. Raises SignInError."""
    if len(envelope) > messages.MAX_MESSAGE_BYTES:
        raise SignInError("The message is longer than {n} bytes.", n=messages.MAX_MESSAGE_BYTES)
    root = messages.parse(envelope)
    request = root.find(f"{messages.SOAP}Body/{LOGOUT_REQUEST}")
    if request is None:
        raise SignInError("Expected: a logout request. Received: {received}.", received=root.tag)
    idp = _sender(provider, request)
    messages.check_signatures(root, [request])
    if not messages.has_valid_signature(envelope, request, idp.certificates):
        raise SignInError("The logout request is not signed by a key of {entity}.", entity=idp.entity_id)
    _end(provider, site, request, idp)
    return _answer(provider, site, request, idp)


def saml_logout_address(request: HttpRequest, provider: IdentityProvider) -> str | None:
    """Where the browser goes to be logged out of the identity provider, too; it is signed.

    None where the session did not begin there, or the identity provider has no logout.
    """
    kept = request.session
    if not kept.get(NAME_ID):
        return None
    from saml2.saml import name_id_from_string

    site = site_address(request)
    try:
        idp = known_metadata(provider, kept[IDP])
    except SignInError:
        return None
    with service_provider(provider, site, idp) as client:
        services = client.metadata.single_logout_service(idp.entity_id, REDIRECT, "idpsso")
        if not services:
            return None
        where = services[0]["location"]
        _id, message = client.create_logout_request(
            where,
            idp.entity_id,
            name_id=name_id_from_string(kept[NAME_ID]),
            session_indexes=[kept[SESSION_INDEX]] if kept.get(SESSION_INDEX) else None,
            sign=False,
        )
        arguments = client.apply_binding(REDIRECT, str(message), where, sign=True, sigalg=RSA_SHA256)
    return dict(arguments["headers"])["Location"]


def _sender(provider: IdentityProvider, request: Element) -> IdpMetadata:
    if request.tag != LOGOUT_REQUEST:
        raise SignInError("Expected: a logout request. Received: {received}.", received=request.tag)
    return known_metadata(provider, request.findtext(f"{SAML}Issuer", "").strip())


def _is_signed_by(idp: IdpMetadata, fields: Mapping[str, str]) -> bool:
    algorithm = unquote_plus(fields.get("SigAlg", ""))
    if algorithm not in messages.SIGNATURE_METHODS:
        raise SignInError(
            "The message is signed by {algorithm}. Expected: SHA-256 or longer.", algorithm=algorithm or "-"
        )
    signed = "&".join(f"{name}={fields[name]}" for name in ("SAMLRequest", "RelayState", "SigAlg") if name in fields)
    try:
        signature = base64.b64decode(unquote_plus(fields.get("Signature", "")), validate=True)
    except binascii.Error:
        return False
    digest = HASHES[algorithm.rpartition("-")[2]]
    for certificate in idp.certificates:
        key = x509.load_pem_x509_certificate(certificate.encode()).public_key()
        try:
            if isinstance(key, rsa.RSAPublicKey):
                key.verify(signature, signed.encode(), padding.PKCS1v15(), digest)
                return True
            if isinstance(key, ec.EllipticCurvePublicKey):
                key.verify(signature, signed.encode(), ec.ECDSA(digest))
                return True
        except InvalidSignature:
            continue
    return False


def _end(provider: IdentityProvider, site: str, request: Element, idp: IdpMetadata) -> None:
    where = addresses(provider, site)
    if request.get("Destination") not in (None, where.logout, where.logout_soap):
        raise SignInError(
            "{name} is wrong. Expected: {expected}. Received: {received}.",
            name="Destination",
            expected=where.logout,
            received=request.get("Destination"),
        )
    now = timezone.now()
    for name in ("IssueInstant", "NotOnOrAfter"):
        if (name == "IssueInstant" or request.get(name)) and (fault := find_wrong_time(name, request.get(name, ""))):
            raise fault
    issued = parse_datetime(request.get("IssueInstant", ""))
    if issued is None or issued < now - REQUEST_LIFETIME:  # by then, it is forgotten that it was used
        raise SignInError("The logout request is older than a day.")
    if not use_once("saml-logout", idp.entity_id, request.get("ID"), until=now + REQUEST_LIFETIME):
        raise SignInError("The logout request was used before.")
    name_id = request.findtext(f"{SAML}NameID", "").strip()
    if not name_id:
        raise SignInError("The logout request has no NameID. Expected: one that is not encrypted.")
    indexes = [(element.text or "").strip() for element in request.findall(f"{SAMLP}SessionIndex")]
    sessions = LoginSession.objects.filter(provider=provider.pk)
    names = (
        {session_name(name_id, index) for index in indexes}
        if indexes
        else set(
            sessions.filter(external_session__startswith=session_name(name_id)).values_list(
                "external_session", flat=True
            )
        )
    )
    for name in names:
        end_sessions(provider, session_id=name)


def _answer(
    provider: IdentityProvider, site: str, request: Element, idp: IdpMetadata, *, relay_state: str | None = None
) -> str:
    """Our signed answer: the address for the browser, with its relay state, or an envelope."""
    from saml2 import saml, samlp
    from saml2.sigver import rm_xmltag

    binding = SOAP if relay_state is None else REDIRECT
    received = samlp.LogoutRequest(id=request.get("ID"), issuer=saml.Issuer(text=idp.entity_id))
    with service_provider(provider, site, idp) as client:
        answer = client.create_logout_response(
            received, [binding], sign=binding == SOAP, sign_alg=RSA_SHA256, digest_alg=SHA256
        )
        if relay_state is None:
            return f'<S:Envelope xmlns:S="{messages.SOAP[1:-1]}"><S:Body>{rm_xmltag(answer)}</S:Body></S:Envelope>'
        where = client.response_args(received, [binding])["destination"]
        message = client.apply_binding(
            binding, str(answer), where, relay_state, response=True, sign=True, sigalg=RSA_SHA256
        )
    return dict(message["headers"])["Location"]
