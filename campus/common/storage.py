"""Where files lie: media (recordings, photos, crops, galleries, tracks) and reports. All code reaches them through this
module.

Rows keep names relative to the media or the reports folder, never paths. Media are encrypted, each file for its name
alone, except for recordings and what is made or imported of them: programs that decode those need them as they are.
"""

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.base import ContentFile, File
from django.core.files.storage import FileSystemStorage, Storage, storages

from campus.common.encryption import (
    OVERHEAD_BYTES,
    DecryptionError,
    UnknownKey,
    decrypt,
    encrypt,
)
from recognition.files import atomic_write


class EncryptedStorage(FileSystemStorage):
    """Django's storage for the media that are encrypted. Files are read and written as a whole."""

    def _open(self, name: str, mode: str = "rb") -> "File[Any]":
        self.path(name)  # raises SuspiciousFileOperation for a name outside
        return ContentFile(read_media(name), name=name)

    def _save(self, name: str, content: "File[Any]") -> str:
        self.path(name)
        content.seek(0)
        write_media(name, content.read())
        return name

    def size(self, name: str) -> int:
        return super().size(name) - OVERHEAD_BYTES


def clear_storage() -> Storage:
    """The storage of recordings, which are not encrypted."""
    return storages["clear"]


def media_path(*parts: str | os.PathLike[str]) -> Path:
    """The path of a media file or folder, given by its stored name or by the parts of it."""
    return Path(settings.MEDIA_ROOT, *parts)


def mark_storage(**_: object) -> None:
    """Handles `post_migrate`: leave a file by which a worker sees that it is this storage that it reaches."""
    _storage_mark().touch(mode=0o600)


def is_storage_here() -> bool:
    """Whether this machine reaches the storage, and not only an empty folder in its place."""
    return _storage_mark().exists()


def _storage_mark() -> Path:
    return media_path(".rollcall-storage")


def media_name(path: Path) -> str:
    """The name to store for a path from `media_path`."""
    return path.relative_to(settings.MEDIA_ROOT).as_posix()


def media_files(folder: str, pattern: str = "*") -> Iterator[Path]:
    """The entries of a media folder that match the pattern; none where there is no such folder."""
    return media_path(folder).glob(pattern)


def read_media(name: str) -> bytes:
    """The content of an encrypted media file. Raises OSError if it is missing or damaged, and UnknownKey."""
    with media_path(name).open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH)  # see campus.common.key_rotation
        encrypted = file.read()
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
    with atomic_write(media_path(name)) as temporary:
        temporary.touch(mode=0o600)
        temporary.write_bytes(encrypt(content, _place(name)))


def _place(name: str) -> str:
    return f"media:{name}"


def delete_media(name: str) -> None:
    """Delete a media file; it is no error where it is gone already."""
    media_path(name).unlink(missing_ok=True)


def delete_media_folder(*parts: str | os.PathLike[str]) -> None:
    """Delete a media folder with all that is in it; it is no error where it is gone already."""
    shutil.rmtree(media_path(*parts), ignore_errors=True)


def report_path(*parts: str | os.PathLike[str]) -> Path:
    """The path of a workbook in the reports folder."""
    return Path(settings.REPORTS_DIR, *parts)
