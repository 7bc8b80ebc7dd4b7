"""Sign-in by OpenID Connect: the authorization code flow with PKCE (OpenID Connect Core 1.0, RFC 7636, RFC 9207)."""

import base64
import secrets
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

from authlib.oauth2.rfc6749.parameters import prepare_grant_uri
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from django.http import HttpRequest
from django.urls import reverse
from django.utils.crypto import constant_time_compare

from campus.accounts.recent_login import RECENT_SECONDS
from campus.common.site_address import site_address
from campus.identity.models import IdentityProvider
from campus.identity.oidc_provider import check_id_token, discover, fetch_json, verify_token
from campus.identity.sign_in import Assertion, SignInError

FLOWS_KEY: Final = "oidc-flows"  # the sign-ins that this browser has begun, by their state
FLOW_SECONDS: Final = 10 * 60
MAX_FLOWS: Final = 5  # of several tabs
ID_TOKEN_KEY: Final = "id-token"  # noqa: S105 - the name of a place in the session
MAX_VALUES: Final = 500  # of all claims


class UnknownState(SignInError):
    """The browser has not begun this sign-in, or has ended it already."""


def callback_address(request: HttpRequest, provider: IdentityProvider) -> str:
    """Where the provider sends people back to, which it has to know."""
    return site_address(request) + reverse("sign-in-callback", args=[provider.slug])


def authorization_address(
    request: HttpRequest, provider: IdentityProvider, next_: str = "", *, confirm: bool = False
) -> str:
    """Where the browser goes to sign in. With `confirm`, the person has to give the password again there.

    Raises SignInError where the provider does not say where that is.
    """
    metadata = discover(provider)
    endpoint = str(metadata["authorization_endpoint"])
    if urlsplit(endpoint).scheme not in ("https", "http"):
        raise SignInError("The provider's address for sign-ins is not a web address: {url}.", url=endpoint[:200])
    flow = {
        "provider": str(provider.pk),
        "nonce": secrets.token_urlsafe(32),
        "verifier": secrets.token_urlsafe(48),
        "until": time.time() + FLOW_SECONDS,
        "next": next_,
        "confirm": confirm,
    }
    state = secrets.token_urlsafe(32)
    flows = list(request.session.get(FLOWS_KEY, {}).items())[-MAX_FLOWS + 1 :]
    request.session[FLOWS_KEY] = dict([*flows, (state, flow)])
    again = {"prompt": "login", "max_age": "0"} if confirm else {}
    return str(
        prepare_grant_uri(
            endpoint,
            client_id=provider.settings["client_id"],
            response_type="code",
            redirect_uri=callback_address(request, provider),
            scope=provider.settings["scopes"],
            state=state,
            nonce=flow["nonce"],
            code_challenge=create_s256_code_challenge(flow["verifier"]),
            code_challenge_method="S256",
            **again,
        )
    )


def take_flow(request: HttpRequest, provider: IdentityProvider) -> dict[str, Any]:
    """What was remembered of the sign-in that comes back; it can't come back again. Raises UnknownState."""
    flows = request.session.get(FLOWS_KEY, {})
    flow = flows.pop(request.GET.get("state", ""), None)
    request.session[FLOWS_KEY] = flows
    if flow is None or flow["provider"] != str(provider.pk) or flow["until"] < time.time():
        raise UnknownState("This browser has not begun this sign-in, or it took too long.")
    return dict(flow)


def read_answer(request: HttpRequest, provider: IdentityProvider, flow: Mapping[str, Any]) -> Assertion:
    """Who the provider says has signed in. Raises SignInError."""
    if error := request.GET.get("error"):
        raise SignInError(
            "The provider refused: {error} ({description}).",
            error=error[:100],
            description=request.GET.get("error_description", "-")[:300],
        )
    metadata = discover(provider)
    if (issuer := request.GET.get("iss")) and not constant_time_compare(issuer, metadata["issuer"]):
        raise SignInError(
            "The answer is another provider's. Expected: “{expected}”. Received: “{received}”.",
            expected=metadata["issuer"],
            received=issuer[:200],
        )
    tokens = _exchange(request, provider, metadata, flow)
    max_age = RECENT_SECONDS if flow["confirm"] else None
    access_token = str(tokens.get("access_token", ""))
    claims = check_id_token(
        provider,
        verify_token(provider, str(tokens["id_token"])),
        nonce=flow["nonce"],
        access_token=access_token,
        max_age=max_age,
    )
    more = _fetch_user_info(metadata, access_token, claims["sub"])
    amr = claims.get("amr", [])
    return Assertion(
        issuer=claims["iss"],
        subject=claims["sub"],
        claims=flatten_claims({**more, **claims}),
        authentication=[str(value) for value in (claims.get("acr"), *amr) if value],
        session_id=str(claims.get("sid", "")),
        authenticated_at=_moment(claims.get("auth_time")),
        session_until=_moment(claims.get("session_expires")),
        kept={ID_TOKEN_KEY: str(tokens["id_token"])},
    )


def logout_address(request: HttpRequest, provider: IdentityProvider) -> str | None:
    """Where the browser goes to be logged out of the provider, too (OpenID Connect RP-Initiated Logout 1.0).

    None where the session did not begin there, or the provider offers none or can't be asked.
    """
    id_token = request.session.get(ID_TOKEN_KEY)
    if not id_token:
        return None
    try:
        endpoint = discover(provider).get("end_session_endpoint")
    except SignInError:
        return None
    if not isinstance(endpoint, str) or urlsplit(endpoint).scheme not in ("https", "http"):
        return None
    back = site_address(request) + reverse("login")
    query = {
        "id_token_hint": id_token,
        "client_id": provider.settings["client_id"],
        "post_logout_redirect_uri": back,
    }
    return f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{urlencode(query)}"


def client_headers(provider: IdentityProvider, metadata: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, str]]:
    """How the client proves who it is: headers, and values of the form (RFC 6749, section 2.3.1)."""
    client, secret = str(provider.settings["client_id"]), provider.secret
    methods = metadata.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    if not secret:
        return {}, {"client_id": client}
    if "client_secret_basic" in methods or "client_secret_post" not in methods:
        pair = f"{quote(client, safe='')}:{quote(secret, safe='')}"
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}, {}
    return {}, {"client_id": client, "client_secret": secret}


def _exchange(
    request: HttpRequest, provider: IdentityProvider, metadata: Mapping[str, Any], flow: Mapping[str, Any]
) -> dict[str, Any]:
    """The tokens for the code."""
    headers, values = client_headers(provider, metadata)
    form = {
        **values,
        "grant_type": "authorization_code",
        "code": request.GET.get("code", ""),
        "redirect_uri": callback_address(request, provider),
        "code_verifier": flow["verifier"],
    }
    headers |= {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
    answer, tokens = fetch_json("POST", metadata["token_endpoint"], headers=headers, body=urlencode(form).encode())
    if not answer.is_success or not isinstance(tokens.get("id_token"), str):
        raise SignInError(
            "The provider gave no token for the code (answer {status}): {error} ({description}). With invalid_client, "
            "check the client's ID and secret; with invalid_grant, the clocks and the address of the callback.",
            status=answer.status,
            error=str(tokens.get("error", "-"))[:100],
            description=str(tokens.get("error_description", "-"))[:300],
        )
    return tokens


def _fetch_user_info(metadata: Mapping[str, Any], access_token: str, subject: str) -> dict[str, Any]:
    """More claims of the same person, where the provider gives them apart from the token."""
    endpoint = metadata.get("userinfo_endpoint")
    if not isinstance(endpoint, str) or not access_token:
        return {}
    answer, claims = fetch_json("GET", endpoint, headers={"Authorization": f"Bearer {access_token}"})
    if not answer.is_success or not claims:
        raise SignInError("The provider answered {status} when asked for more of the person.", status=answer.status)
    if claims.get("sub") != subject:
        raise SignInError(
            "What the provider says of the person is about somebody else. Expected: “{expected}”. Received: "
            "“{received}”.",
            expected=subject,
            received=str(claims.get("sub", "-"))[:200],
        )
    return claims


def flatten_claims(claims: Mapping[str, Any]) -> dict[str, list[str]]:
    """The claims as lists of texts; what lies in another is named with a dot, as `realm_access.roles`."""
    flat: dict[str, list[str]] = {}
    for number, (name, value) in enumerate(_values("", claims)):
        if number >= MAX_VALUES:
            break
        flat.setdefault(name, []).append(value)
    return flat


def _values(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _values(f"{name}.{key}" if name else str(key), inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _values(name, inner)
    elif isinstance(value, bool):
        yield name, str(value).lower()
    elif value is not None:
        yield name, str(value)


def _moment(seconds: Any) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC) if seconds and not isinstance(seconds, bool) else None
    except (TypeError, ValueError, OverflowError, OSError):
        return None
