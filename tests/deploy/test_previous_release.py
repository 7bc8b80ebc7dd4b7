"""The workers of the release before do their work with the tables of this one, as they have to during an upgrade."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ("campus", "recognition", "workers", "deploy", "tests", "manage.py", "pyproject.toml")
TEST = "tests/faults/test_workers.py::test_repeated_messages_change_nothing"
SETTINGS = """
from campus.settings.test import *
from campus.settings.test import DATABASES

DATABASES["default"]["TEST"] = {"NAME": DATABASES["default"]["NAME"]}
"""
MIGRATION = """
from django.db import migrations, models

class Migration(migrations.Migration):
    dependencies = [("recordings", "0001_initial")]
    operations = [migrations.AddField("Segment", "made_up", models.CharField(max_length=9, OPTIONS))]
"""


def find_previous_release() -> str:
    """The newest tag before this commit, or "" as long as nothing has been released."""
    command = ["git", "tag", "--list", "v*", "--merged", "HEAD", "--no-contains", "HEAD", "--sort=-version:refname"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.partition("\n")[0]


def copy_program(folder: Path) -> Path:
    """This release in a folder of its own."""
    folder.mkdir()
    for name in PROGRAM:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, folder)
    return folder


def check_out(tag: str, folder: Path) -> Path:
    """A release in a folder of its own."""
    folder.mkdir()
    archive = subprocess.run(["git", "archive", tag, *PROGRAM], cwd=ROOT, capture_output=True, check=True).stdout
    subprocess.run(["tar", "-x", "-C", folder], input=archive, check=True)
    return folder


def run_workers(old: Path, new: Path, tmp_path: Path) -> "subprocess.CompletedProcess[str]":
    """Run a test of the old release's workers, with its code, in a database that the new release has made."""
    (tmp_path / "var").mkdir()
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "campus.settings.test",
        "ROLLCALL_TEST_POSTGRES_URL": "",
        "ROLLCALL_DATABASE_URL": f"sqlite:///{tmp_path / 'var' / 'test.sqlite3'}",
        "ROLLCALL_DATA_DIR": str(tmp_path / "var"),
        "ROLLCALL_REPORTS_DIR": str(tmp_path / "var" / "Reports"),
        "ROLLCALL_NETWORK_CACHE_DIR": os.environ["ROLLCALL_NETWORK_CACHE_DIR"],
        "PYTEST_ADDOPTS": "",
    }
    subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=new, env=environment, check=True)
    (old / "tables_of_the_next_release.py").write_text(SETTINGS)
    options = ["-q", "-p", "no:cacheprovider", "--reuse-db", "--ds=tables_of_the_next_release"]
    command = [sys.executable, "-m", "pytest", *options, TEST]
    return subprocess.run(command, cwd=old, env=environment, capture_output=True, text=True, check=False)


def copy_with_migration(folder: Path, options: str) -> Path:
    """This release with one more column, as the next one may have it."""
    new = copy_program(folder)
    migration = new / "campus" / "recordings" / "migrations" / "0002_made_up.py"
    migration.write_text(MIGRATION.replace("OPTIONS", options))
    return new


def test_the_workers_of_the_release_before_work_with_these_tables(tmp_path: Path) -> None:
    if tag := find_previous_release():
        old, new = check_out(tag, tmp_path / "old"), ROOT
    else:
        old, new = copy_program(tmp_path / "old"), copy_with_migration(tmp_path / "new", 'db_default=""')
    done = run_workers(old, new, tmp_path)
    assert done.returncode == 0, done.stdout


def test_tables_that_the_release_before_cannot_write_are_found(tmp_path: Path) -> None:
    new = copy_with_migration(tmp_path / "new", 'default=""')
    done = run_workers(copy_program(tmp_path / "old"), new, tmp_path)
    assert done.returncode == 1
    assert "NOT NULL constraint failed: recordings_segment.made_up" in done.stdout
