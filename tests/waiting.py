"""Waiting for other threads and processes, as tests of workers and servers do."""

import time
from collections.abc import Callable
from typing import Any

DEADLINE_SECONDS = 300.0  # long, so that a test does not fail on a loaded machine


def wait_until(condition: Callable[[], Any], what: str, seconds: float = DEADLINE_SECONDS) -> Any:
    """Wait until the condition holds; returns its value. Fails after so many seconds, naming what was waited for."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.05)
    return value
