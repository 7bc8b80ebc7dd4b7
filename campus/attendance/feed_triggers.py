"""The database itself notes each change of a row that is in the change feed, whoever makes it and however: in bulk, by
a cascade, or by hand.
"""

from typing import Any, Final

from django.core.management.color import no_style
from django.db import connection, transaction

from campus.attendance.feed_models import FeedEntry, FeedState

# Table, kind of the entry, and the column with the key of the row that it is about.
WATCHED: Final = (
    ("academics_course", "course", "id"),
    ("academics_student", "student", "id"),
    ("academics_enrolment", "enrolment", "id"),
    ("academics_lecture", "lecture", "id"),
    ("attendance_signoff", "lecture", "lecture_id"),
    ("attendance_attendancerecord", "attendance", "id"),
    ("attendance_excuse", "excuse", "id"),
    ("attendance_attendancechange", "correction", "id"),
)
ENTRIES: Final = "INSERT INTO attendance_feedentry (kind, row_id)"
# Excuses are not copied to records, so these are noted with them. A day more on both sides holds in all time zones.
EXCUSED: Final = f"""
{ENTRIES} SELECT 'attendance', record.id FROM attendance_attendancerecord record
JOIN academics_lecture lecture ON lecture.id = record.lecture_id
WHERE record.student_id = {{row}}.student_id AND lecture.starts_at >= {{first}} AND lecture.starts_at < {{end}};
"""  # noqa: S608  # nosec B608
OF_LECTURE: Final = f"""
{ENTRIES} SELECT 'attendance', record.id FROM attendance_attendancerecord record WHERE record.lecture_id = NEW.id;
"""  # noqa: S608  # nosec B608
MOVED: Final = "OLD.starts_at <> NEW.starts_at OR OLD.course_id <> NEW.course_id"


def create_feed_triggers(**_: Any) -> None:
    """Create them as they are to be now, and begin the feed with all rows if there is none. Handles `post_migrate`."""
    if FeedState._meta.db_table not in connection.introspection.table_names():
        return  # only other apps were migrated
    with transaction.atomic(), connection.cursor() as cursor:
        for statement in _postgresql() if connection.vendor == "postgresql" else _sqlite():
            cursor.execute(statement)
        if not FeedState.objects.exists():
            _begin()


def restart_feed() -> None:
    """Begin another generation with all rows as they are now, after they were replaced without the triggers."""
    for model in (FeedEntry, FeedState):
        model.objects.all().delete()
    create_feed_triggers()


def drop_feed_triggers() -> None:
    """Let all rows be replaced, as a restored backup does."""
    with connection.cursor() as cursor:
        for table, name in _names():
            on = f" ON {table}" if connection.vendor == "postgresql" else ""
            cursor.execute(f"DROP TRIGGER IF EXISTS {name}{on}")


def _begin() -> None:
    count = 0
    state = FeedState.objects.create(pk=1)
    with connection.cursor() as cursor:
        for table, kind, key in WATCHED:
            if key == "id":
                cursor.execute(
                    f"{ENTRIES[:-1]}, sequence) SELECT '{kind}', id, {count} + row_number() OVER (ORDER BY id) "  # noqa: S608  # nosec B608
                    f"FROM {table}"
                )
                count += cursor.rowcount
        for statement in connection.ops.sequence_reset_sql(no_style(), [FeedEntry]):
            cursor.execute(statement)
    state.last_sequence = count
    state.save()


def _names() -> list[tuple[str, str]]:
    """Table and name of each trigger."""
    events = [""] if connection.vendor == "postgresql" else ["_insert", "_update", "_delete"]
    more = [] if connection.vendor == "postgresql" else [("academics_lecture", "feed_lecture_records")]
    return [(table, f"feed_{table}{event}") for table, _kind, _key in WATCHED for event in events] + more


def _postgresql() -> list[str]:
    old, new = (
        EXCUSED.format(row=row, first=f"{row}.first_day - 1", end=f"{row}.last_day + 2") for row in ("OLD", "NEW")
    )
    statements = [
        f"""
        CREATE OR REPLACE FUNCTION attendance_note_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          {ENTRIES} VALUES (TG_ARGV[0], to_jsonb(CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END) ->> TG_ARGV[1]);
          IF TG_TABLE_NAME = 'attendance_excuse' THEN
            IF TG_OP <> 'INSERT' THEN {old} END IF;
            IF TG_OP <> 'DELETE' THEN {new} END IF;
          ELSIF TG_TABLE_NAME = 'academics_lecture' AND TG_OP = 'UPDATE' THEN
            IF {MOVED} THEN {OF_LECTURE} END IF;
          END IF;
          RETURN NULL;
        END $$
        """  # noqa: S608
    ]
    for table, kind, key in WATCHED:
        statements.append(
            f"CREATE OR REPLACE TRIGGER feed_{table} AFTER INSERT OR UPDATE OR DELETE ON {table} FOR EACH ROW "
            f"EXECUTE FUNCTION attendance_note_change('{kind}', '{key}')"
        )
    return statements


def _sqlite() -> list[str]:
    statements = []
    for table, kind, key in WATCHED:
        for event in ("INSERT", "UPDATE", "DELETE"):
            rows = ("OLD",) if event == "DELETE" else ("NEW",) if event == "INSERT" else ("OLD", "NEW")
            more = "".join(
                EXCUSED.format(
                    row=row, first=f"date({row}.first_day, '-1 day')", end=f"date({row}.last_day, '+2 days')"
                )
                for row in rows
                if kind == "excuse"
            )
            statements.append(
                f"CREATE TRIGGER feed_{table}_{event.lower()} AFTER {event} ON {table} "
                f"BEGIN {ENTRIES} VALUES ('{kind}', {rows[-1]}.{key}); {more} END"
            )
    statements.append(
        f"CREATE TRIGGER feed_lecture_records AFTER UPDATE ON academics_lecture WHEN {MOVED} BEGIN {OF_LECTURE} END"
    )
    return [*(f"DROP TRIGGER IF EXISTS {name}" for _table, name in _names()), *statements]
