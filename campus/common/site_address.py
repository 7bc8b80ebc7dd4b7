"""Where people find the site."""

from django.conf import settings
from django.http import HttpRequest


def site_address(request: HttpRequest) -> str:
    """The site's configured address, such as "https://rollcall.example"; where none is configured, the one that the
    request claims to be for."""
    return settings.BASE_URL or request.build_absolute_uri("/").rstrip("/")
