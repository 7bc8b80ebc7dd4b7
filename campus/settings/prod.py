"""A campus: behind nginx with TLS. Refuses to start without keys of its own."""

import sys

from django.core.exceptions import ImproperlyConfigured

from .base import *  # noqa: F403
from .base import ENCRYPTION_KEYS, LOGGING, SECRET_KEY, STORAGES, env
from .encryption_keys import HOW_TO_MAKE_A_KEY

if len(SECRET_KEY) < 50:
    raise ImproperlyConfigured(
        "ROLLCALL_SECRET_KEY is missing or shorter than 50 characters. Make one with "
        "`python -c 'import secrets; print(secrets.token_urlsafe(50))'` and put it into the environment."
    )
if not ENCRYPTION_KEYS:
    raise ImproperlyConfigured(
        "ROLLCALL_ENCRYPTION_KEYS is missing. Put the keys into the environment that have encrypted what is stored; "
        f"without them, it can't be read. In a new installation, make a key. {HOW_TO_MAKE_A_KEY}"
    )

if not sys.stderr.isatty():
    LOGGING["handlers"]["console"]["formatter"] = env.str("ROLLCALL_LOG_FORMAT", default="json")
STORAGES["staticfiles"] = {"BACKEND": "campus.web.static_files.StaticFilesStorage"}
WHITENOISE_KEEP_ONLY_HASHED_FILES = True  # pages ask for no others
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = env.bool("ROLLCALL_SSL_REDIRECT", default=True)
# What monitors and workers ask from inside, past the proxy.
SECURE_REDIRECT_EXEMPT = [r"^livez$", r"^readyz$", r"^metrics$", r"^internal/"]
SECURE_HSTS_SECONDS = 31536000
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
CSRF_TRUSTED_ORIGINS = env.list("ROLLCALL_TRUSTED_ORIGINS", default=[])
