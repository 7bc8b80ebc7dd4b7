"""What a release's steps and the start of each service take: `python -m benchmarks.services`.

Prints seconds by the clock, and of the processor, which other programs lengthen less: for the steps of
rollcall-release.service in an empty database and again without a change, and until web server and worker are ready.
"""

import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from campus.settings.encryption_keys import make_key
from deploy.local import Processes, free_port

UNITS = Path(__file__).resolve().parents[1] / "deploy" / "systemd"


def commands_of(unit: str) -> list[list[str]]:
    """The commands of a unit, for this Python."""
    lines = re.findall(r"^ExecStart=\S+/python (.*)$", (UNITS / f"{unit}.service").read_text(), re.MULTILINE)
    return [[sys.executable, *shlex.split(line.replace("%%", "%"))] for line in lines]


def processor_seconds(pid: int) -> float:
    """Of a process and its children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    own = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return own + sum(processor_seconds(int(child)) for child in children)


def run_step(command: list[str]) -> None:
    started, before = time.monotonic(), os.times()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    now = os.times()
    used = now.children_user + now.children_system - before.children_user - before.children_system
    print(f"{' '.join(command[1:4]):60} {time.monotonic() - started:6.1f} s {used:6.1f} s", flush=True)


def time_start(name: str, command: list[str], is_ready: Callable[[Path], bool], folder: Path) -> None:
    log = folder / f"{name}.log"
    started = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    while not is_ready(log):
        if process.poll() is not None:
            raise SystemExit(log.read_text())
        time.sleep(0.02)
    seconds, used = time.monotonic() - started, processor_seconds(process.pid)
    print(f"{name:60} {seconds:6.1f} s {used:6.1f} s", flush=True)
    process.terminate()
    process.wait()


def main() -> int:
    with tempfile.TemporaryDirectory() as text:
        folder, port = Path(text), free_port()
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "campus.settings.prod",
            "ROLLCALL_SECRET_KEY": "of the benchmark alone, which needs fifty characters",
            "ROLLCALL_ENCRYPTION_KEYS": make_key(),
            "ROLLCALL_DATA_DIR": str(folder),
            "ROLLCALL_REPORTS_DIR": str(folder / "Reports"),
            "ROLLCALL_DATABASE_URL": f"sqlite:///{folder / 'rollcall.sqlite3'}",
        }

        def web_is_ready(_log: Path) -> bool:
            with suppress(urllib.error.URLError, ConnectionError, TimeoutError):
                return urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5).status == 200
            return False

        with Processes(folder) as processes:
            processes.start_broker()
            for round_number in (1, 2):
                print(f"release, round {round_number}")
                for command in commands_of("rollcall-release"):
                    run_step(command)
            for name in ("web", "web"):
                (command,) = commands_of(f"rollcall-{name}")
                time_start(name, [*command, "--bind", f"127.0.0.1:{port}"], web_is_ready, folder)
            for name in ("worker", "vision", "sweeper"):
                (command,) = commands_of(f"rollcall-{name}")
                time_start(name, command, lambda log: b" ready." in log.read_bytes(), folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
