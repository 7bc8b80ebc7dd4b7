"""A backup brings everything back, into either database, and nobody reads or changes it without the passphrase."""

import io
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.core.management.color import no_style
from django.db import connection
from django.utils import timezone

from campus.academics.models import Enrolment, Student
from campus.accounts.models import TwoFactorDevice
from campus.attendance.models import FeedEntry
from campus.common.encryption import UnknownKey
from campus.common.storage import write_media
from campus.consent.models import Consent
from campus.consent.selectors import active_consents
from campus.consent.services import record_answer, withdraw_consent
from campus.operations import backup as backups
from campus.operations.backup import make_backup, open_folder
from campus.operations.models import Backup
from campus.operations.sealed_files import PIECE_BYTES, DamagedBackup, SealedReader, SealedWriter
from campus.operations.table_rows import dump_rows, stored_models
from campus.privacy.erasure import request_student_erasure
from campus.privacy.models import Erasure
from campus.recordings.models import Upload
from tests.campus import factories
from tests.campus.conftest import World
from tests.campus.permissions import things
from tests.campus.rows import multiply

PASSPHRASE = "correct horse battery staple"
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def passphrase(settings, monkeypatch) -> None:
    settings.BACKUP_PASSPHRASE = PASSPHRASE
    monkeypatch.setattr(backups, "SCRYPT", {"n": 2**10, "r": 8, "p": 1})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "backups"


@pytest.fixture
def full(transactional_db, world: World) -> World:
    """Rows in every table of ours."""
    things(world)
    multiply(1)
    TwoFactorDevice.objects.create(user=world.own, secret="JBSWY3DP")
    Upload.objects.filter(recording=None).delete()
    Erasure.objects.update(created_at=timezone.now() - timedelta(hours=1))  # before the backup, so it is not repeated
    return world


def run(command: str, *arguments: object, **options: object) -> str:
    output = io.StringIO()
    call_command(command, *map(str, arguments), stdout=output, stderr=output, **options)
    return output.getvalue()


def everything(settings) -> tuple[list[str], dict[str, bytes]]:
    """All rows, but for those about backups, and all files."""
    rows, is_about_backups = [], False
    for line in dump_rows():
        if line.startswith("{"):
            is_about_backups = "operations.backup" in line
        if not is_about_backups:
            rows.append(line)
    folders = (Path(settings.MEDIA_ROOT), Path(settings.REPORTS_DIR))
    files = {str(path): path.read_bytes() for root in folders for path in root.rglob("*") if path.is_file()}
    return rows, files


def wipe(settings) -> None:
    tables = [model._meta.db_table for model in stored_models()]
    connection.ops.execute_sql_flush(connection.ops.sql_flush(no_style(), tables))
    for folder in (settings.MEDIA_ROOT, settings.REPORTS_DIR):
        shutil.rmtree(folder)
        Path(folder).mkdir()


def test_everything_comes_back(full: World, folder: Path, settings):
    before = everything(settings)
    assert sum(line.startswith("[") for line in before[0]) > 200
    assert len(before[1]) > 5
    run("backup", folder)
    wipe(settings)
    assert not User.objects.exists()
    run("restore", folder)
    lines, files = everything(settings)
    assert [line for line in lines if '"restored"' not in line] == before[0]  # which the audit log says
    assert files == before[1]
    assert FeedEntry.objects.filter(kind="student").count() == Student.objects.count()
    device = TwoFactorDevice.objects.get(user__username="own")
    assert device.secret == "JBSWY3DP"
    later = User.objects.create_user("later")  # the database counts on
    assert later.pk > max(User.objects.exclude(pk=later.pk).values_list("pk", flat=True))


def test_every_table_is_in_a_backup(db):
    ours = {model._meta.db_table for model in apps.get_models(include_auto_created=True)}
    feed = {"attendance_feedentry", "attendance_feedstate"}  # a restored backup begins another
    assert {model._meta.db_table for model in stored_models()} == ours - feed
    assert set(connection.introspection.table_names()) - ours == {"django_migrations"}


def test_nothing_of_what_is_stored_can_be_read_in_a_backup(full: World, folder: Path, settings):
    write_media("notes/secret name.bin", b"x" * 100)
    run("backup", folder)
    content = b"".join(path.read_bytes() + str(path).encode() for path in folder.rglob("*") if path.is_file())
    for word in (b"CS101", b"own", b"secret name", PASSPHRASE.encode(), settings.SECRET_KEY.encode()):
        assert word not in content
    settings.BACKUP_PASSPHRASE = "another passphrase"
    with pytest.raises(CommandError, match="passphrase is wrong"):
        run("restore", folder)


def test_a_second_backup_has_only_what_is_new(full: World, folder: Path):
    run("backup", folder)
    files = set((folder / "files").rglob("*"))
    write_media("new.bin", b"new")
    time.sleep(1)  # a backup is called by its second
    run("backup", folder)
    assert len({path for path in (folder / "files").rglob("*") if path.is_file()} - files) == 1
    assert Backup.objects.count() == 2


def test_a_backup_that_is_stopped_goes_on(full: World, folder: Path, settings, monkeypatch):
    write_media("first.bin", b"1")

    def stop(*_arguments: object) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(backups, "_write_rows", stop)
        with pytest.raises(KeyboardInterrupt):
            run("backup", folder)
    copied = {path: path.stat().st_mtime_ns for path in (folder / "files").glob("*/*")}
    assert copied
    assert not open_folder(folder, PASSPHRASE).names()
    run("backup", folder)
    assert {path: path.stat().st_mtime_ns for path in copied} == copied, "copied once"
    assert len(open_folder(folder, PASSPHRASE).names()) == 1


def test_a_file_that_comes_while_the_database_is_read_is_in_the_backup(
    full: World, folder: Path, settings, monkeypatch
):
    write_rows = backups._write_rows

    def write_meanwhile(*arguments: Any) -> int:
        write_media("late.bin", b"late")
        return write_rows(*arguments)

    monkeypatch.setattr(backups, "_write_rows", write_meanwhile)
    run("backup", folder)
    wipe(settings)
    run("restore", folder)
    assert (Path(settings.MEDIA_ROOT) / "late.bin").exists()


@pytest.mark.parametrize("damage", ["changed", "cut", "gone", "another's"])
def test_damage_is_found(full: World, folder: Path, damage: str):
    write_media("big.bin", os.urandom(3 * PIECE_BYTES))
    run("backup", folder)
    assert "can be restored" in run("restore", folder, "--check")
    *_others, smaller, victim = sorted((folder / "files").glob("*/*"), key=lambda path: path.stat().st_size)
    content = bytearray(victim.read_bytes())
    if damage == "changed":
        content[len(content) // 2] ^= 1
        victim.write_bytes(content)
    elif damage == "cut":
        victim.write_bytes(content[: 20 + 2 * (PIECE_BYTES + 20)])  # after a whole piece
    elif damage == "gone":
        victim.unlink()
    else:
        victim.write_bytes(smaller.read_bytes())
    with pytest.raises(CommandError, match=r"damaged|missing"):
        run("restore", folder, "--check")


def test_who_was_erased_or_withdrew_after_the_backup_is_not_back_after_a_restore(full: World, folder: Path, settings):
    erased, withdrawn, printed, other = (factories.student(email="ada@example.org") for _ in range(4))
    for student in (erased, withdrawn, printed, other):
        factories.enrol(full.course, student)
        record_answer(student=student, given=True, method=Consent.Method.PAPER, user=full.registrar)
    # What was before the backup, in the very second by which it is called, may be repeated.
    before = timezone.now() - timedelta(seconds=1)
    done = request_student_erasure(student=other, user=full.registrar)
    Erasure.objects.filter(pk=done.pk).update(state=Erasure.State.DONE)
    Erasure.objects.update(created_at=before)
    run("backup", folder)

    def waiting() -> set[int]:
        return set(Erasure.objects.filter(state="queued", requested_by=None).values_list("subject", flat=True))

    def restore(*arguments: str) -> str:
        said = run("restore", folder, "--overwrite", *arguments)
        assert not active_consents().filter(student=withdrawn).exists()
        assert active_consents().filter(student=printed).exists()
        assert Enrolment.objects.filter(student=erased, valid_to=None).count() == 0
        assert Student.objects.get(pk=erased.pk).email == "ada@example.org", "a worker erases the rest"
        return said

    known = waiting()
    request_student_erasure(student=erased, user=full.registrar)
    withdraw_consent(student=withdrawn, user=full.registrar)
    assert "2 erasures and withdrawals" in restore()  # the database that is replaced knows of them
    assert waiting() - known == {erased.pk}
    time.sleep(1)
    run("backup", folder)
    wipe(settings)
    [first, _second] = open_folder(folder, PASSPHRASE).names()
    assert "2 erasures and withdrawals" in restore("--backup", first)  # a newer backup does
    assert "3 erasures and withdrawals" in restore("--backup", first, "--erase", f"student {printed.pk}")
    assert waiting() - known == {erased.pk, printed.pk}
    with pytest.raises(CommandError, match="student 12"):
        run("restore", folder, "--erase", "Ada")


def test_accounts_are_not_replaced_by_accident(full: World, folder: Path):
    run("backup", folder)
    courses = type(full.course).objects.filter(pk=full.course.pk)
    courses.update(code="XX1")
    with pytest.raises(CommandError, match="--overwrite"):
        run("restore", folder)
    run("restore", folder, "--overwrite")
    assert courses.get().code == "CS101"


def test_a_backup_of_another_version_is_refused(full: World, folder: Path):
    run("backup", folder)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'operations'")
    try:
        with pytest.raises(CommandError, match="another version"):
            run("restore", folder, "--overwrite")
    finally:
        call_command("migrate", "operations", fake=True, verbosity=0)


def test_the_keys_are_apart(full: World, folder: Path, tmp_path: Path, settings):
    with pytest.raises(CommandError, match="alone"):
        run("backup", folder, "--part", "keys", "--part", "database")
    run("backup", tmp_path / "safe", "--part", "keys")
    run("backup", folder)
    keys = tmp_path / "keys"
    run("restore", tmp_path / "safe", "--part", "keys", "--keys-to", keys)
    assert f"ROLLCALL_SECRET_KEY={settings.SECRET_KEY}\n" in keys.read_text()
    assert keys.stat().st_mode & 0o777 == 0o600
    settings.ENCRYPTION_KEYS = [b"another key of thirty-two bytes."]
    assert "a key is missing" in run("restore", folder, "--overwrite")
    with pytest.raises(UnknownKey):
        str(TwoFactorDevice.objects.get(user__username="own").secret)


def test_old_backups_go_and_the_files_of_others_stay(full: World, folder: Path, settings):
    write_media("old.bin", b"old")
    run("backup", folder)
    (Path(settings.MEDIA_ROOT) / "old.bin").unlink()
    files = len(list((folder / "files").glob("*/*")))
    time.sleep(1)
    run("backup", folder, "--keep", 1)
    assert len(open_folder(folder, PASSPHRASE).names()) == 1
    assert len(list((folder / "files").glob("*/*"))) == files - 1
    assert "can be restored" in run("restore", folder, "--check")


def test_two_backups_do_not_run_at_once(full: World, folder: Path, monkeypatch):
    opened = open_folder(folder, PASSPHRASE, create=True)

    def start_another(*_arguments: object) -> int:
        with pytest.raises(backups.BackupError, match="is running"):
            make_backup(opened, {"database"})
        return 0

    monkeypatch.setattr(backups, "_write_rows", start_another)
    make_backup(opened, {"database"})


def test_a_short_passphrase_and_a_folder_of_others_are_refused(db, folder: Path, tmp_path: Path, settings):
    settings.BACKUP_PASSPHRASE = "short"
    with pytest.raises(CommandError, match="too short"):
        run("backup", folder)
    settings.BACKUP_PASSPHRASE = PASSPHRASE
    (folder / "holiday").mkdir(parents=True)
    with pytest.raises(CommandError, match="other files"):
        run("backup", folder)


def seal(content: bytes, key: bytes = bytes(32), place: str = "here") -> bytes:
    target = io.BytesIO()
    writer = SealedWriter(target, key, place)
    writer.write(content)
    writer.close()
    return target.getvalue()


def unseal(sealed: bytes, key: bytes = bytes(32), place: str = "here") -> bytes:
    return io.BufferedReader(SealedReader(io.BytesIO(sealed), key, place)).read()


@pytest.mark.parametrize("size", [0, 1, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES])
def test_files_of_any_size_are_sealed(size: int):
    content = os.urandom(size)
    assert unseal(seal(content)) == content


@pytest.mark.parametrize(
    "change",
    [
        lambda sealed: sealed[:-1],
        lambda sealed: sealed + b"\0",
        lambda sealed: sealed[: 24 + PIECE_BYTES + 16],
        lambda sealed: sealed[:20],
        lambda sealed: sealed[:10],
        lambda sealed: b"",
        lambda sealed: b"RCB\x02" + sealed[4:],
    ],
)
def test_a_sealed_file_that_was_changed_is_refused(change: Callable[[bytes], bytes]):
    with pytest.raises(DamagedBackup):
        unseal(change(seal(os.urandom(PIECE_BYTES + 5))))


@pytest.mark.parametrize("other", [{"key": bytes(31) + b"1"}, {"place": "there"}])
def test_a_sealed_file_is_for_one_key_and_place(other: dict):
    with pytest.raises(DamagedBackup):
        unseal(seal(b"content"), **other)


def test_the_passphrase_is_in_no_process_list(tmp_path: Path):
    (tmp_path / "passphrase").write_text(PASSPHRASE)
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "campus.settings.dev",
        "ROLLCALL_DATA_DIR": str(tmp_path / "var"),
        "ROLLCALL_REPORTS_DIR": str(tmp_path / "reports"),
        "ROLLCALL_DATABASE_URL": f"sqlite:///{tmp_path / 'db.sqlite3'}",
        "ROLLCALL_BACKUP_PASSPHRASE_FILE": str(tmp_path / "passphrase"),
    }
    command = [sys.executable, "manage.py", "backup", str(tmp_path / "backups"), "--part", "storage"]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    seen = b""
    while process.poll() is None and b"manage.py" not in seen:  # before, it is a copy of this process
        seen = b"".join(Path(f"/proc/{process.pid}/{name}").read_bytes() for name in ("cmdline", "environ"))
    output, _ = process.communicate(timeout=120)
    assert PASSPHRASE.encode() not in seen + output
    assert process.returncode == 0, output.decode()
    assert b"manage.py" in seen
