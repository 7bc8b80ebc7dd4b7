"""The database's clock, by which machines with different clocks agree."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from django.db import connection

ASK_AGAIN_SECONDS = 60.0


def database_now() -> datetime:
    """What time it is for the database."""
    is_postgres = connection.vendor == "postgresql"
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()" if is_postgres else "SELECT strftime('%Y-%m-%d %H:%M:%f', 'now')")
        (now,) = cursor.fetchone()
    return now if is_postgres else datetime.fromisoformat(now).replace(tzinfo=UTC)


class DatabaseClock:
    """Follows the database's clock by the time that has passed here, and asks it once a minute."""

    def __init__(self, ask: Callable[[], datetime] = database_now) -> None:
        self._ask = ask
        self._answer: datetime | None = None
        self._asked_at = 0.0

    def now(self) -> datetime:
        """What time it is for the database."""
        if self._answer is None or time.monotonic() - self._asked_at > ASK_AGAIN_SECONDS:
            self._answer, self._asked_at = self._ask(), time.monotonic()
        return self._answer + timedelta(seconds=time.monotonic() - self._asked_at)
