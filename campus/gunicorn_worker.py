"""gunicorn's threads, given to requests that have arrived and not to people who are slow.

gunicorn's own worker gives a connection a thread as soon as its first byte is there, waits for the rest without a
limit, and lets its main loop wait two seconds for each client that does not hang up. So a few slow connections stop it.
Here, the head of a request, and its body if that is small, are collected as they come, without a thread; larger bodies
are read by the application, and end if they come too slowly.
"""

import errno
import re
import socket
import time
from functools import partial
from typing import Any, Final

from gunicorn.http.unreader import SocketUnreader
from gunicorn.workers.gthread import _DEFER, ThreadWorker

MAX_COLLECTED_BYTES: Final = 64 * 1024  # of a head, and of a body that is collected; each connection may hold both
REQUEST_SECONDS: Final = 30.0  # for a head and a collected body, from the first byte
# For other bodies, as in Apache's mod_reqtimeout: waiting for them may take this long, and a second more for so many.
BODY_SECONDS: Final = 30.0
BODY_BYTES_PER_SECOND: Final = 1024
SEND_SECONDS: Final = 60.0  # for a client to take one piece of a response
HANG_UP_SECONDS: Final = 5.0  # for a client to stop sending what nobody reads
DRAIN_BYTES: Final = 1024 * 1024
CONTENT_LENGTH = re.compile(rb"^content-length:[ \t]*(\d{1,18})[ \t]*\r$", re.IGNORECASE | re.MULTILINE)
CHUNKED = re.compile(rb"^transfer-encoding:", re.IGNORECASE | re.MULTILINE)


class SteadyUnreader(SocketUnreader):
    """Reads from a client, as long as it sends fast enough. Raises TimeoutError."""

    def __init__(self, sock: Any) -> None:
        super().__init__(sock)
        self.seconds_left = BODY_SECONDS

    def chunk(self, size_hint: int | None = None) -> bytes:
        started = time.monotonic()
        self.sock.settimeout(max(self.seconds_left, 0.001))
        try:
            content: bytes = super().chunk(size_hint)
        finally:
            self.sock.settimeout(SEND_SECONDS)
        self.seconds_left += len(content) / BODY_BYTES_PER_SECOND - (time.monotonic() - started)
        return content


class Worker(ThreadWorker):
    """The worker class for gunicorn.

    What it notes about a connection are attributes of the connection: `collected` (bytes of the next request),
    `request_deadline`, and `hang_up_deadline` once it is being closed (both in monotonic seconds).
    """

    def handle(self, conn: Any) -> Any:
        if hasattr(conn, "hang_up_deadline"):
            return self._drain(conn)
        if not conn.initialized:
            conn.init()
            conn.parser.unreader = SteadyUnreader(conn.sock)
            conn.close = partial(_close, conn.sock)
        try:
            is_there = self._collect(conn)
        except OSError:
            return False
        if not is_there:
            return self._hang_up(conn) if time.monotonic() > conn.request_deadline else _DEFER
        conn.data_ready = True
        return super().handle(conn) or self._hang_up(conn)

    def handle_request(self, req: Any, conn: Any) -> Any:
        conn.sock.settimeout(SEND_SECONDS)
        conn.parser.unreader.seconds_left = BODY_SECONDS
        if not conn.is_whole:
            req.force_close()  # so that nobody waits for the rest of a refused body
        try:
            return super().handle_request(req, conn)
        except TimeoutError as error:
            raise ConnectionResetError(errno.ECONNRESET, "The client is too slow.") from error

    def _collect(self, conn: Any) -> bool:
        """Take what has arrived of a request; whether it can be handled. Raises OSError."""
        if not hasattr(conn, "collected"):
            conn.collected = conn.parser.unreader.take_buffered()
            conn.request_deadline = time.monotonic() + REQUEST_SECONDS
        conn.sock.setblocking(False)
        while _is_more_wanted(conn.collected):
            try:
                content = conn.sock.recv(MAX_COLLECTED_BYTES)
            except BlockingIOError:
                return False
            if not content:
                break
            conn.collected += content
        conn.parser.unreader.unread(conn.collected)
        conn.is_whole = _request_bytes(conn.collected) is not None
        del conn.collected
        return True

    def _hang_up(self, conn: Any) -> Any:
        """Say that nothing more is coming, and read on for a while, since a client that is still sending would lose the
        response otherwise (RFC 9112, 9.6)."""
        try:
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:
            return False
        conn.hang_up_deadline = time.monotonic() + HANG_UP_SECONDS
        return self._drain(conn)

    def _drain(self, conn: Any) -> Any:
        conn.sock.setblocking(False)
        drained = 0
        try:
            while drained < DRAIN_BYTES and (content := conn.sock.recv(MAX_COLLECTED_BYTES)):
                drained += len(content)
        except BlockingIOError:
            drained = DRAIN_BYTES
        except OSError:
            return False
        return _DEFER if drained >= DRAIN_BYTES and time.monotonic() < conn.hang_up_deadline else False


def _close(sock: Any, *, graceful: bool = False) -> None:
    """Close a connection without waiting: `Worker` has waited for the client to hang up where that is due."""
    sock.close()


def _request_bytes(collected: bytes) -> int | None:
    """How long the request is that begins so, in bytes; None if that is not known yet, or more than is collected."""
    end = collected.find(b"\r\n\r\n")
    if end < 0 or CHUNKED.search(collected, 0, end + 2):
        return None
    length = CONTENT_LENGTH.search(collected, 0, end + 2)
    body_bytes = int(length[1]) if length else 0
    return end + 4 + body_bytes if body_bytes <= MAX_COLLECTED_BYTES else None


def _is_more_wanted(collected: bytes) -> bool:
    """Whether a request that begins so waits for more before a thread handles it."""
    if (size := _request_bytes(collected)) is not None:
        return len(collected) < size
    return b"\r\n\r\n" not in collected and len(collected) < MAX_COLLECTED_BYTES
