"""Enrolment photos that a script sends in batches, each with its path, and zip files of them."""

from collections.abc import Callable
from pathlib import PurePosixPath
from typing import cast

from django import forms
from django.contrib.auth.models import User
from django.http import HttpRequest, JsonResponse
from django.utils.translation import gettext_lazy

from campus.academics.models import Course
from campus.biometrics.models import PhotoImport
from campus.biometrics.photo_import import ImportResult
from campus.biometrics.photo_waiting import import_photo_files
from campus.common.errors import UserError


class ZipFileForm(forms.Form):
    file = forms.FileField(
        label=gettext_lazy("Zip file"),
        widget=forms.FileInput(attrs={"accept": ".zip"}),
        help_text=gettext_lazy("One folder of photos for each student, named after the student number or name."),
    )


def add_dropped_photos(
    request: HttpRequest, course: Course | None, import_url: Callable[[PhotoImport], str]
) -> JsonResponse:
    """Add the photos of a batch, and say what became of each; `import_url` is where a person says whose the others
    are."""
    paths, files = request.POST.getlist("path"), request.FILES.getlist("photos")
    named = [(PurePosixPath(path), file) for path, file in zip(paths, files, strict=False)]
    try:
        result, waiting = import_photo_files(files=named, course=course, user=cast(User, request.user))
    except UserError as error:
        return JsonResponse({"rows": [], "error": str(error)})
    page = import_url(waiting) if waiting else ""
    return JsonResponse({"rows": result_rows(result), "error": "", "waiting": page})


def result_rows(result: ImportResult | None) -> list[dict[str, str]]:
    """What the script shows of each file, in the order of the upload."""
    return [
        {
            "path": row.path,
            "student": row.student.name if row.student else "",
            "reason": str(row.reason),
            "id": str(row.photo.pk) if row.photo else "",
            "state": "waiting" if row.is_waiting else "",
        }
        for row in (result.rows if result else [])
    ]


def wants_json(request: HttpRequest) -> bool:
    """Whether the script asks, or a form."""
    return request.method == "POST" and request.headers.get("Accept") == "application/json"
