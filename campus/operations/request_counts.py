"""Counts of web requests by view. Each process adds its own to the database now and then, so that whichever process is
asked knows those of all.
"""

import logging
import time
from collections.abc import Callable
from threading import Lock
from typing import Final

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponseBase

log = logging.getLogger(__name__)

BOUNDS: Final = ("0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "30", "+Inf")  # in seconds
SAVE_SECONDS: Final = 15.0
METHODS: Final = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
# Both databases know it, and it locks no row before it changes it.
ADD: Final = """
    INSERT INTO operations_requestcount (view_name, method, status, le, requests, seconds)
    VALUES (%s, %s, %s, %s, %s, %s)
    ON CONFLICT (view_name, method, status, le) DO UPDATE SET
        requests = operations_requestcount.requests + excluded.requests,
        seconds = operations_requestcount.seconds + excluded.seconds
"""

Key = tuple[str, str, int, str]


class RequestCounter:
    """The requests of this process that the database does not know yet."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._counts: dict[Key, tuple[int, float]] = {}
        self._saved_at = time.monotonic()

    def add(self, key: Key, requests: int, seconds: float) -> None:
        with self._lock:
            old_requests, old_seconds = self._counts.get(key, (0, 0.0))
            self._counts[key] = old_requests + requests, old_seconds + seconds

    def save_if_due(self) -> None:
        if time.monotonic() - self._saved_at > SAVE_SECONDS:
            self.save()

    def save(self) -> None:
        """Add the counts to the database; they are kept for another time where it is away."""
        with self._lock:
            counts, self._counts, self._saved_at = self._counts, {}, time.monotonic()
        if not counts:
            return
        try:
            with connection.cursor() as cursor:  # sorted, so that no two processes wait for each other
                cursor.executemany(ADD, [(*key, *counts[key]) for key in sorted(counts)])
        except DatabaseError as error:
            log.warning("The counts of requests could not be saved: %s", error)
            for key, (requests, seconds) in counts.items():
                self.add(key, requests, seconds)


counter = RequestCounter()


def count_requests(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware: counts each request, where /metrics is switched on."""
    if not is_metrics_enabled():
        raise MiddlewareNotUsed

    def middleware(request: HttpRequest) -> HttpResponseBase:
        started = time.monotonic()
        response = get_response(request)
        seconds = time.monotonic() - started
        match = request.resolver_match
        view_name = (match.view_name or "unnamed")[:100] if match else "none"
        method = request.method if request.method in METHODS else "other"
        counter.add(
            (view_name, method, response.status_code, next(bound for bound in BOUNDS if seconds <= float(bound))),
            1,
            seconds,
        )
        counter.save_if_due()
        return response

    return middleware


def is_metrics_enabled() -> bool:
    """Whether anybody may read the metrics."""
    return bool(settings.METRICS_TOKEN or settings.METRICS_NETWORKS)
