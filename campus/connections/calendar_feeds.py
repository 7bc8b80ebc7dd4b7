"""Calendars of another system, such as TimeEdit, Untis or CampusNet, that are fetched on a schedule.

A lecture that was made by hand, changed by hand, or has recordings or marks stays as it is. What a calendar no longer
has is cancelled if it came from that calendar. Nothing is deleted.
"""

import re
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from django.utils import timezone

from campus.academics.calendar_import import EntryChange, PlannedEntry, plan_import, save_import
from campus.academics.file_contents import MAX_CALENDAR_BYTES, READERS, CalendarEntry, CalendarRequest
from campus.academics.models import Course, Lecture, Term
from campus.academics.selectors import CURRENT
from campus.common.errors import UserError
from campus.common.outgoing_http import OutgoingError, parse_http_date
from campus.connections.json_requests import check_status
from campus.connections.models import Connection, CourseLink
from campus.connections.quota import request
from campus.connections.services import remember
from campus.connections.sync_outcome import SyncOutcome, note_questions
from recognition.errors import RecognitionError
from recognition.messages import Message

NOT_MODIFIED = 304
REPEATS_WITHOUT_TERM = timedelta(weeks=26)
# Classes change here, too: so old an answer is asked for again, even if the calendar is the same.
MAX_ANSWER_AGE = timedelta(days=1)
MAX_LISTED_PROBLEMS = 50


def update_from_feed(*, connection: Connection, is_trial: bool = False, whatever_it_said: bool = False) -> SyncOutcome:
    """Fetch the calendar and bring lectures up to date. `is_trial`: only say what would be done. `whatever_it_said`:
    also if the calendar is the same as last time. Raises UserError.
    """
    answer_before = {} if is_trial or whatever_it_said else connection.settings.get("answer", {})
    if abs(timezone.now().timestamp() - answer_before.get("at", 0)) > MAX_ANSWER_AGE.total_seconds():
        answer_before = {}  # old, or of a time when the clock here was wrong
    headers = {"Accept": "text/calendar"}
    if etag := answer_before.get("etag"):
        headers["If-None-Match"] = etag
    if modified := answer_before.get("last_modified"):
        headers["If-Modified-Since"] = modified
    url = re.sub("^webcals?:", "https:", connection.secret.strip())  # as calendar programs have it
    answer = request("GET", url, headers=headers, max_bytes=MAX_CALENDAR_BYTES)
    if answer.status == NOT_MODIFIED and answer_before:
        return SyncOutcome(counts=Counter(unchanged=1))
    check_status(url, answer)
    before, now = map(parse_http_date, (modified or "", answer.headers.get("last-modified", "")))
    if before and now and now < before:
        raise OutgoingError(
            "“{host}” sent an older calendar than the last one. It is asked again later; “Run now” takes this one.",
            host=urlsplit(url).hostname,
        )
    outcome = apply_entries(connection=connection, entries=read_entries(answer.body), is_trial=is_trial)
    if outcome.questions:
        outcome.calendar = answer.body
    elif not is_trial:
        etag, modified = (answer.headers.get(name, "")[:200] for name in ("etag", "last-modified"))
        remember(connection, answer={"etag": etag, "last_modified": modified, "at": timezone.now().timestamp()})
    if not is_trial:
        note_questions(connection=connection, questions=outcome.questions)
    return outcome


def read_entries(content: bytes) -> list[CalendarEntry]:
    """What a calendar holds, read in the sandbox. Raises UserError where it is none."""
    with tempfile.NamedTemporaryFile(dir=settings.FILE_UPLOAD_TEMP_DIR) as file:
        file.write(content)
        file.flush()
        path = str(Path(file.name).absolute())
        try:
            return READERS.read_value(
                CalendarRequest(path=path, until=last_day(), zone=settings.TIME_ZONE), list[CalendarEntry]
            )
        except RecognitionError as error:
            raise UserError(error.message) from error


def last_day() -> date:
    """The day up to which lectures are made of what repeats without an end."""
    today = timezone.localdate()
    last = Term.objects.filter(archived=False, last_day__gte=today).order_by("-last_day").first()
    return last.last_day if last else today + REPEATS_WITHOUT_TERM


def apply_entries(*, connection: Connection, entries: list[CalendarEntry], is_trial: bool = False) -> SyncOutcome:
    """Bring the lectures of the connection's class, or of all classes that the entries name, up to date."""
    chosen = connection.settings.get("course")
    only = Course.objects.get(pk=chosen) if chosen else None
    courses = [only] if only else list(Course.objects.filter(CURRENT).select_related("term"))
    known = _known_uids(connection)
    handmade = set(Lecture.objects.filter(course__in=courses, uid="").values_list("pk", flat=True))
    planned = plan_import(entries, courses, only)
    rows = [row for row in planned if _may_apply(row, known, handmade)]
    counts = Counter(row.kind for row in rows)
    outcome = SyncOutcome(
        counts=Counter(
            added=counts[EntryChange.NEW],
            changed=counts[EntryChange.CHANGED],
            removed=counts[EntryChange.GONE],
            kept=counts[EntryChange.KEPT] + len(planned) - len(rows),
            failed=counts[EntryChange.REFUSED],
        ),
        problems=[
            Message("{entry}: {why}", entry=row.entry.summary[:100], why=row.remark)
            for row in rows
            if row.kind in (EntryChange.REFUSED, EntryChange.KEPT)
        ][:MAX_LISTED_PROBLEMS],
    )
    changing = counts[EntryChange.CHANGED] + counts[EntryChange.GONE]
    coming = sum(
        1
        for course, uid in Lecture.objects.filter(starts_at__gt=timezone.now(), course__in=known).values_list(
            "course", "uid"
        )
        if uid in known[course]
    )
    if changing > connection.change_limit_percent / 100 * coming:
        question = Message(
            "{n} of {total} coming lectures would move, change or be cancelled.", n=changing, total=coming
        )
        outcome.questions = {
            row.lecture.course_id: question
            for row in rows
            if row.lecture and row.kind in (EntryChange.CHANGED, EntryChange.GONE)
        }
        outcome.counts["waiting"] = changing
    elif not is_trial:
        save_import(rows, complete=True)
        _note_uids(connection, rows)
    return outcome


def _may_apply(row: PlannedEntry, known: dict[int, set[str]], handmade: set[int]) -> bool:
    """Whether the feed may do this by itself: it cancels what it has brought, and leaves what was made by hand."""
    if row.lecture is None:
        return True
    if row.kind == EntryChange.GONE:
        return row.lecture.uid in known.get(row.lecture.course_id, ())
    return row.lecture.pk not in handmade


def _known_uids(connection: Connection) -> dict[int, set[str]]:
    """What the feed brought before, by class: another feed may bring other lectures of the same class."""
    return {link.course_id: set(link.settings.get("uids", ())) for link in connection.links.all() if link.course_id}


def _note_uids(connection: Connection, rows: Iterable[PlannedEntry]) -> None:
    uids: defaultdict[int, list[str]] = defaultdict(list)
    for row in rows:
        if row.lecture is not None and row.kind != EntryChange.REFUSED and row.lecture.uid == row.entry.uid:
            uids[row.lecture.course_id].append(row.entry.uid)
    for course, found in uids.items():
        CourseLink.objects.update_or_create(
            connection=connection,
            remote_id=f"class-{course}",
            defaults={
                "course_id": course,
                "settings": {"uids": sorted(found)},
                "takes_roster": False,
                "sends_marks": False,
            },
        )
