"""How long what is kept: the rules of the institution and of a class, what they deleted, and legal holds."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from campus.academics.models import Course, Lecture, Student
from campus.academics.selectors import courses_for, lectures_for, students_for
from campus.accounts.roles import is_administrator, is_registrar, sees_everything
from campus.common.errors import UserError
from campus.privacy.legal_holds import active_holds, lift_hold, place_hold
from campus.privacy.models import LegalHold
from campus.privacy.retention_terms import set_rules
from campus.web.class_page import build_class_head
from campus.web.retention_page import HoldForm, RetentionForm, build_lines, latest_runs
from campus.web.views import StaffRequest
from campus.web.views.class_tabs import check_permission, get_course

SUBJECTS: dict[str, Callable[[User], QuerySet[Any]]] = {
    "course": courses_for,
    "lecture": lectures_for,
    "student": students_for,
}


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def retention(request: StaffRequest) -> HttpResponse:
    """The institution's rules, for administrators to change; what was deleted; and the legal holds."""
    if not sees_everything(request.user):
        raise PermissionDenied
    form = RetentionForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and not is_administrator(request.user):
        raise PermissionDenied
    if form.is_valid():
        set_rules(course=None, days=form.days(), user=request.user)
        messages.success(request, _("Saved."))
        return redirect("retention")
    context = {
        "form": form,
        "lines": build_lines(form, with_counts=True),
        "may_change": is_administrator(request.user),
        "runs": latest_runs(),
        "holds": active_holds().select_related("course", "lecture__course", "student"),
        "differing": Course.objects.filter(retention_rules__isnull=False).distinct(),
    }
    return render(request, "web/retention.html", context, status=400 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def course_retention(request: StaffRequest, pk: int) -> HttpResponse:
    """A class's own rules, for whoever may change its settings."""
    course = get_course(request, pk)
    form = RetentionForm(request.POST if request.method == "POST" else None, course=course)
    if request.method == "POST":
        check_permission(request, "academics.change_course")
    if form.is_valid():
        set_rules(course=course, days=form.own_days(), user=request.user)
        messages.success(request, _("Saved."))
        return redirect("course-retention", pk)
    context = {
        "course": course,
        "head": build_class_head(course),
        "tab": "settings",
        "form": form,
        "lines": build_lines(form, with_counts=False),
    }
    return render(request, "web/class_retention.html", context, status=400 if form.errors else 200)


def _subject(request: StaffRequest) -> Course | Lecture | Student:
    """What the address names, if the user may see it."""
    for name, rows_for in SUBJECTS.items():
        pk = request.GET.get(name, "")
        if pk.isdecimal() and len(pk) < 19:
            subject: Course | Lecture | Student = get_object_or_404(rows_for(request.user), pk=int(pk))
            return subject
    raise Http404


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def new_hold(request: StaffRequest) -> HttpResponse:
    """Keep all of a class, a lecture or a student."""
    if not is_registrar(request.user):
        raise PermissionDenied
    if not any(request.GET.get(name) for name in SUBJECTS):
        return redirect("retention")  # where it says how to place one
    subject, form = _subject(request), HoldForm(request.POST or None)
    if form.is_valid():
        try:
            place_hold(subject=subject, user=request.user, **form.cleaned_data)
        except UserError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("Nothing of it is deleted until the hold ends."))
            return redirect("retention")
    back = {Course: "course-settings", Lecture: "lecture", Student: "student"}[type(subject)]
    context = {"form": form, "subject": subject, "back": reverse(back, args=[subject.pk])}
    return render(request, "web/legal_hold.html", context, status=400 if form.errors else 200)


@require_POST
@login_required
def lift(request: StaffRequest, pk: int) -> HttpResponse:
    """End a hold before its last day."""
    if not sees_everything(request.user):
        raise PermissionDenied
    lift_hold(hold=get_object_or_404(LegalHold, pk=pk), user=request.user)
    messages.success(request, _("The hold is lifted. What is overdue is deleted within the hour."))
    return redirect("retention")
