"""Copies of stored files on this machine's own disk, for programs that need a path. All processes of the machine share
them, as long as there is space (ROLLCALL_STORAGE_CACHE_BYTES).
"""

import errno
import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import IO

from django.conf import settings

from campus.common.storage import StoredFile, local_path
from recognition.files import atomic_write


@contextmanager
def complete_copy(file: StoredFile, address: str, download: Callable[[StoredFile, IO[bytes]], int]) -> Iterator[Path]:
    """The copy of just this version of a file, which is made if it isn't there. It stays as long as somebody holds it.

    `address` tells one storage from another. `download` writes the file into the copy, and says how many bytes it has.

    Who reads it has a shared lock on it, who makes it an exclusive one on the empty file in its place, and who deletes
    it an exclusive one too.
    """
    path = _copy_path(file, address)
    while True:
        with open(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "rb") as held:  # noqa: PTH123
            fcntl.flock(held, fcntl.LOCK_SH)
            if _is_at(path, held) and os.fstat(held.fileno()).st_size == file.size:
                os.utime(path)
                yield path
                return
            fcntl.flock(held, fcntl.LOCK_EX)
            if _is_at(path, held) and os.fstat(held.fileno()).st_size != file.size:
                _delete_old_copies(file.size)
                with atomic_write(path) as beside, beside.open("wb") as target:
                    fcntl.flock(target, fcntl.LOCK_SH)
                    if download(file, target) != file.size:
                        raise OSError(errno.EIO, "The storage sent another number of bytes than it said", file.name)
                    target.flush()
                    os.fsync(target.fileno())


def _copy_path(file: StoredFile, address: str) -> Path:
    folder = local_path("cache")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = f"{address}/{file.name}/{file.version}"
    # The end of the name is kept, because some programs go by it.
    return folder / (hashlib.sha256(key.encode()).hexdigest() + PurePosixPath(file.name).suffix)


def _is_at(path: Path, held: IO[bytes]) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(held.fileno()))
    except FileNotFoundError:
        return False


def _delete_old_copies(size: int) -> None:
    """Delete the copies that were not needed for longest, until there is space for so many more bytes."""
    copies = []
    for path in local_path("cache").iterdir():
        with suppress(FileNotFoundError):  # another process needs space too
            status = path.stat()
            copies.append((status.st_mtime_ns, status.st_size, path))
    excess = sum(copy_size for _, copy_size, _ in copies) + size - settings.STORAGE_CACHE_BYTES
    for _, copy_size, path in sorted(copies):
        if excess <= 0:
            return
        if not copy_size:
            continue  # somebody is about to make it
        # BlockingIOError: it is being read or made.
        with suppress(FileNotFoundError, BlockingIOError), path.open("rb") as copy:
            fcntl.flock(copy, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(path, copy):
                path.unlink()
                excess -= copy_size
