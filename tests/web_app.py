"""The web application for a gunicorn of the tests, with the static files as they lie in the tree."""

from django.conf import settings

settings.WHITENOISE_USE_FINDERS = True

from campus.wsgi import application  # noqa: E402

__all__ = ["application"]
