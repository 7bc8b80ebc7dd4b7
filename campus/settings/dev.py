"""One machine, one person: `make run` and `make demo`."""

import os
from collections.abc import Callable
from contextlib import suppress

from django.core.management.utils import get_random_secret_key

from .base import *  # noqa: F403
from .base import DATA_DIR, ENCRYPTION_KEYS, SECRET_KEY
from .encryption_keys import make_key, parse_keys

WHITENOISE_USE_FINDERS = True
STYLEGUIDE = True


def _read_or_create(name: str, create: Callable[[], str]) -> str:
    """What is kept in this file; made at the first start, so that sessions and data outlive a restart."""
    file = DATA_DIR / name
    if not file.exists():
        new = file.with_name(f".{name}-{os.getpid()}")
        new.touch(mode=0o600)
        new.write_text(create())
        with suppress(FileExistsError):  # another process was faster
            file.hardlink_to(new)
        new.unlink()
    return file.read_text()


SECRET_KEY = SECRET_KEY or _read_or_create("secret-key", get_random_secret_key)
ENCRYPTION_KEYS = ENCRYPTION_KEYS or parse_keys(_read_or_create("encryption-keys", make_key))
