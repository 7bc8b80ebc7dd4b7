"""Links by which students send photos of themselves, and the photos that they have sent, which a registrar approves."""

from collections.abc import Iterable
from itertools import groupby
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe

from campus.academics.models import Student
from campus.academics.selectors import courses_for, students_for
from campus.biometrics.models import SentPhoto
from campus.biometrics.sent_photos import (
    approve_sent_photo,
    fault_words,
    refuse_sent_photo,
    sent_photos_for,
    students_lacking_photos,
    students_with_links,
    waiting_sent_photos,
)
from campus.common.errors import UserError
from campus.common.file_responses import picture_response
from campus.common.site_address import site_address
from campus.consent.links import (
    LINK_LIFETIME,
    make_missing_links,
    renew_student_link,
    student_link_token,
    student_links_for,
    withdraw_student_link,
)
from campus.consent.models import StudentLink
from campus.outbox.account_emails import emails_have_links
from campus.outbox.student_emails import queue_photo_refusal, queue_photo_request
from campus.web.faces import enrolment_face_urls
from campus.web.views import StaffRequest

PHOTOS_PER_PAGE = 30
MAX_PHOTOS_PER_DECISION = 30

sees_links = permission_required("consent.view_studentlink", raise_exception=True)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@sees_links
def student_links(request: StaffRequest, pk: int) -> HttpResponse:
    """The students of a class who have too few photos, each with the link. A POST makes the links that are missing."""
    course = get_object_or_404(courses_for(request.user), pk=pk)
    students = students_lacking_photos(course)
    if request.method == "POST":
        _check_may(request, "consent.add_studentlink")
        _report_links(request, make_missing_links(students=students, user=request.user))
        return redirect("student-links", pk)
    rows = _link_rows(request, students)
    context = {
        "course": course,
        "rows": rows,
        "missing": sum(not row["is_valid"] for row in rows),
        "has_links": any(row["address"] for row in rows),
        **_common_context(),
    }
    return render(request, "web/student_links.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@sees_links
def student_link(request: StaffRequest, pk: int) -> HttpResponse:
    """The link of one student. A POST makes it anew or withdraws it."""
    student = get_object_or_404(students_for(request.user), pk=pk)
    if request.method == "POST":
        if request.POST.get("act") == "withdraw":
            _check_may(request, "consent.delete_studentlink")
            withdraw_student_link(
                link=get_object_or_404(student_links_for(request.user), student=student), user=request.user
            )
            messages.success(request, _("The link of %(name)s is withdrawn.") % {"name": student.name})
        else:
            _check_may(request, "consent.add_studentlink")
            _report_links(request, [renew_student_link(student=student, user=request.user)])
        course = request.POST.get("course", "")
        is_of_class = course.isdecimal() and len(course) < 19
        return redirect("student-links", course) if is_of_class else redirect("student-link", pk)
    [row] = _link_rows(request, students_with_links(Student.objects.filter(pk=pk)))
    return render(request, "web/student_link.html", {"row": row, **_common_context()})


def _link_rows(request: StaffRequest, students: Iterable[Any]) -> list[dict[str, Any]]:
    """The students with their links. Who may only read is not shown a link, since it lets its owner send photos."""
    may_send = request.user.has_perm("consent.add_studentlink")
    rows = []
    for student in students:
        link: StudentLink | None = getattr(student, "link", None)
        is_valid = link is not None and not link.is_expired
        address = ""
        if link and is_valid and may_send:
            address = site_address(request) + reverse("my-data", args=[student_link_token(link)])
        rows.append({"student": student, "link": link, "is_valid": is_valid, "address": address})
    return rows


def _common_context() -> dict[str, Any]:
    return {
        "wanted_photos": settings.PHOTOS_PER_STUDENT,
        "emails_have_links": emails_have_links(),
        "days": LINK_LIFETIME.days,
    }


def _report_links(request: StaffRequest, links: list[StudentLink]) -> None:
    emailed = sum(queue_photo_request(link=link) for link in links)
    copied = len(links) - emailed
    if emailed:
        sentence = ngettext("%(n)d link is on its way by e-mail.", "%(n)d links are on their way by e-mail.", emailed)
        messages.success(request, sentence % {"n": emailed})
    if copied:
        sentence = ngettext(
            "%(n)d link is made. Copy it, and give it to the student.",
            "%(n)d links are made. Copy them, and give each to its student.",
            copied,
        )
        messages.success(request, sentence % {"n": copied})
    if not links:
        messages.info(request, _("Everybody here has a valid link already."))


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@sees_links
def sent_photos(request: StaffRequest) -> HttpResponse:
    """The photos that wait for a registrar, beside the others of each student. A POST approves or refuses some."""
    if request.method == "POST":
        _check_may(request, "biometrics.change_sentphoto")
        _decide(request)
        return redirect("sent-photos")
    waiting = waiting_sent_photos(request.user).select_related("link__student")
    page = Paginator(
        waiting.order_by("link__student__sort_key", "link__student__pk", "created_at", "pk"), PHOTOS_PER_PAGE
    ).get_page(request.GET.get("page"))
    faces = enrolment_face_urls(request.user, {photo.link.student_id for photo in page})
    groups = [
        {
            "student": student,
            "photos": [(photo, fault_words(photo)) for photo in photos],
            "faces": faces.get(student.pk, []),
        }
        for student, photos in groupby(page, key=lambda photo: photo.link.student)
    ]
    return render(request, "web/sent_photos.html", {"page": page, "groups": groups})


def _decide(request: StaffRequest) -> None:
    reason = " ".join(request.POST.get("reason", "").split())[:300]
    refuses = request.POST.get("act") == "refuse"
    if refuses and not reason:
        messages.error(request, _("Say why you refuse the photo: the student reads it."))
        return
    keys = [key for text in request.POST.getlist("photo")[:MAX_PHOTOS_PER_DECISION] if (key := _uuid(text))]
    done = 0
    refused: dict[int, SentPhoto] = {}  # one a student, who is told once of all
    for photo in sent_photos_for(request.user).filter(pk__in=keys).select_related("link__student"):
        try:
            if refuses:
                refuse_sent_photo(photo=photo, reason=reason, user=request.user)
                refused[photo.link_id] = photo
            else:
                approve_sent_photo(photo=photo, user=request.user)
            done += 1
        except UserError as error:
            messages.error(request, str(error))
    if done and refuses:
        told = sum(queue_photo_refusal(photo=photo) for photo in refused.values())
        sentence = ngettext("%(n)d photo refused.", "%(n)d photos refused.", done) % {"n": done}
        if told:
            sentence += " " + _("The reason is on its way by e-mail.")
        messages.success(request, sentence)
    elif done:
        sentence = ngettext(
            "%(n)d photo approved. It is checked like any other.",
            "%(n)d photos approved. They are checked like any other.",
            done,
        )
        messages.success(request, sentence % {"n": done})


@require_safe
@login_required
@sees_links
def sent_photo_picture(request: StaffRequest, pk: UUID) -> HttpResponseBase:
    """The small picture of a photo that a student has sent."""
    return picture_response(str(get_object_or_404(sent_photos_for(request.user).exclude(picture=""), pk=pk).picture))


@require_safe
@login_required
@sees_links
def sent_photo_file(request: StaffRequest, pk: UUID) -> HttpResponseBase:
    """The photo as the student has sent it, as long as it waits."""
    photo = get_object_or_404(sent_photos_for(request.user), pk=pk)
    if photo.state != SentPhoto.State.WAITING:
        raise Http404
    return picture_response(str(photo.file), download_name=photo.original_name)


def _check_may(request: StaffRequest, permission: str) -> None:
    if not request.user.has_perm(permission):
        raise PermissionDenied


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
