"""The page that waits while a worker reads an uploaded file."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from campus.academics.models import FileImport


def wait_for_reading(
    request: HttpRequest, row: FileImport, template: str, context: dict[str, Any]
) -> HttpResponse | None:
    """A page that asks again until the file is read, and then shows what it shows now; None when it is read."""
    is_queued = row.state == FileImport.State.QUEUED
    if request.headers.get("HX-Request"):
        return HttpResponse(status=204) if is_queued else HttpResponse(headers={"HX-Refresh": "true"})
    return render(request, template, context | {"import": row}) if is_queued else None
