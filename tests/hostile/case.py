"""One row of the table, and how its cost is measured."""

import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

MAX_SECONDS = 60.0
MAX_PEAK_BYTES = 600 * 1024**2
SAMPLING_SECONDS = 0.01
READ = "It was read."  # what is said of a file that does no harm


@dataclass(frozen=True, kw_only=True)
class Case:
    """`make` gives the file's bytes; `limit` is what stops it, `says` a regular expression for the sentence."""

    name: str
    limit: str
    says: str
    make: Callable[[], bytes] = field(repr=False)


def after(make: Callable[[], bytes], change: Callable[[bytes], bytes]) -> Callable[[], bytes]:
    return lambda: change(make())


@dataclass
class Cost:
    """Seconds of the processor, and the most bytes that this process took in addition or one of its children had."""

    seconds: float = 0.0
    peak: int = 0


@contextmanager
def measured() -> Iterator[Cost]:
    """What the block costs, the decoder's children included."""
    cost, done, earlier = Cost(), threading.Event(), set(_descendants())
    seconds: dict[str, float] = {}

    def watch() -> None:
        while not done.wait(SAMPLING_SECONDS):
            for pid in set(_descendants()) - earlier:
                cost.peak = max(cost.peak, _status_bytes(pid, "VmHWM"))
                seconds[pid] = max(_processor_seconds(pid), seconds.get(pid, 0.0))

    Path("/proc/self/clear_refs").write_text("5")
    before, started = _status_bytes("self", "VmHWM"), time.process_time()
    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield cost
    finally:
        done.set()
        watcher.join()
        cost.seconds = time.process_time() - started + sum(seconds.values())
        cost.peak = max(cost.peak, _status_bytes("self", "VmHWM") - before)


def _processor_seconds(pid: str) -> float:
    with suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0


def _descendants(pid: str = "self") -> Iterator[str]:
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield child
                yield from _descendants(child)


def _status_bytes(pid: str, name: str) -> int:
    with suppress(OSError):
        if found := re.search(rf"{name}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text()):
            return int(found[1]) * 1024
    return 0
