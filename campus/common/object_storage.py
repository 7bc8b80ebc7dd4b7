"""A store that speaks S3 in the place of the disk, so that machines need share none.

Programs that decode recordings need a path. They get one of a copy on the worker's own disk, which all processes of
that machine use, as long as there is space for it (ROLLCALL_STORAGE_CACHE_BYTES).
"""

import errno
import fcntl
import hashlib
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path, PurePosixPath
from typing import IO, Any, Final
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import boto3
from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.core.exceptions import SuspiciousFileOperation
from django.core.files.base import File
from django.core.files.storage import Storage

from campus.common.storage import STORAGE_MARK, StoredFile, local_path
from recognition.files import atomic_write

COPY_BYTES: Final = 1024 * 1024
READ_AHEAD_BYTES: Final = 1024 * 1024
# Of answers to conditional requests: the object has changed, it is gone, or another change is under way.
CHANGED: Final = {409, 412}
EMPTY: Final = 416  # the object has none of the bytes that were asked for


class S3Storage(Storage):
    """One folder (media or reports) of `s3://bucket/prefix?endpoint=https://…&region=…`. boto3 finds the credentials:
    in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or in the file that AWS_SHARED_CREDENTIALS_FILE names.

    Objects appear whole or not at all, as S3 has it. Errors are OSErrors.
    """

    def __init__(self, url: str, folder: str) -> None:
        address = urlsplit(url)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        self._bucket = address.netloc
        self._prefix = "/".join(part for part in (address.path.strip("/"), folder) if part)
        self._endpoint, self._region = query.get("endpoint"), query.get("region")

    @property
    def _client(self) -> Any:
        return _client_of(os.getpid(), self._endpoint, self._region, is_patient=True)

    def is_here(self) -> bool:
        client = _client_of(os.getpid(), self._endpoint, self._region, is_patient=False)
        try:
            client.head_object(Bucket=self._bucket, Key=self._key(STORAGE_MARK))
        except (ClientError, BotoCoreError):
            return False
        return True

    def _key(self, name: str) -> str:
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts:
            raise SuspiciousFileOperation(f"{name!r} is outside the storage.")
        return f"{self._prefix}/{path}"

    def _open(self, name: str, mode: str = "rb") -> "File[Any]":
        return File(io.BufferedReader(_RangeReader(self, self.stat(name)), READ_AHEAD_BYTES), name=name)

    def _save(self, name: str, content: "File[Any]") -> str:
        content.seek(0)
        with _os_errors(name):
            self._client.upload_fileobj(content, self._bucket, self._key(name))
        return name

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

    def stat(self, name: str) -> StoredFile:
        with _os_errors(name):
            return _stored_file(name, self._client.head_object(Bucket=self._bucket, Key=self._key(name)))

    @contextmanager
    def open_with_facts(self, name: str) -> Iterator[tuple[IO[bytes], StoredFile]]:
        file = self.stat(name)
        # A request for bytes of another version is refused.
        with io.BufferedReader(_RangeReader(self, file), READ_AHEAD_BYTES) as opened:
            yield opened, file

    def read(self, name: str, length: int = -1) -> bytes:
        return self._get(name, **({} if length < 0 else {"Range": f"bytes=0-{length - 1}"}))

    def read_range(self, file: StoredFile, start: int, end: int) -> bytes:
        """These bytes of just this version of a file."""
        return self._get(file.name, Range=f"bytes={start}-{end - 1}", IfMatch=file.version)

    def _get(self, name: str, **condition: str) -> bytes:
        with _os_errors(name):
            try:
                answer = self._client.get_object(Bucket=self._bucket, Key=self._key(name), **condition)
            except ClientError as error:
                if _status(error) == EMPTY:
                    return b""
                raise
            content: bytes = answer["Body"].read()
            return content

    def write(self, name: str, content: bytes) -> None:
        with _os_errors(name):
            self._client.put_object(Bucket=self._bucket, Key=self._key(name), Body=content)

    def replace_head(self, name: str, head: bytes, by: bytes) -> bool:
        key = self._key(name)
        with _os_errors(name):
            found = self._client.get_object(Bucket=self._bucket, Key=key)
            content = found["Body"].read()
            if not content.startswith(head):
                return False
            try:
                self._client.put_object(
                    Bucket=self._bucket, Key=key, Body=by + content[len(head) :], IfMatch=found["ETag"]
                )
            except ClientError as error:
                if _status(error) in CHANGED:
                    return False
                raise
        return True

    def delete(self, name: str) -> None:
        with _os_errors(name):
            self._client.delete_object(Bucket=self._bucket, Key=self._key(name))

    def delete_folder(self, folder: str) -> None:
        for file in self.walk(folder):
            self.delete(file.name)

    def walk(self, folder: str = "") -> Iterator[StoredFile]:
        prefix = self._key(folder) + "/" if folder else self._prefix + "/"
        with _os_errors(folder):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
            for page in pages:
                for entry in page.get("Contents", ()):
                    yield _stored_file(entry["Key"].removeprefix(f"{self._prefix}/"), entry)

    @contextmanager
    def local_copy(self, name: str) -> Iterator[Path]:
        file = self.stat(name)
        place = f"{self._bucket}/{self._key(name)}/{file.version}"
        path = _cache_folder() / (hashlib.sha256(place.encode()).hexdigest() + PurePosixPath(name).suffix)
        with _complete_copy(path, file, self) as copy:
            yield copy

    def download(self, file: StoredFile, target: IO[bytes]) -> None:
        """Write just this version of a file to the target. boto3 compares the bytes with the store's checksum."""
        with _os_errors(file.name):
            answer = self._client.get_object(
                Bucket=self._bucket, Key=self._key(file.name), IfMatch=file.version, ChecksumMode="ENABLED"
            )
            written = 0
            for chunk in answer["Body"].iter_chunks(COPY_BYTES):
                written += target.write(chunk)
        if written != file.size:
            raise OSError(errno.EIO, "The storage sent another number of bytes than it said.", file.name)

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        # The end of the name is kept, because writers of videos and tables go by it.
        path = Path(settings.FILE_UPLOAD_TEMP_DIR, f"{uuid4().hex}{PurePosixPath(name).suffix}")
        try:
            yield path
            self.store(path, name)
        finally:
            path.unlink(missing_ok=True)

    def store(self, file: Path, name: str) -> None:
        with _os_errors(name):
            self._client.upload_file(str(file), self._bucket, self._key(name))


class _RangeReader(io.RawIOBase):
    """An object, read from wherever one seeks to."""

    def __init__(self, storage: S3Storage, file: StoredFile) -> None:
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


@cache
def _client_of(_process: int, endpoint: str | None, region: str | None, *, is_patient: bool) -> Any:
    """A client with connections of this process's own, since a fork must not share them."""
    config = Config(
        connect_timeout=5 if is_patient else 2,
        read_timeout=60 if is_patient else 3,
        retries={"mode": "standard", "total_max_attempts": 3 if is_patient else 1},
        # A store of one's own seldom has a name for each bucket.
        s3={"addressing_style": "path" if endpoint else "auto"},
    )
    return boto3.session.Session().client("s3", endpoint_url=endpoint, region_name=region, config=config)


def _stored_file(name: str, facts: dict[str, Any]) -> StoredFile:
    """From an answer about an object, or from an entry of a list."""
    size = facts["ContentLength"] if "ContentLength" in facts else facts["Size"]
    written = int(facts["LastModified"].timestamp() * 1e9)
    return StoredFile(name=name, size=size, mtime_ns=written, version=facts["ETag"])


def _status(error: ClientError) -> int:
    return int(error.response["ResponseMetadata"]["HTTPStatusCode"])


@contextmanager
def _os_errors(name: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if _status(error) == 404:
            raise FileNotFoundError(errno.ENOENT, "The storage does not have it", name) from error
        raise OSError(errno.EIO, f"The storage refused: {error}", name) from error
    except (BotoCoreError, Boto3Error) as error:
        raise OSError(errno.ENOTCONN, f"The storage did not answer: {error}", name) from error


def _cache_folder() -> Path:
    folder = local_path("cache")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


@contextmanager
def _complete_copy(path: Path, file: StoredFile, storage: S3Storage) -> Iterator[Path]:
    """The copy at this path, which is made if it isn't there. It stays as long as somebody holds it.

    Who reads it has a shared lock on it, who makes it an exclusive one on the empty file in its place, and who deletes
    it an exclusive one too.
    """
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
                    storage.download(file, target)
                    target.flush()
                    os.fsync(target.fileno())


def _is_at(path: Path, held: IO[bytes]) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(held.fileno()))
    except FileNotFoundError:
        return False


def _delete_old_copies(size: int) -> None:
    """Delete the copies that were not needed for longest, until there is space for so many more bytes."""
    copies = []
    for path in _cache_folder().iterdir():
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
