"""The folders of a web server's machine, over HTTP, for workers that share no disk with it
(`campus/web/views/stored_files.py` answers).
"""

import errno
import json
import os
from collections.abc import Iterator
from functools import cache
from http import HTTPStatus
from pathlib import Path
from typing import IO, Any, Final
from urllib.parse import quote, urlencode

import urllib3
from django.core.files.base import File

from campus.common.jobs import current_attempt
from campus.common.remote_storage import COPY_BYTES, RemoteStorage, check_name
from campus.common.storage import STORAGE_MARK, StoredFile
from campus.common.storage_tokens import make_storage_token

PATH: Final = "internal/files"
VERSION_HEADER, MODIFIED_HEADER = "ETag", "X-Modified-Ns"
ERRORS: Final[dict[int, int]] = {
    HTTPStatus.FORBIDDEN: errno.EACCES,
    HTTPStatus.NOT_FOUND: errno.ENOENT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: errno.EFBIG,
    HTTPStatus.INSUFFICIENT_STORAGE: errno.ENOSPC,
}
PATIENT: Final[dict[str, Any]] = {
    "timeout": urllib3.Timeout(connect=5, read=60),
    "retries": urllib3.Retry(2, backoff_factor=0.5),
}
IMPATIENT: Final[dict[str, Any]] = {
    "timeout": urllib3.Timeout(connect=2, read=3),
    "retries": False,
}  # for an answer within seconds


class HttpStorage(RemoteStorage):
    """One folder (media or reports) of the web server at that address."""

    def __init__(self, url: str, folder: str) -> None:
        self.address = f"{url.rstrip('/')}/{PATH}/{folder}/"

    def is_here(self) -> bool:
        headers = {"Authorization": f"Bearer {make_storage_token(None)}"}
        try:
            answer = _pool(os.getpid()).request("HEAD", self.address + STORAGE_MARK, headers=headers, **IMPATIENT)
        except urllib3.exceptions.HTTPError:
            return False
        return answer.status == HTTPStatus.OK

    def stat(self, name: str) -> StoredFile:
        return _stored_file(name, self._ask("HEAD", name))

    def read(self, name: str, length: int = -1) -> bytes:
        """All of a file, or its first bytes."""
        if length < 0:
            return self._ask("GET", name).data
        empty = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
        answer = self._ask("GET", name, headers={"Range": f"bytes=0-{length - 1}"}, also=empty)
        return b"" if answer.status == empty else answer.data

    def read_range(self, file: StoredFile, start: int, end: int) -> bytes:
        headers = {"Range": f"bytes={start}-{end - 1}", "If-Match": _tag(file.version)}
        return self._ask("GET", file.name, headers=headers).data

    def download(self, file: StoredFile, target: IO[bytes]) -> int:
        answer = self._ask("GET", file.name, headers={"If-Match": _tag(file.version)}, preload_content=False)
        try:
            return sum(target.write(chunk) for chunk in answer.stream(COPY_BYTES))
        except urllib3.exceptions.HTTPError as error:
            raise _no_answer(error, file.name) from error
        finally:
            answer.close()

    def write(self, name: str, content: bytes) -> None:
        """Write a file as a whole, in place of an earlier one."""
        self._ask("PUT", name, body=content)

    def replace_head(self, name: str, head: bytes, by: bytes) -> bool:
        """Put as many bytes in the place of the first ones. False if the file begins with others meanwhile."""
        changed = HTTPStatus.PRECONDITION_FAILED
        return self._ask("PATCH", name, body=head + by, also=changed).status != changed

    def delete(self, name: str) -> None:
        self._ask("DELETE", name)

    def walk(self, folder: str = "") -> Iterator[StoredFile]:
        answer = self._ask("GET", "", query={"folder": check_name(folder)}, preload_content=False)
        try:
            for line in answer:
                yield StoredFile(**json.loads(line))
        except urllib3.exceptions.HTTPError as error:
            raise _no_answer(error, folder) from error
        finally:
            answer.close()

    def store(self, file: Path, name: str) -> None:
        with file.open("rb") as opened:
            self._put(name, opened, file.stat().st_size)

    def _save(self, name: str, content: "File[Any]") -> str:
        content.seek(0)
        self._put(name, content, content.size)
        return name

    def _put(self, name: str, body: Any, size: int) -> None:
        self._ask("PUT", name, headers={"Content-Length": str(size)}, body=body)

    def _ask(
        self,
        method: str,
        name: str,
        *,
        query: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        also: int | None = None,
        **arguments: Any,
    ) -> urllib3.BaseHTTPResponse:
        """The answer, if it is a good one, or has the status `also`. Raises OSError."""
        address = self.address + quote(check_name(name)) if name else self.address
        token = make_storage_token(current_attempt())
        try:
            answer = _pool(os.getpid()).request(
                method,
                f"{address}?{urlencode(query)}" if query else address,
                headers={"Authorization": f"Bearer {token}"} | (headers or {}),
                redirect=False,
                **PATIENT,
                **arguments,
            )
        except urllib3.exceptions.HTTPError as error:
            raise _no_answer(error, name) from error
        if answer.status < HTTPStatus.MULTIPLE_CHOICES or answer.status == also:
            return answer
        answer.close()
        raise OSError(ERRORS.get(answer.status, errno.EIO), f"The web server answered {answer.status}", name)


@cache
def _pool(_process: int) -> urllib3.PoolManager:
    """Connections of this process's own, since a fork must not share them."""
    return urllib3.PoolManager(blocksize=COPY_BYTES)


def _tag(version: str) -> str:
    return f'"{version}"'


def _stored_file(name: str, answer: urllib3.BaseHTTPResponse) -> StoredFile:
    headers = answer.headers
    return StoredFile(
        name=name,
        size=int(headers["Content-Length"]),
        mtime_ns=int(headers[MODIFIED_HEADER]),
        version=headers[VERSION_HEADER].strip('"'),
    )


def _no_answer(error: Exception, name: str) -> OSError:
    return OSError(errno.ENOTCONN, f"The web server did not answer: {error}", name)
