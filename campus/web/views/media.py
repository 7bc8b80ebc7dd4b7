"""Pictures and workbooks: never public, each behind the selector of its app."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import FileResponse, Http404, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_safe

from campus.attendance.file_responses import workbook_response
from campus.attendance.models import Sighting, UnknownPerson
from campus.attendance.selectors import reports_for, sightings_for, unknown_people_for
from campus.biometrics.selectors import lecture_faces_for, photos_for
from campus.common.errors import UserError
from campus.common.file_responses import picture_response
from campus.web.views import StaffRequest


@require_safe
@login_required
def report(request: StaffRequest, pk: str) -> HttpResponseBase:
    report = get_object_or_404(reports_for(request.user), pk=pk)
    try:
        return workbook_response(report)
    except UserError as error:
        messages.error(request, str(error))
        return redirect("course", report.course_id)


def _crop(row: Sighting | UnknownPerson, n: int) -> FileResponse:
    if n >= len(row.crops):
        raise Http404
    return picture_response(row.crops[n]["file"])


@require_safe
@login_required
def crop(request: StaffRequest, pk: int, n: int) -> FileResponse:
    return _crop(get_object_or_404(sightings_for(request.user), pk=pk), n)


@require_safe
@login_required
def unknown_person_crop(request: StaffRequest, pk: int, n: int) -> FileResponse:
    response = _crop(get_object_or_404(unknown_people_for(request.user), pk=pk), n)
    response["Cache-Control"] = "no-store"  # each look is in the audit log
    return response


@require_safe
@login_required
def lecture_face(request: StaffRequest, pk: str) -> FileResponse:
    return picture_response(get_object_or_404(lecture_faces_for(request.user), pk=pk).crop)


@require_safe
@login_required
def photo(request: StaffRequest, pk: str) -> FileResponse:
    photo = get_object_or_404(photos_for(request.user), pk=pk)
    return picture_response(str(photo.file.name), download_name=photo.original_name)


@require_safe
@login_required
def photo_face(request: StaffRequest, pk: str) -> FileResponse:
    photo = get_object_or_404(photos_for(request.user), pk=pk)
    if not (picture := photo.crop or photo.thumbnail):
        raise Http404
    return picture_response(str(picture.name))
