"""The clients that are made of the API's description, with the programs of their page, against a running server."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from campus.accounts.services import create_token
from tests.campus.conftest import World
from tests.conftest import REPOSITORY

PAGE = REPOSITORY / "docs" / "integrations" / "api-clients.md"


@pytest.fixture(scope="session")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make clients` writes."""
    if not shutil.which("npm"):
        pytest.skip("npm is not installed (Debian: apt install npm)")
    folder = tmp_path_factory.mktemp("clients")
    # The environment is there, and is not made anew here.
    command = ["make", "-o", ".venv/ready-for-tests", "-o", ".venv/ready", "clients", f"CLIENTS={folder}"]
    made = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout[-4000:] + made.stderr[-4000:]
    return folder


def program(language: str) -> str:
    """The program in this language that the page shows."""
    blocks = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(blocks) == 1
    return str(blocks[0])


def run(command: list[str], folder: Path, **environment: str) -> str:
    ran = subprocess.run(
        command, cwd=folder, env=os.environ | environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_the_programs_of_the_page_read_the_attendance(transactional_db, live_server, world: World, clients: Path):
    _, token = create_token(user=world.own, name="program", scope="read", days=1)
    access = {"ROLLCALL_URL": live_server.url, "ROLLCALL_TOKEN": token}
    expected = [f"{world.course.code} {world.course.name}"]
    expected += [f"{row.lecture_id} {row.student.number} {row.status}" for row in world.lecture.records.order_by("pk")]

    (clients / "python" / "program.py").write_text(program("python"))
    assert run([sys.executable, "program.py"], clients / "python", **access).splitlines() == expected

    typescript = clients / "typescript"
    (typescript / "program.ts").write_text(program("typescript"))
    options = ["--strict", "--skipLibCheck", "--target", "es2022", "--module", "nodenext", "--types", "node"]
    run(["node_modules/.bin/tsc", *options, "program.ts"], typescript)  # it checks each name by the description
    assert run(["node", "program.js"], typescript, **access).splitlines() == expected
