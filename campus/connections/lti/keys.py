"""Rollcall's own keys, which platforms read at the page of keys, and those of platforms, by which they sign."""

import json
import time
from datetime import timedelta
from typing import Any, Final
from uuid import uuid4

import msgspec
from django.core.cache import cache
from django.utils import timezone
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet, RSAKey

from campus.common.errors import UserError
from campus.common.outgoing_http import OutgoingError
from campus.connections.json_requests import read_json
from campus.connections.models import Connection, SigningKey
from campus.connections.quota import request

ROTATION: Final = timedelta(days=90)
# A new key signs nothing before platforms that keep the page of keys for a while have read it.
FIRST_USE: Final = timedelta(hours=24)
RSA_BITS: Final = 2048
CACHE_SECONDS: Final = 3600
REFRESH_SECONDS: Final = 30
TOKEN_SECONDS: Final = 300
# By keys that only the platform has.
ALGORITHMS: Final = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]


class LaunchError(UserError):
    """What a platform sends is refused. The message is for administrators."""


class _Keys(msgspec.Struct):
    keys: list[dict[str, Any]]


def rotate_keys() -> None:
    """Have a key that is young enough, and delete those that no signature in use was made with."""
    now = timezone.now()
    newest = SigningKey.objects.first()
    if newest is None or newest.created_at < now - ROTATION:
        key = RSAKey.generate_key(RSA_BITS, private=True)
        SigningKey.objects.create(private=json.dumps(key.as_dict(private=True)))
    SigningKey.objects.filter(created_at__lt=now - 2 * ROTATION).delete()


def published_keys() -> dict[str, Any]:
    """The public halves, as a JSON Web Key Set."""
    rotate_keys()
    return {"keys": [_load(row).as_dict(private=False, use="sig", alg="RS256") for row in SigningKey.objects.all()]}


def sign(claims: dict[str, Any]) -> str:
    """A token of Rollcall's, valid for five minutes."""
    rotate_keys()
    rows = list(SigningKey.objects.all())
    is_known = [row for row in rows if row.created_at < timezone.now() - FIRST_USE]
    key = _load(is_known[0] if is_known else rows[-1])
    now = int(time.time())
    header = {"alg": "RS256", "typ": "JWT", "kid": key.kid}
    return jwt.encode(header, {"iat": now, "exp": now + TOKEN_SECONDS, "jti": uuid4().hex, **claims}, key)


def _load(row: SigningKey) -> RSAKey:
    return RSAKey.import_key(json.loads(str(row.private)), {"kid": str(row.pk)})


def verify(connection: Connection, token: str) -> jwt.Token:
    """The token, whose signature is the platform's. Its claims are not checked. Raises LaunchError.

    An unknown key may be a new one: the keys are read again, though not for each that asks.
    """
    name = _cache_name(connection)
    keys = cache.get(name)
    is_fresh = keys is None
    keys = keys or fetch_platform_keys(connection)
    try:
        return _decode(token, keys)
    except LaunchError:
        if is_fresh or not cache.add(f"{name}-refreshed", True, REFRESH_SECONDS):
            raise
    return _decode(token, fetch_platform_keys(connection))


def fetch_platform_keys(connection: Connection) -> dict[str, Any]:
    """The platform's public keys as they are now. Raises LaunchError or OutgoingError."""
    url = connection.settings["jwks_url"]
    answer = request("GET", url)
    try:
        keys = read_json(url, answer, _Keys).keys if answer.is_success else []
    except OutgoingError:
        keys = []
    found = {"keys": [key for key in keys if key.get("use", "sig") == "sig"]}
    if not found["keys"]:
        raise LaunchError(
            "The platform has no keys at {url} (answer {status}). Compare the public keyset URL with the one that it "
            "names.",
            url=url,
            status=answer.status,
        )
    cache.set(_cache_name(connection), found, CACHE_SECONDS)
    return found


def _cache_name(connection: Connection) -> str:
    return f"lti-keys-{connection.pk}-{connection.settings['jwks_url']}"


def _decode(token: str, keys: dict[str, Any]) -> jwt.Token:
    try:
        return jwt.decode(token, KeySet.import_key_set(keys), algorithms=ALGORITHMS)  # type: ignore[arg-type]
    except InvalidKeyIdError as error:
        raise LaunchError("The token is signed with a key that is not among those of the platform.") from error
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise LaunchError("The token's signature is not valid ({why}).", why=type(error).__name__) from error
