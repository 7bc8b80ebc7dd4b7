"""A web server on loopback for stubs of other systems' interfaces, which may be made slow, or lose what they answer."""

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Asked:
    """A request."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


@dataclass
class Reply:
    """An answer; a body that is no bytes is sent as JSON."""

    body: object = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Faults:
    """`refuse` answers with this status instead of doing anything; after `lose`, so many requests are done but not
    answered; `pause` is how long each takes, in seconds; its clock is `ahead`. The first request of which `late` is
    true is not answered, and done only after the second."""

    refuse: int = 0
    lose: int = 0
    pause: float = 0.0
    ahead: timedelta = timedelta()
    late: Callable[[Asked], bool] | None = None
    held: Asked | None = None


@contextmanager
def rest_server(
    answer: Callable[[Asked], Reply], faults: Faults | None = None, tls: ssl.SSLContext | None = None
) -> Iterator[str]:
    """The address of a server, without a slash at its end."""
    faults = faults or Faults()
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            query = dict(parse_qsl(parts.query, keep_blank_values=True))
            time.sleep(faults.pause)
            asked = Asked(self.command, parts.path, query, dict(self.headers.items()), body)
            is_late = faults.late is not None and faults.late(asked)
            if is_late and faults.held is None:
                faults.held, self.close_connection = asked, True
                return
            if faults.refuse:
                reply = Reply(status=faults.refuse)
            else:
                with lock:
                    reply = answer(asked)
                    if is_late and faults.held:
                        answer(faults.held)
                        faults.late = faults.held = None
            if faults.lose:
                faults.lose -= 1
                self.close_connection = True
                return
            data = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            with suppress(OSError):  # we were cut off
                self.send_response(reply.status)
                for name, value in {"Content-Type": "application/json", **reply.headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815

        def date_time_string(self, timestamp: float | None = None) -> str:
            return super().date_time_string(time.time() + faults.ahead.total_seconds())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
