"""What people see when a page breaks."""

import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.views import defaults

from campus.common.errors import DATABASE_AWAY, DATABASE_RETRY_SECONDS


def server_error(request: HttpRequest) -> HttpResponse:
    """Say that the database cannot be used, if that is it, without using it."""
    if not isinstance(sys.exc_info()[1], (OperationalError, InterfaceError)):
        return defaults.server_error(request)
    page = render_to_string("503.html", {"sentence": DATABASE_AWAY})
    return HttpResponse(page, status=503, headers={"Retry-After": str(DATABASE_RETRY_SECONDS)})
