"""Encryption at rest: what the database and the media folder hold of faces and secrets is encrypted with a key ring.

Envelope encryption: each content has a random data key of its own (AES-256-GCM), which the newest key of the ring wraps
(RFC 3394). A new key for the ring means new wrappings; the contents stay as they are. Each content is bound to its
place (a row's field, a file's name): at another place it can't be decrypted.

    magic (4 bytes) | id of the key (8) | wrapped data key (40) | ciphertext with tag (16 bytes more than the content)
"""

import hashlib
import secrets
from functools import cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap
from django.conf import settings

from campus.common.errors import UserError

MAGIC = b"RCE\x01"
KEY_BYTES = 32
KEY_ID_BYTES = 8
ENVELOPE_BYTES = len(MAGIC) + KEY_ID_BYTES + KEY_BYTES + 8  # all but the ciphertext
OVERHEAD_BYTES = ENVELOPE_BYTES + 16
NONCE = bytes(12)  # a data key encrypts one content, so that no nonce is used twice


class DecryptionError(UserError):
    """The content can't be decrypted: it was changed, it is of another place, or its key is not in the ring."""


class UnknownKey(DecryptionError):
    """The key is not in the ring. What it has encrypted is not lost: the key has to come back."""


def encrypt(content: bytes, place: str) -> bytes:
    """Encrypt a content that is to be stored at this place."""
    data_key = secrets.token_bytes(KEY_BYTES)
    return _envelope(data_key) + AESGCM(data_key).encrypt(NONCE, content, place.encode())


def decrypt(encrypted: bytes, place: str) -> bytes:
    """The content that was encrypted for this place. Raises DecryptionError."""
    data_key = _unwrap(encrypted[:ENVELOPE_BYTES])
    try:
        return AESGCM(data_key).decrypt(NONCE, encrypted[ENVELOPE_BYTES:], place.encode())
    except InvalidTag:
        raise _damaged() from None


def rewrap(envelope: bytes) -> bytes:
    """The same envelope (ENVELOPE_BYTES), made with the newest key; unchanged if it was so before.

    Raises DecryptionError.
    """
    return _envelope(_unwrap(envelope))


def key_ids() -> list[str]:
    """What the keys of the ring are called, which tells nothing of the keys."""
    return [key_id.hex() for key_id in _key_ring()]


def _key_ring() -> dict[bytes, bytes]:
    """The keys by their ids, the newest first."""
    return _with_ids(*settings.ENCRYPTION_KEYS)


@cache
def _with_ids(*keys: bytes) -> dict[bytes, bytes]:
    return {hashlib.sha256(b"Rollcall: id of a key" + key).digest()[:KEY_ID_BYTES]: key for key in keys}


def _envelope(data_key: bytes) -> bytes:
    key_id, key = next(iter(_key_ring().items()))
    return MAGIC + key_id + aes_key_wrap(key, data_key)


def _key_id(encrypted: bytes) -> bytes:
    if not encrypted.startswith(MAGIC):
        raise _damaged()
    return encrypted[len(MAGIC) : len(MAGIC) + KEY_ID_BYTES]


def _unwrap(envelope: bytes) -> bytes:
    key = _key_ring().get(_key_id(envelope))
    if key is None:
        raise UnknownKey(
            "This can't be decrypted, because its key is not among the server's keys. Ask the administrator to add it "
            "to ROLLCALL_ENCRYPTION_KEYS again."
        )
    try:
        return aes_key_unwrap(key, envelope[len(MAGIC) + KEY_ID_BYTES :])
    except InvalidUnwrap:
        raise _damaged() from None


def _damaged() -> DecryptionError:
    return DecryptionError(
        "This can't be decrypted, because it was changed or moved on the server. Ask the administrator to restore it "
        "from a backup."
    )
