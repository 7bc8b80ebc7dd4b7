"""Backups of the database, of the stored files and of the keys, encrypted with a passphrase.

    FOLDER/backup.json             the key of this folder, wrapped by one that scrypt makes of the passphrase
    FOLDER/files/ab/abcd…          the content of a stored file, once for all backups that have it
    FOLDER/endings                 who was erased or withdrew the consent up to the last backup, by the ids of rows
    FOLDER/20261129T023000Z/       one backup; it is complete when its manifest is there
        manifest, database, files  what it consists of, all rows, and which stored files it has
    OTHER/20261129T023000Z/        keys, in a folder of their own: who finds the one can't use the other

A backup that is stopped goes on where it was, since the files that it has copied are found again by their name, size
and time. Files are copied before the database is read, and those that came meanwhile after it. So each row's file is
there, unless it was deleted in these seconds.
"""

import base64
import fcntl
import gzip
import hmac
import io
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap
from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.db import connection, transaction
from django.db.migrations.loader import MigrationLoader
from django.utils import timezone

from campus.audit.models import Action
from campus.audit.services import record_event
from campus.common.encryption import key_ids
from campus.common.storage import FileStore, media, reports
from campus.operations.models import Backup
from campus.operations.sealed_files import DamagedBackup, SealedReader, SealedWriter
from campus.operations.table_rows import dump_rows, load_rows, snapshot
from campus.privacy.after_restore import Ended, Ending, find_endings, repeat_endings
from campus.recordings.models import Upload
from recognition.files import atomic_write

FORMAT: Final = 1
SCRYPT: Final = {"n": 2**16, "r": 8, "p": 1}  # 64 MiB
MIN_PASSPHRASE_LENGTH: Final = 12
COPY_BYTES: Final = 1024 * 1024
PARTS: Final = ("database", "storage", "keys")
NAME_FORMAT: Final = "%Y%m%dT%H%M%SZ"


class BackupError(Exception):
    """It can't be done. The message is a sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEntry:
    """A file of the media or the reports folder; `content` names what the backup folder has of it."""

    folder: str
    name: str
    size: int
    mtime_ns: int
    content: str


@dataclass(slots=True, kw_only=True)
class Manifest:
    """What a backup consists of, and what has to be there to restore it."""

    parts: list[str]
    migrations: list[str] = field(default_factory=list)
    key_ids: list[str] = field(default_factory=list)
    rows: int = 0
    files: int = 0
    new_bytes: int = 0


def stores() -> dict[str, FileStore]:
    """The stored files that are backed up, by what they are called in backups."""
    return {"media": media(), "reports": reports()}


class BackupFolder:
    """A folder with backups, opened with its passphrase."""

    def __init__(self, path: Path, key: bytes) -> None:
        self.path, self._key = path, key

    def names(self) -> list[str]:
        """All complete backups, the oldest first."""
        return sorted(found.parent.name for found in self.path.glob("*Z/manifest"))

    @contextmanager
    def write(self, path: Path, place: str) -> Iterator[IO[bytes]]:
        """A file to write to, which is there when the block ends well."""
        with atomic_write(path) as temporary, temporary.open("wb") as target:
            temporary.chmod(0o600)
            sealed = io.BufferedWriter(SealedWriter(target, self._key, place), COPY_BYTES)
            yield sealed
            sealed.close()
            target.flush()
            os.fsync(target.fileno())

    @contextmanager
    def read(self, path: Path, place: str) -> Iterator[IO[bytes]]:
        """Raises DamagedBackup, also while it is read."""
        try:
            source = path.open("rb")
        except FileNotFoundError:
            raise DamagedBackup(f"The backup's file “{place}” is missing.") from None
        with source, io.BufferedReader(SealedReader(source, self._key, place), COPY_BYTES) as reader:
            yield reader

    def content_name(self, *facts: object) -> str:
        """What the content of a file with these facts is called. Without the passphrase it tells nothing of them."""
        return hmac.digest(self._key, json.dumps(facts).encode(), "sha256").hex()

    def content_path(self, content: str) -> Path:
        return self.path / "files" / content[:2] / content

    def read_manifest(self, name: str) -> Manifest:
        return Manifest(**self.read_json(name, "manifest"))

    def read_json(self, name: str, part: str) -> Any:
        with self.read(self.path / name / part, f"{name}/{part}") as source:
            return json.load(source)

    def write_json(self, name: str, part: str, content: object) -> None:
        with self.write(self.path / name / part, f"{name}/{part}") as target:
            target.write(json.dumps(content).encode())


def open_folder(path: Path, passphrase: str, *, create: bool = False) -> BackupFolder:
    """Open a folder with backups; with `create`, make it one if it is new. Raises BackupError."""
    file = path / "backup.json"
    if not file.exists():
        if not create:
            raise BackupError(f"There are no backups in {path}.")
        if len(passphrase) < MIN_PASSPHRASE_LENGTH:
            raise BackupError(f"The passphrase is too short: take {MIN_PASSPHRASE_LENGTH} characters or more.")
        if path.exists() and any(path.iterdir()):
            raise BackupError(f"{path} has other files in it. Choose an empty folder for the backups.")
        salt, key = secrets.token_bytes(16), secrets.token_bytes(32)
        wrapped = aes_key_wrap(_stretch(passphrase, salt), key)
        path.mkdir(parents=True, exist_ok=True)
        with atomic_write(file) as temporary:
            temporary.write_text(json.dumps({"format": FORMAT, "salt": salt.hex(), "key": wrapped.hex()}))
        return BackupFolder(path, key)
    try:
        head = json.loads(file.read_text())
        if head["format"] != FORMAT:
            raise BackupError(f"The backups in {path} were made by a newer version of Rollcall.")
        wrapped, salt = bytes.fromhex(head["key"]), bytes.fromhex(head["salt"])
    except (ValueError, LookupError, TypeError):
        raise BackupError(f"{file} is damaged.") from None
    try:
        return BackupFolder(path, aes_key_unwrap(_stretch(passphrase, salt), wrapped))
    except InvalidUnwrap:
        raise BackupError("The passphrase is wrong.") from None


def _stretch(passphrase: str, salt: bytes) -> bytes:
    return Scrypt(salt=salt, length=32, **SCRYPT).derive(passphrase.encode())


def make_backup(folder: BackupFolder, parts: Iterable[str], say: Callable[[str], None] = print) -> str:
    """Back up these of PARTS; returns the backup's name. Raises BackupError."""
    with (folder.path / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupError("Another backup into this folder is running.") from None
        name = timezone.now().strftime(NAME_FORMAT)
        if (folder.path / name).exists():
            raise BackupError("A backup was made in this very second. Try again.")
        for unfinished in folder.path.glob("*Z"):
            if not (unfinished / "manifest").exists():
                shutil.rmtree(unfinished)
        manifest = Manifest(parts=[part for part in PARTS if part in parts])
        if "keys" in parts:
            folder.write_json(name, "keys", _running_keys())
        files: dict[tuple[str, str], FileEntry] = {}
        if "storage" in parts:
            manifest.new_bytes += _copy_files(folder, files, say)
        if "database" in parts:
            manifest.migrations = _applied_migrations()
            manifest.key_ids = key_ids()
            manifest.rows = _write_rows(folder, name)
            _write_endings(folder, _read_endings(folder) | find_endings())
            say(f"{manifest.rows} rows")
        if "storage" in parts:
            manifest.new_bytes += _copy_files(folder, files, say)  # what came meanwhile
            folder.write_json(name, "files", [asdict(file) for file in files.values()])
            manifest.files = len(files)
        folder.write_json(name, "manifest", asdict(manifest))
        if "database" in parts:
            record_event(None, Action.BACKED_UP, about=f"{name}: {', '.join(manifest.parts)}")
            Backup.objects.create(name=name, size=manifest.new_bytes)
        return name


def _running_keys() -> dict[str, str]:
    keys = ",".join(base64.urlsafe_b64encode(key).decode().rstrip("=") for key in settings.ENCRYPTION_KEYS)
    return {"ROLLCALL_SECRET_KEY": settings.SECRET_KEY, "ROLLCALL_ENCRYPTION_KEYS": keys}


def _applied_migrations() -> list[str]:
    return sorted(f"{app}.{name}" for app, name in MigrationLoader(connection).applied_migrations)


def _write_rows(folder: BackupFolder, name: str) -> int:
    count = 0
    with (
        folder.write(folder.path / name / "database", f"{name}/database") as target,
        gzip.GzipFile(fileobj=target, mode="wb", compresslevel=3, mtime=0) as packed,
        snapshot(),
    ):
        for line in dump_rows():
            packed.write(f"{line}\n".encode())
            count += line.startswith("[")
    return count


def _copy_files(folder: BackupFolder, files: dict[tuple[str, str], FileEntry], say: Callable[[str], None]) -> int:
    """Copy what the folder does not have yet, and add all to `files`; returns how many bytes were new."""
    count = size = 0
    for kind, store in stores().items():
        for listed in store.walk():
            with suppress(FileNotFoundError), store.open_with_facts(listed.name) as (source, file):
                content = folder.content_name(kind, file.name, file.size, file.version)
                target_path = folder.content_path(content)
                if not target_path.exists():
                    with folder.write(target_path, content) as target:
                        shutil.copyfileobj(source, target, COPY_BYTES)
                    count, size = count + 1, size + file.size
                files[kind, file.name] = FileEntry(
                    folder=kind, name=file.name, size=file.size, mtime_ns=file.mtime_ns, content=content
                )
    say(f"{count} new files, {size} bytes")
    return size


def delete_old_backups(folder: BackupFolder, keep: int) -> list[str]:
    """Delete all but the newest backups, and the contents that none of those has; returns their names."""
    names = folder.names()
    old = names[:-keep]
    for name in old:
        (folder.path / name / "manifest").unlink()  # from here on it is none
        shutil.rmtree(folder.path / name)
    used = {
        file["content"]
        for name in names[-keep:]
        if "storage" in folder.read_manifest(name).parts
        for file in folder.read_json(name, "files")
    }
    for path in (folder.path / "files").glob("*/*"):
        if path.name not in used:
            path.unlink()
    return old


def check_backup(folder: BackupFolder, name: str) -> Manifest:
    """Read all of a backup, without changing anything. Raises DamagedBackup."""
    manifest = folder.read_manifest(name)
    if "database" in manifest.parts and sum(line.startswith("[") for line in _lines(folder, name)) != manifest.rows:
        raise DamagedBackup(f"The backup's file “{name}/database” has too few rows.")
    if "storage" in manifest.parts:
        for entry in folder.read_json(name, "files"):
            with folder.read(folder.content_path(entry["content"]), entry["content"]) as source:
                size = sum(len(piece) for piece in iter(lambda: source.read(COPY_BYTES), b""))
            if size != entry["size"]:
                raise DamagedBackup(f"The backup's file “{entry['content']}” has another size than was noted.")
    return manifest


def _lines(folder: BackupFolder, name: str) -> Iterator[str]:
    with (
        folder.read(folder.path / name / "database", f"{name}/database") as source,
        gzip.open(source, "rt", encoding="utf-8", newline="\n") as lines,
    ):
        yield from lines


def restore_storage(folder: BackupFolder, name: str) -> int:
    """Write the files of a backup; those that are there as they were are left. Returns how many were written."""
    count = 0
    for entry in folder.read_json(name, "files"):
        file = FileEntry(**entry)
        store = stores()[file.folder]
        try:
            with suppress(FileNotFoundError):
                found = store.stat(file.name)
                if (found.size, found.mtime_ns) == (file.size, file.mtime_ns):
                    continue
        except SuspiciousOperation:
            raise DamagedBackup("The backup names a file outside the folders.") from None
        with (
            folder.read(folder.content_path(file.content), file.content) as source,
            store.writing(file.name) as temporary,
        ):
            temporary.touch(mode=0o600)
            with temporary.open("wb") as target:
                shutil.copyfileobj(source, target, COPY_BYTES)
            os.utime(temporary, ns=(file.mtime_ns, file.mtime_ns))
        count += 1
    return count


def time_of(name: str) -> datetime:
    """When the backup of this name was begun."""
    return datetime.strptime(name, NAME_FORMAT).replace(tzinfo=UTC)


def _read_endings(folder: BackupFolder) -> set[Ending]:
    path = folder.path / "endings"
    if not path.exists():
        return set()
    with folder.read(path, "endings") as source:
        return {Ending(Ended(what), subject, datetime.fromisoformat(at)) for what, subject, at in json.load(source)}


def _write_endings(folder: BackupFolder, endings: set[Ending]) -> None:
    rows = [[what, subject, at.isoformat()] for what, subject, at in sorted(endings)]
    with folder.write(folder.path / "endings", "endings") as target:
        target.write(json.dumps(rows).encode())


@dataclass(frozen=True, slots=True)
class Restored:
    """How many rows there are, and how many erasures and withdrawals of after the backup were done again."""

    rows: int
    endings: int


def restore_database(folder: BackupFolder, name: str, more: Iterable[Ending] = ()) -> Restored:
    """Put the rows of a backup in the place of all that are in the database.

    What was erased or withdrawn after the backup, as far as the folder or the database to be replaced know of it, is
    erased and withdrawn again, and `more` besides. Raises BackupError.
    """
    manifest = folder.read_manifest(name)
    if different := set(manifest.migrations) ^ set(_applied_migrations()):
        raise BackupError(
            "The backup was made by another version of Rollcall. Install that version, run manage.py migrate, and "
            f"restore it there. What differs: {', '.join(sorted(different)[:5])}"
        )
    with transaction.atomic():
        endings = _read_endings(folder) | find_endings() | set(more)
        count = load_rows(_lines(folder, name))
        record_event(None, Action.RESTORED, about=name)
        Upload.objects.filter(recording=None).delete()  # their first bytes are in no backup
        return Restored(count, repeat_endings(endings, since=time_of(name)))
