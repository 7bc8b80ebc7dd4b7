"""Data of an earlier version in var/ is left alone, and people are told how to start afresh."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_data_of_an_earlier_version_is_refused_with_instructions(tmp_path: Path) -> None:
    var = tmp_path / "var"
    var.mkdir()
    with sqlite3.connect(var / "rollcall.sqlite3") as database:
        database.execute(
            "CREATE TABLE django_migrations (id integer PRIMARY KEY, app text, name text, applied datetime)"
        )
        database.execute("INSERT INTO django_migrations VALUES (1, 'footage', '0001_initial', '2026-11-01 00:00:00')")
    database.close()
    unset = {"ROLLCALL_DATABASE_URL", "ROLLCALL_REDIS_URL"}
    environment = {name: value for name, value in os.environ.items() if name not in unset} | {
        "ROLLCALL_DATA_DIR": str(var),
        "ROLLCALL_REPORTS_DIR": str(tmp_path / "Reports"),
        "DJANGO_SETTINGS_MODULE": "campus.settings.dev",
    }
    done = subprocess.run(
        [sys.executable, "-m", "deploy.local"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stderr == (
        f"The data in {var} is of another version of Rollcall, which this one cannot read. "
        f"To begin anew, move it away: mv {var} {var}-old\n"
    )
    with sqlite3.connect(var / "rollcall.sqlite3") as database:
        assert database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall() == [
            ("django_migrations",)
        ]
    database.close()
