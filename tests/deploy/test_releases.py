"""An upgrade by the document's own commands, and the way back, while people go on working."""

import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.deploy.units import Systemd
from tests.faults.conftest import valkey
from tests.waiting import wait_until

__all__ = ["valkey"]

ROOT = Path(__file__).resolve().parents[2]
SECTION = (
    (ROOT / "docs" / "administration.md").read_text().partition("\n## Upgrade and roll back\n")[2].partition("\n## ")[0]
)
COMMANDS = re.findall(r"^    (.*)$", SECTION, re.MULTILINE)
SERVED = {"rollcall-release", "rollcall-web", "rollcall-sweeper"}
EXPAND = """
from django.db import migrations, models

class Migration(migrations.Migration):
    dependencies = [("operations", "0001_initial")]
    operations = [
        migrations.AddField("Backup", "place", models.CharField(max_length=100, db_default="", default="")),
    ]
"""


def release(folder: Path) -> Path:
    """A folder with the program, as an installation has it."""
    folder.mkdir()
    for name in ("deploy", "locks", "recognition", "tools", "workers"):
        (folder / name).symlink_to(ROOT / name)
    for name in ("manage.py", "pyproject.toml", "requirements-facenet.txt"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "campus", folder / "campus")
    return folder


class People:
    """They ask for pages all the time, each with a connection of its own."""

    def __init__(self, url: str) -> None:
        self.url, self.answers = url, 0
        self.failures: list[str] = []
        self.stopped = threading.Event()
        self.threads = [threading.Thread(target=self._ask, args=(path,)) for path in ("/livez", "/login/", "/livez")]

    def __enter__(self) -> "People":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        for thread in self.threads:
            thread.join()

    def _ask(self, path: str) -> None:
        while not self.stopped.wait(0.05):
            try:
                status = requests.get(self.url + path, timeout=120).status_code
            except requests.RequestException as error:
                self.failures.append(repr(error))
            else:
                self.answers += 1
                if status != 200:
                    self.failures.append(f"{path} {status}")


@pytest.fixture
def environment(valkey, tmp_path: Path) -> dict[str, str]:
    var = tmp_path / "var"
    return os.environ | {
        "DJANGO_SETTINGS_MODULE": "campus.settings.test",
        "ROLLCALL_TEST_POSTGRES_URL": "",
        "ROLLCALL_DATABASE_URL": f"sqlite:///{var / 'rollcall.sqlite3'}",
        "ROLLCALL_REDIS_URL": valkey.url,
        "ROLLCALL_DATA_DIR": str(var),
        "ROLLCALL_REPORTS_DIR": str(var / "Reports"),
    }


@pytest.fixture
def systemd(tmp_path: Path, environment: dict[str, str]) -> Iterator[Systemd]:
    units, program = tmp_path / "etc" / "systemd" / "system", tmp_path / "opt" / "rollcall"
    units.mkdir(parents=True)
    program.parent.mkdir()
    systemd = Systemd(units, program, environment, SERVED)
    yield systemd
    systemd.stop_all()


def follow_the_document(systemd: Systemd, tmp_path: Path, name: str) -> None:
    for line in COMMANDS:
        words = shlex.split(line.replace("/opt/rollcall-NEW", f"/opt/rollcall-{name}"))
        if words[0] == "systemctl":
            systemd.systemctl(*words[1:])
        else:
            moved = re.sub(r"(?<= )/(?=opt/|etc/)", f"{tmp_path}/", line.replace("-NEW", f"-{name}"))
            subprocess.run(["sh", "-c", moved], check=True)


def readiness(url: str) -> dict[str, str]:
    return requests.get(f"{url}/readyz", timeout=60).json()


def test_the_documented_upgrade_and_the_way_back_refuse_nobody(systemd: Systemd, tmp_path: Path) -> None:
    release(tmp_path / "opt" / "rollcall-OLD")
    new = release(tmp_path / "opt" / "rollcall-NEW")
    (new / "campus" / "operations" / "migrations" / "0002_backup_place.py").write_text(EXPAND)

    def processes() -> list[int]:
        return [systemd.processes[unit].pid for unit in sorted(systemd.processes)]

    follow_the_document(systemd, tmp_path, "OLD")
    url = "http://{}:{}".format(*systemd.address("rollcall-web"))
    wait_until(lambda: readiness(url)["migrations"] == "ok", "the old release is ready")
    first = processes()
    with People(url) as people:
        wait_until(lambda: people.answers > 10, "people get answers")
        follow_the_document(systemd, tmp_path, "NEW")
        assert readiness(url)["migrations"] == "ok"
        with sqlite3.connect(tmp_path / "var" / "rollcall.sqlite3") as database:
            assert database.execute("SELECT count(place) FROM operations_backup").fetchone()
        second = processes()
        follow_the_document(systemd, tmp_path, "OLD")
        assert readiness(url)["migrations"] == "warning"
        before = people.answers
        wait_until(lambda: people.answers > before + 10, "people get answers from the old release again")
    assert not people.failures
    assert len({*first, *second, *processes()}) == 3 * len(first)


@pytest.mark.parametrize(
    "command",
    [
        ["celery", "-A", "workers", "worker", "-Q", "sweep"],
        ["celery", "-A", "workers", "beat", "--pidfile="],
        ["workers.recorder"],
    ],
    ids=["worker", "scheduler", "recorder"],
)
def test_a_process_that_is_started_before_the_release_says_so(environment: dict[str, str], command: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "The tables of the database are of an older version. Run: manage.py migrate"


def test_a_web_server_that_is_started_before_the_release_says_so(environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import campus.wsgi"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    assert "The tables of the database are of an older version." in done.stderr
