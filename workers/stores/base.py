"""What all stores have in common."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from campus.common.errors import UserError

CHUNK = 256 * 1024
CONNECT_SECONDS, READ_SECONDS = 20, 30

# What they write at lower levels may hold headers with passwords.
for library in (
    "paramiko",
    "smbprotocol",
    "smbclient",
    "spnego",
    "httpx",
    "httpcore",
    "s3fs",
    "fsspec",
    "aiobotocore",
    "botocore",
):
    logging.getLogger(library).setLevel(logging.WARNING)


class Writing(UserError):
    """Somebody has the file open to write into it."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a store has at a path: a folder, or a file of so many bytes. `size` is None where only a look at the file itself tells.

    `tag`: what stays the same as long as the bytes do; of S3 often their MD5.
    """

    path: str
    folder: bool = False
    size: int | None = None
    modified: datetime | None = None
    tag: str = ""


class Store:
    """A store, by paths that are relative to the source's address. What goes wrong is raised as the library has it."""

    opening: dict[str, Any] = {}
    host_key = ""  # that the server showed, where it has one

    def __init__(self, fs: Any, root: str) -> None:
        self.fs, self.root = fs, root.rstrip("/")

    def name(self, path: str) -> str:
        """How the filesystem calls the path."""
        return f"{self.root}/{path}" if path else self.root or "/"

    def entries(self, folder: str) -> Iterator[Found]:
        """What is in a folder, without names that are no plain ones."""
        for info in self.fs.ls(self.name(folder), detail=True):
            last = self.last_part(info)
            if sound(last) and info["type"] in ("file", "directory"):
                yield found(f"{folder}/{last}" if folder else last, info)

    def last_part(self, info: dict[str, Any]) -> str:
        return str(info["name"]).rstrip("/").rsplit("/", 1)[-1]

    def look_at(self, path: str) -> Found:
        """The file as it is now."""
        return found(path, self.fs.info(self.name(path)))

    def read(self, path: str, offset: int) -> Iterator[bytes]:
        """The bytes from `offset` on, a few at a time, until the server says that this is the end."""
        with self.fs.open(self.name(path), "rb", **self.opening) as file:
            file.seek(offset)
            while chunk := file.read(CHUNK):
                yield chunk

    def close(self) -> None:
        """Say goodbye, where the protocol has a word for it."""


def sound(name: str) -> bool:
    """Whether the name is one part of a path and can be shown: a server may send any."""
    return name not in ("", ".", "..") and not {"/", "\\"} & set(name) and name.isprintable()


def found(path: str, info: dict[str, Any]) -> Found:
    """What fsspec's implementations say, each in its own words."""
    times = (info.get(key) for key in ("mtime", "modified", "LastModified", "Last-Modified", "modify"))
    size = info.get("size")
    return Found(
        path,
        info["type"] == "directory",
        None if size is None else int(size),
        next((moment(time) for time in times if time), None),
        str(info.get("ETag") or info.get("etag") or "").strip('"'),
    )


def moment(said: Any) -> datetime | None:
    """A time in UTC, to the second, of whatever a server says."""
    try:
        match said:
            case datetime():
                at = said
            case int() | float():
                at = datetime.fromtimestamp(said, UTC)
            case str() if said[:14].isdigit():
                at = datetime.strptime(said[:14], "%Y%m%d%H%M%S")  # noqa: DTZ007 - FTP's are UTC
            case _:
                at = parsedate_to_datetime(str(said))
    except (ValueError, OverflowError, OSError):
        return None
    return (at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)).replace(microsecond=0)
