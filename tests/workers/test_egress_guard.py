"""While a source is talked to, this process reaches its one server and nobody else, whatever a library or the server
wants.
"""

import asyncio
import resource
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from campus.cctv.egress_policy import Address
from campus.common.errors import UserError
from tests.campus import factories
from workers import source_listing
from workers.egress_guard import guard_egress
from workers.source_listing import list_files
from workers.stores import StoreUnavailable
from workers.stores.base import is_plain_name

Answer = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def answering(answer: Answer) -> Iterator[int]:
    """A web server on loopback that answers as the test says; its port."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            with suppress(OSError):  # we were cut off
                answer(self)
            self.close_connection = True

        do_HEAD = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield server.server_port
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def to(port: int, host: str = "nvr.example") -> Address:
    return Address(scheme="http", path="/", host=host, port=port, ips=("127.0.0.1",))


class TestAddress:
    def test_the_name_leads_where_the_guard_saw_it_lead(self, listener: socket.socket) -> None:
        port = listener.getsockname()[1]
        with guard_egress(to(port), seconds=30, max_bytes=1000):
            for host in ("nvr.example", "NVR.example", "127.0.0.1"):
                with socket.create_connection((host, port)) as connection:
                    assert connection.getpeername() == ("127.0.0.1", port)

    @pytest.mark.parametrize("host", ["127.0.0.2", "::1", "localhost", "2130706433", "other.example", ""])
    def test_nobody_else_is_reached(self, listener: socket.socket, host: str) -> None:
        port = listener.getsockname()[1]
        with (
            guard_egress(to(port), seconds=30, max_bytes=1000) as guard,
            pytest.raises(OSError, match=r"elsewhere|not the source"),
        ):
            socket.create_connection((host, port), timeout=1)
        assert "sends us elsewhere" in str(guard.reason)

    def test_nor_another_port_of_the_server(self, listener: socket.socket) -> None:
        with guard_egress(to(1), seconds=30, max_bytes=1000), pytest.raises(ConnectionRefusedError, match="elsewhere"):
            socket.create_connection(("nvr.example", listener.getsockname()[1]))

    def test_nor_by_another_way_to_connect(self, listener: socket.socket) -> None:
        port = listener.getsockname()[1]
        with guard_egress(to(1), seconds=30, max_bytes=1000):
            with socket.socket() as plain, pytest.raises(ConnectionRefusedError):
                plain.connect_ex(("127.0.0.1", port))
            with socket.socket() as plain, pytest.raises(ConnectionRefusedError):
                plain.connect(("localhost", port))  # the system's own lookup
            with pytest.raises(OSError, match="elsewhere"):
                asyncio.run(asyncio.wait_for(asyncio.open_connection("127.0.0.1", port), 5))

    def test_afterwards_all_is_as_before(self, listener: socket.socket) -> None:
        port = listener.getsockname()[1]
        with guard_egress(to(1), seconds=30, max_bytes=1000):
            pass
        with socket.create_connection(("localhost", port)):
            pass


class TestBounds:
    def test_what_takes_too_long_is_cut(self, listener: socket.socket) -> None:
        port = listener.getsockname()[1]
        with (
            guard_egress(to(port), seconds=0.2, max_bytes=1000) as guard,
            socket.create_connection(("nvr.example", port)) as connection,
        ):
            assert connection.recv(1) == b""  # it would wait for ever
        assert "too slowly" in str(guard.reason)

    def test_what_brings_too_much_is_cut(self, listener: socket.socket) -> None:
        port = listener.getsockname()[1]

        def flood() -> None:
            with suppress(OSError), listener.accept()[0] as connection:
                while True:
                    connection.sendall(bytes(65536))

        thread = threading.Thread(target=flood, daemon=True)
        thread.start()
        address = ("nvr.example", port)
        with (
            guard_egress(to(port), seconds=30, max_bytes=100_000) as guard,
            socket.create_connection(address) as connection,
            suppress(ConnectionError),
        ):
            while connection.recv(65536):
                pass
        assert "more than is taken" in str(guard.reason)

    def test_connections_that_are_left_are_broken(self, listener: socket.socket) -> None:
        port = listener.getsockname()[1]
        with guard_egress(to(port), seconds=30, max_bytes=1000):
            left = socket.create_connection(("nvr.example", port))
        with left:
            assert left.recv(1) == b""


@pytest.mark.django_db
class TestHostileServer:
    @pytest.fixture(autouse=True)
    def loopback(self, settings: Any) -> None:
        settings.SOURCE_NETWORKS = ["127.0.0.0/8"]

    def look(self, answer: Answer, path: str = "/cctv", **fields: Any) -> list[str]:
        with answering(answer) as port:
            source = factories.source(kind="http", address=f"http://127.0.0.1:{port}{path}", **fields)
            return [file.path for file in list_files(source)]

    @staticmethod
    def page(body: str, *, everywhere: bool = False) -> Answer:
        def answer(request: BaseHTTPRequestHandler) -> None:
            content = body.encode() if everywhere or request.path == "/cctv/" else b"film"
            request.send_response(200)
            request.send_header("Content-Type", "text/html")
            request.send_header("Content-Length", str(len(content)))
            request.end_headers()
            if request.command == "GET":
                request.wfile.write(content)

        return answer

    def test_a_list_without_end_costs_little(self) -> None:
        def answer(request: BaseHTTPRequestHandler) -> None:
            request.send_response(200)
            request.send_header("Content-Type", "text/html")
            request.end_headers()
            line = b"".join(b'<a href="%08d.mp4">film</a>\n' % number for number in range(2000))
            while True:
                request.wfile.write(line)

        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with pytest.raises(UserError, match="longer than any that is read"):
            self.look(answer)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # KiB

    def test_a_list_that_drips_is_cut(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(source_listing, "LISTING_SECONDS", 0.3)
        over = threading.Event()

        def answer(request: BaseHTTPRequestHandler) -> None:
            request.send_response(200)
            request.end_headers()
            while not over.wait(0.01):
                request.wfile.write(b"<")

        try:
            with pytest.raises(StoreUnavailable, match="too slowly"):
                self.look(answer)
        finally:
            over.set()

    def test_names_that_lead_elsewhere_are_no_names(self) -> None:
        links = """
            .. ../ // /// ../up.mp4 a/../../up.mp4 %2e%2e/up.mp4 %2e%2e ..%2fup.mp4 a%2f..%2fup.mp4 c:%5cup.mp4 a%00.mp4
            a%0d%0aHost:x.mp4 /etc/passwd //other.example/cctv/up.mp4 http://other.example/cctv/up.mp4 ?C=M;O=D up.mp4?x
            # javascript:alert(1) good.mp4 /cctv/well.mp4
        """
        found = self.look(self.page("".join(f'<a href="{link}">x</a>' for link in links.split())))
        assert set(found) == {"good.mp4", "well.mp4"}

    def test_more_folders_than_anybody_has(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(source_listing, "MAX_FOLDERS", 20)

        with pytest.raises(UserError, match="more than can be looked through"):
            self.look(self.page("".join(f'<a href="{n}/">x</a>' for n in range(3)), everywhere=True))

    def test_a_page_that_is_written_against_us(self) -> None:
        assert self.look(self.page("<a " + " " * 3_000_000 + "<a href=" * 100_000)) == []

    def test_going_round_in_circles_ends(self) -> None:
        def answer(request: BaseHTTPRequestHandler) -> None:
            request.send_response(302)
            request.send_header("Location", "/cctv/")
            request.send_header("Content-Length", "0")
            request.end_headers()

        with pytest.raises(StoreUnavailable):
            self.look(answer)

    @pytest.mark.parametrize(
        "location", ["http://169.254.169.254/", "http://127.0.0.2:{port}/", "http://localhost:{port}/", "http://[::1]/"]
    )
    def test_a_redirect_is_followed_to_nobody_else(self, location: str) -> None:
        def answer(request: BaseHTTPRequestHandler) -> None:
            request.send_response(302)
            request.send_header("Location", location.format(port=request.connection.getsockname()[1]))
            request.send_header("Content-Length", "0")
            request.end_headers()

        with pytest.raises(StoreUnavailable, match="sends us elsewhere"):
            self.look(answer)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\\b", "a\nb", "a\0b", "\u202egpj.mp4", "\udc80.mp4"])
def test_a_name_that_is_no_plain_one_is_none(name: str) -> None:
    assert not is_plain_name(name)


@pytest.mark.parametrize("name", ["090000.mp4", "Hörsaal 1.mkv", "講堂.mp4", "...mp4", "~a b'\"%20.mp4"])
def test_any_plain_name_will_do(name: str) -> None:
    assert is_plain_name(name)
