"""Run a command with the system calls that units of deploy/systemd allow: `python -m tests.deploy.unit_filter COMMAND`.

It needs no systemd that runs, only its lists of calls.
"""

import errno
import os
import re
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import seccompy

UNIT = Path(__file__).resolve().parents[2] / "deploy" / "systemd" / "rollcall-vision.service"


def expand(names: list[str]) -> set[str]:
    """The system calls of these names and sets (@name), as this machine's systemd has them."""
    calls = {name for name in names if not name.startswith("@")}
    if sets := [name for name in names if name.startswith("@")]:
        command = ["systemd-analyze", "syscall-filter", "--no-pager", *sets]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        members = re.findall(r"^    ([@\w-]+)$", text, re.MULTILINE)
        calls |= expand(sorted(set(members) - set(names)))
    return calls


def allowed_calls() -> set[str]:
    allowed: set[str] = set()
    for line in re.findall(r"^SystemCallFilter=(.*)$", UNIT.read_text(), re.MULTILINE):
        if line.startswith("~"):
            allowed -= expand(line[1:].split())
        else:
            allowed |= expand(line.split())
    return allowed


def main() -> None:
    calls = seccompy.Filter(default=seccompy.Action.ERRNO | errno.EPERM)
    for name in sorted(allowed_calls()):
        with suppress(ValueError):  # of another processor
            calls.allow(name)
    calls.load()
    os.execvp(sys.argv[1], sys.argv[1:])  # noqa: S606


if __name__ == "__main__":
    main()
