"""What people may ask for: all that is held of a student, and the erasure of a student or a class with its receipt."""

from collections.abc import Callable

from django.contrib.auth.decorators import login_required, permission_required
from django.core.paginator import Paginator
from django.http import FileResponse, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from campus.academics.models import Course, Student
from campus.academics.selectors import courses_for, students_for
from campus.audit.models import Action
from campus.audit.services import record_event
from campus.common.errors import UserError
from campus.privacy.erasure import request_course_erasure, request_student_erasure
from campus.privacy.erasure_steps import erased_name
from campus.privacy.export import export_response
from campus.privacy.models import Erasure
from campus.privacy.receipts import receipt_lines
from campus.privacy.selectors import erasures_for
from campus.web.views import StaffRequest

ERASURES_PER_PAGE = 30

may_erase = permission_required("privacy.add_erasure", raise_exception=True)


@require_safe
@login_required
@permission_required("academics.change_student", raise_exception=True)
def export_student(request: StaffRequest, pk: int) -> FileResponse:
    """A zip of all that is held of a student."""
    student = get_object_or_404(students_for(request.user), pk=pk)
    record_event(request.user, Action.EXPORTED_STUDENT, student=student.pk)
    return export_response(student)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@may_erase
def erase_student(request: StaffRequest, pk: int) -> HttpResponse:
    """What is erased of a student and what stays; a POST with the student's number erases."""
    student = get_object_or_404(students_for(request.user), pk=pk, erased_at=None)
    return _confirm(
        request, student, student.number, lambda: request_student_erasure(student=student, user=request.user)
    )


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@may_erase
def erase_course(request: StaffRequest, pk: int) -> HttpResponse:
    """The same of a class, by its code."""
    course = get_object_or_404(courses_for(request.user), pk=pk)
    return _confirm(request, course, course.code, lambda: request_course_erasure(course=course, user=request.user))


def _confirm(request: StaffRequest, subject: Student | Course, word: str, erase: Callable[[], Erasure]) -> HttpResponse:
    """The page that asks for the number or code; once it was typed, it is erased."""
    problem = ""
    if request.method == "POST":
        if request.POST.get("typed", "").strip() != word:
            problem = _("That is something else. Nothing is erased.")
        else:
            try:
                return redirect("erasure", erase().pk)
            except UserError as error:
                problem = str(error)
    context = {"subject": subject, "word": word, "is_student": isinstance(subject, Student), "problem": problem}
    return render(request, "web/erase.html", context, status=400 if problem else 200)


@require_safe
@login_required
@permission_required("privacy.view_erasure", raise_exception=True)
def erasures(request: StaffRequest) -> HttpResponse:
    page = Paginator(erasures_for(request.user), ERASURES_PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "web/erasures.html", {"page": page})


@require_safe
@login_required
@permission_required("privacy.view_erasure", raise_exception=True)
def erasure(request: StaffRequest, pk: str) -> HttpResponse:
    """How far an erasure is, or its receipt."""
    row = get_object_or_404(erasures_for(request.user), pk=pk)
    context = {
        "erasure": row,
        "lines": receipt_lines(row),
        "is_open": row.state == Erasure.State.QUEUED,
        "name": erased_name(row.kind, row.subject),
    }
    return render(request, "web/erasure.html", context)
