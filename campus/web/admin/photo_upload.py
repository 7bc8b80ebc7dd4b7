"""Upload of enrolment photos: of one student, or of many from a folder or a zip file.

The script of the page sends photos in batches and shows each verdict as it arrives. Without it, the form sends all at
once.
"""

from collections.abc import Iterable
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
from unfold.widgets import INPUT_CLASSES

from campus.academics.models import Course, Student
from campus.academics.selectors import courses_for, students_for
from campus.biometrics import services
from campus.biometrics.models import FacePhoto
from campus.biometrics.photo_import import ImportedFile, ImportResult
from campus.biometrics.photo_zip import create_photo_import
from campus.biometrics.selectors import photo_imports_for, photos_for
from campus.common.errors import UserError
from campus.web.admin.base import CourseForm, render_badge, render_change_link, signed_in_user, use_admin_widgets
from campus.web.photo_upload import ZipFileForm, add_dropped_photos, result_rows, wants_json
from recognition.media.file_kind import PHOTO_SUFFIXES

ACCEPT = ",".join(sorted(PHOTO_SUFFIXES))
MAX_VERDICTS_PER_REQUEST = 200
MAX_ZIPS_SHOWN = 5


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


class ZipForm(CourseForm, ZipFileForm):
    no_course = gettext_lazy("All students")
    course_help = gettext_lazy("Only students on the roster of this class get photos.")


def upload_photos_of_student(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Photos of one student."""
    check_may_add_photos(request)
    student = get_object_or_404(students_for(request.user), pk=pk)
    form = PhotosForm(request.POST or None, request.FILES or None)
    result = _add_photos(student, form.cleaned_data["photos"]) if form.is_valid() else None
    if wants_json(request):
        return JsonResponse(
            {
                "rows": result_rows(result),
                "error": "" if form.is_valid() else " ".join(map(str, form.errors["photos"])),
            }
        )
    response = render_form_page(
        request, _("Photos of %(student)s") % {"student": student}, form, result, drop={"camera": True}
    )
    response.context_data["verdicts_url"] = reverse("admin:academics_student_change", args=[pk])  # type: ignore[index]
    return response


def upload_photos_of_many(request: HttpRequest) -> HttpResponseBase:
    """Photos of many students: the form sends a zip file, the script a folder, file by file with their paths."""
    check_may_add_photos(request)
    if wants_json(request):
        course = _course(request, request.POST.get("course", ""))
        return add_dropped_photos(
            request, course, lambda row: reverse("admin:biometrics_facephoto_import", args=[row.pk])
        )
    form = use_admin_widgets(ZipForm(request.POST or None, request.FILES or None, request=request))
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
    response = render_form_page(request, _("Photos of many students"), form, None, drop={"folders": True})
    response.context_data["zips"] = photo_imports_for(request.user)[:MAX_ZIPS_SHOWN]  # type: ignore[index]
    return response


def photo_verdicts(request: HttpRequest) -> HttpResponseBase:
    """The verdicts so far on photos that were just added. Deleted photos are left out."""
    ids = [pk for text in request.GET.getlist("id")[:MAX_VERDICTS_PER_REQUEST] if (pk := _uuid(text))]
    photos = photos_for(request.user).filter(pk__in=ids).select_related("student")
    return JsonResponse({"rows": [_verdict_row(photo) for photo in photos]})


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _verdict_row(photo: FacePhoto) -> dict[str, str]:
    pending = photo.state == FacePhoto.Verdict.PENDING
    return {
        "id": str(photo.pk),
        "state": photo.state,
        "label": str(photo.get_state_display()),
        "reason": str(photo.reason),
        "picture": ""
        if pending or not (photo.crop or photo.thumbnail)
        else reverse("admin:biometrics_facephoto_thumbnail", args=[photo.pk]),
    }


def render_form_page(
    request: HttpRequest,
    title: str,
    form: forms.Form,
    result: ImportResult | None,
    verb: str = "",
    drop: dict[str, bool] | None = None,
) -> TemplateResponse:
    """A page with one form; after an upload also the result, file by file."""
    rows = [] if result is None else sorted(result.rows, key=lambda row: row.is_added)
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
                    render_badge(_("added"), "success") if row.is_added else render_badge(_("skipped"), "warning"),
                    row.reason,
                ]
                for row in rows
            ],
        },
    }
    return TemplateResponse(request, "admin/rollcall/form_page.html", context)


def _add_photos(student: Student, files: Iterable[Any]) -> ImportResult:
    result = ImportResult()
    for file in files:
        try:
            photo = services.add_photo(student=student, file=file, name=file.name)
            result.rows.append(ImportedFile(path=file.name, student=student, photo=photo))
        except UserError as error:
            result.rows.append(ImportedFile(path=file.name, student=student, reason=error.message))
    return result


def _course(request: HttpRequest, pk: str) -> Course | None:
    return get_object_or_404(courses_for(request.user), pk=pk) if pk.isdecimal() else None


def check_may_add_photos(request: HttpRequest) -> None:
    if not request.user.has_perm("biometrics.add_facephoto"):
        raise PermissionDenied
