"""An import of photos: its progress, what was skipped, and the folders that wait until somebody says whose they are."""

from uuid import UUID

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from campus.academics.models import Student
from campus.biometrics.models import FacePhoto, PhotoImport
from campus.biometrics.photo_import import ImportResult
from campus.biometrics.photo_waiting import (
    discard_folder,
    file_folder,
    request_thumbnails,
    set_name_encoding,
    students_for_import,
    waiting_folders,
)
from campus.biometrics.selectors import count_verdicts, photo_imports_for
from campus.biometrics.zip_names import NameEncoding
from campus.common.file_responses import picture_response
from campus.web.admin.base import call_service, signed_in_user
from campus.web.admin.photo_upload import check_may_add_photos

MAX_SKIPPED_SHOWN = 500
MAX_FOLDERS_SHOWN = 100


def photo_import_page(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    """Shows an import. A POST says whose folder one is, deletes it, or chooses the coding of the names."""
    check_may_add_photos(request)
    row = get_object_or_404(photo_imports_for(request.user), pk=pk)
    if request.method == "POST":
        _handle_choice(request, row)
        return redirect("admin:biometrics_facephoto_import", pk)
    in_work = row.state == PhotoImport.State.QUEUED
    folders = [] if in_work else waiting_folders(row)
    request_thumbnails(folder.photos[0] for folder in folders[:MAX_FOLDERS_SHOWN])
    context = {
        **admin.site.each_context(request),
        "title": row.original_name,
        "import": row,
        "in_work": in_work,
        "waiting_photos": row.waiting.count(),
        "verdicts": count_verdicts(row.photos.all()),
        "rejected": row.photos.filter(state=FacePhoto.Verdict.REJECTED).select_related("student")[:MAX_SKIPPED_SHOWN],
        "folders": folders[:MAX_FOLDERS_SHOWN],
        "more_folders": len(folders[MAX_FOLDERS_SHOWN:]),
        "students": students_for_import(signed_in_user(request), row) if folders else [],
        "encodings": NameEncoding.choices if folders and row.name_encoding else [],
        "table": {"headers": [_("File"), _("Student"), _("Reason")], "rows": row.skipped_files[:MAX_SKIPPED_SHOWN]},
        "more": len(row.skipped[MAX_SKIPPED_SHOWN:]),
    }
    return TemplateResponse(request, "admin/rollcall/photo_import.html", context)


def waiting_picture(request: HttpRequest, pk: UUID, photo: UUID) -> HttpResponseBase:
    """A small picture of a photo that waits."""
    check_may_add_photos(request)
    row = get_object_or_404(photo_imports_for(request.user), pk=pk)
    return picture_response(str(get_object_or_404(row.waiting.exclude(thumbnail=""), pk=photo).thumbnail))


def _handle_choice(request: HttpRequest, row: PhotoImport) -> None:
    folder, encoding = request.POST.get("folder", ""), request.POST.get("encoding", "")
    if encoding in NameEncoding.values:
        _report(request, call_service(request, lambda: set_name_encoding(row=row, encoding=encoding), ""))
    elif "discard" in request.POST:
        n = discard_folder(row=row, folder=folder)
        messages.success(request, ngettext("%(n)d photo deleted.", "%(n)d photos deleted.", n) % {"n": n})
    elif student := _chosen_student(request, row):
        _report(request, call_service(request, lambda: file_folder(row=row, folder=folder, student=student), ""))
    else:
        messages.error(request, _("There is no such student in this class. Choose one from the list."))


def _chosen_student(request: HttpRequest, row: PhotoImport) -> Student | None:
    """By number, or as the list shows the student."""
    text = request.POST.get("suggested") or request.POST.get("student", "").strip()
    students = students_for_import(signed_in_user(request), row)
    number = text.rpartition("(")[2].removesuffix(")")
    by_label = [student for student in students.filter(number_key=number) if str(student) == text]
    return next(iter(by_label), None) or (students.filter(number_key=text).first() if text else None)


def _report(request: HttpRequest, result: ImportResult | None) -> None:
    if result is None:
        return
    n = len(result.added)
    messages.success(request, ngettext("%(n)d photo added.", "%(n)d photos added.", n) % {"n": n})
    for sentence in dict.fromkeys(str(row.reason) for row in result.skipped):
        messages.warning(request, sentence)
