"""The tests: quick passwords, everything else as it is for people."""

import os

from .base import *  # noqa: F403
from .base import DATA_DIR, DATABASES, env

# A file, since worker processes share it with the tests; another database by one variable.
if env.str("ROLLCALL_TEST_POSTGRES_URL", default=""):
    DATABASES["default"] = env.db_url("ROLLCALL_TEST_POSTGRES_URL")
else:
    DATABASES["default"]["TEST"] = {"NAME": str(DATA_DIR / f"test-{os.getpid()}.sqlite3")}

STYLEGUIDE = True
DATABASES["default"]["CONN_MAX_AGE"] = 0  # the threads of the live server end with their request

SECRET_KEY = "only-for-the-tests-0123456789-0123456789-0123456789"  # noqa: S105
ENCRYPTION_KEYS = [b"only for the tests, 0123456789 a"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
