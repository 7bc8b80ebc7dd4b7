"""Uploads that come in pieces (tus 1.0): everything that writes them.

The row says how many bytes are here, the part file has them. A request that writes takes the row over with one UPDATE; whoever
wrote before, in this process or another, finds that out under the file's lock and changes nothing any more. Nothing is held in
memory, so a restarted server goes on where the row says.
"""

import fcntl
import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import IO, Any, Protocol
from uuid import uuid4

from django.conf import settings
from django.contrib.auth.models import User
from django.db import IntegrityError, transaction
from django.db.models import F, Sum
from django.utils import timezone

from campus.academics.models import Lecture
from campus.common import jobs
from campus.common.errors import DISK_FULL, UserError, disk_full
from campus.common.file_names import sanitize_file_name
from campus.common.upload_limits import DiskFull, check_upload_size
from campus.recordings.models import Recording, Upload, recording_path
from campus.recordings.services import refuse_duplicate

log = logging.getLogger(__name__)

UPLOAD_LIFETIME = timedelta(days=7)  # an upload that nobody goes on with
DISK_RESERVATION = timedelta(
    hours=1
)  # since its last byte: so long the rest of its bytes has its place on the disk reserved
CHUNK_BYTES = 4 * 1024 * 1024


class UploadConflict(UserError):
    """The bytes do not follow those that are here, or another request has taken the upload over."""


class DamagedUpload(UserError):
    """The bytes are not those that the sender has."""


class ByteStream(Protocol):
    def read(self, size: int, /) -> bytes: ...


def create_upload(*, lecture: Lecture, user: User, name: str, size: int, sha256: str = "") -> Upload:
    """Announce a file. Raises TooLarge, NoRoom, AlreadyHere, or UserError for an empty one, before the first byte is sent."""
    name = sanitize_file_name(name)
    if not size:
        raise UserError("{name} is empty. Choose another file.", name=name)
    coming = Upload.objects.filter(recording=None, expires_at__gt=timezone.now() + UPLOAD_LIFETIME - DISK_RESERVATION)
    reserved = coming.aggregate(bytes=Sum(F("size") - F("offset")))["bytes"] or 0
    check_upload_size(size, settings.MEDIA_ROOT, reserved=reserved)
    refuse_duplicate(lecture, sha256)
    upload = Upload(
        lecture=lecture,
        user=user,
        original_name=name,
        size=size,
        sha256=sha256,
        expires_at=timezone.now() + UPLOAD_LIFETIME,
    )
    part_path(upload).parent.mkdir(parents=True, exist_ok=True)
    part_path(upload).touch(mode=0o640)
    upload.save(force_insert=True)
    log.info("upload %s: %d bytes announced for lecture %s", upload.pk, size, lecture.pk)
    return upload


def append_to_upload(
    *, upload: Upload, offset: int, body: ByteStream, length: int, checksum: tuple[str, bytes] | None = None
) -> int:
    """Write `length` bytes from `offset` on, and return how many are here now: fewer when the connection broke.

    With a `checksum`, the algorithm and its digest, the bytes count only when all of them came and agree. Raises WrongPlace,
    Damaged, NoRoom, or TooLarge; what was written of the bytes before stays.
    """
    if length > upload.size - offset:
        raise UserError("These are more bytes than were announced. Start the upload again.")
    check_upload_size(length, settings.MEDIA_ROOT)
    writer = uuid4().hex
    mine = Upload.objects.filter(pk=upload.pk, writer=writer, recording=None)
    if not Upload.objects.filter(pk=upload.pk, offset=offset, recording=None).update(writer=writer):
        raise UploadConflict(
            "The server has another number of bytes of this file. Ask it how many, and go on from there."
        )
    digest = hashlib.new(checksum[0], usedforsecurity=False) if checksum else None
    at = offset
    try:
        with part_path(upload).open("r+b") as part:
            for piece in read_chunks(body, length):
                if digest:
                    digest.update(piece)
                with file_lock(part):
                    if not mine.exists():
                        raise UploadConflict("Another request goes on with this upload.")
                    part.seek(at)
                    part.write(piece)
                    part.flush()
                    at += len(piece)
                    if not digest:
                        mine.update(offset=at, expires_at=timezone.now() + UPLOAD_LIFETIME)
    except OSError as error:
        if disk_full(error):
            raise DiskFull(DISK_FULL) from error
        if isinstance(error, FileNotFoundError):
            raise UploadConflict("This upload is over.") from error
        raise
    if digest and checksum:
        if digest.digest() != checksum[1]:
            raise DamagedUpload("These bytes were damaged on their way. Send them again.")
        if not mine.update(offset=at, expires_at=timezone.now() + UPLOAD_LIFETIME):
            raise UploadConflict("Another request goes on with this upload.")
    upload.offset = at
    return at


def read_chunks(body: ByteStream, length: int) -> Iterator[bytes]:
    """The bytes of a request until they end; a connection that breaks ends them early."""
    while length > 0:
        try:
            piece = body.read(min(CHUNK_BYTES, length))
        except OSError:  # Django's UnreadablePostError, too
            return
        if not piece:
            return
        length -= len(piece)
        yield piece


@contextmanager
def file_lock(file: IO[Any]) -> Iterator[None]:
    fcntl.flock(file, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)


def finish_upload(*, upload: Upload) -> Recording:
    """All bytes are here: make the recording, and ask for its ingest. Whoever comes second gets the same recording.

    Takes no longer for a large file: the worker reads it, see `verify_upload`. Raises AlreadyHere for a duplicate, and Damaged
    where the bytes are gone; the upload is gone then, too.
    """
    part, name = part_path(upload), recording_path(Recording(pk=upload.pk), upload.original_name)
    kept = Path(settings.MEDIA_ROOT, name)
    try:
        # A server that was stopped between the renaming and the commit left it under the recording's name.
        file = next(path for path in (part, kept) if path.exists()).open("rb")
    except (StopIteration, FileNotFoundError):
        if (twin := Recording.objects.filter(pk=upload.pk).first()) is not None:
            return twin
        delete_upload(upload=upload)
        raise DamagedUpload("The bytes of this upload are no longer on the server. Upload the file again.") from None
    with file, file_lock(file):
        if (twin := Recording.objects.filter(pk=upload.pk).first()) is not None:
            return twin
        recording = Recording(
            pk=upload.pk,
            lecture=upload.lecture,
            file=name,
            original_name=upload.original_name,
            size=upload.size,
            sha256=upload.sha256,
            uploaded_by=upload.user,
        )
        try:
            refuse_duplicate(upload.lecture, upload.sha256)
            if part.exists():
                kept.parent.mkdir(parents=True, exist_ok=True)
                part.replace(kept)
            try:
                with transaction.atomic():
                    recording.save(force_insert=True)
                    Upload.objects.filter(pk=upload.pk).update(recording=recording)
                    jobs.INGEST.request(recording.pk)
            except IntegrityError:
                refuse_duplicate(upload.lecture, upload.sha256)
                raise
        except UserError:
            kept.unlink(missing_ok=True)
            delete_upload(upload=upload)
            raise
    upload.recording = recording
    log.info("recording %s: %d bytes for lecture %s, in pieces", recording.pk, recording.size, recording.lecture_id)
    return recording


def verify_upload(*, recording: Recording) -> None:
    """Make the SHA-256 of a file that came in pieces, and compare it with the sender's. For a worker: it reads the whole file.

    Raises Damaged, or AlreadyHere where the sender announced none and the lecture has the file.
    """
    upload = Upload.objects.filter(recording=recording).first()
    if upload is None:
        return  # it came in another way, and is known
    with Path(recording.file.path).open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    mine = Recording.objects.filter(pk=recording.pk)
    if upload.sha256 and upload.sha256 != sha256:
        mine.update(sha256="")  # the undamaged file is no duplicate
        raise DamagedUpload(
            "The file was damaged on its way: its SHA-256 is not the one of your file. Upload it again."
        )
    try:
        with transaction.atomic():
            mine.update(sha256=sha256)
    except IntegrityError:
        refuse_duplicate(recording.lecture, sha256)
        raise


def delete_upload(*, upload: Upload) -> None:
    """Forget an upload and its bytes. A recording that was made of it stays."""
    Upload.objects.filter(pk=upload.pk).delete()
    part_path(upload).unlink(missing_ok=True)


def finish_complete_uploads() -> None:
    """Make recordings of uploads whose bytes are all here although their sender went away before saying so."""
    complete = Upload.objects.filter(recording=None, offset=F("size"), expires_at__gt=timezone.now())
    for upload in complete.select_related("lecture", "user"):
        with suppress(UserError):
            finish_upload(upload=upload)


def delete_expired_uploads() -> None:
    """Delete uploads that nobody has continued for long, and part files that belong to no upload."""
    now = timezone.now()
    for upload in Upload.objects.filter(expires_at__lt=now):
        delete_upload(upload=upload)
    known = {str(pk) for pk in Upload.objects.filter(recording=None).values_list("pk", flat=True)}
    for path in Path(settings.MEDIA_ROOT, "uploads").glob("*.part"):
        if path.stem not in known and path.stat().st_mtime < (now - DISK_RESERVATION).timestamp():
            path.unlink(missing_ok=True)


def part_path(upload: Upload) -> Path:
    return Path(settings.MEDIA_ROOT, "uploads", f"{upload.pk}.part")
