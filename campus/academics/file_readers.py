"""The readers of rosters and calendars, which run in the sandbox alone."""

from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

from campus.academics.calendar_reader import read_calendar
from campus.academics.file_contents import CalendarRequest, TableRequest
from campus.academics.roster_files import read_table

REQUESTS = TableRequest | CalendarRequest


def answer(request: TableRequest | CalendarRequest) -> Iterator[object]:
    content = Path(request.path).read_bytes()
    match request:
        case TableRequest():
            yield read_table(content, request.format)
        case CalendarRequest():
            yield read_calendar(content, until=request.until, zone=ZoneInfo(request.zone))
