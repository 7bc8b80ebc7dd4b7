"""Where files lie: media (recordings, photos, crops, galleries, tracks) and reports. All code reaches them through this
module, by names; only this one knows the folders.

Media are encrypted, each file for its name alone, except for recordings and what is made or imported of them: programs
that decode those need them as they are. A machine also has files of its own, which are in the making: uploads, files
that are being fetched, and what is recorded live (`local_path`).
"""

import errno
import fcntl
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Protocol, cast, runtime_checkable

from django.conf import settings
from django.core.files.base import ContentFile, File
from django.core.files.storage import FileSystemStorage, Storage, storages
from django.db import transaction

from campus.common.encryption import (
    OVERHEAD_BYTES,
    DecryptionError,
    UnknownKey,
    decrypt,
    encrypt,
)
from recognition.files import atomic_write

STORAGE_MARK = ".rollcall-storage"

# A path, and what brings the bytes from one position to another there; None where all of them are.
PartialCopy = tuple[Path, Callable[[int, int], int] | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """What a storage knows of a file. `version` is another one after each change."""

    name: str
    size: int
    mtime_ns: int
    version: str

    @property
    def modified(self) -> float:
        """When it was last written, in seconds since 1970."""
        return self.mtime_ns / 1e9


class FileStore(Protocol):
    """What Rollcall asks of a storage. All methods but the first may raise OSError."""

    def is_here(self) -> bool:
        """Whether its mark is found. The answer comes within seconds, as heartbeats wait for it."""

    def open(self, name: str) -> "File[Any]": ...
    def exists(self, name: str) -> bool: ...
    def stat(self, name: str) -> StoredFile: ...
    def open_with_facts(self, name: str) -> AbstractContextManager[tuple[IO[bytes], StoredFile]]:
        """The file, to read, and what the storage knows of just this one."""

    def read(self, name: str, length: int = -1) -> bytes:
        """All of a file, or its first bytes."""

    def write(self, name: str, content: bytes) -> None:
        """Write a file as a whole, in place of an earlier one."""

    def replace_head(self, name: str, head: bytes, by: bytes) -> bool:
        """Put as many bytes in the place of the first ones. False if the file begins with others meanwhile."""

    def delete(self, name: str) -> None:
        """It is no error where the file is gone already."""

    def delete_folder(self, folder: str) -> None: ...
    def walk(self, folder: str = "") -> Iterator[StoredFile]:
        """All files of a folder and of those in it."""

    def local_copy(self, name: str) -> AbstractContextManager[Path]:
        """A path of the file on this machine, to read from within the block."""

    def local_parts(self, name: str) -> AbstractContextManager[PartialCopy]:
        """As `local_copy`, of a file that may have holes: what fills them, for who reads little of it."""

    def writing(self, name: str) -> AbstractContextManager[Path]:
        """A path on this machine to write to. The file is stored when the block ends well."""

    def store(self, file: Path, name: str) -> None:
        """Store a complete file of this machine, which stays there."""


@dataclass(frozen=True, slots=True)
class UnfinishedFile:
    """A file of which parts may have come."""

    name: str
    parts_id: str
    begun_at: datetime


@runtime_checkable
class PartsStore(FileStore, Protocol):
    """A storage to which others may send a file straight, in parts: S3."""

    def begin_parts(self, name: str) -> str:
        """The id of a file that comes in parts, straight from whoever has them."""

    def sign_part(self, name: str, parts_id: str, number: int, size: int) -> str:
        """An address that takes this part (1 is the first), of just this size, in a PUT without credentials."""

    def address_of_parts(self, folder: str) -> str:
        """What the addresses of all parts of a folder's files begin with."""

    def find_parts(self, name: str, parts_id: str) -> dict[int, tuple[int, str]]:
        """The size and the tag of each part that has come, by its number. FileNotFoundError once it is complete."""

    def join_parts(self, name: str, parts_id: str, tags: Sequence[str]) -> None:
        """Make the file of its parts, whose tags are given in their order. Nothing more is taken for it."""

    def discard_parts(self, name: str, parts_id: str) -> None:
        """It is no error where they are gone already."""

    def find_unfinished(self, folder: str) -> Iterator[UnfinishedFile]:
        """All files of a folder that come in parts and are not complete."""


class LocalStorage(FileSystemStorage):
    """The media on this machine's disk, or on one that several machines have mounted."""

    def is_here(self) -> bool:
        return self.exists(STORAGE_MARK)

    def stat(self, name: str) -> StoredFile:
        return _stored_file(name, os.stat(self.path(name)))  # noqa: PTH116

    @contextmanager
    def open_with_facts(self, name: str) -> Iterator[tuple[IO[bytes], StoredFile]]:
        file, facts = self.open_for_caller(name)
        with file:
            yield file, facts

    def open_for_caller(self, name: str) -> tuple[IO[bytes], StoredFile]:
        """As `open_with_facts`, for who closes the file in another place."""
        file = Path(self.path(name)).open("rb")  # noqa: SIM115 - for the caller
        return file, _stored_file(name, os.fstat(file.fileno()))

    def read(self, name: str, length: int = -1) -> bytes:
        with Path(self.path(name)).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH)  # not while `replace_head` writes
            return file.read(length)

    def write(self, name: str, content: bytes) -> None:
        with self.writing(name) as path:
            path.touch(mode=0o600)
            path.write_bytes(content)

    def replace_head(self, name: str, head: bytes, by: bytes) -> bool:
        # Within the file: whoever writes or deletes it meanwhile puts another one in its place or none, which stays.
        with Path(self.path(name)).open("r+b", buffering=0) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if file.read(len(head)) != head:
                return False
            before = os.fstat(file.fileno())
            os.pwrite(file.fileno(), by, 0)
            os.fsync(file.fileno())
            os.utime(file.fileno(), ns=(before.st_atime_ns, before.st_mtime_ns))  # its age says when it expires
        return True

    def delete_folder(self, folder: str) -> None:
        shutil.rmtree(self.path(folder), ignore_errors=True)

    def walk(self, folder: str = "") -> Iterator[StoredFile]:
        for parent, _folders, names in os.walk(self.path(folder)):
            for file in sorted(names):
                path = Path(parent, file)
                with suppress(FileNotFoundError):  # deleted meanwhile
                    if not path.is_symlink():
                        yield _stored_file(path.relative_to(self.location).as_posix(), path.stat())

    @contextmanager
    def local_copy(self, name: str) -> Iterator[Path]:
        yield Path(self.path(name))

    @contextmanager
    def local_parts(self, name: str) -> Iterator[PartialCopy]:
        yield Path(self.path(name)), None

    def writing(self, name: str) -> AbstractContextManager[Path]:
        return atomic_write(Path(self.path(name)))

    def store(self, file: Path, name: str) -> None:
        with self.writing(name) as path:
            try:
                os.link(file, path)  # large files are not copied
            except OSError:
                shutil.copy(file, path)


class LocalReports(LocalStorage):
    """The reports on this machine's disk."""

    @property
    def base_location(self) -> str:
        return str(settings.REPORTS_DIR)

    @property
    def location(self) -> str:
        return os.path.abspath(self.base_location)  # noqa: PTH100


def _stored_file(name: str, status: os.stat_result) -> StoredFile:
    # Also the time of its last change in any way, since a new key leaves the other one as it was.
    version = f"{status.st_mtime_ns}-{status.st_ctime_ns}"
    return StoredFile(name=name, size=status.st_size, mtime_ns=status.st_mtime_ns, version=version)


class EncryptedStorage(Storage):
    """Django's storage for the media that are encrypted. Files are read and written as a whole."""

    def _open(self, name: str, mode: str = "rb") -> "File[Any]":
        return ContentFile(read_media(name), name=name)

    def _save(self, name: str, content: "File[Any]") -> str:
        content.seek(0)
        write_media(name, content.read())
        return name

    def delete(self, name: str) -> None:
        delete_media(name)

    def exists(self, name: str) -> bool:
        return media().exists(name)

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        return clear_storage().listdir(path)

    def path(self, name: str) -> str:
        return clear_storage().path(name)

    def size(self, name: str) -> int:
        return media().stat(name).size - OVERHEAD_BYTES


def clear_storage() -> Storage:
    """The storage of recordings, which are not encrypted."""
    return storages["clear"]


def media() -> FileStore:
    """The stored media, encrypted ones as they are stored."""
    return cast(FileStore, storages["clear"])


def reports() -> FileStore:
    """The workbooks."""
    return cast(FileStore, storages["reports"])


def local_path(*parts: str | os.PathLike[str]) -> Path:
    """A path on this machine's own disk, of a file that is in the making."""
    return Path(settings.MEDIA_ROOT, *parts)


def disk_usages() -> "dict[str, shutil._ntuple_diskusage]":
    """How full the disks of this machine's folders are."""
    folders = {"media": settings.MEDIA_ROOT, "reports": settings.REPORTS_DIR}
    return {name: shutil.disk_usage(folder) for name, folder in folders.items()}


def mark_storage(**_: object) -> None:
    """Handles `post_migrate`: leave a file by which a worker sees that it is this storage that it reaches."""
    if not media().exists(STORAGE_MARK):
        media().write(STORAGE_MARK, b"")


def is_storage_here() -> bool:
    """Whether this machine reaches the storage, and not only an empty folder in its place."""
    return media().is_here()


def read_media(name: str) -> bytes:
    """The content of an encrypted media file. Raises OSError if it is missing or damaged, and UnknownKey."""
    encrypted = media().read(name)
    try:
        return decrypt(encrypted, _place(name))
    except UnknownKey:
        raise
    except DecryptionError as error:
        raise OSError(errno.EIO, str(error), name) from error


@dataclass(frozen=True, slots=True)
class MediaFile:
    """An encrypted media file for who reads it when its turn comes."""

    name: str

    def read_bytes(self) -> bytes:
        """As `read_media`."""
        return read_media(self.name)


def read_media_or_nothing(name: str) -> bytes:
    """The content of an encrypted media file; empty if it is missing or damaged. Raises UnknownKey."""
    try:
        return read_media(name)
    except OSError:
        return b""


def write_media(name: str, content: bytes) -> None:
    """Encrypt and write a media file as a whole, in place of an earlier one. Raises OSError when the disk is full."""
    media().write(name, encrypt(content, _place(name)))


def _place(name: str) -> str:
    return f"media:{name}"


def delete_media(name: str) -> None:
    """Delete a media file; it is no error where it is gone already."""
    media().delete(name)


def delete_media_after_commit(name: str) -> None:
    """Delete a media file once the transaction is committed: what it belonged to is gone then, and not before."""
    # No partial: Django can't name one in the line that it logs if the function fails, and raises instead.
    transaction.on_commit(lambda: delete_media(name), robust=True)


def delete_media_folder(*parts: str) -> None:
    """Delete a media folder with all that is in it; it is no error where it is gone already."""
    media().delete_folder("/".join(parts))
