"""The form that sends recordings."""

from contextlib import suppress
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from campus.recordings.models import RECORDINGS_FOLDER
from campus.recordings.uploads import direct_store
from campus.web.forms import UploadForm
from campus.web.middleware import STRICT


def render_with_upload_form(
    request: HttpRequest, template: str, context: dict[str, Any], form: UploadForm
) -> HttpResponse:
    """A page with the form. Its script may send files straight to the storage, where that is allowed."""
    storage_address = ""
    if store := direct_store():
        with suppress(OSError):  # without credentials, nothing can be signed
            storage_address = store.address_of_parts(RECORDINGS_FOLDER)
    context |= {"form": form, "max_bytes": settings.MAX_RECORDING_BYTES, "is_direct": bool(storage_address)}
    response = render(request, template, context, status=400 if form.errors else 200)
    if storage_address:
        policy = STRICT.replace("connect-src 'self'", f"connect-src 'self' {storage_address}")
        response.headers["Content-Security-Policy"] = policy
    return response
