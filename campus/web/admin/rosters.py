"""Roster import (choose a file, map its columns, preview, import) and roster export."""

from collections.abc import Iterable, Sequence
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
from django.utils.translation import ngettext

from campus.academics.file_contents import TableFormat
from campus.academics.file_imports import (
    create_roster_import,
    delete_file_import,
    read_again,
    table_of,
)
from campus.academics.models import FileImport
from campus.academics.roster_columns import COLUMNS, FIELDS, guess_columns
from campus.academics.roster_export import roster_rows, write_csv, write_workbook
from campus.academics.roster_import import import_roster
from campus.academics.roster_plan import RosterPlan, RowChange, plan_roster
from campus.academics.selectors import file_imports_for, students_for
from campus.attendance.file_names import download_name
from campus.common.errors import UserError
from campus.common.file_responses import WORKBOOK_TYPE
from campus.web.admin.base import render_badge, signed_in_user
from campus.web.admin.enrolments import offer_to_look_again
from campus.web.admin.file_reading import wait_for_reading
from campus.web.admin.roster_forms import ColumnsForm, ExportForm, FormatForm, ImportForm, RosterForm

MAX_ROWS_PER_TABLE = 100


def may_import(request: HttpRequest) -> bool:
    return request.user.has_perms(["academics.add_student", "academics.change_student", "academics.change_enrolment"])


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
    form = RosterForm(
        request.POST or None, request.FILES or None, request=request, initial={"course": request.GET.get("class")}
    )
    if form.is_valid():
        file, course = form.cleaned_data["file"], form.cleaned_data["course"]
        try:
            row = create_roster_import(file=file, name=file.name, course=course, user=signed_in_user(request))
        except UserError as error:
            form.add_error("file", str(error))
        else:
            return redirect("admin:academics_student_preview", row.pk)
    return _render_choice(request, form)


def _render_choice(request: HttpRequest, form: RosterForm, problem: str = "") -> TemplateResponse:
    context = {
        **admin.site.each_context(request),
        "title": _("Import a roster"),
        "address": reverse("admin:academics_student_import"),
        "form": form,
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
    if waiting := wait_for_reading(request, row, _("Import a roster")):
        return waiting
    if row.content is None:
        return _render_choice(request, RosterForm(request=request, initial={"course": row.course}), str(row.error))
    table, course, problem = table_of(row), row.course, str(row.error)
    format_form = FormatForm(request.POST if "format" in request.POST else None, table=table)
    if format_form.is_valid():
        read_again(row=row, table_format=TableFormat(**format_form.cleaned_data))
        return redirect("admin:academics_student_preview", pk)
    chosen = {field: request.GET[field] for field in FIELDS if field in request.GET}
    form = ColumnsForm(
        chosen or {field: str(index) for field, index in guess_columns(table.headers).items()}, table=table
    )
    plan, decisions = None, None
    if form.is_valid() and not problem:
        try:
            plan = plan_roster(table, form.columns(), course)
            is_import = request.method == "POST" and not format_form.is_bound
            decisions = ImportForm(request.POST if is_import else None, plan=plan)
            if decisions.is_valid():
                start, same_people = decisions.cleaned_data.get("start"), decisions.same_people()
                complete = decisions.cleaned_data["complete"]
                plan = plan_roster(table, form.columns(), course, start=start, same_people=same_people)
                done = import_roster(
                    table=table,
                    columns=form.columns(),
                    course=course,
                    start=start,
                    same_people=same_people,
                    complete=complete,
                    accept_departures=decisions.cleaned_data["accept_departures"],
                )
                delete_file_import(row=row)
                messages.success(request, _success_message(done, complete))
                changed = [*done.enrolments_new, *done.enrolments_changed]
                offer_to_look_again(request, {enrolment.course_id for enrolment in changed})
                return redirect("admin:academics_student_changelist")
        except UserError as error:
            problem = str(error)
    context = {
        **admin.site.each_context(request),
        "title": _("Import a roster"),
        "format_form": format_form,
        "form": form,
        "decisions": decisions,
        "course": course,
        "problem": problem,
        "plan": plan,
        "doubtful_texts": table.doubtful_texts,
        "tables": _preview_tables(plan) if plan else [],
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


def _success_message(plan: RosterPlan, complete: bool) -> str:
    parts = [_("%(n)d new") % {"n": len(plan.new)}, _("%(n)d changed") % {"n": len(plan.changed)}]
    if complete:
        parts.append(_("%(n)d ended") % {"n": len(plan.leaving)})
    return _("Roster imported: %(what)s, %(n)d unchanged.") % {"what": ", ".join(parts), "n": plan.unchanged}


def _preview_tables(plan: RosterPlan) -> list[dict[str, Any]]:
    """The tables of the preview: rows with errors, new students, changes, and enrolments that would end."""
    headers = [_("Row"), _("Student number"), _("Name"), _("Class")]
    return [
        _preview_table(
            ngettext("%(n)d row can't be imported", "%(n)d rows can't be imported", len(plan.errors))
            % {"n": len(plan.errors)},
            [_("Row"), _("Student number"), _("Name"), _("Reason")],
            [[row.line, row.number, row.name, " ".join(row.reasons)] for row in plan.errors[:MAX_ROWS_PER_TABLE]],
            len(plan.errors),
        ),
        _preview_table(
            _("%(n)d new") % {"n": len(plan.new)},
            [*headers, ""],
            [
                [
                    *_row_cells(row),
                    render_badge(_("new student"), "success")
                    if row.new_student
                    else render_badge(_("joins the class"), "info"),
                ]
                for row in plan.new[:MAX_ROWS_PER_TABLE]
            ],
            len(plan.new),
        ),
        _preview_table(
            _("%(n)d changed") % {"n": len(plan.changed)},
            [*headers, _("Changes")],
            [[*_row_cells(row), _describe_changes(row)] for row in plan.changed[:MAX_ROWS_PER_TABLE]],
            len(plan.changed),
        ),
        _preview_table(
            _("%(n)d not in the file") % {"n": len(plan.leaving)},
            [_("Student number"), _("Name"), _("Class")],
            [[row.student.number, row.student.name, row.course.code] for row in plan.leaving[:MAX_ROWS_PER_TABLE]],
            len(plan.leaving),
        ),
    ]


def _row_cells(row: RowChange) -> list[object]:
    return [row.line, row.student.number, row.student.name, row.course.code if row.course else ""]


def _describe_changes(row: RowChange) -> str:
    return "; ".join(f"{FIELDS[name]}: {old or '-'} → {new or '-'}" for name, old, new in row.changes)


def _preview_table(
    title: str, headers: Sequence[object], rows: Iterable[Sequence[object]], count: int
) -> dict[str, Any]:
    return {
        "title": title,
        "table": {"headers": headers, "rows": list(rows)},
        "count": count,
        "more": max(count - MAX_ROWS_PER_TABLE, 0),
    }
