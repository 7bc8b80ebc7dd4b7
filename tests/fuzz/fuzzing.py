"""Fuzz tests: hostile examples for the readers of what comes from outside.

`make test` runs a few examples of each, so that all of them take seconds there. `make fuzz` runs as many as fit into
FUZZ_MINUTES, which the tests of a file share; CI does so for a minute a file, beside the other tests. An example fails
by any error but the reader's own, by taking long, and by taking much memory. The one that is being tried is in
.hypothesis/fuzz, as a call that can be copied into a test: it stays there if it fails, and also if it ends or hangs the
process.
"""

import faulthandler
import functools
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import SearchStrategy

from tests.conftest import REPOSITORY

FUZZ_SECONDS = 60 * float(os.environ.get("FUZZ_MINUTES", "0"))
EXAMPLES_IN_TESTS = 25
EXAMPLES_A_ROUND = 50
# Seconds of the processor, since others may go first. After those of a hang not even the interpreter is waited for.
MAX_EXAMPLE_SECONDS, HANG_SECONDS = 15.0, 60.0
MAX_WAIT_SECONDS = 1800.0  # on the clock, for what waits and uses no processor
MAX_EXAMPLE_BYTES = 512 * 1024**2
EXAMPLES = REPOSITORY / ".hypothesis" / "fuzz"
# Of the memory of this process; Linux only.
MEMORY_STATUS, MEMORY_RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def fuzz(
    examples: int = EXAMPLES_IN_TESTS, **strategies: SearchStrategy[Any]
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a test that calls the decorated check with examples of the strategies; with so many in `make test`."""

    def decorate(check: Callable[..., None]) -> Callable[..., None]:
        count = 0

        @settings(
            max_examples=EXAMPLES_A_ROUND if FUZZ_SECONDS else examples,
            derandomize=False,
            phases=(Phase.reuse, Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        )
        @given(**strategies)
        @functools.wraps(check)
        def try_example(**example: Any) -> None:
            nonlocal count
            count += 1
            with watched(f"{check.__name__}({', '.join(f'{name}={value!a}' for name, value in example.items())})"):
                check(**example)

        def test(capsys: pytest.CaptureFixture, request: pytest.FixtureRequest) -> None:
            end = time.monotonic() + FUZZ_SECONDS / len(request.session.items)
            try_example()
            while time.monotonic() < end:
                try_example()
            if FUZZ_SECONDS:
                with capsys.disabled():
                    print(f"\n{check.__name__}: {count} examples", flush=True)

        return test

    return decorate


@contextmanager
def watched(call: str) -> Iterator[None]:
    """Keep the call in a file unless it succeeds; end the process if it hangs. It fails too if it takes long or much
    memory."""
    EXAMPLES.mkdir(parents=True, exist_ok=True)
    file = EXAMPLES / f"{call.partition('(')[0]}-{os.getpid()}.py"  # another process may be at the same test
    file.write_text(call)
    faulthandler.dump_traceback_later(MAX_WAIT_SECONDS, exit=True, file=sys.__stderr__)
    faulthandler.register(signal.SIGPROF, file=sys.__stderr__, chain=True)  # which then ends the process
    signal.setitimer(signal.ITIMER_PROF, HANG_SECONDS)
    before, start = _peak_memory(), time.process_time()
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        faulthandler.cancel_dump_traceback_later()
    seconds, taken = time.process_time() - start, _peak_memory(reset=False) - before
    assert seconds < MAX_EXAMPLE_SECONDS, f"it took {seconds:.0f} s"
    assert taken < MAX_EXAMPLE_BYTES, f"it took {taken / 1024**2:.0f} MiB of memory"
    file.unlink()


def _peak_memory(*, reset: bool = True) -> int:
    """The most bytes that this process had since the last reset; 0 where the system does not say."""
    if not MEMORY_RESET.exists():
        return 0
    if reset:
        MEMORY_RESET.write_text("5")
    status = MEMORY_STATUS.read_text()
    return int(status.partition("VmHWM:")[2].split(maxsplit=1)[0]) * 1024
