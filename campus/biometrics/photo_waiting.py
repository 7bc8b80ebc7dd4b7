"""Photos of an import whose student is not sure: they wait, folder by folder, until a person says whose they are."""

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from pathlib import PurePosixPath
from typing import Any

from django.contrib.auth.models import User
from django.core.files import File
from django.db import transaction
from django.db.models import Exists, F, OuterRef, QuerySet
from django.utils import timezone

from campus.academics.models import Course, Student
from campus.academics.selectors import students_for
from campus.accounts.roles import AnyUser
from campus.biometrics.models import FacePhoto, PhotoImport, WaitingPhoto
from campus.biometrics.photo_finder import FolderMatch, StudentFinder
from campus.biometrics.photo_import import FileEntry, ImportedFile, ImportResult, file_entries, import_all
from campus.biometrics.photo_paths import student_folders
from campus.biometrics.services import add_photo, check_photo_file
from campus.biometrics.zip_names import decode_path
from campus.common import jobs
from campus.common.errors import DISK_FULL, UserError, disk_full
from campus.common.file_names import sanitize_file_name
from campus.common.storage import delete_media, delete_media_after_commit, write_media
from recognition.messages import Message

log = logging.getLogger(__name__)

FOLDER_UPLOAD_DURATION = timedelta(hours=1)  # in which the batches of a folder are one import


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingFolder:
    """The photos of one folder that wait, and whom its name may mean."""

    folder: str
    photos: list[WaitingPhoto]
    match: FolderMatch

    @property
    def suggestions(self) -> list[Student]:
        return [*self.match.candidates, *self.match.similar]


def waiting_folders(row: PhotoImport) -> list[WaitingFolder]:
    """The folders of an import that wait. One that somebody with its name is enrolled for meanwhile has its student."""
    finder = StudentFinder(row.course)
    by_folder = groupby(row.waiting.order_by("folder", "original_name"), key=lambda photo: photo.folder)
    return [
        WaitingFolder(folder=folder, photos=list(photos), match=finder.match(_names(folder)))
        for folder, photos in by_folder
    ]


def _names(folder: str) -> tuple[str, ...]:
    return PurePosixPath(folder).parts


def request_thumbnails(photos: Iterable[WaitingPhoto]) -> None:
    """Ask a worker for the pictures of photos that are about to be shown for the first time."""
    new = [photo for photo in photos if photo.state == WaitingPhoto.State.NEW]
    if not new:
        return
    for photo in new:
        photo.state = WaitingPhoto.State.QUEUED
    with transaction.atomic():
        rows = WaitingPhoto.objects.filter(pk__in=[photo.pk for photo in new], state=WaitingPhoto.State.NEW)
        rows.update(state=WaitingPhoto.State.QUEUED)
        jobs.THUMBNAIL.request(*new)


def finish_thumbnail(*, photo: WaitingPhoto, jpeg: bytes) -> None:
    """Store the picture of a waiting photo that the caller has claimed."""
    name = f"imports/{photo.pk}.thumbnail.jpg"
    write_media(name, jpeg)
    if not jobs.finish(photo, WaitingPhoto.State.READY, thumbnail=name):
        delete_media(name)


def students_for_import(user: AnyUser, row: PhotoImport) -> QuerySet[Student]:
    """The students whose photos an import may hold, those without photos first."""
    students = students_for(user)
    if row.course:
        students = students.filter(enrolments__course=row.course)
    has_photos = Exists(FacePhoto.objects.filter(student=OuterRef("pk")))
    return students.annotate(has_photos=has_photos).order_by("has_photos", "sort_key", "number_key")


def put_photo_aside(*, row: PhotoImport, entry: FileEntry, file: "File[Any]") -> None:
    """Keep a photo until a person says whose it is; the same one in the same folder is kept once.

    Raises UserError: empty, no photo, disk full.
    """
    name = sanitize_file_name(entry.path.name)
    same = {"folder": _folder(entry.path), "sha256": check_photo_file(file, name)}
    if row.waiting.filter(**same).exists():
        return
    photo = WaitingPhoto(photo_import=row, raw_name=entry.raw_name, original_name=name, **same)
    try:
        photo.file.save(photo.original_name, file, save=False)
    except OSError as error:
        if disk_full(error):
            raise UserError(DISK_FULL) from error
        raise
    photo.save(force_insert=True)


def import_photo_files(
    *, files: Sequence[tuple[PurePosixPath, "File[Any]"]], course: Course | None, user: User
) -> tuple[ImportResult, PhotoImport | None]:
    """Add photos that come with their paths, `<student number or name>/*.jpg`, a few at a time.

    Those whose student is not sure wait with the import of their folder, which is returned. Raises UserError where
    there are none.
    """
    since = timezone.now() - FOLDER_UPLOAD_DURATION
    name = sanitize_file_name(files[0][0].parts[0]) if files and files[0][0].parts else ""
    begun = PhotoImport.objects.filter(user=user, course=course, file="", original_name=name, created_at__gte=since)

    def put_aside(entry: FileEntry, file: "File[Any]") -> None:
        row = begun.first() or PhotoImport.objects.create(
            user=user, course=course, original_name=name, state=PhotoImport.State.DONE
        )
        put_photo_aside(row=row, entry=entry, file=file)

    result = import_all(file_entries(files), course=course, add=add_photo, put_aside=put_aside)
    return result, begun.first() if result.waiting else None


def _folder(path: PurePosixPath) -> str:
    return str(PurePosixPath(*student_folders(path)))


def file_folder(*, row: PhotoImport, folder: str, student: Student) -> ImportResult:
    """Add the waiting photos of a folder to a student, who may have some of them already.

    Raises UserError if none wait.
    """
    result = ImportResult(_file_photos(row, row.waiting.filter(folder=folder), student))
    if not result.rows:
        raise UserError("No photos of “{folder}” wait any more.", folder=folder)
    log.info("photo import %s: %d photos of a folder to student %s", row.pk, len(result.added), student.pk)
    return result


def discard_folder(*, row: PhotoImport, folder: str) -> int:
    """Delete the waiting photos of a folder. Returns how many there were."""
    photos = list(row.waiting.filter(folder=folder))
    for photo in photos:
        _delete(photo)
    return len(photos)


def set_name_encoding(*, row: PhotoImport, encoding: str) -> ImportResult:
    """Read the names of the waiting photos in another coding, and add those whose student is sure then."""
    if row.state == PhotoImport.State.QUEUED:
        raise UserError("The import is still in progress. Choose the coding when it is done.")
    row.name_encoding = encoding
    row.save(update_fields=["name_encoding"])
    for photo in row.waiting.exclude(raw_name=None):
        path = decode_path(bytes(photo.raw_name or b""), encoding)
        photo.folder, photo.original_name = _folder(path), sanitize_file_name(path.name)
        if row.waiting.filter(folder=photo.folder, sha256=photo.sha256).exclude(pk=photo.pk).exists():
            _delete(photo)
        else:
            photo.save(update_fields=["folder", "original_name"])
    result = ImportResult()
    for waiting in waiting_folders(row):
        if waiting.match.student:
            result.rows += _file_photos(row, waiting.photos, waiting.match.student)
    return result


def _file_photos(row: PhotoImport, photos: Iterable[WaitingPhoto], student: Student) -> list[ImportedFile]:
    return [_file_photo(row, photo, student) for photo in photos]


def _file_photo(row: PhotoImport, photo: WaitingPhoto, student: Student) -> ImportedFile:
    path = f"{photo.folder}/{photo.original_name}"
    try:
        with photo.file.open("rb") as content:
            added = add_photo(
                student=student,
                file=File(content, name=photo.original_name),
                name=photo.original_name,
                photo_import=row,
            )
    except UserError as error:
        if FacePhoto.objects.filter(student=student, sha256=photo.sha256).exists():
            _delete(photo)
        return ImportedFile(path=path, student=student, reason=error.message)
    except FileNotFoundError:
        photo.delete()
        reason = Message("The photo's file is missing on the server. Add the photo again.")
        return ImportedFile(path=path, student=student, reason=reason)
    PhotoImport.objects.filter(pk=row.pk).update(added=F("added") + 1)
    _delete(photo)
    return ImportedFile(path=path, student=student, photo=added)


def _delete(photo: WaitingPhoto) -> None:
    names = [str(file.name) for file in (photo.file, photo.thumbnail) if file]
    photo.delete()
    for name in names:
        delete_media_after_commit(name)
