"""One machine, one person: `make run` and `make demo`."""

from collections.abc import Callable

from django.core.management.utils import get_random_secret_key

from .base import *  # noqa: F403
from .base import DATA_DIR, ENCRYPTION_KEYS, SECRET_KEY
from .encryption_keys import make_key, parse_keys

WHITENOISE_USE_FINDERS = True


def _read_or_create(name: str, create: Callable[[], str]) -> str:
    """What is kept in this file; made at the first start, so that sessions and data outlive a restart."""
    file = DATA_DIR / name
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(create())
    return file.read_text()


SECRET_KEY = SECRET_KEY or _read_or_create("secret-key", get_random_secret_key)
ENCRYPTION_KEYS = ENCRYPTION_KEYS or parse_keys(_read_or_create("encryption-keys", make_key))
