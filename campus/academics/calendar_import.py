"""Import lectures from another system's calendar: first a preview, then the lectures. A second import of the same
calendar changes nothing.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import IntegrityError, models, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from campus.academics.file_contents import CalendarEntry, event_uid
from campus.academics.models import Course, Lecture, Room
from campus.academics.series import reason_to_keep, with_usage
from campus.common.errors import UserError
from campus.common.keys import match_key
from campus.common.messages import localize

MAX_CODE_WORDS = 4


class EntryChange(models.TextChoices):
    NEW = "new", gettext_lazy("new")
    CHANGED = "changed", gettext_lazy("changed")
    SAME = "same", gettext_lazy("unchanged")
    KEPT = "kept", gettext_lazy("left as it is")
    GONE = "gone", gettext_lazy("no longer in the calendar")
    REFUSED = "refused", gettext_lazy("not taken")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedEntry:
    """What the import does with one entry. `lecture` is as it will be saved; `remark` is shown to the user."""

    kind: EntryChange
    entry: CalendarEntry
    lecture: Lecture | None = None
    remark: str = ""


def plan_import(
    entries: Iterable[CalendarEntry], courses: Sequence[Course], only: Course | None = None
) -> list[PlannedEntry]:
    """What the entries would change. Each belongs to the class `only`, or to that of `courses` whose code it names.

    What came from this calendar before and is not in it any more is GONE, in classes that it still knows a lecture of.
    """
    by_code = {course.code_key: course for course in courses}
    rooms = {room.key: room for room in Room.objects.all()}
    targets = [(entry, only or _course_of(entry, by_code)) for entry in entries]
    lectures = list(
        with_usage(
            Lecture.objects.filter(course__in={course for _meeting, course in targets if course})
        ).select_related("room")
    )
    by_uid = {(lecture.course_id, lecture.uid): lecture for lecture in lectures if lecture.uid}
    by_time = {(lecture.course_id, lecture.starts_at): lecture for lecture in lectures}
    by_uid |= _find_moved(targets, by_uid, by_time)
    seen: set[tuple[int, object]] = set()
    rows = []
    for entry, course in targets:
        row = _row(entry, course, _room(entry.room, rooms), by_uid, by_time)
        if row.lecture is not None:
            keys = {(row.lecture.course_id, row.lecture.uid), (row.lecture.course_id, row.lecture.starts_at)}
            if seen & keys:
                row = PlannedEntry(
                    kind=EntryChange.REFUSED,
                    entry=entry,
                    remark=_("The calendar has it twice: the same UID, or the same time in one class."),
                )
            seen |= keys
        rows.append(row)
    return [*rows, *_gone(lectures, rows)]


def _find_moved(
    targets: Iterable[tuple[CalendarEntry, Course | None]],
    by_uid: dict[tuple[int, str], Lecture],
    by_time: dict[tuple[int, datetime], Lecture],
) -> dict[tuple[int, str], Lecture]:
    """Lectures that were moved where many have one UID, by class and the UID of their entry now.

    As many coming lectures of the UID are no longer in the calendar as coming entries of it are new; they are the same
    in order of time.
    """
    now = timezone.now()
    fresh: defaultdict[tuple[int, str], list[CalendarEntry]] = defaultdict(list)
    left = {lecture.pk: lecture for lecture in by_uid.values() if lecture.starts_at > now}
    for entry, course in targets:
        if course and entry.starts_at and entry.starts_at > now:
            known = by_uid.get((course.pk, entry.uid)), by_time.get((course.pk, entry.starts_at))
            found = [lecture for lecture in known if lecture]
            for lecture in found:
                left.pop(lecture.pk, None)
            if not found:
                fresh[course.pk, event_uid(entry.uid)].append(entry)
    missing: defaultdict[tuple[int, str], list[Lecture]] = defaultdict(list)
    for lecture in left.values():
        missing[lecture.course_id, event_uid(lecture.uid)].append(lecture)
    moved: dict[tuple[int, str], Lecture] = {}
    for (course_id, uid), entries in fresh.items():
        lectures = missing[course_id, uid]
        if len(lectures) == len(entries):
            lectures.sort(key=lambda lecture: lecture.starts_at)
            entries.sort(key=lambda entry: entry.starts_at or now)
            moved |= {(course_id, entry.uid): lecture for entry, lecture in zip(entries, lectures, strict=True)}
    return moved


def _gone(lectures: Iterable[Lecture], rows: Iterable[PlannedEntry]) -> Iterator[PlannedEntry]:
    now = timezone.now()
    found = {row.lecture.pk for row in rows if row.lecture}
    known = {
        row.lecture.course_id for row in rows if row.lecture and row.lecture.pk and row.lecture.uid == row.entry.uid
    }
    unread = {row.entry.uid for row in rows if row.entry.problem}
    for lecture in sorted(lectures, key=lambda lecture: lecture.starts_at):
        from_calendar = lecture.uid and lecture.course_id in known and event_uid(lecture.uid) not in unread
        if from_calendar and lecture.pk not in found and not lecture.cancelled and lecture.starts_at > now:
            was = CalendarEntry(
                lecture.uid,
                lecture.title,
                [],
                lecture.room.name if lecture.room else "",
                lecture.starts_at,
                lecture.ends_at,
                cancelled=False,
            )
            if reason := reason_to_keep(lecture, now, set(), None):
                yield PlannedEntry(kind=EntryChange.KEPT, entry=was, lecture=lecture, remark=reason)
            else:
                lecture.cancelled = True
                yield PlannedEntry(kind=EntryChange.GONE, entry=was, lecture=lecture)


def save_import(rows: Iterable[PlannedEntry], *, complete: bool = False) -> Counter[EntryChange]:
    """Write what `plan_import` found. `complete`: it was the whole calendar, so that what is gone from it is cancelled.

    Raises UserError where somebody else changed the same lectures at that moment.
    """
    rows = [row for row in rows if complete or row.kind != EntryChange.GONE]
    changed = [row.lecture for row in rows if row.kind in (EntryChange.CHANGED, EntryChange.GONE) and row.lecture]
    try:
        with transaction.atomic():
            for lecture in [
                row.lecture for row in rows if row.kind in (EntryChange.NEW, EntryChange.CHANGED) and row.lecture
            ]:
                if lecture.room and lecture.room.pk is None:
                    lecture.room.save()
            for lecture in changed:
                lecture.save(update_fields=["title", "room", "starts_at", "ends_at", "cancelled", "uid"])
            Lecture.objects.bulk_update(
                [row.lecture for row in rows if row.kind == EntryChange.SAME and row.lecture], ["uid"], batch_size=500
            )
            Lecture.objects.bulk_create(row.lecture for row in rows if row.kind == EntryChange.NEW and row.lecture)
    except IntegrityError as error:
        raise UserError(
            "Two lectures of a class would be at the same time. Nothing was changed; look at the preview again."
        ) from error
    return Counter(row.kind for row in rows)


def _room(name: str, rooms: dict[str, Room]) -> Room | None:
    """The room of that name; a new one is not saved before the lectures are."""
    key = match_key(name)
    return rooms.setdefault(key, Room(name=name)) if key else None


def _course_of(entry: CalendarEntry, by_code: dict[str, Course]) -> Course | None:
    for code in entry.codes:
        if course := by_code.get(match_key(code)):
            return course
    words = re.split(r"[\s()\[\]/|]+", match_key(entry.summary))
    found = []
    for start in range(len(words)):
        texts = (" ".join(words[start : start + n]).strip(" :–-,;") for n in range(MAX_CODE_WORDS, 0, -1))  # noqa: RUF001
        found += [by_code[text] for text in texts if text in by_code][:1]
        if found and not "".join(words[:start]):
            return found[0]  # the title begins with its code
    return found[0] if len(set(found)) == 1 else None


def _row(
    entry: CalendarEntry,
    course: Course | None,
    room: Room | None,
    by_uid: dict[tuple[int, str], Lecture],
    by_time: dict[tuple[int, datetime], Lecture],
) -> PlannedEntry:
    if entry.problem or entry.starts_at is None or entry.ends_at is None:
        return PlannedEntry(kind=EntryChange.REFUSED, entry=entry, remark=str(localize(entry.problem)))
    if course is None:
        return PlannedEntry(
            kind=EntryChange.REFUSED,
            entry=entry,
            remark=_("No class has a code that it names. Choose the class, or put its code first."),
        )
    lecture_at_time = by_time.get((course.pk, entry.starts_at))
    lecture = by_uid.get((course.pk, entry.uid)) or lecture_at_time
    is_of_other_event = bool(lecture and lecture.uid and event_uid(lecture.uid) != event_uid(entry.uid))
    wanted = {
        "title": _title(entry, course),
        "room": room,
        "starts_at": entry.starts_at,
        "ends_at": entry.ends_at,
        "cancelled": entry.cancelled,
    }
    if lecture is None:
        if entry.cancelled:
            return PlannedEntry(kind=EntryChange.SAME, entry=entry, remark=_("Cancelled, and never was here."))
        return PlannedEntry(kind=EntryChange.NEW, entry=entry, lecture=Lecture(course=course, uid=entry.uid, **wanted))
    if all(getattr(lecture, name) == value for name, value in wanted.items()):
        if not (lecture.series_id or is_of_other_event):
            lecture.uid = entry.uid  # so that it is found when the other system moves it
        return PlannedEntry(kind=EntryChange.SAME, entry=entry, lecture=lecture)
    if lecture.series_id:
        return PlannedEntry(
            kind=EntryChange.KEPT,
            entry=entry,
            lecture=lecture,
            remark=_("It belongs to a series here. Change the series."),
        )
    if is_of_other_event:
        return PlannedEntry(
            kind=EntryChange.KEPT,
            entry=entry,
            lecture=lecture,
            remark=_("The class has a lecture at that time already."),
        )
    taken = {entry.starts_at} if lecture_at_time and lecture_at_time is not lecture else set()
    if reason := reason_to_keep(lecture, timezone.now(), taken, entry.starts_at):
        return PlannedEntry(kind=EntryChange.KEPT, entry=entry, lecture=lecture, remark=reason)
    for name, value in {**wanted, "uid": entry.uid}.items():
        setattr(lecture, name, value)
    return PlannedEntry(kind=EntryChange.CHANGED, entry=entry, lecture=lecture)


def _title(entry: CalendarEntry, course: Course) -> str:
    """The summary without the class's code or name, which the lecture has anyway."""
    title = entry.summary
    prefixes = range(1, min(len(title), 2 * len(course.code)) + 1)  # invisible characters may make a prefix longer
    code_length = next((length for length in prefixes if match_key(title[:length]) == course.code_key), 0)
    if code_length:
        title = title[code_length:].lstrip(" :–-,;")  # noqa: RUF001
    return "" if match_key(title) == match_key(course.name) else title[:200]
