"""What all stores have in common."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from campus.cctv.egress_policy import Address
from campus.cctv.models import Source
from recognition.messages import Message
from workers.stores.errors import BY_PRECEDENCE, ErrorClass, StoreUnavailable, classify_system_error, with_causes

log = logging.getLogger(__name__)

CHUNK_BYTES = 256 * 1024
CONNECT_SECONDS, READ_SECONDS = 20, 30

# Their messages at lower levels may contain headers with passwords.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A folder or a file of a store. `size` is None if a list does not have it, but `Store.stat` does.

    `tag` stays the same as long as the bytes do; in S3 it is often their MD5.
    """

    path: str
    is_folder: bool = False
    size: int | None = None
    modified: datetime | None = None
    tag: str = ""


class Store:
    """The interface of all stores. Paths are relative to the source's address.

    Errors of the store's library are raised unchanged; `translate_error` turns them into ours.
    """

    open_options: dict[str, Any] = {}
    has_sizes = True  # `stat` says how large a file is before it is sent
    host_key = ""  # the one that the server has shown, for protocols that have it

    fs: Any
    root: str

    def __init__(self, address: Address, source: Source, password: str, *, learn_host_key: bool = False) -> None:
        """Connect. Sets `fs`, the fsspec filesystem, and `root`, the path of the address in it."""
        raise NotImplementedError

    def full_path(self, path: str) -> str:
        """The path in the filesystem `fs`."""
        return f"{self.root}/{path}" if path else self.root or "/"

    def list_folder(self, folder: str) -> Iterator[Entry]:
        """The entries of a folder, without those whose names `is_plain_name` refuses."""
        for info in self.fs.ls(self.full_path(folder), detail=True):
            name = self.name_of(info)
            if is_plain_name(name) and info["type"] in ("file", "directory"):
                yield entry_from_info(join_path(folder, name), info)

    def name_of(self, info: dict[str, Any]) -> str:
        return str(info["name"]).rstrip("/").rsplit("/", 1)[-1]

    def stat(self, path: str) -> Entry:
        """The file as it is now."""
        return entry_from_info(path, self.fs.info(self.full_path(path)))

    def read(self, path: str, offset: int) -> Iterator[bytes]:
        """The bytes from `offset` on, in chunks, until the server ends the file."""
        with self.fs.open(self.full_path(path), "rb", **self.open_options) as file:
            file.seek(offset)
            while chunk := file.read(CHUNK_BYTES):
                yield chunk

    def close(self) -> None:
        """End the session, if the protocol has one."""

    @staticmethod
    def classify_error(error: BaseException) -> ErrorClass | None:
        """What an error of this store's library means; None if nothing is known about it."""
        return classify_system_error(error)

    @classmethod
    def translate_error(cls, error: Exception) -> StoreUnavailable:
        """The error in `workers.stores.errors` for an error of this store's library, with its causes."""
        found_classes = {cls.classify_error(cause) for cause in with_causes(error)}
        for error_class in BY_PRECEDENCE:
            if error_class in found_classes:
                return error_class()
        log.warning("A server's response could not be understood", exc_info=error)
        return StoreUnavailable(
            Message("The server's answer could not be understood ({kind}).", kind=type(error).__name__)
        )


def join_path(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def is_plain_name(name: str) -> bool:
    """Whether the name is a single part of a path, and printable. A server may send anything."""
    return name not in ("", ".", "..") and not {"/", "\\"} & set(name) and name.isprintable()


def entry_from_info(path: str, info: dict[str, Any]) -> Entry:
    """An entry from what fsspec's implementations return, each with keys of its own."""
    times = (info.get(key) for key in ("mtime", "modified", "LastModified", "Last-Modified", "modify"))
    size = info.get("size")
    return Entry(
        path=path,
        is_folder=info["type"] == "directory",
        size=None if size is None else int(size),
        modified=next((parse_time(time) for time in times if time), None),
        tag=str(info.get("ETag") or info.get("etag") or "").strip('"'),
    )


def parse_time(value: Any) -> datetime | None:
    """The time in UTC, to the second, from whatever a server sends; None if it is not a time."""
    try:
        match value:
            case datetime():
                time = value
            case int() | float():
                time = datetime.fromtimestamp(value, UTC)
            case str() if value[:14].isdigit():
                time = datetime.strptime(value[:14], "%Y%m%d%H%M%S")  # noqa: DTZ007 - FTP's are UTC
            case _:
                time = parsedate_to_datetime(str(value))
    except (ValueError, OverflowError, OSError):
        return None
    utc = time.astimezone(UTC) if time.tzinfo else time.replace(tzinfo=UTC)
    return utc.replace(microsecond=0)
