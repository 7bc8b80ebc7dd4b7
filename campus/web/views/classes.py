"""The first page, the list of classes, one class, a new lecture, one lecture."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Count, Prefetch
from django.forms import model_to_dict
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from campus.academics.models import Lecture, Term
from campus.academics.selectors import CURRENT, courses_for, current_courses_for, lectures_for
from campus.academics.services import change_lecture, create_lecture, get_or_create_room
from campus.accounts.roles import is_registrar
from campus.attendance.coverage_notes import coverage_notes
from campus.attendance.recurring_people import count_held_lectures, recurring_people
from campus.attendance.selectors import can_edit_result, provisional_result, reports_for
from campus.common.days import Week
from campus.common.errors import UserError
from campus.recordings.models import Recording
from campus.recordings.selectors import (
    OPEN_STATES,
    current_recordings_for,
    find_replaceable,
    recordings_for,
    uploads_for,
)
from campus.web.agenda import agenda_for
from campus.web.class_page import build_class_head
from campus.web.faces import blurred_picture, crop_pictures
from campus.web.forms import ClassListForm, LectureChangeForm, LectureForm, UploadForm
from campus.web.inline_forms import render_form
from campus.web.lecture_result import build_lecture_result
from campus.web.lecture_states import lecture_rows
from campus.web.term_home import build_term_home
from campus.web.tour import tour_for
from campus.web.upload_form import render_with_upload_form
from campus.web.views import StaffRequest

LATEST = 4
COMING = 5
HELD_PER_PAGE = 30
TILES = 24
CLASSES_PER_PAGE = 50


@require_safe
@login_required
def home(request: StaffRequest) -> HttpResponse:
    courses = current_courses_for(request.user)
    held = Lecture.objects.filter(starts_at__lte=timezone.now()).select_related("room").order_by("-starts_at")
    shown = (
        courses.annotate(roster=Count("enrolments", distinct=True))
        .order_by("code")
        .prefetch_related(Prefetch("lectures", held[:LATEST], to_attr="latest"))
    )
    in_work = (
        current_recordings_for(request.user)
        .filter(state__in=OPEN_STATES)
        .select_related("lecture__course")
        .order_by("created_at", "pk")
    )
    context = {
        "courses": shown[:TILES],
        "course_count": courses.count(),
        "in_work": in_work,
        "agenda": agenda_for(request.user, Week.parse(request.GET.get("week", "")) or Week.current()),
        "this_week": Week.current(),
        "day": timezone.localdate(),
        "term": build_term_home(request.user) if is_registrar(request.user) else None,
        "tour": tour_for(request.user),
    }
    return render_with_upload_form(request, "web/home.html", context, UploadForm())


@require_safe
@login_required
def courses(request: StaffRequest) -> HttpResponse:
    """The user's classes: by a part of the code or name, by term, current or archived."""
    mine = courses_for(request.user)
    form = ClassListForm(request.GET, terms=Term.objects.filter(courses__in=mine).distinct())
    found = form.find(mine).select_related("term").prefetch_related("lecturers")
    found = found.annotate(roster=Count("enrolments", distinct=True)).order_by("code")
    context = {
        "form": form,
        "page": Paginator(found, CLASSES_PER_PAGE).get_page(request.GET.get("page")),
        "asked": urlencode([(name, request.GET[name]) for name in form.fields if request.GET.get(name)]),
        "has_archived": mine.exclude(CURRENT).exists(),
    }
    return render(request, "web/courses.html", context)


@require_safe
@login_required
def course(request: StaffRequest, pk: int) -> HttpResponse:
    course = get_object_or_404(courses_for(request.user).select_related("term"), pk=pk)
    now = timezone.now()
    lectures = lectures_for(request.user).filter(course=course)
    coming = lectures.filter(starts_at__gt=now).order_by("starts_at", "pk")
    held = lectures.filter(starts_at__lte=now).order_by("-starts_at", "pk")
    shown = lecture_rows(request.user, coming, None if "all" in request.GET else COMING)
    page = Paginator(held, HELD_PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "course": course,
        "head": build_class_head(course),
        "tab": "lectures",
        "page": page,
        "held": lecture_rows(request.user, held, HELD_PER_PAGE, (page.number - 1) * HELD_PER_PAGE),
        "coming": shown,
        "coming_n": coming.count() if len(shown) == COMING else len(shown),
        "recurring": len(recurring_people(request.user, course)),
    }
    return render(request, "web/course.html", context)


@require_safe
@login_required
def unknown_people(request: StaffRequest, pk: int) -> HttpResponse:
    """Who comes to several lectures of the class and is still unknown."""
    course = get_object_or_404(courses_for(request.user), pk=pk)
    people = [
        (person, [(face, crop_pictures(face)[:1], blurred_picture(face)) for face in person.appearances])
        for person in recurring_people(request.user, course)
    ]
    context = {"course": course, "people": people, "lecture_count": count_held_lectures(course)}
    return render(request, "web/recurring_people.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def new_lecture(request: StaffRequest) -> HttpResponse:
    form = LectureForm(request.POST or None, user=request.user, initial={"course": request.GET.get("course")})
    if form.is_valid():
        try:
            lecture = create_lecture(**_with_room(form.cleaned_data))
        except UserError as error:
            form.add_error(None, str(error))
        else:
            return redirect("lecture", lecture.pk)
    return render(request, "web/lecture_create.html", {"form": form}, status=400 if form.is_bound else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def edit_lecture(request: StaffRequest, pk: int) -> HttpResponse:
    """Move, rename or cancel one lecture."""
    lecture = get_object_or_404(lectures_for(request.user).select_related("course", "room"), pk=pk)
    initial = model_to_dict(lecture, LectureChangeForm.base_fields) | {"room": lecture.room and lecture.room.name}
    form = LectureChangeForm(request.POST or None, initial=initial, auto_id=f"lecture-{pk}-%s")
    from_class = request.GET.get("from") == "class"
    back = reverse("course", args=[lecture.course_id]) if from_class else reverse("lecture", args=[pk])
    if form.is_bound and not can_edit_result(request.user, lecture):
        form.add_error(None, _("This lecture is signed off. Ask a registrar to change it."))
    if form.is_valid():
        try:
            change_lecture(lecture=lecture, **_with_room(form.cleaned_data))
        except UserError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("Lecture saved."))
            return redirect(back)
    context = {"form": form, "lecture": lecture, "back": back}
    return render_form(request, "web/lecture_change.html", "web/_lecture_form.html", context)


def _with_room(fields: dict[str, Any]) -> dict[str, Any]:
    return {**fields, "room": get_or_create_room(fields["room"])}


@require_safe
@login_required
def lecture(request: StaffRequest, pk: int) -> HttpResponse:
    lecture = get_object_or_404(lectures_for(request.user).select_related("course", "room"), pk=pk)
    return lecture_page(request, lecture, UploadForm())


def lecture_page(request: StaffRequest, lecture: Lecture, form: UploadForm) -> HttpResponse:
    """Also what a refused upload shows, with the form's errors."""
    recordings = list(
        recordings_for(request.user).filter(lecture=lecture).select_related("report").order_by("-created_at", "pk")
    )
    try:
        replaced = find_replaceable(request.user, lecture, request.GET.get("replaces", ""))
    except UserError as error:
        replaced = None
        if not form.errors:
            messages.error(request, str(error))
    collected = any(recording.collected for recording in recordings)
    if collected:
        has_workbook = reports_for(request.user).filter(lecture=lecture, recording=None).exists()
    else:  # an uploaded recording has its own
        has_workbook = not any(recording.state == Recording.State.DONE for recording in recordings)
    context = {
        "lecture": lecture,
        "replaced": replaced,
        "uploads": uploads_for(request.user).filter(lecture=lecture, recording=None).order_by("-created_at", "pk"),
        "recordings": recordings,
        "has_workbook": has_workbook,
        "provisional": provisional_result(lecture) if collected else None,
        "coverage_notes": coverage_notes(lecture),
        "result": build_lecture_result(
            request.user,
            lecture,
            show=request.GET.get("show", ""),
            section=request.GET.get("section", ""),
            whole_log="log" in request.GET,
        ),
    }
    return render_with_upload_form(request, "web/lecture.html", context, form)
