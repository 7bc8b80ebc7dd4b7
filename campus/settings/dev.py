"""One machine, one person: `make run` and `make demo`."""

from django.core.management.utils import get_random_secret_key

from .base import *  # noqa: F403
from .base import DATA_DIR, SECRET_KEY

STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True

if not SECRET_KEY:
    # Made at the first start and kept, so that sessions outlive a restart.
    _key = DATA_DIR / "secret-key"
    if not _key.exists():
        _key.parent.mkdir(parents=True, exist_ok=True)
        _key.touch(mode=0o600)
        _key.write_text(get_random_secret_key())
    SECRET_KEY = _key.read_text()
