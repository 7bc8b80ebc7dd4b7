"""Pairs of students whose photos look like one person's: a person merges them, or says that they are two people, which
can be taken back."""

from collections.abc import Iterable
from functools import partial
from typing import Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _

from campus.academics.models import Student
from campus.attendance.student_merge import merge_students, separate_students, undo_separation
from campus.biometrics.models import LookAlike
from campus.biometrics.selectors import USABLE_VERDICTS, look_alikes_for, photos_for
from campus.web.admin.base import call_service, signed_in_user

MAX_PAIRS_SHOWN = 30
MAX_FACES_SHOWN = 4


def same_person_page(request: HttpRequest) -> HttpResponseBase:
    """Shows the pairs side by side, and below them those that were kept apart. A POST merges a pair, into the student
    whose number stays, keeps it apart, or takes that back.
    """
    if not request.user.has_perms(["academics.change_student", "academics.delete_student"]):
        raise PermissionDenied
    pairs = look_alikes_for(request.user)
    if request.method == "POST":
        chosen = request.POST.get("pair", "")
        if pair := pairs.filter(pk=chosen if chosen.isdecimal() and len(chosen) < 19 else 0).first():
            _decide(request, pair)
        return redirect("admin:biometrics_facephoto_same_person")
    with_courses = pairs.prefetch_related("first__courses", "second__courses")
    undecided, decided = with_courses.filter(decided_at=None), with_courses.exclude(decided_at=None)
    shown = list(undecided[:MAX_PAIRS_SHOWN])
    shown_decided = list(decided.order_by("-decided_at", "pk")[:MAX_PAIRS_SHOWN])
    faces = _find_faces(request, [*shown, *shown_decided])

    def describe(pair: LookAlike) -> tuple[LookAlike, list[dict[str, Any]]]:
        return pair, [_describe(student, faces) for student in (pair.first, pair.second)]

    context = {
        **admin.site.each_context(request),
        "title": _("The same person?"),
        "pairs": [describe(pair) for pair in shown],
        "more": undecided.count() - len(shown),
        "decided": [describe(pair) for pair in shown_decided],
        "more_decided": decided.count() - len(shown_decided),
    }
    return TemplateResponse(request, "admin/rollcall/same_person.html", context)


def _decide(request: HttpRequest, pair: LookAlike) -> None:
    user = signed_in_user(request)
    first, second = pair.first, pair.second
    for kept, duplicate in ((first, second), (second, first)):
        if request.POST.get("keep") != str(kept.pk):
            continue
        done = _("%(duplicate)s is now %(student)s.") % {"duplicate": duplicate, "student": kept}
        call_service(request, partial(merge_students, duplicate=duplicate, student=kept, user=user), done)
    if "apart" in request.POST:
        separate_students(pair=pair, user=user)
        done = _("%(first)s and %(second)s are two people.") % {"first": first, "second": second}
        messages.success(request, done)
    if "undo" in request.POST:
        undo_separation(pair=pair, user=user)
        done = _("Please decide again about %(first)s and %(second)s.") % {"first": first, "second": second}
        messages.success(request, done)


def _find_faces(request: HttpRequest, pairs: Iterable[LookAlike]) -> dict[int, list[UUID]]:
    """The photos of the students by their ids, best first."""
    students = {student for pair in pairs for student in (pair.first_id, pair.second_id)}
    photos = photos_for(request.user).filter(student__in=students, state__in=USABLE_VERDICTS).exclude(crop="")
    faces: dict[int, list[UUID]] = {}
    for student, photo in photos.order_by("-quality", "pk").values_list("student", "pk"):
        faces.setdefault(student, []).append(photo)
    return faces


def _describe(student: Student, faces: dict[int, list[UUID]]) -> dict[str, Any]:
    best = faces.get(student.pk, [])[:MAX_FACES_SHOWN]
    return {
        "student": student,
        "classes": ", ".join(sorted(course.code for course in student.courses.all())),
        "address": reverse("admin:academics_student_change", args=[student.pk]),
        "faces": [reverse("admin:biometrics_facephoto_thumbnail", args=[photo]) for photo in best],
    }
