"""All rows of the database as lines of JSON. They are the same for SQLite and PostgreSQL, so that a backup of one can
be restored into the other, and no program of the database's version is needed.

A table begins with a line that names its model and columns; a line for each row follows. Encrypted columns stay as they
are.
"""

import base64
import datetime
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from itertools import chain
from typing import Any, Final
from uuid import UUID

from django.apps import apps
from django.core.management.color import no_style
from django.db import connection, models, transaction

from campus.attendance.feed_models import FeedEntry, FeedState
from campus.attendance.feed_triggers import drop_feed_triggers, restart_feed
from campus.audit.triggers import create_triggers, drop_triggers
from campus.common.encrypted_fields import Encrypted, EncryptedBinaryField
from campus.common.messages import dump_message, load_message
from recognition.messages import Message

ROWS_PER_QUERY: Final = 1000
# What JSON has no type for: the name of the type, how it is written, and how it is read.
TYPES: Final[dict[str, tuple[Any, Any, Any]]] = {
    "bytes": (bytes, lambda value: base64.b64encode(value).decode(), base64.b64decode),
    "datetime": (datetime.datetime, datetime.datetime.isoformat, datetime.datetime.fromisoformat),
    "date": (datetime.date, datetime.date.isoformat, datetime.date.fromisoformat),
    "time": (datetime.time, datetime.time.isoformat, datetime.time.fromisoformat),
    "seconds": (datetime.timedelta, datetime.timedelta.total_seconds, lambda value: datetime.timedelta(seconds=value)),
    "decimal": (Decimal, str, Decimal),
    "uuid": (UUID, str, UUID),
    "message": (Message, dump_message, load_message),
    "json": (dict | list, lambda value: value, lambda value: value),
}


def stored_models() -> list[type[models.Model]]:
    """All models with a table of their own, those between two others included. Not the change feed: a restored backup
    begins another.
    """
    return [
        model
        for model in apps.get_models(include_auto_created=True)
        if model._meta.managed and not model._meta.proxy and not model._meta.swapped
        if model not in (FeedEntry, FeedState)
    ]


@contextmanager
def snapshot() -> Iterator[None]:
    """What is read within is the database of one moment, while others write on."""
    database: Any = connection
    if connection.vendor == "sqlite":
        write_mode, database.transaction_mode = database.transaction_mode, "DEFERRED"  # writers need not wait
    try:
        with transaction.atomic():
            if connection.vendor == "postgresql":
                with connection.cursor() as cursor:
                    cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield
    finally:
        if connection.vendor == "sqlite":
            database.transaction_mode = write_mode


def dump_rows() -> Iterator[str]:
    """The lines, without line breaks."""
    for model in stored_models():
        names = [field.attname for field in model._meta.local_concrete_fields]
        yield json.dumps({"model": model._meta.label_lower, "columns": names})
        rows = model._base_manager.order_by("pk").values_list(*names)
        for row in rows.iterator(chunk_size=ROWS_PER_QUERY):
            yield json.dumps([_dump(value) for value in row])


def load_rows(lines: Iterable[str]) -> int:
    """Put these rows in the place of all that are in the database, in one transaction; returns how many there are."""
    count = 0
    with transaction.atomic():
        tables = [model._meta.db_table for model in stored_models()]
        drop_triggers()
        drop_feed_triggers()
        connection.ops.execute_sql_flush(connection.ops.sql_flush(no_style(), tables))
        batch: list[list[Any]] = []
        insert: Callable[[list[list[Any]]], None] | None = None
        for line in chain(map(json.loads, lines), [None]):  # None: the end
            if insert and (not isinstance(line, list) or len(batch) == ROWS_PER_QUERY):
                insert(batch)
                count, batch = count + len(batch), []
            if isinstance(line, dict):
                insert = _inserter(apps.get_model(line["model"]), line["columns"])
            elif line:
                batch.append(line)
        with connection.cursor() as cursor:
            for statement in connection.ops.sequence_reset_sql(no_style(), stored_models()):
                cursor.execute(statement)
        connection.check_constraints()
        create_triggers()
        restart_feed()
    return count


def _inserter(model: type[models.Model], names: list[str]) -> Callable[[list[list[Any]]], None]:
    """What inserts rows past Django's own saving, which would set times anew and encrypt again."""
    by_name = {field.attname: field for field in model._meta.local_concrete_fields}
    fields = [by_name[name] for name in names]
    quote = connection.ops.quote_name
    columns = ", ".join(quote(str(field.column)) for field in fields)
    values = ", ".join(["%s"] * len(fields))
    statement = f"INSERT INTO {quote(model._meta.db_table)} ({columns}) VALUES ({values})"  # noqa: S608  # nosec B608

    def insert(rows: list[list[Any]]) -> None:
        prepared = [
            [field.get_db_prep_save(_load(value, field), connection) for field, value in zip(fields, row, strict=True)]
            for row in rows
        ]
        with connection.cursor() as cursor:
            cursor.executemany(statement, prepared)

    return insert


def _dump(value: Any) -> Any:
    if isinstance(value, memoryview):
        value = bytes(value)
    for name, (kind, write, _read) in TYPES.items():
        if isinstance(value, kind):
            return {name: write(value)}
    return value if isinstance(value, str | int | float | None) else str(value)


def _load(value: Any, field: Any) -> Any:
    if not isinstance(value, dict):
        return value
    ((name, written),) = value.items()
    read = TYPES[name][2](written)
    return Encrypted(read) if isinstance(field, EncryptedBinaryField) else read
