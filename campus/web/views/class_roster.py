"""The import of a class's roster: choose a file, see what it would change, import it."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from campus.academics.file_imports import create_roster_import
from campus.academics.models import FileImport
from campus.academics.roster_columns import COLUMNS
from campus.academics.selectors import file_imports_for
from campus.common.errors import UserError
from campus.web.class_page import build_class_head
from campus.web.file_reading import wait_for_reading
from campus.web.roster_forms import RosterFileForm
from campus.web.roster_import import may_import, preview_roster, preview_tables
from campus.web.views import StaffRequest
from campus.web.views.class_tabs import get_course


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def choose_file(request: StaffRequest, pk: int) -> HttpResponse:
    """A POST uploads a roster, which a worker reads."""
    course = get_course(request, pk)
    if not may_import(request):
        raise PermissionDenied
    form = RosterFileForm(request.POST or None, request.FILES or None)
    if form.is_valid():
        file = form.cleaned_data["file"]
        try:
            row = create_roster_import(file=file, name=file.name, course=course, user=request.user)
        except UserError as error:
            form.add_error("file", str(error))
        else:
            return redirect("course-roster-preview", pk, row.pk)
    context = {
        "course": course,
        "head": build_class_head(course),
        "tab": "students",
        "form": form,
        "names": COLUMNS,
    }
    return render(request, "web/class_roster.html", context, status=400 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def preview(request: StaffRequest, pk: int, file_import: UUID) -> HttpResponse:
    """What the import would change. A POST imports, or has the file read in another format."""
    course = get_course(request, pk)
    if not may_import(request):
        raise PermissionDenied
    row = file_imports_for(request.user).filter(pk=file_import, kind=FileImport.Kind.ROSTER, course=course).first()
    if row is None:
        messages.error(request, _("This preview was already imported, or has expired. Choose the file again."))
        return redirect("course-roster", pk)
    context = {"course": course, "head": build_class_head(course), "tab": "students"}
    if waiting := wait_for_reading(request, row, "web/class_roster_reading.html", context):
        return waiting
    if row.content is None:
        messages.error(request, str(row.error))
        return redirect("course-roster", pk)
    preview = preview_roster(request, row)
    if preview.is_read_again:
        return redirect("course-roster-preview", pk, file_import)
    if preview.is_imported:
        return redirect("course-students", pk)
    context |= {
        "preview": preview,
        "tables": preview_tables(preview.plan, _render_state) if preview.plan else [],
    }
    return render(request, "web/class_roster_preview.html", context)


def _render_state(text: str, variant: str) -> SafeString:
    return format_html('<span class="state {}">{}</span>', variant, text)
