"""Copies of stored files on this machine's own disk, for programs that need a path. All processes of the machine share
them, as long as there is space (ROLLCALL_STORAGE_CACHE_BYTES).
"""

import errno
import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Final

from django.conf import settings

from campus.common.storage import PartialCopy, StoredFile, local_path
from recognition.files import atomic_write

WRONG_SIZE: Final = "The storage sent another number of bytes than it said"
BLOCK_BYTES: Final = 4 * 1024 * 1024
Download = Callable[[StoredFile, IO[bytes]], int]
ReadRange = Callable[[StoredFile, int, int], bytes]


@contextmanager
def complete_copy(file: StoredFile, address: str, download: Download) -> Iterator[Path]:
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
                        raise OSError(errno.EIO, WRONG_SIZE, file.name)
                    target.flush()
                    os.fsync(target.fileno())


@contextmanager
def copy_in_parts(file: StoredFile, address: str, read_range: ReadRange, download: Download) -> Iterator[PartialCopy]:
    """As `complete_copy`, but with holes in the place of what nobody has read yet: the path, and what fills them.

    It is complete already where this machine has a complete copy, and where its file system can't tell holes.
    """
    complete, path = _copy_path(file, address), _copy_path(file, address, "parts-")
    while not (complete.exists() and complete.stat().st_size == file.size):
        with open(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b", buffering=0) as held:  # noqa: PTH123
            fcntl.flock(held, fcntl.LOCK_SH)
            if not _is_at(path, held):
                continue  # it was deleted meanwhile
            held.truncate(file.size)
            os.utime(path)
            if not _can_tell_holes(held):
                break
            yield path, partial(_fill, held, file, read_range)
            return
    with complete_copy(file, address, download) as copy:
        yield copy, None


def _can_tell_holes(held: IO[bytes]) -> bool:
    return os.fstat(held.fileno()).st_blocks > 0 or os.lseek(held.fileno(), 0, os.SEEK_HOLE) == 0


def _fill(held: IO[bytes], file: StoredFile, read_range: ReadRange, start: int, end: int) -> int:
    """Fetch what is missing of these bytes, in blocks; returns up to where the bytes from `start` on are here."""
    position = max(start, 0) // BLOCK_BYTES * BLOCK_BYTES
    end = min(end, file.size)
    while position < end:
        block_end = min(position + BLOCK_BYTES, file.size)
        # What the file has is no hole, also after a process was killed in the middle of a block.
        if os.lseek(held.fileno(), position, os.SEEK_HOLE) < block_end:
            _delete_old_copies(block_end - position)
            content = read_range(file, position, block_end)
            if position + len(content) != block_end:
                raise OSError(errno.EIO, WRONG_SIZE, file.name)
            if os.pwrite(held.fileno(), content, position) != len(content):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), held.name)
        position = block_end
    return position


def _copy_path(file: StoredFile, address: str, kind: str = "") -> Path:
    folder = local_path("cache")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = f"{address}/{file.name}/{file.version}"
    # The end of the name is kept, because some programs go by it.
    return folder / (kind + hashlib.sha256(key.encode()).hexdigest() + PurePosixPath(file.name).suffix)


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
            copies.append((status.st_mtime_ns, min(status.st_size, status.st_blocks * 512), path))
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
