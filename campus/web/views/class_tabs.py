"""The tabs of a class: its students, their photos, and its settings. Who may change them, does it here."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.formats import date_format
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from campus.academics.models import Course, Enrolment
from campus.academics.search import MAX_CHARACTERS, matching_students
from campus.academics.selectors import courses_for, student_sections, students_for
from campus.academics.services import delete_enrolment, enrol_student, save_course, validate_and_save
from campus.attendance.policy import policy_for
from campus.attendance.services import save_policy
from campus.biometrics.models import Gallery
from campus.biometrics.selectors import active_gallery, enrolments_lacking_photos
from campus.biometrics.services import request_training, set_embedder
from campus.common.errors import UserError
from campus.web.class_forms import AddStudentForm, CourseSettingsForm, EnrolmentDetailsForm, PolicyForm
from campus.web.class_page import build_class_head, build_photo_lines, build_student_lines
from campus.web.inline_forms import render_form
from campus.web.rule_examples import rule_examples
from campus.web.views import StaffRequest
from recognition.media.file_kind import PHOTO_SUFFIXES

STUDENTS_PER_PAGE = 50
PHOTO_LINES_PER_PAGE = 25


def get_course(request: StaffRequest, pk: int) -> Course:
    """The class, if the user may see it."""
    return get_object_or_404(courses_for(request.user).select_related("term"), pk=pk)


def check_permission(request: StaffRequest, permission: str) -> None:
    """Raises PermissionDenied, which is answered with 403."""
    if not request.user.has_perm(permission):
        raise PermissionDenied


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def students(request: StaffRequest, pk: int) -> HttpResponse:
    """The students by surname, with photos and attendance. A POST adds one."""
    course = get_course(request, pk)
    sections = sorted(set(student_sections(course).values()))
    form = AddStudentForm(request.POST if request.method == "POST" else None, course=course, sections=sections)
    if form.is_bound:
        check_permission(request, "academics.add_enrolment")
        if form.is_valid() and _add_student(request, course, form):
            return redirect("course-students", pk)
    wanted = request.GET.get("q", "").replace("\x00", "").strip()[:MAX_CHARACTERS]
    enrolments = course.enrolments.select_related("student").order_by("student__sort_key", "student__number_key")
    if wanted:
        enrolments = enrolments.filter(student__in=students_for(request.user).filter(matching_students(wanted)))
    section = request.GET.get("section", "")
    section = section if section in sections else ""
    if section:
        enrolments = enrolments.filter(section=section)
    page = Paginator(enrolments, STUDENTS_PER_PAGE).get_page(request.GET.get("page"))
    context = {
        "course": course,
        "head": build_class_head(course),
        "tab": "students",
        "form": form,
        "adds": form.is_bound or "add" in request.GET,
        "wanted": wanted,
        "sections": sections,
        "section": section,
        "asked": urlencode({name: text for name, text in (("q", wanted), ("section", section)) if text}),
        "page": page,
        "lines": build_student_lines(request.user, course, list(page)),
    }
    return render(request, "web/class_students.html", context, status=400 if form.errors else 200)


def _add_student(request: StaffRequest, course: Course, form: AddStudentForm) -> bool:
    try:
        student = enrol_student(course=course, **form.cleaned_data)
    except UserError as error:
        form.add_error(None, str(error))
        return False
    enrolment = course.enrolments.get(student=student)
    messages.success(
        request,
        _("%(student)s is in the class from %(day)s.")
        % {"student": student, "day": date_format(enrolment.valid_from, _("j M Y"))},
    )
    return True


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def enrolment(request: StaffRequest, pk: int) -> HttpResponse:
    """A student's section, and from when to when the student is in the class. A POST changes them, or removes the
    student."""
    enrolment = get_object_or_404(
        Enrolment.objects.filter(course__in=courses_for(request.user)).select_related("course__term", "student"), pk=pk
    )
    back, name = reverse("course-students", args=[enrolment.course_id]), enrolment.student.name
    if request.method == "POST" and "remove" in request.POST:
        check_permission(request, "academics.delete_enrolment")
        delete_enrolment(enrolment=enrolment)
        messages.success(request, _("%(name)s is removed from the class.") % {"name": name})
        return redirect(back)
    form = EnrolmentDetailsForm(request.POST or None, instance=enrolment, auto_id=f"enrolment-{pk}-%s")
    if request.method == "POST":
        check_permission(request, "academics.change_enrolment")
    if form.is_valid():
        try:
            validate_and_save(enrolment)
        except UserError as error:
            form.add_error(None, str(error))
        else:
            messages.success(request, _("{name}: saved.").format(name=name))
            return redirect(back)
    context = {"form": form, "course": enrolment.course, "enrolment": enrolment, "back": back}
    return render_form(request, "web/enrolment.html", "web/_enrolment_form.html", context)


@require_safe
@login_required
def photos(request: StaffRequest, pk: int) -> HttpResponse:
    """The photos of each student with their verdicts, and where to drop more of them: of one student, or of many."""
    course = get_course(request, pk)
    enrolments = course.enrolments.select_related("student").order_by("student__sort_key", "student__number_key")
    lacking = enrolments_lacking_photos(Course.objects.filter(pk=pk))
    only_lacking = "lacking" in request.GET
    if only_lacking:
        enrolments = enrolments.filter(pk__in=lacking.values("pk"))
    page = Paginator(enrolments, PHOTO_LINES_PER_PAGE).get_page(request.GET.get("page"))
    chosen = request.GET.get("student", "")
    context = {
        "course": course,
        "head": build_class_head(course),
        "tab": "photos",
        "page": page,
        "lines": build_photo_lines(request.user, list(page)),
        "lacking_count": lacking.count(),
        "only_lacking": only_lacking,
        "asked": "lacking" if only_lacking else "",
        "student": course.students.filter(pk=int(chosen)).first() if chosen.isdecimal() and len(chosen) < 19 else None,
        "accept": ",".join(sorted(PHOTO_SUFFIXES)),
        "gallery": active_gallery(course),
        "is_training": course.galleries.filter(state=Gallery.State.QUEUED).exists(),
    }
    return render(request, "web/class_photos.html", context)


@require_POST
@login_required
def train(request: StaffRequest, pk: int) -> HttpResponse:
    course = get_course(request, pk)
    check_permission(request, "biometrics.add_gallery")
    try:
        request_training(course=course)
    except UserError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("Training started."))
    return redirect("course-photos", pk)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def settings(request: StaffRequest, pk: int) -> HttpResponse:
    """The class's settings, each rule with an example."""
    course = get_course(request, pk)
    data = request.POST if request.method == "POST" else None
    if data is not None:
        check_permission(request, "academics.change_course")
    form, policy_form = CourseSettingsForm(data, instance=course), PolicyForm(data, instance=policy_for(course))
    if form.is_valid() and policy_form.is_valid() and _save_settings(request, form, policy_form):
        return redirect("course-settings", pk)
    shown = get_course(request, pk) if form.errors or policy_form.errors else course
    context = {
        "course": shown,
        "head": build_class_head(shown),
        "tab": "settings",
        "form": form,
        "policy_form": policy_form,
        "examples": rule_examples(course, policy_form.instance.required_percent),
    }
    return render(request, "web/class_settings.html", context, status=200 if data is None else 400)


def _save_settings(request: StaffRequest, form: CourseSettingsForm, policy_form: PolicyForm) -> bool:
    course, lecturers = form.instance, list(form.cleaned_data["lecturers"])
    try:
        with transaction.atomic():
            save_course(course=course, lecturers=lecturers)
            save_policy(course=course, **policy_form.cleaned_data)
    except ValidationError as error:
        form.add_error(None, error.messages)
    except UserError as error:
        form.add_error(None, str(error))
    else:
        if "embedder" in form.changed_data:
            set_embedder(course=course, embedder=course.embedder)
        messages.success(request, _("Settings saved."))
    return form.is_valid()


@require_safe
@login_required
def examples(request: StaffRequest, pk: int) -> HttpResponse:
    """What the rules would mean with the values in the form; a rule whose value can't be read says nothing."""
    course = get_course(request, pk)
    form = CourseSettingsForm(request.GET, instance=course)
    policy_form = PolicyForm(request.GET, instance=policy_for(course))
    unreadable = form.errors.keys() | policy_form.errors.keys()
    texts = rule_examples(course, policy_form.instance.required_percent)
    texts |= dict.fromkeys(texts.keys() & unreadable, "")
    return render(request, "web/_rule_examples.html", {"examples": texts})
