"""Uploads in several requests (tus 1.0): everything that writes them.

The row says how many bytes have arrived, the part file holds them. A request that writes takes the row over with one
UPDATE; an earlier request, in this process or another, notices that under the file's lock and no longer changes
anything. Nothing is kept in memory, so a restarted server continues where the row says.
"""

import fcntl
import hashlib
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import IO, Any, Protocol
from uuid import uuid4

from django.conf import settings
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import F, Sum
from django.db.models.functions import Least
from django.utils import timezone

from campus.academics.models import Lecture
from campus.common import jobs
from campus.common.errors import DISK_FULL, UserError, disk_full
from campus.common.file_names import sanitize_file_name
from campus.common.storage import PartsStore, local_path, media
from campus.common.upload_limits import DiskFull, check_upload_size
from campus.recordings.models import Recording, Upload, recording_path
from campus.recordings.services import place_fields, refuse_duplicate
from recognition.files import sha256_of

log = logging.getLogger(__name__)

UPLOAD_LIFETIME = timedelta(days=7)  # after the last byte
# Since its last byte: so long, disk space is reserved for an upload, as much again as has arrived and this beginning.
# An announced size alone reserves no more, so that nobody keeps others from uploading by announcing.
DISK_RESERVATION = timedelta(hours=1)
FIRST_RESERVED_BYTES = 64 * 1024 * 1024
# Of one person.
MAX_OPEN_UPLOADS = 20
MAX_OPEN_RECORDING_SIZES = 2  # what all open uploads together may have, in sizes of the largest recording
CHUNK_BYTES = 4 * 1024 * 1024


class UploadConflict(UserError):
    """The bytes do not follow those that have arrived, or another request has taken the upload over."""


class DamagedUpload(UserError):
    """The bytes differ from those of the sender, or are gone."""


class ByteStream(Protocol):
    def read(self, size: int, /) -> bytes: ...


def create_upload(
    *,
    lecture: Lecture,
    user: User,
    name: str,
    size: int,
    sha256: str = "",
    offset: float | None = None,
    replaces: Recording | None = None,
) -> Upload:
    """Announce a file; `offset` and `replaces` are as for `create_recording`.

    Raises TooLarge, DiskFull, DuplicateRecording, or UserError for an empty file or too many open uploads of the user,
    before the first byte is sent.
    """
    name = sanitize_file_name(name)
    if not size:
        raise UserError("{name} is empty. Choose another file.", name=name)
    active = Upload.objects.filter(
        recording=None, parts_id="", expires_at__gt=timezone.now() + UPLOAD_LIFETIME - DISK_RESERVATION
    )
    reserved_bytes = Least(F("size") - F("offset"), F("offset") + FIRST_RESERVED_BYTES)
    reserved = active.aggregate(bytes=Sum(reserved_bytes))["bytes"] or 0
    # What is not sent straight to the storage after all is checked as it comes.
    check_upload_size(size, local_path(), coming=0 if direct_store() else None, reserved=reserved)
    refuse_duplicate(lecture, sha256)
    upload = Upload(
        lecture=lecture,
        user=user,
        original_name=name,
        size=size,
        sha256=sha256,
        recording_offset=offset,
        replaces=replaces,
        expires_at=timezone.now() + UPLOAD_LIFETIME,
    )
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        _make_room(user, size)
        part_path(upload).parent.mkdir(parents=True, exist_ok=True)
        part_path(upload).touch(mode=0o600)
        upload.save(force_insert=True)
    log.info("upload %s: %d bytes announced for lecture %s", upload.pk, size, lecture.pk)
    return upload


def _make_room(user: User, size: int) -> None:
    """Delete the user's oldest uploads that nobody goes on with, as far as one of `size` bytes needs their place.
    Raises UserError if there are too many others."""
    idle_since = timezone.now() + UPLOAD_LIFETIME - DISK_RESERVATION
    uploads = list(Upload.objects.filter(user=user, recording=None).order_by("expires_at"))
    most_bytes = MAX_OPEN_RECORDING_SIZES * settings.MAX_RECORDING_BYTES
    idle = []
    while len(uploads) >= MAX_OPEN_UPLOADS or sum(upload.size for upload in uploads) + size > most_bytes:
        if not uploads or uploads[0].expires_at > idle_since:
            raise UserError("You are uploading many files already. Wait until one of them is done.")
        idle.append(uploads.pop(0))
    for upload in idle:
        delete_upload(upload=upload)


def append_to_upload(
    *, upload: Upload, offset: int, body: ByteStream, length: int, checksum: tuple[str, bytes] | None = None
) -> int:
    """Write `length` bytes at `offset`, and return how many bytes have arrived: fewer than expected if the connection
    broke.

    With a `checksum` (algorithm and digest) the bytes count only if all of them arrived and match it. Raises
    UploadConflict, DamagedUpload, DiskFull or TooLarge; bytes that were written before stay.
    """
    if length > upload.size - offset:
        raise UserError("These are more bytes than were announced. Start the upload again.")
    check_upload_size(length, local_path())
    writer = uuid4().hex
    held = Upload.objects.filter(pk=upload.pk, writer=writer, parts_id="", recording=None)
    if not Upload.objects.filter(pk=upload.pk, offset=offset, parts_id="", recording=None).update(writer=writer):
        raise UploadConflict(
            "The server has another number of bytes of this file. Ask it how many, and go on from there."
        )
    digest = hashlib.new(checksum[0], usedforsecurity=False) if checksum else None
    end = offset
    try:
        with part_path(upload).open("r+b") as part:
            for chunk in read_chunks(body, length):
                if digest:
                    digest.update(chunk)
                with file_lock(part):
                    if not held.exists():
                        raise UploadConflict("Another request goes on with this upload.")
                    part.seek(end)
                    part.write(chunk)
                    part.flush()
                    end += len(chunk)
                    if not digest:
                        held.update(offset=end, expires_at=timezone.now() + UPLOAD_LIFETIME)
    except OSError as error:
        if disk_full(error):
            raise DiskFull(DISK_FULL) from error
        if isinstance(error, FileNotFoundError):
            raise UploadConflict("This upload is over.") from error
        raise
    if digest and checksum:
        if digest.digest() != checksum[1]:
            raise DamagedUpload("These bytes were damaged on their way. Send them again.")
        if not held.update(offset=end, expires_at=timezone.now() + UPLOAD_LIFETIME):
            raise UploadConflict("Another request goes on with this upload.")
    upload.offset = end
    return end


def read_chunks(body: ByteStream, length: int) -> Iterator[bytes]:
    """The bytes of a request, fewer than `length` if the connection breaks."""
    while length > 0:
        try:
            chunk = body.read(min(CHUNK_BYTES, length))
        except OSError:  # includes Django's UnreadablePostError
            return
        if not chunk:
            return
        length -= len(chunk)
        yield chunk


@contextmanager
def file_lock(file: IO[Any]) -> Iterator[None]:
    fcntl.flock(file, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)


def finish_upload(*, upload: Upload) -> Recording:
    """Make a recording of an upload whose bytes have all arrived, and request its ingest. A second call returns the
    same recording.

    A large file takes no longer: the worker reads it, see `verify_upload`. Raises DuplicateRecording, or DamagedUpload
    if the bytes are gone; the upload is deleted in both cases.
    """
    part = part_path(upload)
    try:
        file = part.open("rb")
    except FileNotFoundError:
        if (finished := Recording.objects.filter(pk=upload.pk).first()) is not None:
            return finished
        delete_upload(upload=upload)
        raise DamagedUpload("The bytes of this upload are no longer on the server. Upload the file again.") from None
    with file, file_lock(file):
        recording = save_as_recording(upload=upload, store=lambda name: media().store(part, name))
        part.unlink(missing_ok=True)
    return recording


def save_as_recording(*, upload: Upload, store: Callable[[str], None]) -> Recording:
    """Make the recording once `store` has stored its file by that name, unless it is there already.

    Raises DuplicateRecording and what `store` raises; after a UserError the upload and the file are deleted.
    """
    if (finished := Recording.objects.filter(pk=upload.pk).first()) is not None:
        return finished
    name = recording_name(upload)
    recording = Recording(
        pk=upload.pk,
        lecture=upload.lecture,
        file=name,
        original_name=upload.original_name,
        size=upload.size,
        sha256=upload.sha256,
        uploaded_by=upload.user,
        replaces_id=upload.replaces_id,
        **place_fields(upload.recording_offset),
    )
    try:
        refuse_duplicate(upload.lecture, upload.sha256)
        store(name)
        try:
            with transaction.atomic():
                recording.save(force_insert=True)
                Upload.objects.filter(pk=upload.pk).update(recording=recording, offset=upload.size)
                jobs.INGEST.request(recording.pk)
        except IntegrityError:
            if (finished := Recording.objects.filter(pk=upload.pk).first()) is not None:
                return finished
            refuse_duplicate(upload.lecture, upload.sha256)
            raise
    except UserError:
        if (finished := Recording.objects.filter(pk=upload.pk).first()) is not None:
            return finished  # another request has made it meanwhile
        media().delete(name)
        delete_upload(upload=upload)
        raise
    upload.recording = recording
    log.info("recording %s: %d bytes for lecture %s, in parts", recording.pk, recording.size, recording.lecture_id)
    return recording


def verify_upload(*, recording: Recording) -> None:
    """Compute the SHA-256 of an uploaded file and compare it with the sender's. For a worker: it reads the whole file.

    Raises DamagedUpload, or DuplicateRecording if the sender announced no SHA-256 and the lecture has the file already.
    """
    upload = Upload.objects.filter(recording=recording).first()
    if upload is None:
        return  # it arrived in one request, which computed the SHA-256
    with media().local_copy(str(recording.file.name)) as path:
        sha256 = sha256_of(path)
    row = Recording.objects.filter(pk=recording.pk)
    if upload.sha256 and upload.sha256 != sha256:
        row.update(sha256="")  # so that the undamaged file is no duplicate
        raise DamagedUpload(
            "The file was damaged on its way: its SHA-256 is not the one of your file. Upload it again."
        )
    try:
        with transaction.atomic():
            row.update(sha256=sha256)
    except IntegrityError:
        refuse_duplicate(recording.lecture, sha256)
        raise


def delete_upload(*, upload: Upload) -> None:
    """Delete an upload and its bytes. A recording that was made of it stays."""
    Upload.objects.filter(pk=upload.pk).delete()
    part_path(upload).unlink(missing_ok=True)
    store, name = media(), recording_name(upload)
    if upload.parts_id and not upload.recording_id and isinstance(store, PartsStore):
        transaction.on_commit(lambda: store.discard_parts(name, upload.parts_id), robust=True)


def finish_complete_uploads() -> None:
    """Make recordings of uploads whose bytes are all on this machine although their sender never said so."""
    complete = Upload.objects.filter(recording=None, offset=F("size"), expires_at__gt=timezone.now())
    for upload in complete.select_related("lecture", "user"):
        if part_path(upload).exists():
            with suppress(UserError):
                finish_upload(upload=upload)


def delete_expired_uploads() -> None:
    """Delete uploads that nobody has continued for long, and part files that belong to no upload."""
    now = timezone.now()
    for upload in Upload.objects.filter(expires_at__lt=now):
        delete_upload(upload=upload)
    known = {str(pk) for pk in Upload.objects.filter(recording=None).values_list("pk", flat=True)}
    for path in local_path("uploads").glob("*.part"):
        if path.stem not in known and path.stat().st_mtime < (now - DISK_RESERVATION).timestamp():
            path.unlink(missing_ok=True)


def direct_store() -> PartsStore | None:
    """The storage, if recordings may be sent straight to it."""
    store = media()
    return store if settings.DIRECT_UPLOADS and isinstance(store, PartsStore) else None


def recording_name(upload: Upload) -> str:
    """By which the file of the recording is stored."""
    return recording_path(Recording(pk=upload.pk), upload.original_name)


def part_path(upload: Upload) -> Path:
    return local_path("uploads", f"{upload.pk}.part")
