"""What the students of a class have answered, and the QR code that leads students to their own page."""

from datetime import datetime, time

import segno
from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe

from campus.academics.models import Course
from campus.academics.selectors import courses_for
from campus.common.errors import UserError
from campus.common.site_address import site_address
from campus.consent.links import extend_student_link
from campus.consent.models import Consent
from campus.consent.selectors import asks_for_consent, consent_state, current_consents, unanswered
from campus.consent.services import record_answer, set_course_marking, set_student_marking
from campus.outbox.account_emails import emails_have_links
from campus.outbox.student_emails import queue_own_link
from campus.web.consent_forms import AnswerForm
from campus.web.views import StaffRequest

STUDENTS_PER_PAGE = 50


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@permission_required("consent.view_consent", raise_exception=True)
def class_consents(request: StaffRequest, pk: int) -> HttpResponse:
    """Each student's answer. A POST records one, asks all who have not answered, or turns recognition on or off."""
    course = get_object_or_404(courses_for(request.user), pk=pk)
    if request.method == "POST":
        if not request.user.has_perm("consent.add_consent"):
            raise PermissionDenied
        try:
            _act(request, course)
        except UserError as error:
            messages.error(request, str(error))
        return redirect("class-consents", pk)
    students = course.students.order_by("sort_key", "number_key")
    page = Paginator(students, STUDENTS_PER_PAGE).get_page(request.GET.get("page"))
    answers = current_consents([student.pk for student in page])
    context = {
        "course": course,
        "page": page,
        "asked": "",
        "rows": [(student, answers.get(student.pk), consent_state(answers.get(student.pk)).value) for student in page],
        "asks": asks_for_consent(),
        "unanswered": unanswered(course).count(),
        "emails_have_links": emails_have_links(),
        "today": timezone.localdate(),
    }
    return render(request, "web/class_consents.html", context)


def _act(request: StaffRequest, course: Course) -> None:
    act = request.POST.get("act", "")
    if act == "ask":
        links = [extend_student_link(student=student) for student in unanswered(course).exclude(email="")]
        sent = sum(queue_own_link(link=link) for link in links)
        sentence = ngettext("%(n)d student is asked by e-mail.", "%(n)d students are asked by e-mail.", sent)
        messages.success(request, sentence % {"n": sent})
    elif act in ("class-on", "class-off"):
        set_course_marking(course=course, automatic=act == "class-on", user=request.user)
        messages.success(request, _("Saved."))
    else:
        _record(request, course)


def _record(request: StaffRequest, course: Course) -> None:
    form = AnswerForm(request.POST)
    student = course.students.filter(pk=form.cleaned_data["student"]).first() if form.is_valid() else None
    if student is None:
        raise UserError("This is not a day, or not a student of this class. Try again.")
    act = request.POST.get("act")
    if act in ("student-on", "student-off"):
        set_student_marking(student=student, automatic=act == "student-on", user=request.user)
    else:
        day = form.cleaned_data["on"]
        at = timezone.make_aware(datetime.combine(day, time())) if day and day != timezone.localdate() else None
        given = form.cleaned_data["given"] == "yes"
        record_answer(student=student, given=given, method=Consent.Method.PAPER, user=request.user, at=at)
    messages.success(request, _("{name}: saved.").format(name=student.name))


@require_safe
@login_required
def link_qr(request: StaffRequest) -> HttpResponse:
    """A large QR code for the slide, which leads to where students ask for the link to their own page."""
    address = site_address(request) + reverse("my-link")
    picture = segno.make(address, error="m").svg_data_uri(scale=10, light="#fff")
    return render(request, "web/link_qr.html", {"address": address, "picture": picture})
