"""Passwords of sources: encrypted where they rest, since we have to know them to use them."""

import base64
from functools import cache

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from campus.common.errors import UserError

PRIVATE_KEY_PREFIX = "-----BEGIN "  # how a private key starts, which is no password's start


def normalize_private_key(text: str) -> str:
    """A private key of SSH in OpenSSH's own form, from that or from PEM. Raises UserError where it is none that can be
    used.
    """
    load = (
        serialization.load_ssh_private_key
        if "OPENSSH" in text.split("\n", 1)[0]
        else serialization.load_pem_private_key
    )
    try:
        key = load(text.encode(), None)
    except TypeError as error:
        raise UserError("The private key has a passphrase. Make one without: it is kept encrypted here.") from error
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, RSAPrivateKey | EllipticCurvePrivateKey | Ed25519PrivateKey):
        raise UserError(
            "This is no private key of SSH that we know. Make one with “ssh-keygen -t ed25519”; it is the file without "
            ".pub."
        )
    form = serialization.PrivateFormat.OpenSSH
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def encrypt(text: str) -> str:
    """With the newest key. An empty text stays empty."""
    return _keys(*_given()).encrypt(text.encode()).decode() if text else ""


def decrypt(token: str) -> str:
    """With whichever key it was encrypted. Raises UserError when none of the keys fits any more."""
    try:
        return _keys(*_given()).decrypt(token).decode() if token else ""
    except InvalidToken as error:
        raise UserError(
            "The password of this source can't be read any more, because the server's keys changed. Enter it again."
        ) from error


def rotate(token: str) -> str:
    """The same text, encrypted with the newest key. Raises UserError as `decrypt`."""
    return encrypt(decrypt(token))


def _given() -> tuple[str, ...]:
    return (*settings.CREDENTIALS_KEYS, settings.SECRET_KEY)


@cache
def _keys(*secrets: str) -> MultiFernet:
    """Whatever the secrets look like, what is derived of each is a key of Fernet's, and no other part of Rollcall
    derives the same.
    """
    keys = (
        HKDF(SHA256(), 32, salt=None, info=b"rollcall: passwords of sources").derive(secret.encode())
        for secret in secrets
    )
    return MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in keys])
