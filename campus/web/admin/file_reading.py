"""The page that waits while a worker reads an uploaded file."""

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template.response import TemplateResponse

from campus.academics.models import FileImport


def wait_for_reading(request: HttpRequest, row: FileImport, title: str) -> HttpResponseBase | None:
    """A page that asks again until the file is read, and then shows what it shows now; None when it is read."""
    is_queued = row.state == FileImport.State.QUEUED
    if request.headers.get("HX-Request"):
        return HttpResponse(status=204) if is_queued else HttpResponse(headers={"HX-Refresh": "true"})
    if not is_queued:
        return None
    context = {**admin.site.each_context(request), "title": title, "import": row}
    return TemplateResponse(request, "admin/rollcall/file_reading.html", context)
