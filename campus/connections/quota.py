"""How often another system is asked: by all workers together at most so many times in a minute as its connection says.

Within an exchange a request waits for its turn. An exchange does not begin while no request is left, and marks stop
there, so that workers do something else meanwhile.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Case, F, Q, When

from campus.common import jobs, outgoing_http
from campus.common.database_clock import DatabaseClock
from campus.common.errors import UserError
from campus.connections.models import Connection, ConnectionRun
from recognition.errors import Cancelled

NETWORKS_SETTING: Final = "CONNECTION_NETWORKS"
PAUSE_SECONDS: Final = 5.0  # until somebody who waits looks whether the connection was stopped
MINUTE: Final = timedelta(minutes=1)

_clock = DatabaseClock()
_current_run: ContextVar[ConnectionRun | None] = ContextVar("current_run", default=None)


@contextmanager
def limit_calls(run: ConnectionRun) -> Iterator[None]:
    """Within the block, requests are those of this exchange. Raises Postponed where none is left in this minute."""
    if calls_left(run.connection) == 0:
        _note_wait(run, next_minute())
        raise jobs.Postponed
    _note_wait(run, None)
    token = _current_run.set(run)
    try:
        yield
    finally:
        _current_run.reset(token)


def request(method: str, url: str, **options: Any) -> outgoing_http.Answer:
    """`outgoing_http.request`, in an exchange once its connection's limit allows it. Raises OutgoingError."""
    if run := _current_run.get():
        _wait_for_turn(run)
    return outgoing_http.request(method, url, networks_setting=NETWORKS_SETTING, **options)


def calls_left(connection: Connection) -> int:
    """How many more requests may be sent in this minute."""
    row = Connection.objects.only("kind", "calls_per_minute", "calls", "calls_minute").filter(pk=connection.pk).first()
    return max(row.call_limit - used_calls(row, _clock.now()), 0) if row else 0


def used_calls(connection: Connection, now: datetime) -> int:
    """How many requests were sent in the minute of `now`, when the row was read."""
    minute = now.replace(second=0, microsecond=0)
    return connection.calls if connection.calls_minute and connection.calls_minute >= minute else 0


def take_call(connection: Connection) -> bool:
    """Count one request; False where none is left in this minute."""
    minute = next_minute() - MINUTE
    is_same = Q(calls_minute__gte=minute)
    free = ~is_same | Q(calls__lt=connection.call_limit)
    return bool(
        Connection.objects.filter(free, pk=connection.pk).update(
            calls=Case(When(is_same, then=F("calls") + 1), default=1),
            calls_minute=Case(When(is_same, then=F("calls_minute")), default=minute),
        )
    )


def next_minute() -> datetime:
    """When the minute is over, by the database's clock."""
    return _clock.now().replace(second=0, microsecond=0) + MINUTE


def _wait_for_turn(run: ConnectionRun) -> None:
    """Raises UserError where the connection is stopped meanwhile."""
    has_waited = False
    while not take_call(run.connection):
        has_waited = True
        until = next_minute()
        _note_wait(run, until)
        time.sleep(min(PAUSE_SECONDS, max((until - _clock.now()).total_seconds(), 0)))
        if run.task not in run.TRIALS and not Connection.objects.filter(pk=run.connection_id, active=True).exists():
            raise UserError("The connection is switched off.")
        if not jobs.renew(run):
            raise Cancelled("Another worker goes on with this exchange.")
    if has_waited:
        _note_wait(run, None)


def _note_wait(run: ConnectionRun, until: datetime | None) -> None:
    """For the page of connections."""
    if run.waits_until != until:
        run.waits_until = until
        ConnectionRun.objects.filter(pk=run.pk).update(waits_until=until)
