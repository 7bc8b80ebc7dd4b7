"""Download a large file over HTTPS. An interrupted download is resumed, and an endless one does not fill the disk."""

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
STALL_TIMEOUT_SECONDS = 30.0  # without a byte
CHUNK_BYTES = 1 << 18


def download(url: str, path: Path, *, max_bytes: int = MAX_BYTES, schemes: Sequence[str] = ("https",)) -> None:
    """Download `url` to `path` with a progress bar.

    If an earlier attempt left a part, only the rest is requested (HTTP ranges). Redirects, too, may lead to these
    `schemes` only. Raises DownloadFailed; if the connection was cut, the part stays for the next attempt.
    """
    part = path.with_name(path.name + ".part")
    etag_file = path.with_name(path.name + ".etag")
    opener = _opener(schemes)
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        before = part.stat().st_size if part.exists() else 0
        reason: object = "the connection was cut"
        try:
            if _resume(opener, url, part, etag_file, max_bytes):
                part.replace(path)
                etag_file.unlink(missing_ok=True)
                return
        except urllib.error.HTTPError as error:
            if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and before:
                part.unlink()  # longer than the file is now
                continue
            raise DownloadFailed(
                "{host} answered {code} {reason} for {url}.",
                host=_host(url),
                code=error.code,
                reason=error.reason,
                url=url,
            ) from error
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", None) or error
        if not part.exists() or part.stat().st_size <= before:
            if part.exists():
                raise DownloadFailed(
                    "{host} can't be reached ({reason}). The same command resumes where it stopped.",
                    host=_host(url),
                    reason=reason,
                )
            raise DownloadFailed("{host} can't be reached ({reason}).", host=_host(url), reason=reason)


def _resume(opener: urllib.request.OpenerDirector, url: str, part: Path, etag_file: Path, max_bytes: int) -> bool:
    """Append the rest of the file to `part`; returns whether it is complete."""
    received = part.stat().st_size if part.exists() and etag_file.exists() else 0
    # If-Range: if the file has changed, the server sends all of the new one.
    headers = {"Range": f"bytes={received}-", "If-Range": etag_file.read_text()} if received else {}
    with opener.open(urllib.request.Request(url, headers=headers), timeout=STALL_TIMEOUT_SECONDS) as response:  # noqa: S310 - the opener has the schemes
        resumed = response.status == http.HTTPStatus.PARTIAL_CONTENT
        if resumed and not response.headers.get("Content-Range", "").startswith(f"bytes {received}-"):
            raise DownloadFailed("{host} sent another part of the file than was asked for.", host=_host(url))
        received = received if resumed else 0
        length = response.headers.get("Content-Length")
        total = received + int(length) if length and length.isdigit() else None
        if total is None or total > max_bytes:
            # Without a length, a cut connection looks like the end of the file, and an endless file like a long one.
            raise DownloadFailed(
                "{host} offers no file of at most {max_mib} MiB at {url}.",
                host=_host(url),
                max_mib=max_bytes >> 20,
                url=url,
            )
        if etag := response.headers.get("ETag"):
            etag_file.write_text(etag)
        else:
            etag_file.unlink(missing_ok=True)
        with (
            part.open("ab" if resumed else "wb") as file,
            tqdm(total=total, initial=received, unit="B", unit_scale=True, desc="Fetching") as bar,
        ):
            return _copy(response, file, bar) + received == total


def _copy(response: http.client.HTTPResponse, file: IO[bytes], bar: "tqdm[None]") -> int:
    """Copy the response to its end, which http.client bounds by its Content-Length; returns the number of bytes."""
    count = 0
    while chunk := response.read(CHUNK_BYTES):
        file.write(chunk)
        bar.update(len(chunk))
        count += len(chunk)
    return count


def _opener(schemes: Sequence[str]) -> urllib.request.OpenerDirector:
    """An opener for these schemes. urllib's own would also follow redirects to http, ftp and file addresses."""
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
