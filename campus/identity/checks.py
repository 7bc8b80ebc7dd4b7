"""What "Test it" says of a SAML provider and of a directory, and of what came with past sign-ins."""

from collections.abc import Iterator
from typing import Final

from django.http import HttpRequest

from campus.common.outgoing_http import OutgoingError
from campus.common.site_address import site_address
from campus.identity.ldap import look_at_people
from campus.identity.models import IdentityProvider, load_claims
from campus.identity.oidc_check import Finding, bad, check_clock, good
from campus.identity.saml.metadata import ask_for_metadata, fetch_metadata, idp_metadata, keep_metadata
from campus.identity.saml.service_provider import CLOCK_SKEW_SECONDS, authentication_request
from campus.identity.selectors import claims_looked_at
from campus.identity.sign_in import SignInError
from recognition.messages import Message

PAST_SIGN_INS: Final = 20


def check_saml(request: HttpRequest, provider: IdentityProvider) -> list[Finding]:
    """Fetch the metadata and make a request, as a sign-in does. A federation has no member that could be asked for."""
    findings: list[Finding] = []
    try:
        findings.extend(_saml_findings(request, provider))
    except (SignInError, OutgoingError) as error:
        findings.append(Finding(False, error.message))
    return findings


def _saml_findings(request: HttpRequest, provider: IdentityProvider) -> Iterator[Finding]:
    settings = provider.settings
    if settings.get("mdq_url"):
        yield _ask_federation(provider)
        return
    if settings.get("metadata_url"):
        answer = ask_for_metadata(provider)
        yield check_clock(answer, CLOCK_SKEW_SECONDS)
        idp = keep_metadata(provider, answer)
    else:
        idp = idp_metadata(provider)
    keys = len(idp.certificates)
    yield good(Message("The metadata of {entity} can be read. They have {n} keys.", entity=idp.entity_id, n=keys))
    authentication_request(provider, site_address(request), idp)
    yield good(Message("A sign-in can begin there. Whether it knows our metadata, a sign-in shows."))


def _ask_federation(provider: IdentityProvider) -> Finding:
    """It answers that it does not know us: we are no identity provider."""
    try:
        fetch_metadata(provider, "https://rollcall.invalid/nobody")
    except OutgoingError as error:
        return Finding(False, error.message)
    except SignInError as error:
        if "does not know" not in error.message.template:
            return Finding(False, error.message)
    return good(Message("The federation's query service answers."))


def check_ldap(_request: HttpRequest, provider: IdentityProvider) -> list[Finding]:
    """Connect, bind and search."""
    try:
        people = look_at_people(provider)
    except SignInError as error:
        return [Finding(False, error.message)]
    findings = [good(Message("The directory answers over TLS, and accepts the account in the settings."))]
    if not people:
        return [
            *findings,
            bad(Message("The filter finds nobody where people should be. Correct one of these settings.")),
        ]
    received = {name for claims in people for name in claims}
    from_groups = {"groups"} if provider.settings.get("groups_base") else set()
    wanted = {provider.settings["subject_attribute"], *claims_looked_at(provider)} - from_groups
    folded = {name.lower() for name in received}
    missing = {name for name in wanted if name.lower() not in folded}
    if missing:
        return [*findings, _missing(missing, received, len(people))]
    return [*findings, good(Message("There are people, and they have all that the settings and rules look at."))]


def check_past_sign_ins(provider: IdentityProvider) -> list[Finding]:
    """Whether the latest had what the settings and rules look at; nothing where there were none."""
    people = provider.identities.exclude(last_sign_in_at=None).order_by("-last_sign_in_at")[:PAST_SIGN_INS]
    stored = [row.claims for rows in (people, provider.failures.all()[:PAST_SIGN_INS]) for row in rows]
    claims = [load_claims(text)["claims"] for text in stored if text]
    received = {name for values in claims for name in values}
    wanted = claims_looked_at(provider)
    if not claims or not wanted:
        return []
    if missing := wanted - received:
        return [_missing(missing, received, len(claims))]
    return [good(Message("The latest sign-ins had all that the settings and rules look at."))]


def _missing(missing: set[str], received: set[str], n: int) -> Finding:
    return bad(
        Message(
            "None of {n} people had “{missing}”, which the settings or rules look at. Have it released there, or "
            "correct its name. Received: {received}.",
            n=n,
            missing=", ".join(sorted(missing)),
            received=", ".join(sorted(received)) or "-",
        )
    )
