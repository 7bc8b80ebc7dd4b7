"""Requests to other servers by addresses that people have entered: one at a time, checked, and limited in every way.

A name is looked up once and that very address is called, so that it cannot change in between. Private networks are for
those alone that the administrator of the server allows. Redirects are not followed.
"""

import http.client
import socket
import ssl
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import urllib3
from django.conf import settings
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util.ssl_match_hostname import CertificateError

from campus.common.errors import UserError
from campus.common.network_policy import PrivateAddress, UnresolvableHost, resolve_allowed_addresses
from recognition.messages import Message

CONNECT_SECONDS = 5.0
READ_SECONDS = 10.0  # from one byte to the next
TOTAL_SECONDS = 30.0
DEFAULT_MAX_BYTES = 1024**2


class OutgoingError(UserError):
    """There is no answer. `final`: trying again is of no use before somebody changes something."""

    def __init__(self, message: str | Message, /, *, final: bool = False, **values: object) -> None:
        super().__init__(message, **values)
        self.final = final


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered. The names of the headers are in lower case; of several of one name, all, with commas."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    @property
    def date(self) -> datetime | None:
        """What time it is there (header Date); None where it does not say."""
        return parse_http_date(self.headers.get("date", ""))


def parse_http_date(text: str) -> datetime | None:
    """The time in a header; None where it is none."""
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)


def request(
    method: str,
    url: str,
    *,
    networks_setting: str,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    max_bytes: int = DEFAULT_MAX_BYTES,
    total_seconds: float = TOTAL_SECONDS,
) -> Answer:
    """Send one request and read the answer, whatever its status.

    `networks_setting` names the setting with the private networks that may be called, such as "WEBHOOK_NETWORKS". With
    0 as `max_bytes` the body is not read; a longer one is an error. Raises OutgoingError.
    """
    connection, host, target = _connection(url, networks_setting)
    sent = {"Host": host, "User-Agent": "Rollcall", "Accept-Encoding": "identity", **(headers or {})}
    is_late = threading.Event()
    sockets: list[socket.socket] = []

    def break_off() -> None:
        is_late.set()
        for opened in filter(None, (connection.sock, *sockets)):
            with suppress(OSError):
                # Not TLS's own farewell: another thread is in the middle of reading.
                socket.socket.shutdown(opened, socket.SHUT_RDWR)

    timer = threading.Timer(total_seconds, break_off)
    timer.daemon = True
    timer.start()
    try:
        connection.connect()
        sockets.append(connection.sock)  # the connection forgets it where the answer goes on until the end
        connection.timeout = READ_SECONDS
        connection.request(method, target, body=body, headers=sent, preload_content=False)
        response = connection.getresponse()
        content = response.read(max_bytes + 1) if max_bytes else b""
        status, received = response.status, {name.lower(): response.headers[name] for name in response.headers}
    except ssl.SSLCertVerificationError as error:
        raise _wrong_certificate(host, error.verify_message) from error
    except CertificateError as error:
        raise _wrong_certificate(host, error) from error
    except (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError) as error:
        if is_late.is_set() or isinstance(error, (TimeoutError, urllib3.exceptions.ReadTimeoutError)):
            raise _late(host) from error
        raise OutgoingError("“{host}” could not be reached ({why}).", host=host, why=type(error).__name__) from error
    finally:
        timer.cancel()
        for opened in sockets:
            opened.close()
        connection.close()
    if is_late.is_set():
        raise _late(host)
    if len(content) > max_bytes:
        raise OutgoingError("“{host}” answered with more than {n} bytes.", host=host, n=max_bytes, final=True)
    return Answer(status, received, content)


def _wrong_certificate(host: str, why: object) -> OutgoingError:
    return OutgoingError(
        "The certificate of “{host}” is not accepted: {why}. Have it replaced there, or its authority added to those "
        "that this server trusts.",
        host=host,
        why=why,
    )


def _late(host: str) -> OutgoingError:
    return OutgoingError("“{host}” did not answer in time. Where that goes on, ask those who run it.", host=host)


def _connection(url: str, networks_setting: str) -> tuple[HTTPConnection, str, str]:
    """Not connected yet; with the value of the header Host, and the target of the request."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna").decode()
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise OutgoingError("The address is no valid one. Correct it.", final=True) from error
    if parts.scheme not in ("https", "http") or not host or parts.username is not None:
        raise OutgoingError("The address is no valid one. Correct it.", final=True)
    networks = getattr(settings, networks_setting)
    try:
        address, is_inside = resolve_allowed_addresses(host, port, networks, f"ROLLCALL_{networks_setting}")[0]
    except (PrivateAddress, UnresolvableHost) as error:
        raise OutgoingError(error.message, final=isinstance(error, PrivateAddress)) from error
    options: dict[str, Any] = {"timeout": CONNECT_SECONDS}
    connection: HTTPConnection
    if parts.scheme == "https":
        connection = HTTPSConnection(
            str(address), port, cert_reqs="CERT_REQUIRED", server_hostname=host, assert_hostname=host, **options
        )
    elif is_inside:
        connection = HTTPConnection(str(address), port, **options)
    else:
        raise OutgoingError(
            "Plain http is for your own network only. Use an address that begins with https.", final=True
        )
    literal = f"[{host}]" if ":" in host else host
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return connection, literal if parts.port is None else f"{literal}:{parts.port}", target
