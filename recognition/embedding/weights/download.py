"""Fetch one large file over HTTPS: what a cut connection left is kept and gone on with, and nothing endless fills the disk."""

import http
import http.client
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from tqdm import tqdm

from recognition.errors import DownloadFailed

MAX_BYTES = 512 << 20
TIMEOUT = 30.0  # seconds without a byte
CHUNK = 1 << 18


def download(url: str, path: Path, *, max_bytes: int = MAX_BYTES, schemes: Sequence[str] = ("https",)) -> None:
    """Make `path` the file at `url`, with a progress bar; if a part of it is there, only the rest is asked for (HTTP ranges).

    Only the `schemes` are spoken, by redirections too. Raises DownloadFailed; after a cut connection the part stays for the next time.
    """
    part, tag = path.with_name(path.name + ".part"), path.with_name(path.name + ".etag")
    opener = _opener(schemes)
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        before = part.stat().st_size if part.exists() else 0
        reason: object = "the connection was cut"
        try:
            if _go_on(opener, url, part, tag, max_bytes):
                part.replace(path)
                tag.unlink(missing_ok=True)
                return
        except urllib.error.HTTPError as error:
            if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and before:
                part.unlink()  # longer than the file is now
                continue
            raise DownloadFailed(f"{_host(url)} answered {error.code} {error.reason} for {url}.") from error
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", None) or error
        if not part.exists() or part.stat().st_size <= before:
            kept = " The same command goes on where it stopped." if part.exists() else ""
            raise DownloadFailed(f"{_host(url)} can't be reached ({reason}).{kept}")


def _go_on(opener: urllib.request.OpenerDirector, url: str, part: Path, tag: Path, max_bytes: int) -> bool:
    """Append to `part` what it lacks; whether it is whole then."""
    have = part.stat().st_size if part.exists() and tag.exists() else 0
    # If-Range: should the file have changed, the server sends all of the new one.
    headers = {"Range": f"bytes={have}-", "If-Range": tag.read_text()} if have else {}
    with opener.open(urllib.request.Request(url, headers=headers), timeout=TIMEOUT) as response:  # noqa: S310 - the opener has the schemes
        resumed = response.status == http.HTTPStatus.PARTIAL_CONTENT
        if resumed and not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            raise DownloadFailed(f"{_host(url)} sent another part of the file than was asked for.")
        have = have if resumed else 0
        length = response.headers.get("Content-Length")
        total = have + int(length) if length and length.isdigit() else None
        if total is None or total > max_bytes:
            # Without a length, a cut connection can't be told from the end, nor an endless file from a long one.
            raise DownloadFailed(f"{_host(url)} offers no file of at most {max_bytes >> 20} MiB at {url}.")
        if etag := response.headers.get("ETag"):
            tag.write_text(etag)
        else:
            tag.unlink(missing_ok=True)
        with (
            part.open("ab" if resumed else "wb") as file,
            tqdm(total=total, initial=have, unit="B", unit_scale=True, desc="Fetching") as bar,
        ):
            return _copy(response, file, bar) + have == total


def _copy(response: http.client.HTTPResponse, file: IO[bytes], bar: "tqdm[None]") -> int:
    """Copy until the end of the answer, which http.client bounds by its Content-Length; the number of bytes."""
    count = 0
    while chunk := response.read(CHUNK):
        file.write(chunk)
        bar.update(len(chunk))
        count += len(chunk)
    return count


def _opener(schemes: Sequence[str]) -> urllib.request.OpenerDirector:
    """urllib's own opener would also follow to http, ftp and file addresses."""
    opener = urllib.request.OpenerDirector()
    handlers = [
        urllib.request.ProxyHandler(),
        urllib.request.UnknownHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPSHandler(),
    ]
    if "http" in schemes:
        handlers.append(urllib.request.HTTPHandler())
    for handler in handlers:
        opener.add_handler(handler)
    opener.addheaders = [("User-Agent", "rollcall"), ("Accept-Encoding", "identity")]
    return opener


def _host(url: str) -> str:
    return urllib.parse.urlsplit(url).hostname or url
