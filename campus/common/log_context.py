"""What a process is at, for its lines in the log: the id of the request, or the job and its row."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_context: ContextVar[dict[str, Any]] = ContextVar("log_context", default={})  # noqa: B039 - it is replaced, never changed


def log_context() -> dict[str, Any]:
    """The facts that hold now."""
    return _context.get()


@contextmanager
def add_log_context(**facts: Any) -> Iterator[None]:
    """Within the block, each line of the log in JSON has these facts, too: numbers and ids, never names."""
    token = _context.set(_context.get() | facts)
    try:
        yield
    finally:
        _context.reset(token)
