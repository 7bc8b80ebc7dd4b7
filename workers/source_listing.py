"""Connects to a source and lists its files, within limits. Nothing is fetched here."""

from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import date, timedelta
from itertools import islice
from typing import TYPE_CHECKING, cast

from celery.exceptions import SoftTimeLimitExceeded
from django.db import DatabaseError
from django.utils import timezone

from campus.cctv.clock_drift import save_measured_clock_offset
from campus.cctv.credentials import read_password
from campus.cctv.egress_policy import allowed_address
from campus.cctv.fetching import save_host_key
from campus.cctv.file_discovery import ChannelSpan, RemoteFile
from campus.cctv.models import Source
from campus.cctv.path_patterns import compile_pattern
from campus.common import jobs
from campus.common.errors import UserError
from recognition.errors import RecognitionError
from workers.egress_guard import EgressGuard, guard_egress
from workers.stores import Entry, Store, StoreUnavailable, store_class

if TYPE_CHECKING:
    from workers.stores.recorder import Recorder

LISTING_SECONDS = 300
LISTING_MAX_BYTES = 16 * 1024 * 1024  # of all folders together
MAX_FILES = 50_000
MAX_FOLDERS = 5_000
MAX_DEPTH = 12
MAX_PATH_LENGTH = 1000
MAX_FILE_BYTES = 2**60
MAX_CHANNELS, MAX_NAME_LENGTH = 500, 100
MAX_CLOCK_ERROR_SECONDS = 60  # of a recorder: with more, a lecture's footage would be that of other minutes

# Errors that do not come from the store's library.
OTHER_ERRORS = (UserError, RecognitionError, jobs.Postponed, SoftTimeLimitExceeded, MemoryError, DatabaseError)

Days = tuple[date, date]


@contextmanager
def open_store(
    source: Source, *, seconds: float, max_bytes: int, learn_host_key: bool = False
) -> Iterator[tuple[Store, EgressGuard]]:
    """The source's store, and the guard that limits its connections: see `workers.egress_guard`.

    `learn_host_key`: trust the key that an SFTP server shows if the source has none yet, and save it with the source.
    Errors of the store's library become StoreUnavailable. Raises UserError if the address is not allowed, or the source
    lacks something.
    """
    address = allowed_address(source)
    with guard_egress(address, seconds=seconds, max_bytes=max_bytes) as guard:
        cls = store_class(source.kind)
        try:
            with closing(cls(address, source, read_password(source), learn_host_key=learn_host_key)) as store:
                if learn_host_key and store.host_key:
                    save_host_key(source=source, key=store.host_key)
                yield store, guard
            if guard.was_cut:
                raise StoreUnavailable(guard.reason)
        except OTHER_ERRORS:
            raise
        except Exception as error:
            if guard.reason:
                raise StoreUnavailable(guard.reason) from error
            raise cls.translate_error(error) from error


def list_files(source: Source, days: Days | None = None, *, learn_host_key: bool = False) -> list[RemoteFile]:
    """The files of a source; with `days`, the first and the last in its time zone, only those that may be of them.

    A file whose name has no date may be of any day. Raises UserError, also if there are too many files or folders.
    """
    opened = open_store(source, seconds=LISTING_SECONDS, max_bytes=LISTING_MAX_BYTES, learn_host_key=learn_host_key)
    with opened as (store, guard):
        return list(_walk(source, store, guard, days))


def list_recordings(source: Source, spans: Iterable[ChannelSpan]) -> list[RemoteFile]:
    """The files with what a recorder has of these channels and times. Raises UserError, also if its clock is wrong."""
    with open_recorder(source) as recorder:
        return list(_recorded(source, recorder, spans))


def list_channels(source: Source) -> list[tuple[str, str]]:
    """What a recorder calls its channels, each with the name that it has for people; at most MAX_CHANNELS."""
    with open_recorder(source) as recorder:
        channels = islice(recorder.channels(), MAX_CHANNELS)
        return [(printable(channel), printable(name)) for channel, name in channels if printable(channel)]


def printable(text: str) -> str:
    """What can be shown of a text from outside."""
    return "".join(char for char in text if char.isprintable())[:MAX_NAME_LENGTH]


@contextmanager
def open_recorder(source: Source) -> Iterator["Recorder"]:
    """The recorder, once its clock was measured. Raises UserError if that is not as wrong as the source says."""
    with open_store(source, seconds=LISTING_SECONDS, max_bytes=LISTING_MAX_BYTES) as (store, _guard):
        recorder = cast("Recorder", store)
        if clock := recorder.clock():
            ahead = (clock - timezone.now()).total_seconds()
            save_measured_clock_offset(source_id=source.pk, ahead=ahead, by=Source.ClockReference.RECORDER)
            if abs(ahead - source.clock_offset) > MAX_CLOCK_ERROR_SECONDS:
                raise UserError(
                    "The recorder's clock shows {time}. Have it set itself by a time server (NTP); or enter under "
                    "“clock is ahead by” how many seconds it is fast: {ahead}.",
                    time=f"{clock.astimezone(source.tzinfo):%Y-%m-%d %H:%M:%S}",
                    ahead=round(ahead),
                )
        yield recorder


def _recorded(source: Source, recorder: "Recorder", spans: Iterable[ChannelSpan]) -> Iterator[RemoteFile]:
    clock_offset = timedelta(seconds=source.clock_offset)
    file_count = 0
    for span in spans:
        for file in recorder.recordings(span.channel, span.starts + clock_offset, span.ends + clock_offset):
            file_count += 1
            if file_count > MAX_FILES:
                raise UserError("The recorder has more recordings of one lecture than can be listed.")
            if file.ends and len(file.path) <= MAX_PATH_LENGTH and 0 <= file.size <= MAX_FILE_BYTES:
                yield replace(file, channel=span.channel, modified=file.ends - clock_offset)


def _walk(source: Source, store: Store, guard: EgressGuard, days: Days | None) -> Iterator[RemoteFile]:
    pattern, zone = compile_pattern(source.pattern), source.tzinfo
    folders = deque([""])
    folder_count, entry_count = 1, 0
    while folders:
        folder = folders.popleft()
        for entry in store.list_folder(folder):
            entry_count += 1
            if entry_count > MAX_FILES or folder_count > MAX_FOLDERS or guard.is_late:
                raise UserError(
                    "There is more than can be listed. Narrow the address down to a folder, or the pattern to days."
                )
            if len(entry.path) > MAX_PATH_LENGTH or not 0 <= (entry.size or 0) <= MAX_FILE_BYTES:
                continue
            if entry.is_folder:
                may_contain_files = days is None or pattern.may_contain(entry.path, *days)
                if may_contain_files and entry.path.count("/") < MAX_DEPTH:
                    folders.append(entry.path)
                    folder_count += 1
                continue
            fields = pattern.match(entry.path, zone)
            day = fields.starts.astimezone(zone).date() if fields and fields.starts else None
            if days is None or (fields and (day is None or days[0] <= day <= days[1])):
                lacks_size = entry.size is None and fields
                yield _remote_file(store.stat(entry.path) if lacks_size else entry)


def _remote_file(entry: Entry) -> RemoteFile:
    return RemoteFile(entry.path, entry.size or 0, entry.modified)
