"""A folder of this machine, or one that is mounted (NFS, SMB)."""

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from campus.cctv.egress_policy import Address
from workers.stores.base import CHUNK, Found, Store, Writing, moment, sound


class Folder(Store):
    """A folder of this machine, or one that is mounted. Links are not followed."""

    def __init__(self, address: Address) -> None:
        super().__init__(None, address.path)

    def entries(self, folder: str) -> Iterator[Found]:
        with os.scandir(self._real(folder)) as entries:
            for entry in entries:
                if sound(entry.name) and (entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False)):
                    yield self._found(
                        f"{folder}/{entry.name}" if folder else entry.name, entry.stat(follow_symlinks=False)
                    )

    def look_at(self, path: str) -> Found:
        return self._found(path, self._real(path).lstat())

    def read(self, path: str, offset: int) -> Iterator[bytes]:
        """Raises Writing while another process has the file open to write into it, as far as the file system can tell."""
        # Not blocking: a pipe of that name would never open.
        with open(os.open(self._real(path), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb", buffering=0) as file:  # noqa: PTH123
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise FileNotFoundError(path)
            with suppress(PermissionError):
                self._refuse_writers(file.fileno())
            file.seek(offset)
            while chunk := file.read(CHUNK):
                yield chunk

    @staticmethod
    def _refuse_writers(file: int) -> None:
        """A lease to read is not given while the file is open for writing."""
        try:
            fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        except BlockingIOError as error:
            raise Writing("The file is still being written.") from error
        except OSError:
            return  # a file system without leases
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)

    def _real(self, path: str) -> Path:
        real = Path(self.root, path).resolve()
        if not real.is_relative_to(self.root):
            raise FileNotFoundError(path)
        return real

    @staticmethod
    def _found(path: str, entry: os.stat_result) -> Found:
        return Found(
            path,
            stat.S_ISDIR(entry.st_mode),
            entry.st_size,
            moment(entry.st_mtime),
            f"{entry.st_ino}-{entry.st_mtime_ns}",
        )
