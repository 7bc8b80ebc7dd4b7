"""All attendance as one flat table, for other programs: a row for each student and lecture, over many classes.

The rows are read while they are sent, some lectures at a time, so the table may be of any length and begins at once:
the database would sort all rows before it gave the first one.
"""

import csv
import io
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from itertools import islice

from django.contrib.auth.models import User
from django.db.models import Case, Exists, OuterRef, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce, Concat, NullIf, Trim
from django.utils import timezone

from campus.academics.models import Enrolment
from campus.accounts.history import record_event
from campus.accounts.models import AccountEvent
from campus.attendance.models import EFFECTIVE_STATUS, AttendanceChange, AttendanceRecord, FaceOverride, Sighting
from campus.attendance.register import in_days, max_lecture_points
from campus.attendance.selectors import final_lectures
from campus.attendance.statuses import Status, status_definitions
from campus.common.csv_cells import guard_cell
from campus.recordings.models import Recording

# Fixed, whatever the language: other programs go by these names.
COLUMNS = (
    "term",
    "class",
    "class_name",
    "section",
    "number",
    "surname",
    "name",
    "date",
    "start",
    "end",
    "status",
    "code",
    "points",
    "points_possible",
    "minutes_seen",
    "minutes_scheduled",
    "source",
    "by",
    "signed_off_at",
)
CHUNK = 500  # rows
LECTURES_PER_QUERY = 20
_FULL_NAME = NullIf(Trim(Concat("user__first_name", Value(" "), "user__last_name")), Value(""))
_PERSON = Coalesce(_FULL_NAME, "user_name")


def export_attendance(
    *, records: QuerySet[AttendanceRecord], user: User, since: date | None = None, until: date | None = None
) -> Iterator[bytes]:
    """The table of those of the records that count in registers, as CSV in parts; the export is noted in the user's
    history. The caller has checked that the user may see the records.
    """
    days = f"{since or '…'} – {until or '…'}" if since or until else ""  # noqa: RUF001
    record_event(user=user, kind=AccountEvent.Kind.ATTENDANCE_EXPORTED, about=days)
    return _csv_parts(attendance_rows(records.filter(in_days(since, until, "lecture__starts_at"))))


def attendance_rows(records: QuerySet[AttendanceRecord]) -> Iterator[tuple[str, ...]]:
    """A row of `COLUMNS` for each of the records that counts in a register, by class, time and student."""
    definitions = status_definitions()
    labels = {code: status.label for code, status in definitions.items()}
    possible = f"{max_lecture_points(definitions.values()):f}"
    photos = _lectures_with_photos_only()
    lectures = final_lectures().filter(pk__in=records.order_by().values("lecture"))
    ordered = list(lectures.order_by("course__code", "starts_at", "pk").values_list("pk", flat=True))
    enrolments = Enrolment.objects.filter(course=OuterRef("lecture__course"), student=OuterRef("student"))
    values = records.order_by(
        "lecture__course__code", "lecture__starts_at", "lecture", "student__sort_key", "student__number_key"
    ).values_list(
        "lecture",
        "lecture__course__term__name",
        "lecture__course__code",
        "lecture__course__name",
        Coalesce(Subquery(enrolments.values("section")[:1]), Value("")),
        "student__number",
        "student__surname",
        "student__name",
        "lecture__starts_at",
        "lecture__ends_at",
        EFFECTIVE_STATUS,
        "override_status",
        "machine_status",
        "seconds",
        Case(When(override_status="", then=_who_named()), default=_who_marked()),
        "lecture__sign_off__signed_at",
    )
    found = (
        row
        for start in range(0, len(ordered), LECTURES_PER_QUERY)
        for row in values.filter(lecture__in=ordered[start : start + LECTURES_PER_QUERY]).iterator(chunk_size=CHUNK)
    )
    for (
        lecture, term, code, course, section, number, surname, name,
        starts_at, ends_at, status, override, machine, seconds, by, signed_at,
    ) in found:  # fmt: skip
        counted = status in definitions and definitions[status].is_counted
        excused = status == Status.EXCUSED and not override
        start, end = timezone.localtime(starts_at), timezone.localtime(ends_at)
        yield (
            term or "",
            code,
            course,
            section,
            number,
            surname,
            name,
            f"{start:%Y-%m-%d}",
            f"{start:%H:%M}",
            f"{end:%H:%M}",
            labels.get(status, status),
            status,
            f"{definitions[status].points:f}" if counted else "",
            possible if counted else "",
            f"{seconds / 60:.1f}" if machine else "",
            f"{(ends_at - starts_at).total_seconds() / 60:g}",
            _source(
                override=override,
                machine=machine,
                status=status,
                excused=excused,
                named=bool(by),
                by_photo=lecture in photos,
            ),
            "" if excused else by or "",
            _moment(signed_at),
        )


def _source(*, override: str, machine: str, status: str, excused: bool, named: bool, by_photo: bool) -> str:
    if override:
        return "correction" if machine else "roll by hand"
    if excused:
        return "excuse"
    if not status:
        return ""
    if named:
        return "named face"
    return "photo" if by_photo else "recording"


def _lectures_with_photos_only() -> set[int]:
    """The ids of the lectures that were counted by photos, and by no video."""
    counted = Recording.objects.filter(state=Recording.State.DONE).order_by()
    videos = counted.filter(lecture=OuterRef("lecture"), info__is_photo=False)
    return set(counted.filter(~Exists(videos), info__is_photo=True).values_list("lecture", flat=True))


def _moment(when: datetime | None) -> str:
    return timezone.localtime(when).isoformat(timespec="seconds") if when else ""


def _who_marked() -> Subquery:
    """Who set the record's override: the last change of it that was not taken back."""
    undone = AttendanceChange.objects.filter(
        batch=OuterRef("batch"), lecture=OuterRef("lecture"), kind=AttendanceChange.ChangeKind.UNDONE
    )
    changes = AttendanceChange.objects.filter(
        ~Exists(undone), record=OuterRef("pk"), kind=AttendanceChange.ChangeKind.STATUS
    )
    return Subquery(changes.order_by("-pk").values(by=_PERSON)[:1])


def _who_named() -> Subquery:
    """Who found the student among the unknown people of the lecture, where the machine recognised nobody."""
    recognised = Sighting.objects.filter(
        recording__lecture=OuterRef("people__recording__lecture"), student=OuterRef("student"), present=True
    )
    named = FaceOverride.objects.filter(
        ~Exists(recognised), student=OuterRef("student"), people__recording__lecture=OuterRef("lecture")
    )
    return Subquery(named.order_by("-pk").values(by=_PERSON)[:1])


def _csv_parts(rows: Iterable[tuple[str, ...]]) -> Iterator[bytes]:
    """With the byte order mark by which Excel recognises UTF-8."""
    yield "\N{BOM}".encode() + _encode([COLUMNS])
    guarded = (tuple(guard_cell(cell) for cell in row) for row in rows)
    while part := list(islice(guarded, CHUNK)):
        yield _encode(part)


def _encode(rows: Iterable[tuple[str, ...]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()
