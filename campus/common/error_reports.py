"""Errors for a Sentry of the institution: of each line of the log that is an error, what its line in JSON says, and
nothing else. So no request, no variable and no name is sent.
"""

import logging
from typing import TYPE_CHECKING

import sentry_sdk
from sentry_sdk.integrations.atexit import AtexitIntegration

from campus.common.json_logs import safe_entry, safe_frames

if TYPE_CHECKING:
    from sentry_sdk.types import Event

SHUTDOWN_SECONDS = 2.0
UNTAGGED = {"time", "level", "logger", "message", "error", "trace"}


class SentryHandler(logging.Handler):
    """Sends errors to the project that `dsn` names, from a thread of its own."""

    def __init__(self, dsn: str, release: str) -> None:
        super().__init__(logging.ERROR)
        # Its integrations would add what a request has sent, what variables hold and what was asked of the database.
        sentry_sdk.init(
            dsn=dsn,
            release=release,
            server_name="",
            default_integrations=False,
            auto_enabling_integrations=False,
            integrations=[AtexitIntegration(callback=lambda _pending, _timeout: None)],
            include_local_variables=False,
            max_breadcrumbs=0,
            send_client_reports=False,
            auto_session_tracking=False,
            shutdown_timeout=SHUTDOWN_SECONDS,
        )

    def emit(self, record: logging.LogRecord) -> None:
        """Send an error; the log has it even if that fails."""
        try:
            sentry_sdk.capture_event(_event(record))
        except Exception:
            self.handleError(record)


def _event(record: logging.LogRecord) -> "Event":
    entry = safe_entry(record)
    event: Event = {
        "level": "fatal" if record.levelno >= logging.CRITICAL else "error",
        "logger": record.name,
        "message": entry["message"],
        "tags": {name: str(entry[name]) for name in entry.keys() - UNTAGGED},
    }
    if record.exc_info and isinstance(error := record.exc_info[1], BaseException):
        kind, _, sentence = entry["error"].partition(": ")
        frames = [
            {"filename": file, "lineno": line, "function": function}
            for file, line, function in safe_frames(error.__traceback__)
        ]
        event["exception"] = {"values": [{"type": kind, "value": sentence, "stacktrace": {"frames": frames}}]}
    return event
