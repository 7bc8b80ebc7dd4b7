"""The user's classes, one class, a new lecture, one lecture."""

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Count, OuterRef, Prefetch, Subquery
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from campus.academics.models import Lecture
from campus.academics.selectors import courses_for, lectures_for
from campus.academics.services import lecture_create
from campus.attendance.models import Status
from campus.attendance.selectors import records_for
from campus.attendance.services import register_write
from campus.errors import UserError
from campus.footage.selectors import OPEN, recordings_for
from campus.web.forms import LectureForm, UploadForm
from campus.web.results import LectureResult
from campus.web.views import StaffRequest

LATEST = 4


@require_safe
@login_required
def home(request: StaffRequest) -> HttpResponse:
    courses = (
        courses_for(request.user)
        .annotate(roster=Count("enrolments", distinct=True))
        .prefetch_related(Prefetch("lectures", Lecture.objects.order_by("-starts_at")[:LATEST], to_attr="latest"))
    )
    in_work = recordings_for(request.user).filter(state__in=OPEN).select_related("lecture__course").order_by("created_at", "pk")
    return render(request, "web/home.html", {"courses": courses, "in_work": in_work})


@require_safe
@login_required
def course(request: StaffRequest, pk: int) -> HttpResponse:
    course = get_object_or_404(courses_for(request.user), pk=pk)
    open_records = records_for(request.user).filter(lecture=OuterRef("pk"), machine_status=Status.UNSURE, override_status="")
    unsure = open_records.order_by().values("lecture").annotate(n=Count("pk")).values("n")
    lectures = lectures_for(request.user).filter(course=course).annotate(unsure=Subquery(unsure))
    lectures = lectures.prefetch_related("recordings").order_by("-starts_at", "pk")
    page = Paginator(lectures, 30).get_page(request.GET.get("page"))
    return render(request, "web/course.html", {"course": course, "page": page, "roster": course.enrolments.count()})


@require_POST
@login_required
def register(request: StaffRequest, pk: int) -> HttpResponse:
    course = get_object_or_404(courses_for(request.user), pk=pk)
    try:
        report = register_write(course=course)
    except UserError as error:
        messages.error(request, str(error))
        return redirect("course", pk)
    return redirect("report", report.pk)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def lecture_new(request: StaffRequest) -> HttpResponse:
    form = LectureForm(request.POST or None, user=request.user, initial={"course": request.GET.get("course")})
    if form.is_valid():
        try:
            lecture = lecture_create(**form.cleaned_data)
        except UserError as error:
            form.add_error(None, str(error))
        else:
            return redirect("lecture", lecture.pk)
    return render(request, "web/lecture_new.html", {"form": form}, status=400 if form.is_bound else 200)


@require_safe
@login_required
def lecture(request: StaffRequest, pk: int) -> HttpResponse:
    lecture = get_object_or_404(lectures_for(request.user).select_related("course"), pk=pk)
    return lecture_page(request, lecture, UploadForm())


def lecture_page(request: StaffRequest, lecture: Lecture, form: UploadForm) -> HttpResponse:
    """Also what a refused upload shows, with the form's errors."""
    context = {
        "lecture": lecture,
        "form": form,
        "max_bytes": settings.MAX_RECORDING_BYTES,
        "recordings": recordings_for(request.user).filter(lecture=lecture).select_related("report").order_by("-created_at", "pk"),
        "result": LectureResult.of(request.user, lecture),
    }
    return render(request, "web/lecture.html", context, status=400 if form.errors else 200)
