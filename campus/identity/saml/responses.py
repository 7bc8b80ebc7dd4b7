"""Reads what an identity provider answers to a request, and makes an assertion of it that `sign_in` takes."""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from xml.etree.ElementTree import Element

from django.utils import timezone
from django.utils.dateparse import parse_datetime

from campus.identity.claim_names import OTHER_NAMES, with_standard_names
from campus.identity.models import IdentityProvider
from campus.identity.one_time import use_once
from campus.identity.saml import messages
from campus.identity.saml.messages import SAML, SAMLP
from campus.identity.saml.metadata import IdpMetadata
from campus.identity.saml.service_provider import CLOCK_SKEW_SECONDS, Addresses, addresses, service_provider
from campus.identity.sign_in import Assertion, SignInError

SUCCESS: Final = "urn:oasis:names:tc:SAML:2.0:status:Success"
BEARER: Final = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
PERSISTENT: Final = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
SCOPED: Final = {
    *("pairwise-id", "subject-id", "eduPersonPrincipalName", "eduPersonUniqueId", "eduPersonScopedAffiliation"),
}
# Of other universities in a federation, no more is read: their word for a number or a group here is nobody's.
OF_ANYBODY: Final = {
    name for known in ("email", "given_name", "family_name", "name") for name in (known, *OTHER_NAMES[known])
}
NAME_ID, SESSION_INDEX, IDP = "saml-name-id", "saml-session-index", "saml-idp"  # what a session keeps for its logout
MAX_NAME_ID_LENGTH: Final = 2000
logger = logging.getLogger(__name__)


def in_response_to(message: str) -> str:
    """To which request this answer claims to be. Raises SignInError."""
    return messages.parse(messages.decode(message)).get("InResponseTo", "")


def read_response(
    provider: IdentityProvider, site: str, idp: IdpMetadata, *, message: str, request_id: str
) -> Assertion:
    """What this identity provider answered to this request. Each assertion is accepted once. Raises SignInError."""
    from saml2.response import AuthnResponse

    document = messages.decode(message)
    root = messages.parse(document)
    messages.check_response(root)
    _check_status(root)
    where = addresses(provider, site)
    with service_provider(provider, site, idp) as client:
        response = AuthnResponse(
            client.sec,
            client.config.attribute_converters,
            where.entity_id,
            [where.consumer],
            {request_id: "/"},
            CLOCK_SKEW_SECONDS,
            want_assertions_signed=True,
            allow_unknown_attributes=True,
            conv_info={"entity_id": where.entity_id},
        )
        try:
            response.loads(document.decode(), False)
            verified = response.verify()
        except Exception as error:  # pysaml2 raises many kinds, and bare ones
            raise _explain(error, response.xmlstr, root, idp, where, request_id) from error
    # The document that was verified, decrypted where it was encrypted.
    root = messages.parse(response.xmlstr)
    messages.check_response(root)
    assertion = root.find(f".//{SAML}Assertion")
    if fault := _find_fault(root, assertion, idp, where, request_id):
        raise fault
    if (
        verified is None
        or assertion is None
        or len(response.assertions) != 1
        or response.assertion.id != assertion.get("ID")
    ):
        raise SignInError("The response is not valid.")
    until = timezone.now() + timedelta(days=1)
    if not use_once("saml", idp.entity_id, response.assertion.id, until=until):
        raise SignInError("The assertion was used before.")
    return _assertion(response, idp, provider.settings)


def session_name(name_id: str, session_index: str = "") -> str:
    """By what a logout finds sessions; without an index, what all those of the person begin with."""
    parts = [hashlib.sha256(part.encode()).hexdigest()[:40] for part in (name_id, session_index) if part]
    return ":".join(parts) + ("" if session_index else ":")


def _check_status(root: Element) -> None:
    code = root.find(f"{SAMLP}Status/{SAMLP}StatusCode")
    if code is None or code.get("Value") != SUCCESS:
        inner = code.find(f"{SAMLP}StatusCode") if code is not None else None
        text = root.findtext(f"{SAMLP}Status/{SAMLP}StatusMessage") or "-"
        value = (inner if inner is not None else code if code is not None else root).get("Value", "-")
        raise SignInError(
            "The identity provider refused the sign-in: {status} ({text}).",
            status=value.rpartition(":")[2][:100],
            text=text[:300],
        )


def _explain(
    error: Exception, xml: str, root: Element, idp: IdpMetadata, where: Addresses, request_id: str
) -> SignInError:
    """The first thing that is wrong with the response, for administrators. What it says is not verified."""
    from saml2.sigver import DecryptError, SigverError

    if xml:
        root = messages.parse(xml)  # decrypted, as far as it went
    fault = _find_fault(root, root.find(f".//{SAML}Assertion"), idp, where, request_id)
    if fault:
        return fault
    if isinstance(error, DecryptError) or root.find(f".//{SAML}Assertion") is None:
        return SignInError(
            "The assertion can't be decrypted: it is encrypted for another key. Give the identity provider our "
            "metadata again."
        )
    if root.find(f".//{SAML}Assertion/{messages.DS}Signature") is None:
        return SignInError("The assertion is not signed. Expected: signed assertions (WantAssertionsSigned).")
    if isinstance(error, SigverError):
        return SignInError(
            "The signature does not fit the keys in the metadata of {entity}. Expected: one of {n} keys. Fetch the "
            "metadata again.",
            entity=idp.entity_id,
            n=len(idp.certificates),
        )
    logger.warning("A SAML response was refused: %s", type(error).__name__)
    return SignInError("The response is not valid ({why}).", why=type(error).__name__)


def _find_fault(
    root: Element, assertion: Element | None, idp: IdpMetadata, where: Addresses, request_id: str
) -> SignInError | None:
    """What is wrong beside the signature: which value, expected and received. None: nothing."""
    if root.get("Destination") not in (None, where.consumer):
        return _mismatch("Destination", where.consumer, root.get("Destination"))
    if root.get("InResponseTo") != request_id:
        return _mismatch("InResponseTo", request_id, root.get("InResponseTo"))
    if root.findtext(f"{SAML}Issuer", idp.entity_id).strip() != idp.entity_id:
        return _mismatch("Issuer", idp.entity_id, root.findtext(f"{SAML}Issuer"))
    if assertion is None:
        return None
    if assertion.findtext(f"{SAML}Issuer", "").strip() != idp.entity_id:
        return _mismatch("Issuer", idp.entity_id, assertion.findtext(f"{SAML}Issuer"))
    restrictions = [
        [(audience.text or "").strip() for audience in restriction.iter(f"{SAML}Audience")]
        for restriction in assertion.findall(f"{SAML}Conditions/{SAML}AudienceRestriction")
    ]
    if not restrictions or any(where.entity_id not in audiences for audiences in restrictions):
        return _mismatch("Audience", where.entity_id, ", ".join(name for names in restrictions for name in names))
    confirmations = [
        data
        for confirmation in assertion.findall(f"{SAML}Subject/{SAML}SubjectConfirmation")
        for data in confirmation.findall(f"{SAML}SubjectConfirmationData")
        if confirmation.get("Method") == BEARER
    ]
    if len(confirmations) != 1:
        return _mismatch("SubjectConfirmation", "1", str(len(confirmations)))
    for name, expected in (("Recipient", where.consumer), ("InResponseTo", request_id)):
        if confirmations[0].get(name) != expected:
            return _mismatch(name, expected, confirmations[0].get(name))
    if not confirmations[0].get("NotOnOrAfter"):
        return _mismatch("NotOnOrAfter", str(timezone.now()), None)
    times = [
        *((root, name) for name in ("IssueInstant",)),
        *(
            (element, name)
            for name in ("NotBefore", "NotOnOrAfter")
            for element in (confirmations[0], *assertion.findall(f"{SAML}Conditions"))
        ),
        *(
            (element, name)
            for name in ("AuthnInstant", "SessionNotOnOrAfter")
            for element in assertion.findall(f"{SAML}AuthnStatement")
        ),
    ]
    for element, name in times:
        if element.get(name) and (fault := find_wrong_time(name, element.get(name, ""))):
            return fault
    if len(assertion.findall(f"{SAML}AuthnStatement")) != 1:
        return _mismatch("AuthnStatement", "1", str(len(assertion.findall(f"{SAML}AuthnStatement"))))
    return None


def find_wrong_time(name: str, text: str) -> SignInError | None:
    now, skew = timezone.now(), timedelta(seconds=CLOCK_SKEW_SECONDS)
    try:
        time = parse_datetime(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        return _mismatch(name, now.isoformat(timespec="seconds"), text)
    is_past = name.endswith("NotOnOrAfter") and time <= now - skew
    if is_past or (not name.endswith("NotOnOrAfter") and time > now + skew):
        return SignInError(
            "{name} is {received}, and it is {now} here: {seconds} seconds apart. Set both clocks by NTP.",
            name=name,
            received=time.isoformat(),
            now=now.isoformat(timespec="seconds"),
            seconds=round(abs((time - now).total_seconds())),
        )
    return None


def _mismatch(name: str, expected: str, received: str | None) -> SignInError:
    return SignInError(
        "{name} is wrong. Expected: {expected}. Received: {received}.",
        name=name,
        expected=expected,
        received=(received or "").strip()[:300] or "-",
    )


def _assertion(response: Any, idp: IdpMetadata, settings: Mapping[str, Any]) -> Assertion:
    is_federation = bool(settings.get("mdq_url"))
    statement = response.assertion.authn_statement[0]
    name_id = response.name_id
    attributes = {
        name: [value.strip() for value in values if isinstance(value, str) and value.strip()]
        for name, values in (response.ava or {}).items()
    }
    claims, foreign = _without_foreign_scopes(attributes, idp.scopes, is_federation)
    if is_federation and settings.get("home_scope") not in idp.scopes:
        claims = {name: values for name, values in claims.items() if name in SCOPED | OF_ANYBODY}
    subject = next((claims[name][0] for name in ("pairwise-id", "subject-id") if claims.get(name)), "")
    if not subject and name_id is not None and name_id.format == PERSISTENT:
        subject = (name_id.text or "").strip()
    subject = subject or next(iter(claims.get("eduPersonPrincipalName", [])), "")
    if not subject:
        raise SignInError(
            "There is no lasting subject identifier. Expected: pairwise-id, subject-id, a persistent NameID, or "
            "eduPersonPrincipalName. Received: {received}. Left out, for a scope that the metadata of {entity} do not "
            "list: {foreign}.",
            received=", ".join(sorted(claims)) or "-",
            entity=idp.entity_id,
            foreign=", ".join(foreign) or "-",
        )
    claims = with_standard_names(claims)
    for address in claims.get("email", [])[:1]:
        # In a federation, an identity provider speaks for its own domains alone.
        domain = address.rpartition("@")[2].lower()
        claims["email_verified"] = ["true" if domain in idp.scopes or not is_federation else "false"]
    context = statement.authn_context
    reference = context.authn_context_class_ref if context else None
    name, index = (name_id.text or "").strip() if name_id is not None else "", statement.session_index or ""
    return Assertion(
        issuer=idp.entity_id,
        subject=subject,
        claims=claims,
        authentication=[reference.text.strip()] if reference is not None and reference.text else [],
        session_id=session_name(name, index) if name else "",
        authenticated_at=_time(statement.authn_instant),
        session_until=_time(statement.session_not_on_or_after),
        kept={NAME_ID: str(name_id), SESSION_INDEX: index, IDP: idp.entity_id}
        if name and len(str(name_id)) < MAX_NAME_ID_LENGTH
        else {},
    )


def _time(text: str | None) -> datetime | None:
    return parse_datetime(text) if text else None


def _without_foreign_scopes(
    attributes: Mapping[str, Sequence[str]], scopes: frozenset[str], is_federation: bool
) -> tuple[dict[str, list[str]], list[str]]:
    """The attributes, and the names of those of which values were left out: an identity provider may not speak for
    another institution."""
    claims: dict[str, list[str]] = {}
    foreign = []
    for name, values in attributes.items():
        own = [
            value
            for value in values
            if name not in SCOPED or (not scopes and not is_federation) or value.rpartition("@")[2].lower() in scopes
        ]
        if own:
            claims[name] = own
        if len(own) < len(values):
            foreign.append(name)
    return claims, foreign
