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
    active_fetch_count,
    bytes_fetched_in_last_day,
    finish_fetch,
    partial_file_path,
    restart_fetch,
    save_fetch_progress,
    schedule_retry,
)
from campus.cctv.models import FootageFile, Source
from campus.common import jobs
from campus.common.errors import UserError
from campus.common.upload_limits import check_upload_size
from recognition.errors import Cancelled, RecordingOutOfLimits, UnreadableRecording
from recognition.messages import Message
from workers.leased_task import describe_unexpected_error, leased_task

if TYPE_CHECKING:
    from workers.egress_guard import Line
    from workers.stores import Found

log = logging.getLogger(__name__)

SLICE_SECONDS = 9 * 60  # of a fetch; then it goes on in another task
NOTE_SECONDS = 5  # between two notes of how far it is
STALL_SECONDS = 60  # in which a server has to bring STALL_BYTES, or what its own rate allows
STALL_BYTES = 1024 * 1024
OVERHEAD, OVERHEAD_BYTES = 1.1, 4 * 1024 * 1024  # what encryption, packaging and talk may add to the bytes of a file
BUSY, HOUR = timedelta(minutes=2), timedelta(hours=1)


class Later(UserError):
    """Try again after `pause`, else after one that grows, as after all that is not final."""

    def __init__(self, message: str | Message, /, pause: timedelta | None = None, **values: object) -> None:
        super().__init__(message, **values)
        self.pause = pause


class Final(UserError):
    """There is no use in trying again."""


def go_on(footage_file: FootageFile) -> None:
    """A slice is over that was put off and not failed: ask for the next one. Else it is another file's turn."""
    if FootageFile.objects.filter(
        pk=footage_file.pk, state=FootageFile.State.FETCHING, lease_owner="", attempts=footage_file.attempts - 1
    ).exists():
        jobs.FETCH.publish([footage_file.pk])
    else:
        queue_wanted_files(source=footage_file.source)


@leased_task(jobs.FETCH, after=go_on)
def fetch(footage_file: FootageFile) -> None:
    from recognition.media.video import probe

    path = partial_file_path(footage_file)
    try:
        with part_of(footage_file, path) as part:
            sha256 = checked(footage_file, part, tag=bring(footage_file, part))
            info = probe(path)
            if info.is_photo:
                raise Final("The file is a picture and no video.")
            if not finish_fetch(footage_file=footage_file, part=path, sha256=sha256, info=info):
                raise Cancelled("The footage file was discarded, or somebody else fetched it.")
    except (Final, RecordingOutOfLimits, UnreadableRecording):
        path.unlink(missing_ok=True)
        raise
    except UserError as error:
        log.warning("footage file %s: later, since: %s", footage_file.pk, error)
        schedule_retry(
            footage_file=footage_file, why=error.message, pause=error.pause if isinstance(error, Later) else None
        )


@contextmanager
def part_of(footage_file: FootageFile, path: Path) -> Iterator[IO[bytes]]:
    """The part file, for this attempt alone. It holds exactly the bytes that were noted; or fewer, and then `fetched_bytes` says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(os.open(path, os.O_RDWR | os.O_CREAT, 0o640), "r+b") as part:  # noqa: PTH123
        try:
            fcntl.flock(part, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise jobs.Postponed from error  # an attempt that lost its lease has not noticed it yet
        footage_file.fetched_bytes = min(footage_file.fetched_bytes, os.fstat(part.fileno()).st_size)
        part.truncate(footage_file.fetched_bytes)
        yield part


def bring(footage_file: FootageFile, part: IO[bytes]) -> str:
    """Fetch what is missing, in as many slices as it takes; returns the file's tag.

    Raises Postponed when a slice is over, Cancelled, and UserError: Final, or anything else for another try.
    """
    from workers.source_listing import Unreachable, connected
    from workers.stores import Writing

    source = footage_file.source
    if not source.enabled:
        raise Later("The source is not in use.")
    most = min(source.max_file_gib * 1024**3, settings.MAX_RECORDING_BYTES)
    try:
        with connected(source, seconds=STALL_SECONDS, budget=OVERHEAD_BYTES) as (there, up):
            before = there.look_at(footage_file.path)
            check(footage_file, before, most)
            up.budget += int(footage_file.size * OVERHEAD)  # of all of it: some servers know no parts
            copy(footage_file, part, there.read(footage_file.path, footage_file.fetched_bytes), up)
            if there.look_at(footage_file.path) != before:
                anew(footage_file, before)
            return before.tag
    except Writing as error:
        raise Later(error.message, BUSY) from error
    except Unreachable as error:
        if error.gone:
            raise Final("The source does not have the file any more.") from error
        raise


def check(footage_file: FootageFile, there: "Found", most: int) -> None:
    """Whether the file is the one that was seen, ends at all, and has room here and within the bounds of its source."""
    if there.size is None:
        raise Final("The server does not say how large the file is. So it is not fetched: it might never end.")
    if there.size > most:
        raise Final(
            "The file has {size}; at most {most} are fetched from this source.",
            size=filesizeformat(there.size),
            most=filesizeformat(most),
        )
    moved = there.modified and footage_file.modified_at and there.modified != footage_file.modified_at
    if moved or there.size != footage_file.size:
        anew(footage_file, there)
    if (
        bytes_fetched_in_last_day(footage_file.source) + there.size - footage_file.fetched_bytes
        > footage_file.source.max_gib_per_day * 1024**3
    ):
        raise Later("The source's bytes of the day are used up.", HOUR)
    check_upload_size(there.size, settings.MEDIA_ROOT, coming=there.size - footage_file.fetched_bytes)


def anew(footage_file: FootageFile, there: "Found") -> NoReturn:
    restart_fetch(footage_file=footage_file, size=there.size or 0, modified=there.modified)
    raise Later("The file is still being written, or was changed.", BUSY)


def copy(footage_file: FootageFile, part: IO[bytes], chunks: Iterable[bytes], up: "Line") -> None:
    """Append to the part file until the file is whole; note how far it is, from time to time, once it is safe on the disk."""
    began = noted = time.monotonic()
    at = heard = footage_file.fetched_bytes
    pace = Pace(footage_file.source)
    part.seek(at)
    try:
        for chunk in chunks:
            if at + len(chunk) > footage_file.size:
                raise Later("The server sends more bytes than the file was said to have.", BUSY)
            with storing():
                part.write(chunk)
            at += len(chunk)
            up.wait(pace.pause(len(chunk)))
            if at - heard >= pace.least:
                up.more(STALL_SECONDS)
                heard = at
            if (now := time.monotonic()) - noted >= NOTE_SECONDS:
                note(footage_file, part, at)
                pace.share()
                noted = now
                if now - began >= SLICE_SECONDS and at < footage_file.size:
                    raise jobs.Postponed
    finally:
        note(footage_file, part, at)
    up.more(STALL_SECONDS)
    if at < footage_file.size:
        raise Later(up.why or Message("The connection to the server was refused, or it broke."))


@contextmanager
def storing() -> Iterator[None]:
    """What our own disk refuses is not the server's fault."""
    try:
        yield
    except OSError as error:
        raise Later(describe_unexpected_error(error), HOUR) from error


def note(footage_file: FootageFile, part: IO[bytes], at: int) -> None:
    with storing():
        part.flush()
        os.fdatasync(part.fileno())
    if not save_fetch_progress(footage_file=footage_file, fetched_bytes=at):
        raise Cancelled("The footage file is not wanted any more, or somebody else fetches it.")


class Pace:
    """As fast as the source's rate allows, divided by those who fetch from it at the same time."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.due = time.monotonic()
        self.share()

    def share(self) -> None:
        self.rate = (
            self.source.max_kib_per_second * 1024 / max(1, active_fetch_count(self.source))
            if self.source.max_kib_per_second
            else math.inf
        )

    @property
    def least(self) -> float:
        """Bytes that have to come in STALL_SECONDS."""
        return min(STALL_BYTES, self.rate * STALL_SECONDS / 4)

    def pause(self, count: int) -> float:
        """How many seconds to wait after so many bytes."""
        now = time.monotonic()
        self.due = max(self.due, now) + count / self.rate
        return self.due - now


def checked(footage_file: FootageFile, part: IO[bytes], tag: str) -> str:
    """The SHA-256 of what came. Raises Later where the store has another MD5.

    A store may have tags that only look like an MD5: bytes that come twice alike are believed.
    """
    sha256 = digest(part, "sha256")
    if (
        footage_file.source.kind == Source.Kind.S3
        and re.fullmatch("[0-9a-f]{32}", tag)
        and digest(part, "md5") != tag
        and footage_file.sha256 != sha256
    ):
        restart_fetch(
            footage_file=footage_file, size=footage_file.size, modified=footage_file.modified_at, sha256=sha256
        )
        raise Later("The file was damaged on its way. It is fetched again.", BUSY)
    return sha256


def digest(part: IO[bytes], algorithm: str) -> str:
    part.seek(0)
    return hashlib.file_digest(part, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()  # type: ignore[arg-type]
