"""What the page of an import of photos shows, and what a person chooses there."""

from collections.abc import Callable
from typing import Any, cast

from django.contrib import messages
from django.contrib.auth.models import User
from django.http import HttpRequest
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
from campus.biometrics.selectors import count_verdicts
from campus.biometrics.zip_names import NameEncoding
from campus.common.errors import UserError

MAX_SKIPPED_SHOWN = 500
MAX_FOLDERS_SHOWN = 100


def build_import_context(user: User, row: PhotoImport) -> dict[str, Any]:
    """How far the import is, what was skipped, and which folders wait until somebody says whose they are."""
    in_work = row.state == PhotoImport.State.QUEUED
    folders = [] if in_work else waiting_folders(row)
    request_thumbnails(folder.photos[0] for folder in folders[:MAX_FOLDERS_SHOWN])
    return {
        "import": row,
        "in_work": in_work,
        "waiting_photos": row.waiting.count(),
        "verdicts": count_verdicts(row.photos.all()),
        "rejected": row.photos.filter(state=FacePhoto.Verdict.REJECTED).select_related("student")[:MAX_SKIPPED_SHOWN],
        "folders": folders[:MAX_FOLDERS_SHOWN],
        "more_folders": len(folders[MAX_FOLDERS_SHOWN:]),
        "students": students_for_import(user, row) if folders else [],
        "encodings": NameEncoding.choices if folders and row.name_encoding else [],
        "skipped": row.skipped_files[:MAX_SKIPPED_SHOWN],
        "more": len(row.skipped[MAX_SKIPPED_SHOWN:]),
    }


def handle_choice(request: HttpRequest, row: PhotoImport) -> None:
    """Say whose folder one is, delete it, or choose the coding of the names, as the form says."""
    folder, encoding = request.POST.get("folder", ""), request.POST.get("encoding", "")
    if encoding in NameEncoding.values:
        _report(request, lambda: set_name_encoding(row=row, encoding=encoding))
    elif "discard" in request.POST:
        n = discard_folder(row=row, folder=folder)
        messages.success(request, ngettext("%(n)d photo deleted.", "%(n)d photos deleted.", n) % {"n": n})
    elif student := _chosen_student(request, row):
        _report(request, lambda: file_folder(row=row, folder=folder, student=student))
    else:
        messages.error(request, _("There is no such student in this class. Choose one from the list."))


def _chosen_student(request: HttpRequest, row: PhotoImport) -> Student | None:
    """By number, or as the list shows the student."""
    text = request.POST.get("suggested") or request.POST.get("student", "").strip()
    students = students_for_import(cast(User, request.user), row)
    number = text.rpartition("(")[2].removesuffix(")")
    by_label = [student for student in students.filter(number_key=number) if str(student) == text]
    return next(iter(by_label), None) or (students.filter(number_key=text).first() if text else None)


def _report(request: HttpRequest, service: Callable[[], ImportResult]) -> None:
    try:
        result = service()
    except UserError as error:
        messages.error(request, str(error))
        return
    n = len(result.added)
    messages.success(request, ngettext("%(n)d photo added.", "%(n)d photos added.", n) % {"n": n})
    for sentence in dict.fromkeys(str(row.reason) for row in result.skipped):
        messages.warning(request, sentence)
