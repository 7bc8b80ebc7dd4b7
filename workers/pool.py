"""Celery's pool of processes, which reads their results to the end when the broker is lost meanwhile."""

from collections.abc import Callable, Iterator
from typing import Any

from celery.concurrency import asynpool, prefork


class ResultHandler(asynpool.ResultHandler):
    """Celery's forgets a result of which it has read a part, takes the rest for another one, and ends the worker."""

    fileno_to_outq: dict[int, object]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._unfinished: dict[int, tuple[object, Iterator[None]]] = {}  # by the pipe: whose result, and its reader

    def _recv_message(self, add_reader: Callable[..., None], fd: int, callback: Callable[..., None]) -> Iterator[None]:
        process = self.fileno_to_outq[fd]
        if fd not in self._unfinished or self._unfinished[fd][0] is not process:
            reader = super()._recv_message(add_reader, fd, callback)  # type: ignore[misc]  # not in the stubs
            self._unfinished[fd] = process, reader
        # No `yield from`: the event loop drops this generator when the broker is lost, which would end the reader, too.
        for _ in self._unfinished[fd][1]:
            yield
        del self._unfinished[fd]


class AsynPool(asynpool.AsynPool):
    ResultHandler = ResultHandler


class TaskPool(prefork.TaskPool):
    """The pool of processes of a worker."""

    Pool = AsynPool
