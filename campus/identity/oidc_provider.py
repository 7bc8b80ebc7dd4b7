"""What an OpenID provider says of itself (OpenID Connect Discovery 1.0), and the tokens that it has signed."""

import json
from collections.abc import Mapping
from typing import Any, Final

from authlib.oidc.core import CodeIDToken
from django.core.cache import cache
from django.utils import timezone
from joserfc import jwt
from joserfc.errors import (
    ClaimError,
    ExpiredTokenError,
    InvalidKeyIdError,
    JoseError,
    MissingClaimError,
    UnsupportedAlgorithmError,
)
from joserfc.jwk import KeySet
from joserfc.jwt import JWTClaimsRegistry

from campus.common.outgoing_http import Answer, OutgoingError, request
from campus.identity.models import IdentityProvider
from campus.identity.sign_in import SignInError

METADATA_SECONDS: Final = 600
REFRESH_SECONDS: Final = 30  # so long after one that was asked for because of an unknown key, no other is
LEEWAY_SECONDS: Final = 60
NETWORKS: Final = "CONNECTION_NETWORKS"
# Signatures by a key that only the provider has. None of the others: neither "none" nor those made with our own secret.
ALGORITHMS: Final = (
    *("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    *("ES256", "ES384", "ES512", "EdDSA", "Ed25519"),
)
NEEDED: Final = ("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri")
WELL_KNOWN: Final = "/.well-known/openid-configuration"


def fetch_json(method: str, url: str, **options: Any) -> tuple[Answer, dict[str, Any]]:
    """The answer, and its body as a JSON object: empty where it is none. Raises SignInError without an answer."""
    try:
        answer = request(method, url, networks_setting=NETWORKS, **options)
    except OutgoingError as error:
        raise SignInError(error.message) from error
    try:
        body = json.loads(answer.body)
    except (ValueError, RecursionError):
        body = None
    return answer, body if isinstance(body, dict) else {}


def discover(provider: IdentityProvider, *, fresh: bool = False) -> dict[str, Any]:
    """The provider's metadata, at most ten minutes old. Raises SignInError."""
    issuer = str(provider.settings.get("issuer", ""))
    return _cached(f"oidc-metadata-{provider.pk}-{issuer}", fresh, lambda: fetch_metadata(issuer)[1])


def fetch_metadata(issuer: str) -> tuple[Answer, dict[str, Any]]:
    """The metadata as the provider has it now, and the answer that they came with. Raises SignInError."""
    answer, metadata = fetch_json("GET", issuer.rstrip("/") + WELL_KNOWN)
    if not answer.is_success:
        raise SignInError(
            "The issuer answered {status} when asked for {path}. Check the issuer's address.",
            status=answer.status,
            path=WELL_KNOWN,
        )
    missing = [name for name in NEEDED if not isinstance(metadata.get(name), str)]
    if missing:
        raise SignInError(
            "What the issuer says of itself ({path}) lacks: {missing}.", path=WELL_KNOWN, missing=", ".join(missing)
        )
    if metadata["issuer"] != issuer:
        raise SignInError(
            "The issuer calls itself otherwise. Expected: “{expected}”. Received: “{received}”. Enter it as it calls "
            "itself.",
            expected=issuer,
            received=metadata["issuer"],
        )
    return answer, metadata


def fetch_keys(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The provider's public keys, as they are now. Raises SignInError."""
    answer, keys = fetch_json("GET", str(metadata["jwks_uri"]))
    if not answer.is_success or not isinstance(keys.get("keys"), list) or not keys["keys"]:
        raise SignInError(
            "The provider has no keys at {url} (answer {status}).", url=metadata["jwks_uri"], status=answer.status
        )
    return {"keys": [key for key in keys["keys"] if isinstance(key, dict) and key.get("use", "sig") == "sig"]}


def verify_token(provider: IdentityProvider, token: str) -> jwt.Token:
    """The token, whose signature is the provider's. Its claims are not checked. Raises SignInError.

    An unknown key may be a new one: the keys are read again, though not for each that asks.
    """
    metadata = discover(provider)
    name = f"oidc-keys-{provider.pk}-{metadata['jwks_uri']}"
    try:
        return _decode(token, _cached(name, False, lambda: fetch_keys(metadata)))
    except SignInError:
        if not cache.add(f"{name}-refreshed", True, REFRESH_SECONDS):
            raise
    return _decode(token, _cached(name, True, lambda: fetch_keys(metadata)))


def _decode(token: str, keys: dict[str, Any]) -> jwt.Token:
    try:
        return jwt.decode(token, KeySet.import_key_set(keys), algorithms=list(ALGORITHMS))  # type: ignore[arg-type]
    except InvalidKeyIdError as error:
        raise SignInError("The token is signed with a key that is not among those of the provider.") from error
    except UnsupportedAlgorithmError as error:
        raise SignInError(
            "The token is signed in a way that is not accepted. Expected: one of {expected}.",
            expected=", ".join(ALGORITHMS),
        ) from error
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise SignInError("The token's signature is not valid ({why}).", why=type(error).__name__) from error


def check_id_token(
    provider: IdentityProvider, token: jwt.Token, *, nonce: str, access_token: str, max_age: int | None = None
) -> dict[str, Any]:
    """The claims of an ID token (OpenID Connect Core 1.0, section 3.1.3.7). Raises SignInError, which names the claim
    with what was expected and received.
    """
    issuer, client = provider.settings["issuer"], provider.settings["client_id"]
    expected = {"iss": issuer, "aud": client, "azp": client, "nonce": nonce}
    claims = CodeIDToken(
        token.claims,
        token.header,
        options={
            "iss": {"essential": True, "value": issuer},
            "aud": {"essential": True, "value": client},
            "nonce": {"essential": True, "value": nonce},
        },
        params={"client_id": client, "nonce": nonce, "access_token": access_token, "max_age": max_age},
    )
    explain_claims(token.claims, expected, lambda: claims.validate(leeway=LEEWAY_SECONDS))
    return dict(token.claims)


def explain_claims(claims: Mapping[str, Any], expected: Mapping[str, Any], validate: Any) -> None:
    """Call `validate`, whose errors become sentences: which claim, what was expected, what was received."""
    try:
        validate()
    except ExpiredTokenError as error:
        raise _wrong_time("exp", claims) from error
    except MissingClaimError as error:
        raise SignInError(
            "The token lacks a claim: {claim}. Received: {received}.",
            claim=error.claim,
            received=", ".join(sorted(claims)),
        ) from error
    except ClaimError as error:
        if error.claim in ("iat", "nbf"):
            raise _wrong_time(error.claim, claims) from error
        raise SignInError(
            "The token's claim “{claim}” is not right. Expected: “{expected}”. Received: “{received}”.",
            claim=error.claim,
            expected=expected.get(error.claim, "-"),
            received=str(claims.get(error.claim, "-"))[:200],
        ) from error


def check_registered_claims(claims: Mapping[str, Any], expected: Mapping[str, str]) -> None:
    """The issuer, the audience and the times of a token. Raises SignInError."""
    options: dict[str, Any] = {name: {"essential": True, "value": value} for name, value in expected.items()}
    registry = JWTClaimsRegistry(leeway=LEEWAY_SECONDS, **options)
    explain_claims(claims, expected, lambda: registry.validate(dict(claims)))


def _wrong_time(claim: str, claims: Mapping[str, Any]) -> SignInError:
    now = int(timezone.now().timestamp())
    value = claims.get(claim)
    return SignInError(
        "The token's time “{claim}” is {seconds} seconds away from this server's clock, which is more than {most} "
        "allow. Compare both clocks. Received: {received}, here: {now}.",
        claim=claim,
        seconds=int(abs(value - now)) if isinstance(value, int | float) else "?",
        most=LEEWAY_SECONDS,
        received=value,
        now=now,
    )


def _cached(name: str, fresh: bool, fetch: Any) -> dict[str, Any]:
    found = None if fresh else cache.get(name)
    if found is None:
        found = fetch()
        cache.set(name, found, METADATA_SECONDS)
    return dict(found)
