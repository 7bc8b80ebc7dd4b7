"""Files that appear whole or not at all, and their hashes."""

import hashlib
import os
import tokenize
import uuid
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# What reading a missing, damaged or forged npz or JSON file can raise. RuntimeError: it is locked, or packed in another
# way; MemoryError: it says that it is huge; SyntaxError and TokenError: of NumPy, about an array's head.
READ_ERRORS = (
    *(OSError, ValueError, LookupError, EOFError, TypeError, AttributeError, RuntimeError, MemoryError),
    *(zipfile.BadZipFile, zlib.error, SyntaxError, tokenize.TokenError),
)


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """A path beside `path` to write to; it takes the place of `path` when the block ends well, and is gone when it
    doesn't.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{uuid.uuid4().hex}{path.suffix}")
    try:
        yield beside
        os.replace(beside, path)  # noqa: PTH105
    finally:
        beside.unlink(missing_ok=True)


def sha256_of(file: Path) -> str:
    """The SHA-256 of the file's bytes, in hexadecimal digits."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
