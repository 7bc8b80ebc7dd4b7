"""The keys that encrypt what is stored. `python -m campus.settings.encryption_keys` makes one."""

import base64
import binascii
import re
import secrets
import sys

from django.core.exceptions import ImproperlyConfigured

HOW_TO_MAKE_A_KEY = "To make one: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"


def make_key() -> str:
    """A new key, as ROLLCALL_ENCRYPTION_KEYS has it."""
    return secrets.token_urlsafe(32)


def parse_keys(text: str) -> list[bytes]:
    """The keys (32 bytes each) of ROLLCALL_ENCRYPTION_KEYS, separated by commas or line breaks, the newest first.

    Raises ImproperlyConfigured, without the text of the key.
    """
    keys = []
    for number, word in enumerate(re.split(r"[\s,]+", text.strip(" ,\r\n\t")) if text.strip() else [], 1):
        try:
            key = base64.b64decode(word + "=" * (-len(word) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if len(key) != 32:
            raise ImproperlyConfigured(
                f"Key {number} of ROLLCALL_ENCRYPTION_KEYS is not 32 bytes in base64. {HOW_TO_MAKE_A_KEY}"
            )
        keys.append(key)
    return keys


if __name__ == "__main__":
    sys.stdout.write(f"{make_key()}\n")
