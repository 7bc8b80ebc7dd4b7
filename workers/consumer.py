"""Celery's consumer, which pauses while the broker answers but refuses, as a full one does."""

import time

import redis
from celery.worker.consumer import Consumer as CeleryConsumer

PAUSE_SECONDS = 5


class Consumer(CeleryConsumer):
    """Without the pause, it would try again many times a second."""

    def on_connection_error_before_connected(self, exc: Exception) -> None:
        super().on_connection_error_before_connected(exc)
        self._pause(exc)

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        super().on_connection_error_after_connected(exc)
        self._pause(exc)

    def _pause(self, exc: Exception) -> None:
        if isinstance(exc, redis.ResponseError):
            time.sleep(PAUSE_SECONDS)
