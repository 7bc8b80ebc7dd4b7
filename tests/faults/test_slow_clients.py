"""Slow clients and uploads, on the web server itself and behind a real nginx, leave the pages to others."""

import select
import socket
import ssl
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path

from campus.accounts.services import create_token
from campus.recordings.models import Upload
from campus.recordings.uploads import create_upload
from tests.campus import factories
from tests.faults.test_web_server import web
from tests.servers.site import Site
from tests.servers.slow_clients import SLOW_LARGE_LOGIN, SLOW_LOGIN, STRANGERS, SlowClients
from tests.waiting import wait_until
from tests.web_server import WebServer

__all__ = ["web"]

PAGE_SECONDS = 60.0  # generous: the machine of the tests is busy; benchmarks/under_attack.py measures


def page(url: str, tls: ssl.SSLContext | None = None, **headers: str) -> int:
    request = urllib.request.Request(f"{url}/login/", headers={"Host": "localhost"} | headers)  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=PAGE_SECONDS, context=tls) as response:  # noqa: S310
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code


def slow_uploads(count: int) -> list[bytes]:
    """Beginnings of parts of uploads by somebody who is logged in."""
    user = factories.user()
    lecture = factories.lecture(factories.course(lecturers=(user,)))
    _token, secret = create_token(user=user, name="uploads", scope="write", days=1)
    size = 50 * 1024**2
    uploads = [create_upload(lecture=lecture, user=user, name=f"{n}.mp4", size=size) for n in range(count)]
    headers = (
        f"Host: localhost\r\nAuthorization: Bearer {secret}\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\n"
        f"Content-Type: application/offset+octet-stream\r\nContent-Length: {size}\r\n\r\n"
    )
    return [f"PATCH /api/v1/uploads/{upload.pk}/ HTTP/1.1\r\n{headers}".encode() for upload in uploads]


def refusal(port: int, request: bytes, tls: ssl.SSLContext | None = None) -> bytes:
    """The first line of the response to a request whose body is as large as it says, and comes until it is refused."""
    with socket.create_connection(("localhost", port), timeout=PAGE_SECONDS) as plain:
        connection = tls.wrap_socket(plain, server_hostname="localhost") if tls else plain
        connection.sendall(request)
        with suppress(OSError):
            for _ in range(300):
                connection.sendall(bytes(1024**2))
                if select.select([connection], [], [], 0)[0]:
                    break
        return connection.recv(4096).partition(b"\r\n")[0]


def statuses_on_one_connection(port: int) -> list[bytes]:
    """Of two requests that are sent at once, and of one after their responses."""
    request = b"GET /login/ HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with socket.create_connection(("localhost", port), timeout=PAGE_SECONDS) as connection:
        stream = connection.makefile("rb")
        statuses = []
        for requests in (2, 1):
            connection.sendall(request * requests)
            for _ in range(requests):
                statuses.append(stream.readline().split()[1])
                headers = list(iter(stream.readline, b"\r\n"))
                stream.read(next(int(line.split()[1]) for line in headers if line.startswith(b"Content-Length")))
    return statuses


def test_slow_clients_and_uploads_leave_the_pages_alone(web: WebServer, tmp_path: Path):
    transfers = WebServer(tmp_path, threads=16)
    transfers.start()
    try:
        assert page(web.url) == 200
        with SlowClients(web.port, STRANGERS * 50):
            assert [page(web.url) for _ in range(10)] == [200] * 10, "without nginx"
        assert statuses_on_one_connection(web.port) == [b"200"] * 3
        assert b" 413 " in refusal(web.port, SLOW_LARGE_LOGIN)
        chunked = SLOW_LOGIN.replace(b"Content-Length: 50000", b"Transfer-Encoding: chunked")
        assert b" 411 " in refusal(web.port, chunked)

        with Site(tmp_path / "nginx", pages=web.port, transfers=transfers.port) as site:
            url, tls = f"https://localhost:{site.port}", site.tls()
            with SlowClients(site.port, [*STRANGERS * 50, *slow_uploads(10)], tls):
                wait_until(lambda: not Upload.objects.filter(writer="").exists(), "all uploads have begun")
                assert [page(url, tls, **{"Test-Client": "198.51.100.1"}) for _ in range(10)] == [200] * 10
            assert b" 413 " in refusal(site.port, SLOW_LARGE_LOGIN, tls)
            assert not list((tmp_path / "nginx" / "client_body").iterdir())

            def logins(network: str) -> set[int]:
                return {page(url, tls, **{"Test-Client": network.format(n)}) for n in range(60)}

            assert logins("2001:db8:0:1::{:x}") == {200, 429}, "a /64 counts as one address"
            assert page(url, tls, **{"Test-Client": "2001:db8:0:2::1"}) == 200
            assert logins("192.0.2.{}") == {200}, "each IPv4 address counts for itself"
        assert not list((tmp_path / "var" / "uploads").iterdir())
    finally:
        transfers.kill()
