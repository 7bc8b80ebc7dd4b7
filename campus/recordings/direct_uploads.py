"""Uploads whose bytes go straight from the sender to the storage, in parts to addresses that the server signs.

What `uploads.py` checks of an upload holds for these, too, and a worker hashes the file before it counts.
"""

import math
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.utils import timezone

from campus.common.errors import UserError
from campus.common.storage import PartsStore
from campus.recordings.models import RECORDINGS_FOLDER, Recording, Upload
from campus.recordings.uploads import (
    UPLOAD_LIFETIME,
    DamagedUpload,
    UploadConflict,
    direct_store,
    part_path,
    recording_name,
    save_as_recording,
)

MIN_PART_BYTES: Final = 8 * 1024 * 1024
MAX_PARTS: Final = 10_000  # as S3 takes them
MAX_SIGNED_PARTS: Final = 8  # in one answer
# A web server stores a large file in parts as well, which takes no longer.
UNKNOWN_PARTS_RETENTION: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingPart:
    """A part that has not come yet: which bytes of the file it is, and the address that takes them in a PUT."""

    start: int
    size: int
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectUpload:
    """How far an upload is. The recording is made once all bytes have come; until then, some parts are missing."""

    offset: int
    missing: list[MissingPart]
    recording: Recording | None = None


def may_send_parts(upload: Upload) -> bool:
    """Whether bytes of this upload may go straight to the storage: nothing has come otherwise."""
    return direct_store() is not None and not upload.recording_id and bool(upload.parts_id or not upload.offset)


def continue_direct_upload(*, upload: Upload) -> DirectUpload:
    """Sign addresses for the next missing parts; if none is missing, make the recording and request its ingest.

    Raises UploadConflict where the bytes come by tus, DuplicateRecording, DamagedUpload, and OSError.
    """
    store = direct_store()
    if upload.recording:
        return DirectUpload(offset=upload.size, missing=[], recording=upload.recording)
    if store is None or not _begin(upload, store):
        raise UploadConflict("The bytes of this upload have to be sent to this server, by tus.")
    sizes, tags = _part_sizes(upload), _find_tags(upload, store)
    missing = [] if tags is None else [number for number in sizes if number not in tags]
    if not missing:
        return DirectUpload(offset=upload.size, missing=[], recording=_join(upload, store, tags))
    arrived = upload.size - sum(sizes[number] for number in missing)
    if arrived != upload.offset:
        Upload.objects.filter(pk=upload.pk).update(offset=arrived, expires_at=timezone.now() + UPLOAD_LIFETIME)
    name = recording_name(upload)
    signed = [
        MissingPart(
            start=(number - 1) * sizes[1],
            size=sizes[number],
            url=store.sign_part(name, upload.parts_id, number, sizes[number]),
        )
        for number in missing[:MAX_SIGNED_PARTS]
    ]
    return DirectUpload(offset=arrived, missing=signed)


def _begin(upload: Upload, store: PartsStore) -> bool:
    """Whether the upload is sent in parts, which it is from now on if nothing of it was sent yet."""
    if not upload.parts_id and not upload.offset:
        name = recording_name(upload)
        parts_id = store.begin_parts(name)
        if Upload.objects.filter(pk=upload.pk, offset=0, parts_id="").update(parts_id=parts_id):
            part_path(upload).unlink(missing_ok=True)
        else:
            store.discard_parts(name, parts_id)
        upload.refresh_from_db(fields=["parts_id"])
    return bool(upload.parts_id)


def _part_sizes(upload: Upload) -> dict[int, int]:
    """By number, from 1."""
    part_bytes = max(MIN_PART_BYTES, math.ceil(upload.size / MAX_PARTS))
    starts = range(0, upload.size, part_bytes)
    return {number: min(part_bytes, upload.size - start) for number, start in enumerate(starts, 1)}


def _find_tags(upload: Upload, store: PartsStore) -> dict[int, str] | None:
    """The tags of the parts that have come, by number; None if they are joined or discarded."""
    try:
        found = store.find_parts(recording_name(upload), upload.parts_id)
    except FileNotFoundError:
        return None
    sizes = _part_sizes(upload)
    return {number: tag for number, (size, tag) in found.items() if sizes.get(number) == size}


def _join(upload: Upload, store: PartsStore, tags: dict[int, str] | None) -> Recording:
    def join(name: str) -> None:
        size = 0
        with suppress(FileNotFoundError):  # of parts that another request has just joined or discarded
            if tags:
                store.join_parts(name, upload.parts_id, [tags[number] for number in sorted(tags)])
        with suppress(FileNotFoundError):
            size = store.stat(name).size
        if size != upload.size:
            raise DamagedUpload("The bytes of this upload are no longer on the server. Upload the file again.")

    return save_as_recording(upload=upload, store=join)


def finish_direct_uploads() -> None:
    """Make recordings of uploads whose parts have all come although their sender never asked again."""
    if (store := direct_store()) is None:
        return
    unfinished = Upload.objects.filter(recording=None, expires_at__gt=timezone.now()).exclude(parts_id="")
    for upload in unfinished.select_related("lecture", "user"):
        tags = _find_tags(upload, store)
        if tags is None or len(tags) == len(_part_sizes(upload)):
            with suppress(UserError):
                _join(upload, store, tags)


def discard_unknown_parts() -> None:
    """Discard parts of uploads that went with their lecture, and what came while an upload was discarded."""
    if (store := direct_store()) is None:
        return
    known = set(Upload.objects.exclude(parts_id="").values_list("parts_id", flat=True))
    begun_before = timezone.now() - UNKNOWN_PARTS_RETENTION
    for file in store.find_unfinished(RECORDINGS_FOLDER):
        if file.parts_id not in known and file.begun_at < begun_before:
            store.discard_parts(file.name, file.parts_id)
