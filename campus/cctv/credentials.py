"""Passwords and private keys of sources. They can't be hashed, because they are sent to the sources."""

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from campus.cctv.models import Source
from campus.common.encryption import DecryptionError
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


def read_password(source: Source) -> str:
    """The password or private key of a source; "" where it has none. Raises UserError if it can't be decrypted."""
    try:
        return str(source.secret)
    except DecryptionError as error:
        raise UserError(
            "The password of this source can't be decrypted any more, because the server's keys have changed. Enter it "
            "again."
        ) from error
