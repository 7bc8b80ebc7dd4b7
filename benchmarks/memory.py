"""The memory of this process."""

import re
from pathlib import Path


def memory_bytes(field: str) -> int:
    """VmHWM (the peak) or VmRSS (the present value) of this process, from Linux's /proc.

    Unlike that of `getrusage`, this peak does not begin with the memory of the process that started this one.
    """
    match = re.search(rf"^{field}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    return int(match[1]) * 1024 if match else 0
