"""Roster import (choose a file, map its columns, preview, import) and roster export."""

from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from campus.academics.file_imports import (
    create_roster_import,
)
from campus.academics.models import FileImport
from campus.academics.roster_columns import COLUMNS
from campus.academics.roster_export import roster_rows, write_csv, write_workbook
from campus.academics.selectors import file_imports_for, students_for
from campus.attendance.file_names import download_name
from campus.common.errors import UserError
from campus.common.file_responses import WORKBOOK_TYPE
from campus.web.admin.base import render_badge, signed_in_user, use_admin_widgets
from campus.web.admin.roster_forms import ExportForm, RosterForm
from campus.web.file_reading import wait_for_reading
from campus.web.roster_import import may_import, preview_roster, preview_tables


def roster_urls() -> list[URLPattern]:
    view = admin.site.admin_view
    return [
        path("import/", view(choose_file), name="academics_student_import"),
        path("import/<uuid:pk>/", view(preview_import), name="academics_student_preview"),
        path("export/", view(export_roster), name="academics_student_export"),
    ]


def choose_file(request: HttpRequest) -> HttpResponseBase:
    if not may_import(request):
        raise PermissionDenied
    form = RosterForm(request.POST or None, request.FILES or None, request=request)
    if form.is_valid():
        file, course = form.cleaned_data["file"], form.cleaned_data["course"]
        try:
            row = create_roster_import(file=file, name=file.name, course=course, user=signed_in_user(request))
        except UserError as error:
            form.add_error("file", str(error))
        else:
            return redirect("admin:academics_student_preview", row.pk)
    return _render_choice(request, form)


def _page_context(request: HttpRequest) -> dict[str, Any]:
    return {**admin.site.each_context(request), "title": _("Import a roster")}


def _render_choice(request: HttpRequest, form: RosterForm, problem: str = "") -> TemplateResponse:
    context = {
        **_page_context(request),
        "address": reverse("admin:academics_student_import"),
        "form": use_admin_widgets(form),
        "problem": problem,
        "verb": _("Preview"),
        "names": COLUMNS,
    }
    return TemplateResponse(request, "admin/rollcall/roster_form.html", context)


def preview_import(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    """Shows what the import would change, with the columns given in the URL. A POST imports, or has the file read in
    another format.
    """
    if not may_import(request):
        raise PermissionDenied
    row = file_imports_for(request.user).filter(pk=pk, kind=FileImport.Kind.ROSTER).first()
    if row is None:
        messages.error(request, _("This preview was already imported, or has expired. Choose the file again."))
        return redirect("admin:academics_student_import")
    if waiting := wait_for_reading(request, row, "admin/rollcall/file_reading.html", _page_context(request)):
        return waiting
    if row.content is None:
        return _render_choice(request, RosterForm(request=request, initial={"course": row.course}), str(row.error))
    preview = preview_roster(request, row)
    if preview.is_read_again:
        return redirect("admin:academics_student_preview", pk)
    if preview.is_imported:
        return redirect("admin:academics_student_changelist")
    for form in (preview.format_form, preview.form, preview.decisions):
        if form:
            use_admin_widgets(form)
    context = {
        **_page_context(request),
        "course": preview.course,
        "problem": preview.problem,
        "doubtful_texts": preview.doubtful_texts,
        "format_form": preview.format_form,
        "form": preview.form,
        "decisions": preview.decisions,
        "plan": preview.plan,
        "tables": preview_tables(preview.plan, render_badge) if preview.plan else [],
    }
    return TemplateResponse(request, "admin/rollcall/roster_preview.html", context)


def export_roster(request: HttpRequest) -> HttpResponseBase:
    if not request.user.has_perm("academics.view_student"):
        raise PermissionDenied
    form = ExportForm(request.POST or None, request=request, initial={"course": request.GET.get("class")})
    if form.is_valid():
        course = form.cleaned_data["course"]
        students = (
            students_for(request.user).filter(enrolments__course=course) if course else students_for(request.user)
        )
        rows = roster_rows(students, course.pk if course else None)
        is_csv = form.cleaned_data["kind"] == "csv"
        content, kind = (
            (write_csv(rows), "text/csv; charset=utf-8") if is_csv else (write_workbook(rows), WORKBOOK_TYPE)
        )
        response = HttpResponse(content, content_type=kind)
        name = download_name(
            course.code if course else "", "roster", timezone.localdate(), f".{form.cleaned_data['kind']}"
        )
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        return response
    context = {**admin.site.each_context(request), "title": _("Export the roster"), "form": form, "verb": _("Download")}
    return TemplateResponse(request, "admin/rollcall/roster_form.html", context)
