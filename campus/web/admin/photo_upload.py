"""Enrolment photos into the house: for one student, or for many from a folder or a zip; dropped, chosen, or taken with the camera.

The page's script sends photos in small lots and shows the verdicts as they come; without it the same form sends all at once.
"""

from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import INPUT_CLASSES, UnfoldAdminFileFieldWidget, UnfoldAdminSelectWidget

from campus.academics.models import Course, Student
from campus.academics.selectors import courses_for, students_for
from campus.biometrics import services
from campus.biometrics.models import FacePhoto, PhotoImport
from campus.biometrics.photo_import import PHOTO_SUFFIXES, ImportedFile, ImportResult
from campus.biometrics.photo_zip import create_photo_import
from campus.biometrics.selectors import photo_imports_for, photos_for
from campus.common.errors import UserError
from campus.web.admin.base import render_badge, render_change_link, signed_in_user

ACCEPT = ",".join(sorted(PHOTO_SUFFIXES))
ASKED_AT_ONCE = 200  # verdicts
ZIPS_SHOWN = 5
SKIPPED_SHOWN = 500


class ManyFilesWidget(forms.FileInput):
    allow_multiple_selected = True


class ManyFilesField(forms.FileField):
    def clean(self, data: Any, initial: Any = None) -> list[Any]:
        clean = super().clean
        return [clean(file, initial) for file in data or [None]]


class PhotosForm(forms.Form):
    photos = ManyFilesField(
        label=gettext_lazy("Photos"),
        allow_empty_file=True,
        widget=ManyFilesWidget(attrs={"multiple": True, "accept": ACCEPT, "class": " ".join(INPUT_CLASSES)}),
        help_text=gettext_lazy("Several files at once. About ten photos from different days and angles work well."),
    )


class ZipForm(forms.Form):
    file = forms.FileField(
        label=gettext_lazy("Zip file"),
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".zip"}),
        help_text=gettext_lazy("One folder of photos for each student, named after the student number or name."),
    )
    course = forms.ModelChoiceField(
        Course.objects.none(),
        label=gettext_lazy("Class"),
        required=False,
        empty_label=gettext_lazy("All students"),
        widget=UnfoldAdminSelectWidget(),
        help_text=gettext_lazy("Only students on the roster of this class get photos."),
    )

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["course"].queryset = courses_for(request.user)  # type: ignore[attr-defined]


def student_photos(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Photos of one student."""
    _may_add(request)
    student = get_object_or_404(students_for(request.user), pk=pk)
    form = PhotosForm(request.POST or None, request.FILES or None)
    result = _added(student, form.cleaned_data["photos"]) if form.is_valid() else None
    if _asks_json(request):
        return JsonResponse(
            {"rows": _rows(result), "error": "" if form.is_valid() else " ".join(map(str, form.errors["photos"]))}
        )
    return upload_page(request, _("Photos of %(student)s") % {"student": student}, form, result, drop={"camera": True})


def many_photos(request: HttpRequest) -> HttpResponseBase:
    """Photos of many students: a zip by the form, a folder by the script, which sends each file with its path."""
    _may_add(request)
    paths, files = request.POST.getlist("path"), request.FILES.getlist("photos")
    if _asks_json(request):
        course = _course(request, request.POST.get("course", ""))
        try:
            result = services.import_photo_files(
                files=[(PurePosixPath(path), file) for path, file in zip(paths, files, strict=False)], course=course
            )
        except UserError as error:
            return JsonResponse({"rows": [], "error": str(error)})
        return JsonResponse({"rows": _rows(result), "error": ""})
    form = ZipForm(
        request.POST or None, request.FILES or None, request=request, initial={"course": request.GET.get("class")}
    )
    if form.is_valid():
        file = form.cleaned_data["file"]
        try:
            row = create_photo_import(
                file=file, name=file.name, course=form.cleaned_data["course"], user=signed_in_user(request)
            )
        except UserError as error:
            form.add_error("file", str(error))
        else:
            return redirect("admin:biometrics_facephoto_import", row.pk)
    response = upload_page(request, _("Photos of many students"), form, None, drop={"folders": True})
    response.context_data["zips"] = photo_imports_for(request.user)[:ZIPS_SHOWN]  # type: ignore[index]
    return response


def zip_page(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    """How far the worker is with a zip, and what it did not take."""
    _may_add(request)
    row = get_object_or_404(photo_imports_for(request.user), pk=pk)
    context = {
        **admin.site.each_context(request),
        "title": row.original_name,
        "zip": row,
        "looked_at": row.looked_at,
        "in_work": row.state == PhotoImport.State.QUEUED,
        "table": {"headers": [_("File"), _("Student"), _("Reason")], "rows": row.skipped_files[:SKIPPED_SHOWN]},
        "more": len(row.skipped[SKIPPED_SHOWN:]),
    }
    return TemplateResponse(request, "admin/rollcall/photo_zip.html", context)


def verdicts(request: HttpRequest) -> HttpResponseBase:
    """What is known by now of photos that were just added: a row each, those that are gone left out."""
    ids = [pk for text in request.GET.getlist("id")[:ASKED_AT_ONCE] if (pk := _uuid(text))]
    photos = photos_for(request.user).filter(pk__in=ids).select_related("student")
    return JsonResponse({"rows": [_verdict(photo) for photo in photos]})


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _verdict(photo: FacePhoto) -> dict[str, str]:
    pending = photo.state == FacePhoto.Verdict.PENDING
    return {
        "id": str(photo.pk),
        "state": photo.state,
        "label": str(photo.get_state_display()),
        "reason": str(photo.reason),
        "picture": ""
        if pending or not photo.crop
        else reverse("admin:biometrics_facephoto_thumbnail", args=[photo.pk]),
    }


def upload_page(
    request: HttpRequest,
    title: str,
    form: forms.Form,
    result: ImportResult | None,
    verb: str = "",
    drop: dict[str, bool] | None = None,
) -> TemplateResponse:
    """The form; after it was sent, what was taken and what was not, row by row."""
    rows = [] if result is None else sorted(result.rows, key=lambda row: row.taken)
    context = {
        **admin.site.each_context(request),
        "title": title,
        "form": form,
        "result": result,
        "drop": drop,
        "accept": ACCEPT,
        "verb": verb or (_("Upload more") if result else _("Upload")),
        "table": {
            "headers": [_("File"), _("Student"), "", _("Reason")],
            "rows": [
                [
                    row.path,
                    render_change_link(row.student) if row.student else "",
                    render_badge(_("added"), "success") if row.taken else render_badge(_("skipped"), "warning"),
                    row.reason,
                ]
                for row in rows
            ],
        },
    }
    return TemplateResponse(request, "admin/rollcall/form_page.html", context)


def _added(student: Student, files: Iterable[Any]) -> ImportResult:
    result = ImportResult()
    for file in files:
        try:
            photo = services.add_photo(student=student, file=file, name=file.name)
            result.rows.append(ImportedFile(file.name, student, photo=photo))
        except UserError as error:
            result.rows.append(ImportedFile(file.name, student, reason=error.message))
    return result


def _rows(result: ImportResult | None) -> list[dict[str, str]]:
    """For the script: what became of each file, in the order in which they came."""
    return [
        {
            "path": row.path,
            "student": row.student.name if row.student else "",
            "reason": str(row.reason),
            "id": str(row.photo.pk) if row.photo else "",
        }
        for row in (result.rows if result else [])
    ]


def _course(request: HttpRequest, pk: str) -> Course | None:
    return get_object_or_404(courses_for(request.user), pk=pk) if pk.isdecimal() else None


def _may_add(request: HttpRequest) -> None:
    if not request.user.has_perm("biometrics.add_facephoto"):
        raise PermissionDenied


def _asks_json(request: HttpRequest) -> bool:
    return request.method == "POST" and request.headers.get("Accept") == "application/json"
