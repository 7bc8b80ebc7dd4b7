"""The units of deploy/systemd, run as systemd runs them, as far as an upgrade needs it."""

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path

STOP_SECONDS = 60
# Gives the process its socket as file descriptor 3, as sd_listen_fds(3) says.
TAKE_SOCKET = 'exec 3<&"$1"; shift; export LISTEN_FDS=1 LISTEN_PID=$$; exec "$@"'


class Systemd:
    """`systemctl` for the units in a folder. Of the other units than `served` it only sees that they are there."""

    def __init__(self, units: Path, program: Path, environment: dict[str, str], served: set[str]) -> None:
        self.units, self.program, self.environment, self.served = units, program, environment, served
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.sockets: dict[str, socket.socket] = {}

    def systemctl(self, action: str, *units: str) -> None:
        assert action in {"daemon-reload", "start", "restart"}
        for unit in units:
            text = (self.units / f"{unit}.service").read_text()
            if unit in self.served:
                self.stop(unit)
                self._start(unit, text)

    def address(self, unit: str) -> tuple[str, int]:
        """Where the unit's socket listens."""
        if unit not in self.sockets:
            assert re.search(r"^ListenStream=127\.0\.0\.1:\d+$", (self.units / f"{unit}.socket").read_text(), re.M)
            listener = self.sockets[unit] = socket.create_server(("127.0.0.1", 0), backlog=1024)
            os.set_inheritable(listener.fileno(), True)
        host, port = self.sockets[unit].getsockname()
        return host, port

    def stop(self, unit: str) -> None:
        if process := self.processes.pop(unit, None):
            process.send_signal(signal.SIGTERM)
            process.wait(STOP_SECONDS)

    def stop_all(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            process.wait(STOP_SECONDS)
        self.processes.clear()
        for listener in self.sockets.values():
            listener.close()

    def command_of(self, command: list[str]) -> list[str]:
        """How a unit's command is run here."""
        return [sys.executable, *command[1:]]

    def environment_of(self, text: str) -> dict[str, str]:
        """Of the unit with this text."""
        return self.environment

    def _start(self, unit: str, text: str) -> None:
        commands = [shlex.split(line) for line in re.findall(r"^ExecStart(?:Pre)?=(.*)$", text, re.MULTILINE)]
        for command in commands:
            assert command[0] == "/opt/rollcall/.venv/bin/python"
            command = self.command_of([word.replace("%%", "%") for word in command])
            folder, environment = self.program.resolve(), self.environment_of(text)
            if "Type=oneshot" in text:
                subprocess.run(command, cwd=folder, env=environment, check=True)
                continue
            passed: tuple[int, ...] = ()
            if f"Requires={unit}.socket" in text:
                self.address(unit)
                passed = (self.sockets[unit].fileno(),)
                command = ["bash", "-c", TAKE_SOCKET, "bash", str(passed[0]), *command]
            self.processes[unit] = subprocess.Popen(command, cwd=folder, env=environment, pass_fds=passed)
