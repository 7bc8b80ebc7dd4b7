"""Uploads of rosters and calendars: a request stores the file, a worker has the sandbox read it."""

import logging
from dataclasses import asdict
from datetime import date, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.files import File
from django.db import transaction
from django.utils import timezone

from campus.academics.file_contents import (
    GUESSED_FORMAT,
    MAX_CALENDAR_BYTES,
    MAX_ROSTER_BYTES,
    READERS,
    CalendarEntry,
    CalendarRequest,
    Table,
    TableFormat,
    TableRequest,
)
from campus.academics.models import Course, FileImport
from campus.common import jobs
from campus.common.errors import UserError, explain_full_disk
from campus.common.file_names import sanitize_file_name
from campus.common.storage import media
from recognition.sandbox.protocol import decode_value, encode

log = logging.getLogger(__name__)

FILE_IMPORT_RETENTION = timedelta(days=1)
MAX_IMPORTS_PER_USER = 20


class StillReading(UserError):
    """The file of an import is not read yet."""


def create_roster_import(
    *, file: "File[Any]", name: str, course: Course | None, user: User, table_format: TableFormat = GUESSED_FORMAT
) -> FileImport:
    """Store a roster for a worker. Raises UserError where it is too large, or the disk is full."""
    if file.size > MAX_ROSTER_BYTES:
        raise UserError("The file is larger than {size} MB. Split it.", size=MAX_ROSTER_BYTES // 1024**2)
    row = FileImport(user=user, course=course, kind=FileImport.Kind.ROSTER, options=asdict(table_format))
    return _store(row, file, name)


def create_calendar_import(
    *, file: "File[Any]", name: str, course: Course | None, user: User, until: date | None
) -> FileImport:
    """Store a calendar for a worker. What repeats in it without an end does so up to the day `until`.

    Raises UserError where it is too large, or the disk is full.
    """
    if file.size > MAX_CALENDAR_BYTES:
        raise UserError("The calendar is larger than {n} MB. Export fewer months.", n=MAX_CALENDAR_BYTES // 1024**2)
    options = {"until": until.isoformat() if until else None}
    return _store(FileImport(user=user, course=course, kind=FileImport.Kind.CALENDAR, options=options), file, name)


def _store(row: FileImport, file: "File[Any]", name: str) -> FileImport:
    row.original_name = sanitize_file_name(name)
    with explain_full_disk():
        row.file.save("", file, save=False)
    with transaction.atomic():
        row.save(force_insert=True)
        for oldest in FileImport.objects.filter(user=row.user).defer("content")[MAX_IMPORTS_PER_USER:]:
            oldest.delete()
        jobs.READ_FILE.request(row.pk)
    log.info("%s import %s: %d bytes from user %s", row.kind, row.pk, file.size, row.user_id)
    return row


def read_again(*, row: FileImport, table_format: TableFormat) -> None:
    """Have a roster read in another format."""
    with transaction.atomic():
        FileImport.objects.filter(pk=row.pk).update(
            state=FileImport.State.QUEUED, options=asdict(table_format), error="", error_detail="", **jobs.RESET_FIELDS
        )
        jobs.READ_FILE.request(row.pk)


def process_file_import(*, row: FileImport) -> None:
    """Read the file in the sandbox. Raises RecognitionError, with a sentence for people, where it can't be read."""
    content: object
    with media().local_copy(str(row.file.name)) as path:
        if row.kind == FileImport.Kind.ROSTER:
            content = READERS.read_value(TableRequest(path=str(path), format=TableFormat(**row.options)), Table)
        else:
            until = row.options["until"] and date.fromisoformat(row.options["until"])
            request = CalendarRequest(path=str(path), until=until, zone=settings.TIME_ZONE)
            content = READERS.read_value(request, list[CalendarEntry])
    jobs.finish(row, FileImport.State.READY, content=encode(content))


def table_of(row: FileImport) -> Table:
    """What a roster holds, by the last reading that went well."""
    table: Table = decode_value(bytes(row.content or b""), Table)
    return table


def entries_of(row: FileImport) -> list[CalendarEntry]:
    """What a calendar holds."""
    entries: list[CalendarEntry] = decode_value(bytes(row.content or b""), list[CalendarEntry])
    return entries


def check_is_read(row: FileImport) -> None:
    """Raises StillReading, or UserError with what stopped the reading."""
    if row.state == FileImport.State.QUEUED:
        raise StillReading("The file is still being read. Try again in a moment.")
    if row.state == FileImport.State.FAILED:
        raise UserError(row.error)


def delete_file_import(*, row: FileImport) -> None:
    """It was imported, or nobody wants it any more."""
    row.delete()


def delete_expired_file_imports() -> None:
    """Delete imports that are older than a day, with the names in them."""
    FileImport.objects.filter(created_at__lt=timezone.now() - FILE_IMPORT_RETENTION).defer("content").delete()
