"""A PostgreSQL server of its own, for tests that stop it; Django asks it instead of the tests' database."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.db import connection, connections

from deploy.local import free_port

DATABASE = "rollcall"


def programs_folder() -> Path:
    """The newest PostgreSQL of the machine."""
    return max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))


def database_url() -> str:
    """Django's database, for other processes."""
    database = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{database['NAME']}"
    return (
        f"postgres://{database['USER']}:{database['PASSWORD']}@{database['HOST']}:{database['PORT']}/{database['NAME']}"
    )


class Postgres:
    """Its data and its socket are in `folder`, whose path must be short. It runs as the user postgres if we are
    root.
    """

    def __init__(self, folder: Path, *, address: str = "127.0.0.1") -> None:
        self.folder, self.address = folder, address
        self.port = free_port()
        folder.mkdir()
        if os.getuid() == 0:
            shutil.chown(folder, "postgres", "postgres")
        self._run("initdb", "-D", "data", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8")
        with (folder / "data" / "pg_hba.conf").open("a") as rules:
            rules.write("host all all samenet trust\n")
        self.start()
        self._run("createdb", "-h", str(folder), "-p", str(self.port), "-U", "postgres", DATABASE)

    def start(self) -> None:
        # Without fsync a server that is ended at once loses nothing: only a machine that is would.
        options = f"-p {self.port} -k {self.folder} -c listen_addresses={self.address} -c fsync=off"
        self._run("pg_ctl", "-D", "data", "-l", "log", "-w", "-o", options, "start")

    def stop(self, mode: str = "immediate") -> None:
        self._run("pg_ctl", "-D", "data", "-m", mode, "-w", "stop")
        connections.close_all()

    def _run(self, program: str, *arguments: str) -> None:
        user = ("runuser", "-u", "postgres", "--") if os.getuid() == 0 else ()
        command = [*user, str(programs_folder() / program), *arguments]
        done = subprocess.run(command, cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
        assert done.returncode == 0, done.stderr.decode()

    @contextmanager
    def as_database(self) -> Iterator[None]:
        """Within it, Django's database is this one, with all tables."""
        address = {"NAME": DATABASE, "USER": "postgres", "HOST": self.address, "PORT": str(self.port)}
        with use_database(ENGINE="django.db.backends.postgresql", CONN_HEALTH_CHECKS=True, **address):
            yield


@contextmanager
def use_database(**changes: Any) -> Iterator[None]:
    """Within it, Django's database is another one, with all tables."""
    outer, settings = connections["default"], connections.settings["default"]
    connections.settings["default"] = settings | {"USER": "", "PASSWORD": "", "OPTIONS": {}} | changes
    connections["default"] = connections.create_connection("default")
    try:
        call_command("migrate", verbosity=0)
        yield
    finally:
        connections["default"].close()
        connections.settings["default"], connections["default"] = settings, outer
