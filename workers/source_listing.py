"""A look at a source: what it has, within bounds. Nothing is fetched."""

from collections import deque
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date

from celery.exceptions import SoftTimeLimitExceeded
from django.db import DatabaseError

from campus.cctv.egress_policy import allowed_address
from campus.cctv.fetching import save_host_key
from campus.cctv.file_discovery import RemoteFile
from campus.cctv.models import Source
from campus.cctv.path_patterns import compile_pattern
from campus.common import jobs
from campus.common.errors import UserError
from recognition.errors import RecognitionError
from recognition.messages import Message
from workers.egress_guard import Line, line
from workers.store_errors import explain, gone
from workers.stores import Found, Store, store

LOOK_SECONDS = 300  # of a whole look
LOOK_BYTES = 16 * 1024 * 1024  # of all lists together
MOST_FILES, MOST_FOLDERS, DEEPEST = 50_000, 5_000, 12
LONGEST_PATH = 1000
MOST_BYTES = 2**60  # that any file has

# Not the server's fault.
OURS = (UserError, RecognitionError, jobs.Postponed, SoftTimeLimitExceeded, MemoryError, DatabaseError)

Days = tuple[date, date]


class Unreachable(UserError):
    """The source can't be asked now; or it can (`gone`), and says that there is no such thing."""

    def __init__(self, message: str | Message, /, *, gone: bool = False, **values: object) -> None:
        super().__init__(message, **values)
        self.gone = gone


@contextmanager
def connected(source: Source, *, seconds: float, budget: int, learn: bool = False) -> Iterator[tuple[Store, Line]]:
    """The source's store, while we talk to it and to nobody else; see `workers.egress_guard` for the bounds.

    Whatever its library raises comes out as Unreachable. Raises UserError also where the guard or the source itself is at fault.
    """
    address = allowed_address(source)
    with line(address, seconds=seconds, budget=budget) as up:
        try:
            with closing(store(source, address, learn=learn)) as there:
                if learn and there.host_key:
                    save_host_key(source=source, key=there.host_key)
                yield there, up
            if up.was_cut:
                raise Unreachable(up.why)
        except OURS:
            raise
        except Exception as error:
            raise Unreachable(up.why or explain(error), gone=not up.why and gone(error)) from error


def look(source: Source, days: Days | None = None, *, learn: bool = False) -> list[RemoteFile]:
    """The files of a source. With `days`, the first and the last in its time zone: only those that its pattern reads as begun then.

    Raises UserError, also where there is too much to look at.
    """
    with connected(source, seconds=LOOK_SECONDS, budget=LOOK_BYTES, learn=learn) as (there, up):
        return list(_walk(source, there, up, days))


def _walk(source: Source, there: Store, up: Line, days: Days | None) -> Iterator[RemoteFile]:
    pattern, zone = compile_pattern(source.pattern), source.tzinfo
    folders, seen, count = deque([""]), 1, 0
    while folders:
        folder = folders.popleft()
        for entry in there.entries(folder):
            count += 1
            if count > MOST_FILES or seen > MOST_FOLDERS or up.late:
                raise UserError(
                    "There is more than can be looked through. Narrow the address down to a folder, or the pattern to days."
                )
            if len(entry.path) > LONGEST_PATH or not 0 <= (entry.size or 0) <= MOST_BYTES:
                continue
            if entry.folder:
                if entry.path.count("/") < DEEPEST and (days is None or pattern.may_contain(entry.path, *days)):
                    folders.append(entry.path)
                    seen += 1
                continue
            fields = pattern.match(entry.path, zone)
            starts = fields.starts.astimezone(zone).date() if fields and fields.starts else None
            if days is None or (fields and (starts is None or days[0] <= starts <= days[1])):
                yield _remote(there.look_at(entry.path) if entry.size is None and fields else entry)


def _remote(entry: Found) -> RemoteFile:
    return RemoteFile(entry.path, entry.size or 0, entry.modified)
