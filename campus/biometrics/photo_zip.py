"""Everything that writes imports of zips: a request stores the zip, a worker imports its photos."""

import logging
import time
from contextlib import closing
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.core.files import File
from django.db import transaction
from django.utils import timezone

from campus.academics.models import Course
from campus.audit.models import Action
from campus.audit.services import record_event
from campus.biometrics.models import PhotoImport
from campus.biometrics.photo_finder import StudentFinder
from campus.biometrics.photo_import import EMPTY_IMPORT, FileEntry, import_entries, zip_entries
from campus.biometrics.photo_waiting import put_photo_aside
from campus.biometrics.services import add_photo
from campus.biometrics.zip_contents import READERS, ListRequest, ZipListing
from campus.biometrics.zip_names import NameEncoding, guess_name_encoding
from campus.common import jobs
from campus.common.errors import UserError, explain_full_disk
from campus.common.file_names import sanitize_file_name
from campus.common.messages import dump_message
from campus.common.storage import delete_media, media
from recognition.errors import Cancelled

log = logging.getLogger(__name__)

PHOTO_IMPORT_RETENTION = timedelta(days=7)
PROGRESS_SECONDS = 1.0
MAX_ATTEMPT_SECONDS = 600.0  # well within the time limit of a task


def create_photo_import(*, file: "File[Any]", name: str, course: Course | None, user: User) -> PhotoImport:
    """Store a zip of `<student number or name>/*.jpg` for a worker. Raises UserError if the disk is full."""
    row = PhotoImport(user=user, course=course, original_name=sanitize_file_name(name))
    with explain_full_disk():
        row.file.save("photos.zip", file, save=False)
    with transaction.atomic():
        row.save(force_insert=True)
        jobs.IMPORT_PHOTOS.request(row.pk)
    log.info("photo import %s: %d bytes from user %s", row.pk, file.size, user.pk)
    return row


def process_photo_import(*, row: PhotoImport) -> bool:
    """Import the next files of a zip, for ten minutes at most. False if there are more to import.

    Raises RecognitionError or UserError if all of the zip is refused or it is gone, Cancelled if this attempt lost its
    lease.
    """
    name = str(row.file.name)
    if not media().exists(name):
        raise UserError("The zip is no longer on the server. Upload it again.")
    with media().local_copy(name) as path:
        is_complete = _import_files(row, path)
    if is_complete and jobs.finish(row, PhotoImport.State.DONE, **_progress(row)):
        delete_media(name)
    return is_complete


def _import_files(row: PhotoImport, path: Path) -> bool:
    deadline = time.monotonic() + MAX_ATTEMPT_SECONDS
    last_saved = time.monotonic()
    if not row.total:
        _list_files(row, path)

    def put_aside(entry: FileEntry, content: "File[Any]") -> None:
        put_photo_aside(row=row, entry=entry, file=content)

    with closing(zip_entries(path, row.name_encoding or NameEncoding.UTF8, row.processed)) as entries:
        add = partial(add_photo, photo_import=row)
        for found in import_entries(entries, course=row.course, add=add, put_aside=put_aside):
            row.processed += 1
            row.added += found.is_added
            if found.photo:
                about = f"facephoto {found.photo.pk} created"
                record_event(row.user, Action.CHANGED_PHOTOS, student=found.photo.student_id, about=about)
            if not (found.is_added or found.is_waiting):
                row.skipped.append(
                    [found.path, found.student.name if found.student else "", dump_message(found.reason)]
                )
            now = time.monotonic()
            if now >= deadline:
                _save_progress(row)
                return False
            if now - last_saved >= PROGRESS_SECONDS:
                _save_progress(row)
                last_saved = now
    return True


def _list_files(row: PhotoImport, path: Path) -> None:
    """Count the files, and find the coding of their names."""
    listing = READERS.read_value(ListRequest(path=str(path)), ZipListing)
    if not listing.total:
        raise UserError(EMPTY_IMPORT)
    row.total = listing.total
    if listing.uncertain_names:
        finder = StudentFinder(row.course)
        row.name_encoding = guess_name_encoding(
            listing.uncertain_names, lambda folders: bool(finder.match(folders).candidates)
        )
    _save_progress(row)


def _save_progress(row: PhotoImport) -> None:
    leased = PhotoImport.objects.filter(pk=row.pk, lease_owner=row.lease_owner, state=PhotoImport.State.QUEUED)
    if not leased.update(**_progress(row)):
        raise Cancelled("Somebody else goes on with the zip.")


def _progress(row: PhotoImport) -> dict[str, Any]:
    return {name: getattr(row, name) for name in ("total", "name_encoding", "processed", "added", "skipped")}


def delete_expired_photo_imports() -> None:
    """Delete imports that are older than a week, with the names in them, and files of theirs that are left."""
    before = timezone.now() - PHOTO_IMPORT_RETENTION
    PhotoImport.objects.filter(created_at__lt=before).delete()
    for file in media().walk("imports"):
        if file.modified < before.timestamp():
            delete_media(file.name)
