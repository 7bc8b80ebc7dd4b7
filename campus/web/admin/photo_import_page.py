"""An import of photos: its progress, what was skipped, and the folders that wait until somebody says whose they are."""

from uuid import UUID

from django.contrib import admin
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

from campus.biometrics.selectors import photo_imports_for
from campus.common.file_responses import picture_response
from campus.web.admin.base import signed_in_user
from campus.web.admin.photo_upload import check_may_add_photos
from campus.web.photo_import import build_import_context, handle_choice


def photo_import_page(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    """Shows an import. A POST says whose folder one is, deletes it, or chooses the coding of the names."""
    check_may_add_photos(request)
    row = get_object_or_404(photo_imports_for(request.user), pk=pk)
    if row.course_id:  # on the pages of its class
        return redirect("course-photo-import", row.course_id, pk)
    if request.method == "POST":
        handle_choice(request, row)
        return redirect("admin:biometrics_facephoto_import", pk)
    shown = build_import_context(signed_in_user(request), row)
    context = {
        **admin.site.each_context(request),
        **shown,
        "title": row.original_name,
        "table": {"headers": [_("File"), _("Student"), _("Reason")], "rows": shown["skipped"]},
    }
    return TemplateResponse(request, "admin/rollcall/photo_import.html", context)


def waiting_picture(request: HttpRequest, pk: UUID, photo: UUID) -> HttpResponseBase:
    """A small picture of a photo that waits."""
    check_may_add_photos(request)
    row = get_object_or_404(photo_imports_for(request.user), pk=pk)
    return picture_response(str(get_object_or_404(row.waiting.exclude(thumbnail=""), pk=photo).thumbnail))
