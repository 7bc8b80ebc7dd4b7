"""The register of a class, and the files that a class or a lecture can be taken away in."""

import io
from collections.abc import Callable
from http import HTTPStatus

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import FileResponse, Http404, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from campus.academics.models import Lecture
from campus.academics.selectors import courses_for, lectures_for, student_sections
from campus.attendance.csv_files import lecture_csv, moodle_marks, moodle_zip, register_csv
from campus.attendance.export_table import COLUMNS, export_attendance
from campus.attendance.file_names import download_name
from campus.attendance.file_responses import workbook_response
from campus.attendance.pdf import lecture_pdf, register_pdf
from campus.attendance.register import Register, build_register, lecture_labels
from campus.attendance.register_workbook import register_workbook
from campus.attendance.reports import find_lecture_report
from campus.attendance.selectors import records_for
from campus.common.errors import DISK_FULL, UserError, disk_full
from campus.common.file_responses import WORKBOOK_TYPE
from campus.web.class_page import build_class_head
from campus.web.register_table import render_register_rows
from campus.web.term_forms import ExportForm, RegisterForm
from campus.web.views import StaffRequest

LINES = 100

# What a file is called at its end, and its type.
CSV, PDF, ZIP = (".csv", "text/csv; charset=utf-8"), (".pdf", "application/pdf"), (".zip", "application/zip")
XLSX = (".xlsx", WORKBOOK_TYPE)
REGISTER_FILES: dict[str, tuple[Callable[[Register], bytes], tuple[str, str]]] = {
    "xlsx": (register_workbook, XLSX),
    "csv": (register_csv, CSV),
    "pdf": (register_pdf, PDF),
    "moodle": (moodle_zip, ZIP),
}
LECTURE_FILES: dict[str, tuple[Callable[[Lecture], bytes], tuple[str, str]]] = {
    "csv": (lecture_csv, CSV),
    "pdf": (lecture_pdf, PDF),
    "moodle": (moodle_marks, CSV),
}


@require_safe
@login_required
def register_page(request: StaffRequest, pk: int) -> HttpResponse:
    course = get_object_or_404(courses_for(request.user).select_related("term"), pk=pk)
    form = RegisterForm(request.GET, sections=student_sections(course))
    whole = build_register(course, required_percent=form.required_percent, only=form.students, **form.term)
    below = "below" in request.GET
    page = Paginator([row for row in whole.rows if row.is_below] if below else whole.rows, LINES).get_page(
        request.GET.get("page")
    )
    return render(
        request,
        "web/register.html",
        {
            "course": course,
            "head": build_class_head(course),
            "tab": "register",
            "register": whole,
            "form": form,
            "is_trial": form.required_percent is not None,
            "only_below": below,
            "page": page,
            "rows": render_register_rows(whole, page.object_list),
            "labels": list(zip(whole.lectures, lecture_labels(whole.lectures, "DATE_FORMAT"), strict=True)),
            "asked": _without_page(request),
        },
        status=HTTPStatus.BAD_REQUEST if form.errors else HTTPStatus.OK,
    )


def _without_page(request: StaffRequest) -> str:
    asked = request.GET.copy()
    asked.pop("page", None)
    return asked.urlencode()


@require_safe
@login_required
def register_file(request: StaffRequest, pk: int, kind: str) -> FileResponse:
    course = get_object_or_404(courses_for(request.user), pk=pk)
    if kind not in REGISTER_FILES:
        raise Http404
    make, (ending, content_type) = REGISTER_FILES[kind]
    form = RegisterForm(request.GET, sections=student_sections(course))
    content = make(build_register(course, only=form.students, **form.term))
    about = "moodle" if kind == "moodle" else "register"
    return _attachment(content, download_name(course.code, about, timezone.localdate(), ending), content_type)


@require_safe
@login_required
def lecture_file(request: StaffRequest, pk: int, kind: str) -> HttpResponseBase:
    lecture = get_object_or_404(lectures_for(request.user).select_related("course", "room"), pk=pk)
    if kind == "xlsx":
        return _lecture_workbook(request, lecture)
    if kind not in LECTURE_FILES:
        raise Http404
    make, (ending, content_type) = LECTURE_FILES[kind]
    about = "moodle" if kind == "moodle" else "attendance"
    name = download_name(lecture.course.code, about, lecture.starts_at, ending)
    return _attachment(make(lecture), name, content_type)


def _lecture_workbook(request: StaffRequest, lecture: Lecture) -> HttpResponseBase:
    """The workbook; or, where it can't be written, the lecture's page with the reason."""
    try:
        return workbook_response(find_lecture_report(lecture=lecture))
    except OSError as error:
        if not disk_full(error):
            raise
        messages.error(request, str(DISK_FULL))
    except UserError as error:
        messages.error(request, str(error))
    return redirect("lecture", lecture.pk)


@require_safe
@login_required
def export_page(request: StaffRequest) -> HttpResponse:
    """Which classes and days to export all attendance of."""
    return _export_page(request, ExportForm(user=request.user))


def _export_page(request: StaffRequest, form: ExportForm) -> HttpResponse:
    status = HTTPStatus.BAD_REQUEST if form.errors else HTTPStatus.OK
    return render(request, "web/export.html", {"form": form, "columns": COLUMNS}, status=status)


@require_safe
@login_required
def export_file(request: StaffRequest) -> HttpResponseBase:
    """All attendance of the chosen classes and days, as one flat table that is sent while it is read."""
    form = ExportForm(request.GET, user=request.user)
    if not form.is_valid():
        return _export_page(request, form)
    records = records_for(request.user)
    if courses := form.cleaned_data["classes"]:
        records = records.filter(lecture__course__in=courses)
    name = download_name("", "attendance", timezone.localdate(), ".csv")
    return StreamingHttpResponse(
        export_attendance(records=records, user=request.user, **form.term),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private, no-cache"},
    )


def _attachment(content: bytes, name: str, content_type: str) -> FileResponse:
    response = FileResponse(io.BytesIO(content), as_attachment=True, filename=name, content_type=content_type)
    response["Cache-Control"] = "private, no-cache"
    return response
