"""Celery's consumer, which outlives the broker, pauses while it answers but refuses, as a full one does, and does not
talk to other workers: which of them run, the database says.
"""

import time
from typing import Any

import redis
from celery.worker import state
from celery.worker.consumer import Consumer as CeleryConsumer

PAUSE_SECONDS = 5


class Consumer(CeleryConsumer):
    """Celery's would end the worker at a lost connection, and try many times a second at a full broker."""

    task_consumer: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        quiet = {"without_mingle": True, "without_gossip": True, "without_heartbeat": True, "task_events": False}
        kwargs["worker_options"] |= quiet
        super().__init__(*args, **kwargs)

    def on_connection_error_before_connected(self, exc: Exception) -> None:
        super().on_connection_error_before_connected(exc)
        self._pause(exc)

    def on_connection_error_after_connected(self, exc: Exception) -> None:
        self._let_go_of_messages()
        super().on_connection_error_after_connected(exc)
        self._pause(exc)

    def _let_go_of_messages(self) -> None:
        """Neither acknowledge nor put back messages through a connection that is lost.

        Kombu raises AttributeError when it is asked to. Nothing is lost by it: the tasks continue, and a broker that
        still has their messages sends them again, to find the work done.
        """
        for request in state.reserved_requests:
            request.acknowledged = True
        if self.task_consumer:
            self.task_consumer.channel.qos.restore_at_shutdown = False

    def _pause(self, exc: Exception) -> None:
        if isinstance(exc, redis.ResponseError):
            time.sleep(PAUSE_SECONDS)
