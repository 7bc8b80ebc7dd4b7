"""Passwords of sources, encrypted at rest; they can't be hashed, because they are sent to the sources."""

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

PRIVATE_KEY_PREFIX = "-----BEGIN "  # tells a private key from a password


def normalize_private_key(text: str) -> str:
    """An SSH private key in OpenSSH's format, from that or from PEM. Raises UserError if it can't be used."""
    load = (
        serialization.load_ssh_private_key
        if "OPENSSH" in text.split("\n", 1)[0]
        else serialization.load_pem_private_key
    )
    try:
        key = load(text.encode(), None)
    except TypeError as error:
        raise UserError("The private key has a passphrase. Create one without: it is stored encrypted here.") from error
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, RSAPrivateKey | EllipticCurvePrivateKey | Ed25519PrivateKey):
        raise UserError(
            "This is not a supported SSH private key. Create one with “ssh-keygen -t ed25519”; it is the file without "
            ".pub."
        )
    form = serialization.PrivateFormat.OpenSSH
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def encrypt(text: str) -> str:
    """Encrypt with the newest key. An empty text stays empty."""
    return _fernet(*_secrets()).encrypt(text.encode()).decode() if text else ""


def decrypt(token: str) -> str:
    """Decrypt with whichever key fits. Raises UserError if none does any more."""
    try:
        return _fernet(*_secrets()).decrypt(token).decode() if token else ""
    except InvalidToken as error:
        raise UserError(
            "The password of this source can't be decrypted any more, because the server's keys have changed. Enter it "
            "again."
        ) from error


def rotate(token: str) -> str:
    """The same text, encrypted with the newest key. Raises UserError as `decrypt`."""
    return encrypt(decrypt(token))


def _secrets() -> tuple[str, ...]:
    return (*settings.CREDENTIALS_KEYS, settings.SECRET_KEY)


@cache
def _fernet(*secrets: str) -> MultiFernet:
    """A Fernet key is derived from each secret, for this purpose alone (RFC 5869's `info`)."""
    keys = (
        HKDF(SHA256(), 32, salt=None, info=b"rollcall: passwords of sources").derive(secret.encode())
        for secret in secrets
    )
    return MultiFernet([Fernet(base64.urlsafe_b64encode(key)) for key in keys])
