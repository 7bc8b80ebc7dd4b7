"""What a roster or a calendar holds, and how the sandbox is asked for it (`campus.academics.file_readers` answers)."""

import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from recognition.messages import NO_MESSAGE, Message
from recognition.sandbox.client import Sandbox
from recognition.sandbox.protocol import Request

READERS = Sandbox("campus.academics.file_readers")

MAX_ROSTER_BYTES = 10 * 1024 * 1024
MAX_CALENDAR_BYTES = 2 * 1024 * 1024
MAX_READING_SECONDS = 30  # of the processor
MAX_READING_BYTES = 512 * 2**20  # of memory
MAX_HEADER_ROW = 30
SEPARATORS = ",;\t|"
_SLOT_OF_UID = re.compile(r"/\d{8}T\d{6}Z$")


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFormat:
    """How a file is read. What is None is guessed, or does not apply.

    `header_row` is the number of the row that names the columns, from 1; 0 where none does.
    """

    encoding: str | None = None
    separator: str | None = None
    sheet: str | None = None
    header_row: int | None = None


GUESSED_FORMAT = TableFormat()


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Texts as people read them. Empty rows are left out; `lines` has the rows' numbers in the file, from 1. Without a
    row of headers, these are the numbers of the columns.

    `sheets` has the names of a workbook's sheets. `doubtful_texts` has examples of what is garbled if the encoding was
    guessed wrongly; it is empty where the encoding is sure, or was chosen.
    """

    headers: list[str]
    rows: list[list[str]]
    lines: list[int]
    format: TableFormat
    sheets: list[str]
    doubtful_texts: list[str]


class CalendarEntry(NamedTuple):
    """One event of a calendar at one time. `problem` says why it can't be a lecture.

    Where several have one UID, their `uid` ends in the moment for which each was planned first.
    """

    uid: str
    summary: str
    codes: list[str]
    room: str
    starts_at: datetime | None
    ends_at: datetime | None
    cancelled: bool
    problem: Message = NO_MESSAGE


def event_uid(uid: str) -> str:
    """The UID that an entry has in its calendar."""
    return _SLOT_OF_UID.sub("", uid)


class TableRequest(Request, kw_only=True, tag=True):
    """For the `Table` of a roster."""

    format: TableFormat
    seconds: int = MAX_READING_SECONDS
    max_bytes: int = MAX_READING_BYTES


class CalendarRequest(Request, kw_only=True, tag=True):
    """For the `CalendarEntry` of each occurrence. What repeats without an end does so up to the day `until`; a time
    without a zone is in `zone`.
    """

    until: date | None
    zone: str
    seconds: int = MAX_READING_SECONDS
    max_bytes: int = MAX_READING_BYTES
