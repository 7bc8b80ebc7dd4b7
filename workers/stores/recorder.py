"""Recorders: what says itself when its recordings begin and end, and is asked for those of a channel and a time."""

import json
import re
import ssl
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, quote

import httpx
from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from campus.cctv.egress_policy import Address
from campus.cctv.file_discovery import RemoteFile
from campus.cctv.models import Source
from campus.common.errors import UserError
from recognition.messages import Message
from workers.stores.base import CHUNK_BYTES, CONNECT_SECONDS, READ_SECONDS, Entry, Store
from workers.stores.errors import ErrorClass, StoreUnavailable
from workers.stores.http_errors import classify_httpx_error, classify_status
from workers.stores.login import HttpxLogin

NOT_ITS_KIND = Message("The answer is not what this kind of recorder sends. Check kind and address.")
MAX_ANSWER_BYTES = 4 * 1024 * 1024
# What is cut out of a recording comes in parts, so that only one of them is lost when a connection breaks.
PART_LENGTH = timedelta(minutes=10)
MIN_PART_LENGTH = timedelta(seconds=1)
COMPACT_TIME = "%Y%m%dT%H%M%SZ"
LENGTH_IN_RANGE = re.compile(r"bytes \*/(\d+)")


class Recorder(Store):
    """The interface of recorders. Times are by the recorder's clock: what it shows, read in the source's time zone.

    Files are not listed by folder, but by channel and time; `stat` and `read` take the path of one of these.
    """

    has_sizes = False  # of what is cut out of a recording when it is sent

    def channels(self) -> Iterator[tuple[str, str]]:
        """What the recorder calls each of its channels, and the name that it has for people."""
        raise NotImplementedError

    def recordings(self, channel: str, starts: datetime, ends: datetime) -> Iterator[RemoteFile]:
        """The files with what was recorded between the two, or at least some of it."""
        raise NotImplementedError

    def clock(self) -> datetime | None:
        """The time that the recorder's clock shows now; None if it does not tell."""
        return None

    def stat(self, path: str) -> Entry:
        return Entry(path=path)  # what was recorded does not change


class HttpRecorder(Recorder):
    """A recorder with an interface over HTTP, which asks for Digest or Basic."""

    def __init__(self, address: Address, source: Source, password: str, *, learn_host_key: bool = False) -> None:
        self.address, self.zone, self.options = address, source.tzinfo, dict(parse_qsl(address.query))
        self.client = httpx.Client(
            base_url=(address.origin + quote(address.path)).rstrip("/"),
            auth=self.login(source, password),
            follow_redirects=True,  # to the same server: the egress guard refuses all others
            headers={"Accept-Encoding": "identity", "User-Agent": "Rollcall"},
            timeout=httpx.Timeout(READ_SECONDS, connect=CONNECT_SECONDS),
            trust_env=False,
            verify=ssl.create_default_context(),
        )

    def login(self, source: Source, password: str) -> httpx.Auth | None:
        """How requests are authorised."""
        if ":" in source.username:
            raise UserError("A web server knows no user name with a colon.")
        return HttpxLogin(source.username, password) if source.username else None

    def close(self) -> None:
        self.client.close()

    def ask(self, method: str, path: str, **request: Any) -> bytes:
        """The body of the answer. Raises httpx.HTTPStatusError, and StoreUnavailable for one without end."""
        with self._send(method, path, **request) as response:
            if response.is_error:
                response.read()  # for whoever looks into the error
            response.raise_for_status()
            body = bytearray()
            for chunk in response.iter_raw(CHUNK_BYTES):
                body += chunk
                if len(body) > MAX_ANSWER_BYTES:
                    raise StoreUnavailable(Message("The recorder's answer is too long to be read."))
            return bytes(body)

    def ask_json(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        """What the server answers in JSON."""
        try:
            return json.loads(self.ask("GET", path, params=params))
        except ValueError as error:
            raise StoreUnavailable(NOT_ITS_KIND) from error

    def size_of(self, url: str) -> int | None:
        """The size of a file; None if the server does not say it."""
        request = self.client.build_request("HEAD", url)
        response = self.client.send(request, auth=self.auth_for(url))
        response.raise_for_status()
        length = response.headers.get("Content-Length", "")
        return int(length) if length.isdigit() else None

    def auth_for(self, url: str) -> httpx.Auth | None:
        """The credentials, where the file lies on the server that they are for."""
        return self.client.auth if url.startswith(f"{self.address.origin}/") else None

    def stream(self, method: str, path: str, offset: int, **request: Any) -> Iterator[bytes]:
        """The bytes of a file from `offset` on. A server that can't send a part sends the whole, which is passed over
        up to there."""
        headers = request.pop("headers", {}) | ({"Range": f"bytes={offset}-"} if offset else {})
        with self._send(method, path, headers=headers, **request) as response:
            if response.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and _length(response) == offset:
                return  # there is nothing after what we have
            response.raise_for_status()
            is_partial = response.status_code == HTTPStatus.PARTIAL_CONTENT
            if is_partial and not response.headers.get("Content-Range", "").startswith(f"bytes {offset}-"):
                raise UserError("The server sent another part of the file than was asked for.")
            skipped_bytes = 0 if is_partial else offset
            for chunk in response.iter_raw(CHUNK_BYTES):
                if rest := chunk[skipped_bytes:]:
                    yield rest
                skipped_bytes = max(0, skipped_bytes - len(chunk))

    @contextmanager
    def _send(self, method: str, path: str, **request: Any) -> Iterator[httpx.Response]:
        with self.client.stream(method, path, **request) as response:
            yield response

    @staticmethod
    def classify_error(error: BaseException) -> ErrorClass | None:
        if isinstance(error, httpx.HTTPStatusError):
            return classify_status(error.response.status_code)
        return classify_httpx_error(error)


def _length(response: httpx.Response) -> int | None:
    found = LENGTH_IN_RANGE.fullmatch(response.headers.get("Content-Range", ""))
    return int(found[1]) if found else None


def parse_xml(body: bytes) -> Any:
    """The root element, whose tags have lost their namespaces. Raises StoreUnavailable."""
    try:
        root = ElementTree.fromstring(body)
    except (ElementTree.ParseError, DefusedXmlException, ValueError, LookupError) as error:
        raise StoreUnavailable(NOT_ITS_KIND) from error
    for element in root.iter():
        element.tag = str(element.tag).rpartition("}")[2]
    return root


def text_of(element: Any, path: str) -> str:
    """The text of the element at the path; "" if there is none."""
    return (element.findtext(path) or "").strip()


def cut_into_parts(
    recorded: Iterable[tuple[datetime, datetime]], starts: datetime, ends: datetime, length: timedelta = PART_LENGTH
) -> Iterator[tuple[datetime, datetime]]:
    """What was recorded between `starts` and `ends`, in parts of that length, of which none reaches over the end of a
    recording."""
    for recording_starts, recording_ends in sorted(recorded):
        part_starts = starts
        while part_starts < ends:
            part_ends = min(part_starts + length, ends)
            part = max(part_starts, recording_starts), min(part_ends, recording_ends)
            if part[1] - part[0] >= MIN_PART_LENGTH:
                yield part
            part_starts = part_ends
