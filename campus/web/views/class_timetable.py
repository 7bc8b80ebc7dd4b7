"""The timetable of a class: its weekly lectures, which are created after a preview."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import Count
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from campus.academics.models import Course, LectureSeries
from campus.academics.selectors import courses_for
from campus.academics.services import delete_unprotected, get_or_create_room, validate_and_save
from campus.common.errors import UserError
from campus.web.class_forms import CourseSeriesForm
from campus.web.class_page import build_class_head
from campus.web.inline_forms import render_form
from campus.web.timetable import PLAN_PERMISSIONS, apply_previewed, preview_series
from campus.web.views import StaffRequest
from campus.web.views.class_tabs import check_permission, get_course


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def timetable(request: StaffRequest, pk: int) -> HttpResponse:
    """The weekly lectures of the class. A POST adds some, and leads to their preview."""
    course = get_course(request, pk)
    check_permission(request, "academics.view_lectureseries")
    form = CourseSeriesForm(
        request.POST if request.method == "POST" else None,
        instance=LectureSeries(course=course),
        initial={"first_day": course.term.first_day, "last_day": course.term.last_day} if course.term else None,
    )
    if form.is_bound:
        check_permission(request, "academics.add_lectureseries")
        if form.is_valid() and _save(form):
            return redirect(_preview_url(course, form.instance))
    series = course.series.select_related("course", "room").annotate(lecture_count=Count("lectures"))
    context = {"course": course, "head": build_class_head(course), "tab": "lectures", "form": form, "series": series}
    return render(request, "web/class_timetable.html", context, status=400 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def series(request: StaffRequest, pk: int) -> HttpResponse:
    """Weekly lectures of a class. A POST changes them, and leads to the preview, or removes them."""
    check_permission(request, "academics.view_lectureseries")
    series = get_object_or_404(
        LectureSeries.objects.filter(course__in=courses_for(request.user)).select_related("course__term", "room"), pk=pk
    )
    back = reverse("course-timetable", args=[series.course_id])
    if request.method == "POST" and "remove" in request.POST:
        check_permission(request, "academics.delete_lectureseries")
        name = str(series)
        delete_unprotected(row=series)
        messages.success(request, _("%(series)s is removed from the timetable.") % {"series": name})
        return redirect(back)
    form = CourseSeriesForm(
        request.POST or None,
        instance=series,
        initial={"room": series.room and series.room.name},
        auto_id=f"series-{pk}-%s",
    )
    if request.method == "POST":
        check_permission(request, "academics.change_lectureseries")
    if form.is_valid() and _save(form):
        return redirect(_preview_url(series.course, series))
    context = {"form": form, "course": series.course, "series": series, "back": back}
    return render_form(request, "web/series.html", "web/_series_form.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def preview(request: StaffRequest, pk: int) -> HttpResponse:
    """The lectures of the series in the address, or of all series of the class. A POST writes them."""
    course = get_course(request, pk)
    if not request.user.has_perms(PLAN_PERMISSIONS):
        raise PermissionDenied
    named = [int(key) for key in request.GET.getlist("series") if key.isdecimal() and len(key) < 19]
    chosen = course.series.select_related("course", "room")
    chosen = chosen.filter(pk__in=named) if named else chosen
    if request.method == "POST":
        apply_previewed(request, chosen)
        return redirect("course", pk)
    previews = preview_series(chosen)
    context = {
        "course": course,
        "head": build_class_head(course),
        "tab": "lectures",
        "previews": previews,
        "writes": sum(preview.writes for preview in previews),
    }
    return render(request, "web/class_timetable_preview.html", context)


def _preview_url(course: Course, series: LectureSeries) -> str:
    return reverse("course-timetable-preview", args=[course.pk], query={"series": series.pk})


def _save(form: CourseSeriesForm) -> bool:
    try:
        validate_and_save(form.instance, room=get_or_create_room(form.cleaned_data["room"]))
    except ValidationError as error:
        form.add_error(None, error.messages)
    except UserError as error:
        form.add_error(None, str(error))
    return form.is_valid()
