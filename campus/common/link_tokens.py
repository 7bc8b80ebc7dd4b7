"""What is secret in a link that needs no login. It can't be guessed, nor made from what is in the database without the
secret key.
"""

import uuid

from django.utils.crypto import constant_time_compare, salted_hmac


def link_token(salt: str, key: uuid.UUID) -> str:
    """The token of the link with this key; `salt` says what kind of link it is."""
    return key.hex + salted_hmac(salt, key.hex, algorithm="sha256").hexdigest()[:32]


def read_link_token(salt: str, token: str) -> uuid.UUID | None:
    """The key of the link. None: the token was not made here for this kind of link."""
    try:
        key = uuid.UUID(hex=token[:32])
    except ValueError:
        return None
    return key if constant_time_compare(token, link_token(salt, key)) else None
