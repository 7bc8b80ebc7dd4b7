"""What "Test it" says of an OpenID provider: each thing that a sign-in needs, and what is wrong with it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest
from django.utils import timezone
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from campus.common.messages import LocalizedMessage, localize
from campus.common.outgoing_http import Answer
from campus.identity.models import IdentityProvider
from campus.identity.oidc import callback_address, client_headers
from campus.identity.oidc_provider import ALGORITHMS, LEEWAY_SECONDS, fetch_json, fetch_keys, fetch_metadata
from campus.identity.sign_in import SignInError
from recognition.messages import Message

UNAUTHORIZED = 401


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was tried."""

    is_good: bool
    text: LocalizedMessage


def good(message: Message) -> Finding:
    """What is as it should be."""
    return Finding(True, localize(message))


def bad(message: Message) -> Finding:
    """What is not."""
    return Finding(False, localize(message))


def check_oidc(request: HttpRequest, provider: IdentityProvider) -> list[Finding]:
    """Ask the provider, as a sign-in does, but for the person. The last finding may be why nothing more was tried."""
    findings: list[Finding] = []
    try:
        findings.extend(_findings(request, provider))
    except SignInError as error:
        findings.append(Finding(False, error.message))
    return findings


def _findings(request: HttpRequest, provider: IdentityProvider) -> Iterator[Finding]:
    answer, metadata = fetch_metadata(str(provider.settings["issuer"]))
    yield good(Message("The issuer answers, and calls itself as it is entered here."))
    yield check_clock(answer, LEEWAY_SECONDS)
    keys = fetch_keys(metadata)
    try:
        KeySet.import_key_set(keys)  # type: ignore[arg-type]
    except (JoseError, ValueError, TypeError, KeyError) as error:
        yield bad(Message("Its keys can't be read ({why}).", why=type(error).__name__))
    else:
        yield good(Message("Its keys can be read: {n}.", n=len(keys["keys"])))
    yield from _check_metadata(metadata)
    yield _check_client(request, provider, metadata)


def check_clock(answer: Answer, most: int) -> Finding:
    """Whether the clock there and this server's are that many seconds apart at most."""
    if answer.date is None:
        return bad(Message("It does not say what time it is there (header Date). Compare both clocks yourself."))
    seconds = round((answer.date - timezone.now()).total_seconds())
    if abs(seconds) > most:
        return bad(
            Message(
                "Its clock is {seconds} seconds ahead of this server's; {most} are allowed. Set both by NTP.",
                seconds=seconds,
                most=most,
            )
        )
    return good(Message("Both clocks agree: {seconds} seconds apart.", seconds=abs(seconds)))


def _check_metadata(metadata: dict[str, Any]) -> Iterator[Finding]:
    challenges = metadata.get("code_challenge_methods_supported")
    if isinstance(challenges, list) and "S256" not in challenges:
        yield bad(
            Message("It does not offer PKCE with S256. Received: {received}.", received=", ".join(map(str, challenges)))
        )
    signs = metadata.get("id_token_signing_alg_values_supported")
    if isinstance(signs, list) and not set(ALGORITHMS) & {str(name) for name in signs}:
        yield bad(
            Message(
                "It signs in no way that is accepted. Expected: one of {expected}. Received: {received}.",
                expected=", ".join(ALGORITHMS),
                received=", ".join(map(str, signs)),
            )
        )
    if metadata.get("backchannel_logout_supported") is not True:
        yield good(Message("It does not say that it ends sessions here (back-channel logout): they end by themselves."))


def _check_client(request: HttpRequest, provider: IdentityProvider, metadata: dict[str, Any]) -> Finding:
    """By a code that is none: who is known hears that it is not valid, who is not that the client is not."""
    headers, values = client_headers(provider, metadata)
    form = {
        **values,
        "grant_type": "authorization_code",
        "code": "rollcall-test",
        "redirect_uri": callback_address(request, provider),
        "code_verifier": "a" * 43,
    }
    headers |= {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    answer, body = fetch_json("POST", metadata["token_endpoint"], headers=headers, body=urlencode(form).encode())
    error = str(body.get("error", "-"))[:100]
    if error == "invalid_grant":
        return good(Message("It knows this client and its secret."))
    if error in ("invalid_client", "unauthorized_client") or answer.status == UNAUTHORIZED:
        return bad(Message("It does not know this client, or the secret is another one ({error}).", error=error))
    return bad(
        Message(
            "It answered {status} ({error}) to a code that is none. Expected: invalid_grant. A sign-in may work all "
            "the same: try one.",
            status=answer.status,
            error=error,
        )
    )
