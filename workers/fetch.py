"""Fetch footage files from their sources, in slices that can be interrupted."""

import fcntl
import hashlib
import logging
import math
import os
import re
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, NoReturn

from django.conf import settings
from django.template.defaultfilters import filesizeformat

from campus.cctv.fetch_queue import queue_wanted_files
from campus.cctv.fetching import (
    MIN_EXPECTED_SHARE,
    active_fetch_count,
    bytes_fetched_in_last_day,
    expected_seconds,
    finish_fetch,
    partial_file_path,
    restart_fetch,
    save_fetch_progress,
    schedule_retry,
)
from campus.cctv.models import FootageFile, Source
from campus.common import jobs
from campus.common.errors import UserError
from campus.common.storage import local_path
from campus.common.upload_limits import check_upload_size
from recognition.errors import Cancelled, RecordingOutOfLimits, UnreadableRecording
from recognition.messages import Message
from recognition.types import VideoInfo
from workers import vision
from workers.leased_task import describe_unexpected_error, leased_task

if TYPE_CHECKING:
    from workers.egress_guard import EgressGuard
    from workers.stores import Entry

log = logging.getLogger(__name__)

SLICE_SECONDS = 9 * 60  # of one task; the next one goes on from there
PROGRESS_INTERVAL_SECONDS = 5
STALL_SECONDS = 60  # a server has to send STALL_BYTES in this time, or a quarter of what its rate limit allows
STALL_BYTES = 1024 * 1024
# Encryption, framing and the protocol may add so much to the bytes of a file.
OVERHEAD_FACTOR, OVERHEAD_BYTES = 1.1, 4 * 1024 * 1024
# A recorder begins with the key frame before the time, and its streams may be rounded up to their packets.
MAX_LENGTH_FACTOR, MAX_EXTRA_SECONDS = 1.1, 60
MAX_RETRIES_OF_SHORT_FILES = 2  # then there is no more of it
SHORT_DELAY, LONG_DELAY = timedelta(minutes=2), timedelta(hours=1)


class RetryLater(UserError):
    """The fetch should be tried again: after `delay`, or if that is None, after one that doubles with each failure."""

    def __init__(self, message: str | Message, /, delay: timedelta | None = None, **values: object) -> None:
        super().__init__(message, **values)
        self.delay = delay


class NotFetchable(UserError):
    """The fetch cannot succeed, so it is not tried again."""


def continue_or_fetch_next(footage_file: FootageFile) -> None:
    """Request the next slice of the file if one is due; otherwise queue other files of its source."""
    was_postponed = FootageFile.objects.filter(
        pk=footage_file.pk, state=FootageFile.State.FETCHING, lease_owner="", attempts=footage_file.attempts - 1
    ).exists()
    if was_postponed:
        jobs.FETCH.publish([footage_file.pk])
    else:
        queue_wanted_files(source=footage_file.source)


@leased_task(jobs.FETCH, after=continue_or_fetch_next)
def fetch(footage_file: FootageFile) -> None:
    """Fetch one slice of a footage file.

    The file fails for good if it is NotFetchable or cannot be used. Any other UserError leads to a retry.
    """
    path = partial_file_path(footage_file)
    try:
        with open_partial_file(footage_file, path) as file:
            tag = download(footage_file, file)
            sha256 = verify_download(footage_file, file, tag)
            info = vision.probe(path, footage_file.camera.stream if footage_file.camera else None)
            if info.is_photo:
                raise NotFetchable("The file is a picture, not a video.")
            check_length(footage_file, info)
            if not finish_fetch(footage_file=footage_file, part=path, sha256=sha256, info=info):
                raise Cancelled("The footage file was discarded, or another worker has fetched it.")
    except (NotFetchable, RecordingOutOfLimits, UnreadableRecording):
        path.unlink(missing_ok=True)
        raise
    except UserError as error:
        log.warning("footage file %s: will be tried again: %s", footage_file.pk, error)
        delay = error.delay if isinstance(error, RetryLater) else None
        schedule_retry(footage_file=footage_file, why=error.message, delay=delay)


@contextmanager
def open_partial_file(footage_file: FootageFile, path: Path) -> Iterator[IO[bytes]]:
    """The file with the bytes that have been fetched so far, locked for this attempt.

    It is truncated to the length in the row. If it is shorter, `fetched_bytes` is corrected.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(os.open(path, os.O_RDWR | os.O_CREAT, 0o640), "r+b") as file:  # noqa: PTH123
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise jobs.Postponed from error  # another attempt has lost its lease, but has not noticed yet
        is_resumable = footage_file.source.kind != Source.Kind.ONVIF  # which replays it anew, with other bytes
        size = os.fstat(file.fileno()).st_size if is_resumable else 0
        footage_file.fetched_bytes = min(footage_file.fetched_bytes, size)
        file.truncate(footage_file.fetched_bytes)
        yield file


def download(footage_file: FootageFile, file: IO[bytes]) -> str:
    """Append the missing bytes to the file, and return the remote file's tag.

    Raises Postponed at the end of a slice, Cancelled, NotFetchable, and other UserErrors for a retry.
    """
    from workers.source_listing import open_store
    from workers.stores import FileBeingWritten, StoreNotFound

    source = footage_file.source
    if not source.enabled:
        raise RetryLater("The source is not in use.")
    try:
        with open_store(source, seconds=STALL_SECONDS, max_bytes=OVERHEAD_BYTES) as (store, guard):
            remote = store.stat(footage_file.path)
            check_remote_file(footage_file, remote, has_size=store.has_sizes)
            # For the whole file, because some servers cannot send a part of one.
            guard.max_bytes += int((remote.size or max_file_bytes(source)) * OVERHEAD_FACTOR)
            chunks = store.read(footage_file.path, footage_file.fetched_bytes)
            append_chunks(footage_file, file, chunks, guard, size=remote.size)
            if store.stat(footage_file.path) != remote:
                start_over(footage_file, remote)
            return remote.tag
    except FileBeingWritten as error:
        raise RetryLater(error.message, SHORT_DELAY) from error
    except StoreNotFound as error:
        raise NotFetchable("The source does not have the file any more.") from error


def check_length(footage_file: FootageFile, info: VideoInfo) -> None:
    """Check that a recorder has sent what it was asked for: where it is more, nobody knows when it begins; where it is
    less, the connection may have ended early without a word."""
    expected = expected_seconds(footage_file)
    is_short = footage_file.source.kind in Source.CUTTING_KINDS and info.duration < MIN_EXPECTED_SHARE * expected
    if is_short and footage_file.retry_count < MAX_RETRIES_OF_SHORT_FILES:
        raise RetryLater("The recorder sent less than it was asked for. It is asked again.", SHORT_DELAY)
    if footage_file.source.is_recorder and info.duration > MAX_LENGTH_FACTOR * expected + MAX_EXTRA_SECONDS:
        raise NotFetchable(
            "The recorder sent {actual} minutes where {expected} were asked for, so nobody knows when they begin.",
            actual=round(info.duration / 60),
            expected=round(expected / 60),
        )


def max_file_bytes(source: Source) -> int:
    """The largest file that is fetched from the source."""
    return int(min(source.max_file_gib * 1024**3, settings.MAX_RECORDING_BYTES))


def check_max_size(source: Source, size: int) -> None:
    """Raises NotFetchable for a file with more bytes than are fetched from the source."""
    if size > max_file_bytes(source):
        raise NotFetchable(
            "The file has {size}; at most {most} are fetched from this source.",
            size=filesizeformat(size),
            most=filesizeformat(max_file_bytes(source)),
        )


def check_remote_file(footage_file: FootageFile, remote: "Entry", *, has_size: bool) -> None:
    """Check that the file has not changed, has a size if it should, and fits on the disk and into its source's
    limits."""
    source = footage_file.source
    if remote.size is None and has_size:
        raise NotFetchable("The server does not say how large the file is, so it is not fetched: it might never end.")
    check_max_size(source, remote.size or 0)
    if remote.size and not footage_file.size:  # a recorder says only now how large it is
        restart_fetch(footage_file=footage_file, size=remote.size, modified=footage_file.modified_at)
        footage_file.size, footage_file.fetched_bytes = remote.size, 0
    was_modified = remote.modified and footage_file.modified_at and remote.modified != footage_file.modified_at
    if was_modified or (remote.size is not None and remote.size != footage_file.size):
        start_over(footage_file, remote)
    missing_bytes = 1 if remote.size is None else remote.size - footage_file.fetched_bytes
    if bytes_fetched_in_last_day(source) + missing_bytes > source.max_gib_per_day * 1024**3:
        raise RetryLater("The source has reached its limit of bytes a day.", LONG_DELAY)
    check_upload_size(remote.size or 0, local_path(), coming=missing_bytes)


def start_over(footage_file: FootageFile, remote: "Entry") -> NoReturn:
    """The remote file changed: discard what was fetched, and wait until nobody writes into it."""
    restart_fetch(footage_file=footage_file, size=remote.size or 0, modified=remote.modified)
    raise RetryLater("The file is still being written, or was changed.", SHORT_DELAY)


def append_chunks(
    footage_file: FootageFile, file: IO[bytes], chunks: Iterable[bytes], guard: "EgressGuard", *, size: int | None
) -> None:
    """Append the chunks until the file has its size; if that is None, until the server says that it has sent all.

    Progress is saved regularly, once the bytes are on the disk.
    """
    started = last_saved = time.monotonic()
    fetched = fetched_at_deadline = footage_file.fetched_bytes
    limiter = RateLimiter(footage_file.source)
    file.seek(fetched)
    try:
        for chunk in chunks:
            if size is None:
                check_max_size(footage_file.source, fetched + len(chunk))
            elif fetched + len(chunk) > size:
                raise RetryLater("The server sends more bytes than it announced.", SHORT_DELAY)
            with retry_on_disk_errors():
                file.write(chunk)
            fetched += len(chunk)
            guard.sleep(limiter.pause_after(len(chunk)))
            if fetched - fetched_at_deadline >= limiter.min_bytes:
                guard.extend_deadline(STALL_SECONDS)
                fetched_at_deadline = fetched
            now = time.monotonic()
            if now - last_saved >= PROGRESS_INTERVAL_SECONDS:
                save_progress(footage_file, file, fetched)
                limiter.update_rate()
                last_saved = now
                if now - started >= SLICE_SECONDS and fetched != size:
                    raise jobs.Postponed
    finally:
        save_progress(footage_file, file, fetched)
    guard.extend_deadline(STALL_SECONDS)
    if guard.was_cut or (size is not None and fetched < size):
        raise RetryLater(guard.reason or Message("The connection to the server was refused, or it broke."))
    footage_file.size = fetched


@contextmanager
def retry_on_disk_errors() -> Iterator[None]:
    """Retry much later if our own disk fails, for example because it is full."""
    try:
        yield
    except OSError as error:
        raise RetryLater(describe_unexpected_error(error), LONG_DELAY) from error


def save_progress(footage_file: FootageFile, file: IO[bytes], fetched_bytes: int) -> None:
    with retry_on_disk_errors():
        file.flush()
        os.fdatasync(file.fileno())
    if not save_fetch_progress(footage_file=footage_file, fetched_bytes=fetched_bytes):
        raise Cancelled("The footage file is not wanted any more, or another worker fetches it.")


class RateLimiter:
    """Keeps a fetch to its share of the source's rate limit, which is divided among the source's active fetches."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.due = time.monotonic()  # when the bytes so far are due at the allowed rate
        self.update_rate()

    def update_rate(self) -> None:
        limit = self.source.max_kib_per_second
        if limit:
            self.bytes_per_second = limit * 1024 / max(1, active_fetch_count(self.source))
        else:
            self.bytes_per_second = math.inf

    @property
    def min_bytes(self) -> float:
        """The bytes that the server has to send in STALL_SECONDS."""
        return min(STALL_BYTES, self.bytes_per_second * STALL_SECONDS / 4)

    def pause_after(self, count: int) -> float:
        """How many seconds to wait after this many bytes were received."""
        now = time.monotonic()
        self.due = max(self.due, now) + count / self.bytes_per_second
        return self.due - now


def verify_download(footage_file: FootageFile, file: IO[bytes], tag: str) -> str:
    """The SHA-256 of the file. Raises RetryLater if the store's tag is an MD5 that differs.

    A tag may only look like an MD5, so a file that arrives a second time with the same bytes is accepted.
    """
    sha256 = hash_file(file, "sha256")
    tag_may_be_md5 = footage_file.source.kind == Source.Kind.S3 and re.fullmatch("[0-9a-f]{32}", tag)
    if tag_may_be_md5 and hash_file(file, "md5") != tag and footage_file.sha256 != sha256:
        restart_fetch(
            footage_file=footage_file, size=footage_file.size, modified=footage_file.modified_at, sha256=sha256
        )
        raise RetryLater("The file was damaged in transit. It is being fetched again.", SHORT_DELAY)
    return sha256


def hash_file(file: IO[bytes], algorithm: str) -> str:
    file.seek(0)
    return hashlib.file_digest(file, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()  # type: ignore[arg-type]
