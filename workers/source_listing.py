"""Connect to a source, and list its files within limits. Nothing is fetched here."""

from collections import deque
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date

from celery.exceptions import SoftTimeLimitExceeded
from django.db import DatabaseError

from campus.cctv.credentials import decrypt
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
LISTING_MAX_BYTES = 16 * 1024 * 1024  # of all lists together
MAX_FILES = 50_000
MAX_FOLDERS = 5_000
MAX_DEPTH = 12
MAX_PATH_LENGTH = 1000
MAX_FILE_BYTES = 2**60

# Errors that the store's library has nothing to do with.
NOT_OF_THE_STORE = (UserError, RecognitionError, jobs.Postponed, SoftTimeLimitExceeded, MemoryError, DatabaseError)

Days = tuple[date, date]


@contextmanager
def open_store(
    source: Source, *, seconds: float, max_bytes: int, learn_host_key: bool = False
) -> Iterator[tuple[Store, EgressGuard]]:
    """The source's store, and the guard that limits what it may receive and connect to: see `workers.egress_guard`.

    `learn_host_key`: an SFTP server whose key is not known yet may show one, which is stored with the source.
    Whatever the store's library raises becomes StoreUnavailable. Raises UserError if the guard refuses, or the source
    lacks something.
    """
    address = allowed_address(source)
    with guard_egress(address, seconds=seconds, max_bytes=max_bytes) as guard:
        cls = store_class(source.kind)
        try:
            with closing(cls(address, source, decrypt(source.secret), learn_host_key=learn_host_key)) as store:
                if learn_host_key and store.host_key:
                    save_host_key(source=source, key=store.host_key)
                yield store, guard
            if guard.was_cut:
                raise StoreUnavailable(guard.reason)
        except NOT_OF_THE_STORE:
            raise
        except Exception as error:
            raise (StoreUnavailable(guard.reason) if guard.reason else cls.translate_error(error)) from error


def list_files(source: Source, days: Days | None = None, *, learn_host_key: bool = False) -> list[RemoteFile]:
    """The files of a source. With `days`, the first and the last in its time zone, only those that its pattern dates
    there.

    Raises UserError, also if there are too many files or folders.
    """
    with open_store(source, seconds=LISTING_SECONDS, max_bytes=LISTING_MAX_BYTES, learn_host_key=learn_host_key) as (
        store,
        guard,
    ):
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
                    "There is more than can be looked through. "
                    "Narrow the address down to a folder, or the pattern to days."
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
            starts = fields.starts.astimezone(zone).date() if fields and fields.starts else None
            if days is None or (fields and (starts is None or days[0] <= starts <= days[1])):
                yield _remote_file(store.stat(entry.path) if entry.size is None and fields else entry)


def _remote_file(entry: Entry) -> RemoteFile:
    return RemoteFile(entry.path, entry.size or 0, entry.modified)
