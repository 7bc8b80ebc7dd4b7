"""The web application for gunicorn."""

import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "campus.settings.prod")
application = get_wsgi_application()
get_resolver().url_patterns  # noqa: B018 - read now with all views, or those who ask first after a start wait for them
