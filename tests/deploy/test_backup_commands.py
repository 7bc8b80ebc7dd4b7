"""The commands of docs/administration.md back up and restore a server of its own, which was lost in between."""

import os
import re
import shlex
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

from campus.settings.encryption_keys import make_key

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("/var/backups", "/mnt/safe", "/var/lib/rollcall")  # of the document; the test's are in a folder of its own


def documented_commands(folder: Path) -> list[list[str]]:
    """All lines of the section that run manage.py, in its order."""
    text = (ROOT / "docs" / "administration.md").read_text()
    section = text.partition("## Backup and restore\n")[2].partition("\n## ")[0]
    lines = re.findall(r"^    manage\.py ([^#\n]*)", section, re.MULTILINE)
    return [shlex.split(re.sub("|".join(FOLDERS), lambda found: f"{folder}{found[0]}", line)) for line in lines]


def test_the_documented_commands_bring_a_lost_server_back(tmp_path: Path) -> None:
    var = tmp_path / "server"
    database = var / "rollcall.sqlite3"
    (tmp_path / "passphrase").write_text("correct horse battery staple\n")
    restored_keys = tmp_path / "var" / "lib" / "rollcall" / "restored-keys"
    restored_keys.parent.mkdir(parents=True)
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "campus.settings.prod",
        "DJANGO_SUPERUSER_PASSWORD": "a-password-of-the-test",
        "ROLLCALL_SECRET_KEY": "0123456789" * 5,
        "ROLLCALL_ENCRYPTION_KEYS": make_key(),
        "ROLLCALL_DATA_DIR": str(var),
        "ROLLCALL_REPORTS_DIR": str(var / "Reports"),
        "ROLLCALL_DATABASE_URL": f"sqlite:///{database}",
        "ROLLCALL_BACKUP_PASSPHRASE_FILE": str(tmp_path / "passphrase"),
    }

    def manage(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    manage("migrate", "--noinput", "-v0")
    manage("createsuperuser", "--noinput", "--username", "registrar", "--email", "registrar@example.org")
    report = var / "Reports" / "CS101.xlsx"
    report.write_bytes(b"a workbook")
    commands = documented_commands(tmp_path)
    is_restored = False
    for command in commands:
        if command[0] == "restore" and "--check" not in command and not is_restored:
            shutil.rmtree(var)  # the server is gone
            is_restored = True
        manage(*command)
    assert [command[0] for command in commands] == ["backup", "backup", "restore", "restore", "migrate", "restore"]
    assert report.read_bytes() == b"a workbook"
    with sqlite3.connect(database) as connection:
        assert connection.execute("SELECT username FROM auth_user").fetchall() == [("registrar",)]
    keys = restored_keys.read_text()
    assert f"ROLLCALL_ENCRYPTION_KEYS={environment['ROLLCALL_ENCRYPTION_KEYS']}" in keys
