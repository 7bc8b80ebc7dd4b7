"""Zips that people upload for a registry: a worker says what one would change, and applies it when a person says so."""

from typing import Any

from django.contrib.auth.models import User
from django.core.files import File
from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from campus.academics.file_imports import FILE_IMPORT_RETENTION
from campus.common import jobs
from campus.common.errors import UserError, explain_full_disk
from campus.common.storage import delete_media_after_commit, media
from campus.connections.adapters import ZipAdapter, adapter_for
from campus.connections.models import Connection, ConnectionRun
from campus.connections.oneroster_contents import MAX_ZIP_BYTES
from recognition.messages import Message

Task, State = ConnectionRun.Task, ConnectionRun.State
ZIP_RETENTION = FILE_IMPORT_RETENTION


def takes_zips(connection: Connection) -> bool:
    """Whether somebody may upload a zip for it."""
    adapter = adapter_for(connection.kind)
    return isinstance(adapter, ZipAdapter) and adapter.takes_zips(connection)


def upload_zip(*, connection: Connection, file: "File[Any]", user: User) -> ConnectionRun:
    """Have a worker say what the zip would change. It takes the place of one that was uploaded before.

    Raises UserError where it is too large, the disk is full, or another one is being read.
    """
    if file.size > MAX_ZIP_BYTES:
        raise UserError("The zip is larger than {n} MB. Export fewer terms.", n=MAX_ZIP_BYTES // 1024**2)
    run = ConnectionRun(connection=connection, task=Task.PREVIEW, user=user)
    with explain_full_disk():
        run.zip.save("", file, save=False)
    try:
        with transaction.atomic():
            forget_zips(rows=waiting_previews(connection))
            run.save(force_insert=True)
            jobs.EXCHANGE.request(run.pk)
    except IntegrityError as error:
        media().delete(str(run.zip.name))
        raise UserError("Another zip is being read. Wait for its preview.") from error
    return run


def waiting_previews(connection: Connection) -> QuerySet[ConnectionRun]:
    """What was read and waits for a person to apply it."""
    return connection.runs.filter(task=Task.PREVIEW, state=State.DONE).exclude(zip="")


@transaction.atomic
def apply_zip(*, preview: ConnectionRun, user: User) -> ConnectionRun:
    """Have a worker do what the preview says. Raises UserError where the zip is gone, or one is being applied."""
    row = waiting_previews(preview.connection).select_for_update().filter(pk=preview.pk).first()
    if row is None:
        raise UserError("This preview was already applied, or has expired. Upload the zip again.")
    if row.connection.runs.filter(task=Task.ZIP, state=State.QUEUED).exists():
        raise UserError("Another zip is being applied. Wait until that is done.")
    run = ConnectionRun.objects.create(connection=row.connection, task=Task.ZIP, user=user, zip=row.zip.name)
    ConnectionRun.objects.filter(pk=row.pk).update(zip="")
    jobs.EXCHANGE.request(run.pk)
    return run


def read_zip(*, run: ConnectionRun, adapter: ZipAdapter) -> Message:
    """Read the zip of an exchange, and apply it unless it is for a preview. Raises UserError."""
    with media().local_copy(str(run.zip.name)) as path:
        return adapter.import_zip(run.connection, run, path, is_trial=run.task == Task.PREVIEW)


@transaction.atomic
def forget_zips(*, rows: QuerySet[ConnectionRun]) -> int:
    """Delete the zips of these exchanges; returns how many."""
    names = dict(rows.exclude(zip="").values_list("pk", "zip"))
    for name in names.values():
        delete_media_after_commit(name)
    return ConnectionRun.objects.filter(pk__in=names).update(zip="")
