"""Connects to a source and lists its files, within limits. Nothing is fetched here."""

from collections import deque
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date

from celery.exceptions import SoftTimeLimitExceeded
from django.db import DatabaseError

from campus.cctv.credentials import read_password
from campus.cctv.egress_policy import allowed_address
from campus.cctv.fetching import save_host_key
from campus.cctv.file_discovery import RemoteFile
from campus.cctv.models import Source
from campus.cctv.path_patterns import compile_pattern
from campus.common import jobs
from campus.common.errors import UserError
from recognition.errors import RecognitionError
from workers.egress_guard import EgressGuard, guard_egress
from workers.stores import Entry, Store, StoreUnavailable, store_class

LISTING_SECONDS = 300
LISTING_MAX_BYTES = 16 * 1024 * 1024  # of all folders together
MAX_FILES = 50_000
MAX_FOLDERS = 5_000
MAX_DEPTH = 12
MAX_PATH_LENGTH = 1000
MAX_FILE_BYTES = 2**60

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
