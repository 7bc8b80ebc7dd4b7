"""What storages on other machines have in common: S3's (`object_storage.py`) and a web server's (`http_storage.py`)."""

import io
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any, Final
from uuid import uuid4

from django.conf import settings
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import File
from django.core.files.storage import Storage

from campus.common.storage import PartialCopy, StoredFile
from campus.common.storage_copies import complete_copy, copy_in_parts

COPY_BYTES: Final = 1024 * 1024
READ_AHEAD_BYTES: Final = 1024 * 1024


class RemoteStorage(Storage):
    """A `FileStore` on another machine. Its errors are OSErrors; files appear whole or not at all."""

    address: str  # tells it from other storages

    @abstractmethod
    def stat(self, name: str) -> StoredFile: ...
    @abstractmethod
    def read_range(self, file: StoredFile, start: int, end: int) -> bytes:
        """These bytes of just this version of a file."""

    @abstractmethod
    def download(self, file: StoredFile, target: IO[bytes]) -> int:
        """Write just this version of a file to the target; returns how many bytes came."""

    @abstractmethod
    def delete(self, name: str) -> None: ...
    @abstractmethod
    def walk(self, folder: str = "") -> Iterator[StoredFile]: ...
    @abstractmethod
    def store(self, file: Path, name: str) -> None: ...

    def exists(self, name: str) -> bool:
        try:
            self.stat(name)
        except FileNotFoundError:
            return False
        return True

    def size(self, name: str) -> int:
        return self.stat(name).size

    def listdir(self, path: str) -> tuple[list[str], list[str]]:
        inner = [PurePosixPath(file.name).relative_to(path).parts for file in self.walk(path)]
        folders = sorted({parts[0] for parts in inner if len(parts) > 1})
        return folders, [parts[0] for parts in inner if len(parts) == 1]

    def _open(self, name: str, mode: str = "rb") -> "File[Any]":
        return File(self._reader(self.stat(name)), name=name)

    @contextmanager
    def open_with_facts(self, name: str) -> Iterator[tuple[IO[bytes], StoredFile]]:
        file = self.stat(name)
        with self._reader(file) as opened:
            yield opened, file

    def _reader(self, file: StoredFile) -> io.BufferedReader:
        return io.BufferedReader(_RangeReader(self, file), READ_AHEAD_BYTES)

    def delete_folder(self, folder: str) -> None:
        for file in self.walk(folder):
            self.delete(file.name)

    def local_copy(self, name: str) -> AbstractContextManager[Path]:
        return complete_copy(self.stat(name), self.address, self.download)

    def local_parts(self, name: str) -> AbstractContextManager[PartialCopy]:
        return copy_in_parts(self.stat(name), self.address, self.read_range, self.download)

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        # The end of the name is kept, because writers of videos and tables go by it.
        path = Path(settings.FILE_UPLOAD_TEMP_DIR, f"{uuid4().hex}{PurePosixPath(name).suffix}")
        try:
            yield path
            self.store(path, name)
        finally:
            path.unlink(missing_ok=True)


def check_name(name: str) -> str:
    """The name in its plain spelling. Raises SuspiciousFileOperation for one that leads outside of the storage."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise SuspiciousFileOperation(f"{name!r} is outside the storage.")
    return str(path)


class _RangeReader(io.RawIOBase):
    """A stored file, read from wherever one seeks to. A request for bytes of another version is refused."""

    def __init__(self, storage: RemoteStorage, file: StoredFile) -> None:
        self.storage, self.file, self.position = storage, file, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self.position = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self.position, io.SEEK_END: self.file.size}[whence]
        return self.position

    def readinto(self, buffer: Any) -> int:
        end = min(self.position + len(buffer), self.file.size)
        if self.position >= end:
            return 0
        content = self.storage.read_range(self.file, self.position, end)
        buffer[: len(content)] = content
        self.position += len(content)
        return len(content)
