"""A folder of this machine, or a mounted one (NFS, SMB)."""

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from campus.cctv.egress_policy import Address
from campus.cctv.models import Source
from workers.stores.base import CHUNK_BYTES, Entry, Store, is_plain_name, join_path, parse_time
from workers.stores.errors import ErrorClass, FileBeingWritten, StoreNotFound, classify_system_error


class Folder(Store):
    """A folder of this machine, or a mounted one. Links are not followed."""

    def __init__(self, address: Address, source: Source, password: str, *, learn_host_key: bool = False) -> None:
        self.root = address.path.rstrip("/")

    def list_folder(self, folder: str) -> Iterator[Entry]:
        with os.scandir(self._resolve(folder)) as entries:
            for entry in entries:
                if is_plain_name(entry.name) and (
                    entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False)
                ):
                    yield self._entry(join_path(folder, entry.name), entry.stat(follow_symlinks=False))

    def stat(self, path: str) -> Entry:
        return self._entry(path, self._resolve(path).lstat())

    def read(self, path: str, offset: int) -> Iterator[bytes]:
        """Raises FileBeingWritten if another process has the file open for writing and the file system can tell."""
        # O_NONBLOCK, because opening a named pipe would wait for ever.
        with open(os.open(self._resolve(path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb", buffering=0) as file:  # noqa: PTH123
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise FileNotFoundError(path)
            with suppress(PermissionError):
                self._refuse_writers(file.fileno())
            file.seek(offset)
            while chunk := file.read(CHUNK_BYTES):
                yield chunk

    @staticmethod
    def _refuse_writers(file: int) -> None:
        """Ask the kernel for a read lease, which it does not give while the file is open for writing."""
        try:
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        except BlockingIOError as error:
            raise FileBeingWritten from error
        except OSError:
            return  # a file system without leases
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)

    def _resolve(self, path: str) -> Path:
        real = Path(self.root, path).resolve()
        if not real.is_relative_to(self.root):
            raise FileNotFoundError(path)
        return real

    @staticmethod
    def _entry(path: str, status: os.stat_result) -> Entry:
        return Entry(
            path=path,
            is_folder=stat.S_ISDIR(status.st_mode),
            size=status.st_size,
            modified=parse_time(status.st_mtime),
            tag=f"{status.st_ino}-{status.st_mtime_ns}",
        )

    @staticmethod
    def classify_error(error: BaseException) -> ErrorClass | None:
        if isinstance(error, OSError) and error.errno == errno.ENOENT:
            return StoreNotFound
        return classify_system_error(error)
