"""Excuses: the list, a new one for a student or from a lecture, its document, and taking one back."""

from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import FileResponse, Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from campus.academics.models import Student
from campus.academics.selectors import courses_for, current_courses_for, lecture_roster, lectures_for, students_for
from campus.attendance.excuses import create_excuse, with_right_to_withdraw, withdraw_excuse
from campus.attendance.selectors import excuses_for
from campus.common.errors import UserError
from campus.common.file_responses import document_response
from campus.web.forms import ExcuseForm
from campus.web.inline_forms import render_form
from campus.web.views import StaffRequest

EXCUSES_PER_PAGE = 50


@require_safe
@login_required
def excuses(request: StaffRequest) -> HttpResponse:
    """The excuses of the user's students, the latest first; of one class where the address says so."""
    shown = excuses_for(request.user).select_related("student", "course")
    course = None
    if (wanted := request.GET.get("course", "")).isdecimal() and len(wanted) < 19:
        course = get_object_or_404(courses_for(request.user), pk=int(wanted))
        shown = shown.filter(course=course) | shown.filter(course=None, student__courses=course)
    page = Paginator(shown.distinct(), EXCUSES_PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "course": course,
        "page": page,
        "rows": with_right_to_withdraw(request.user, page),
        "asked": f"course={course.pk}" if course else "",
    }
    return render(request, "web/excuses.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def excuse_student(request: StaffRequest, pk: int) -> HttpResponse:
    """An excuse for one student."""
    student = get_object_or_404(students_for(request.user), pk=pk)
    today = timezone.localdate()
    form = ExcuseForm(
        request.POST or None,
        request.FILES or None,
        user=request.user,
        students=Student.objects.filter(pk=student.pk),
        courses=current_courses_for(request.user).filter(students=student),
        initial={"student": student, "first_day": today, "last_day": today},
    )
    return _excuse_page(request, form, reverse("student", args=[pk]), student.name)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def excuse_from_lecture(request: StaffRequest, pk: int) -> HttpResponse:
    """An excuse for a student of a lecture's roster, beginning with the day of the lecture."""
    lecture = get_object_or_404(lectures_for(request.user).select_related("course"), pk=pk)
    day = timezone.localtime(lecture.starts_at).date()
    form = ExcuseForm(
        request.POST or None,
        request.FILES or None,
        user=request.user,
        students=lecture_roster(lecture),
        courses=courses_for(request.user).filter(pk=lecture.course_id),
        initial={
            "student": request.GET.get("student", ""),
            "course": lecture.course_id,
            "first_day": day,
            "last_day": day,
        },
    )
    return _excuse_page(request, form, reverse("lecture", args=[pk]), str(lecture))


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def excuse_from_course(request: StaffRequest, pk: int) -> HttpResponse:
    """An excuse for a student of a class: for the one whom the address names, or for one to be chosen."""
    course = get_object_or_404(courses_for(request.user), pk=pk)
    students, chosen = course.students.all(), request.GET.get("student", "")
    if chosen.isdecimal() and len(chosen) < 19:
        students = students.filter(pk=int(chosen))
    today = timezone.localdate()
    form = ExcuseForm(
        request.POST or None,
        request.FILES or None,
        user=request.user,
        students=students,
        courses=courses_for(request.user).filter(pk=pk),
        initial={"student": chosen, "course": pk, "first_day": today, "last_day": today},
        auto_id=f"excuse-{chosen}-%s",
    )
    return _excuse_page(request, form, reverse("course-students", args=[pk]), str(course))


def _excuse_page(request: StaffRequest, form: ExcuseForm, back: str, back_text: str) -> HttpResponse:
    if form.is_valid():
        try:
            excuse = create_excuse(user=request.user, **form.cleaned_data)
        except UserError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("{name} is excused.").format(name=excuse.student.name))
            return redirect(back)
    context = {"form": form, "back": back, "back_text": back_text}
    return render_form(request, "web/excuse_create.html", "web/_excuse_form.html", context)


@require_POST
@login_required
def withdraw(request: StaffRequest, pk: UUID) -> HttpResponse:
    excuse = get_object_or_404(excuses_for(request.user).select_related("student", "course"), pk=pk)
    try:
        withdraw_excuse(excuse=excuse, user=request.user)
    except UserError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("Excuse of {name} withdrawn.").format(name=excuse.student.name))
    return redirect("student", excuse.student_id)


@require_safe
@login_required
def document(request: StaffRequest, pk: UUID) -> FileResponse:
    excuse = get_object_or_404(excuses_for(request.user), pk=pk)
    if not excuse.document:
        raise Http404
    return document_response(str(excuse.document.name), download_name=excuse.document_name)
