"""Lines of the log in JSON, one an event, without anything that people have typed, sent or are called.

Logs are kept for long, copied to other servers and read by more people than the pages. So what a line was filled in
with is shown only if it can't be a name: numbers, ids and words of the program. Rows show as their kind and id, errors
as their kind and the sentence without its values, and a trace as files and lines. Sentences of libraries are shown only
if they are templates; some write the values into them.
"""

import json
import logging
import re
import traceback
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from enum import Enum
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any, Final
from uuid import UUID

from django.apps import apps
from django.db.models import Model
from django.utils.choices import CallableChoiceIterator

from campus.common.log_context import log_context
from recognition.messages import Message

LEFT_OUT: Final = "…"
OWN_LOGGERS: Final = ("campus", "workers", "recognition", "deploy")
LOGGERS_WITH_TEMPLATES: Final = ("django", "celery", "kombu", "gunicorn")
IDS: Final = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9]{1,19}")
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
ROOT: Final = Path(__file__).resolve().parents[2]


class JsonFormatter(logging.Formatter):
    """Makes a line of JSON of a log record."""

    def format(self, record: logging.LogRecord) -> str:
        return json.dumps(safe_entry(record), ensure_ascii=False)


def safe_entry(record: logging.LogRecord) -> dict[str, Any]:
    """What a log record says, without anything that could be a name."""
    entry: dict[str, Any] = {
        "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
        "level": record.levelname,
        "logger": record.name,
        "message": _safe_message(record),
        **{name: _safe_value(value) for name, value in log_context().items()},
    }
    if isinstance(status := getattr(record, "status_code", None), int):
        entry["status"] = status
    if record.exc_info and isinstance(error := record.exc_info[1], BaseException):
        entry["error"] = _safe_value(error)
        entry["trace"] = [f"{file}:{line} {function}" for file, line, function in safe_frames(error.__traceback__)]
    return entry


def _safe_message(record: logging.LogRecord) -> str:
    package = record.name.partition(".")[0]
    is_template = package in OWN_LOGGERS or (package in LOGGERS_WITH_TEMPLATES and record.args)
    if not isinstance(record.msg, str) or not is_template:
        return f"{LEFT_OUT} ({record.module}:{record.lineno})"
    if not record.args:
        return record.msg
    try:
        if isinstance(record.args, Mapping):
            return record.msg % {name: _safe_value(value) for name, value in record.args.items()}
        return record.msg % tuple(_safe_value(value) for value in record.args)
    except (TypeError, ValueError, LookupError):
        return record.msg  # without its values


def _safe_value(value: object) -> Any:
    if value is None or isinstance(value, int | float | timedelta | UUID | date | time):
        return value if isinstance(value, int | float | None) else str(value)
    if isinstance(value, Enum):
        return str(value.value)  # a word of the program
    if isinstance(value, str):
        return str(value) if IDS.fullmatch(value) or value in METHODS or value in _known_words() else LEFT_OUT
    if isinstance(value, BaseException):
        message = getattr(value, "message", None)
        return f"{type(value).__name__}: {message.template}" if isinstance(message, Message) else type(value).__name__
    if isinstance(value, Model):
        return f"{value._meta.model_name} {_safe_value(value.pk)}"
    return LEFT_OUT


def safe_frames(trace: TracebackType | None) -> list[tuple[str, int | None, str]]:
    """Where an error was, as file, line and function, the outermost call first."""
    return [(_short(frame.filename), frame.lineno, frame.name) for frame in traceback.extract_tb(trace)]


def _short(file: str) -> str:
    path = Path(file)
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name


def _known_words() -> frozenset[str]:
    return _words_of_the_program() if apps.ready else frozenset()


@cache
def _words_of_the_program() -> frozenset[str]:
    """The names of jobs, queues and periodic tasks, and all choices of states and kinds."""
    from campus.common.jobs import JOBS, QUEUES  # they need the apps, which log while they load
    from campus.common.periodic_tasks import PERIODIC_JOBS

    choices = {
        str(value)
        for model in apps.get_models()
        if model.__module__.startswith("campus.")
        for field in model._meta.fields
        if not isinstance(field.choices, CallableChoiceIterator)  # those are of the database
        for value, _label in field.flatchoices
    }
    return frozenset({job.name for job in (*JOBS, *PERIODIC_JOBS)} | set(QUEUES) | choices)
