"""What a hostile server lists is bounded, and leads nowhere else."""

import resource
import threading
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest

from campus.common.errors import UserError
from tests.campus import factories
from tests.servers.scripted_http import Answer, scripted_http_server
from workers import source_listing
from workers.source_listing import list_files
from workers.stores import StoreUnavailable


@pytest.mark.django_db
class TestHostileServer:
    @pytest.fixture(autouse=True)
    def loopback(self, settings: Any) -> None:
        settings.SOURCE_NETWORKS = ["127.0.0.0/8"]

    def list_paths(self, answer: Answer, path: str = "/cctv", **fields: Any) -> list[str]:
        with scripted_http_server(answer) as port:
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
        with pytest.raises(UserError, match="too long to be read"):
            self.list_paths(answer)
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
                self.list_paths(answer)
        finally:
            over.set()

    def test_names_that_lead_elsewhere_are_no_names(self) -> None:
        links = """
            .. ../ // /// ../up.mp4 a/../../up.mp4 %2e%2e/up.mp4 %2e%2e ..%2fup.mp4 a%2f..%2fup.mp4 c:%5cup.mp4 a%00.mp4
            a%0d%0aHost:x.mp4 /etc/passwd //other.example/cctv/up.mp4 http://other.example/cctv/up.mp4 ?C=M;O=D up.mp4?x
            # javascript:alert(1) good.mp4 /cctv/well.mp4
        """
        found = self.list_paths(self.page("".join(f'<a href="{link}">x</a>' for link in links.split())))
        assert set(found) == {"good.mp4", "well.mp4"}

    def test_more_folders_than_anybody_has(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(source_listing, "MAX_FOLDERS", 20)

        with pytest.raises(UserError, match="more than can be listed"):
            self.list_paths(self.page("".join(f'<a href="{n}/">x</a>' for n in range(3)), everywhere=True))

    def test_a_page_that_is_written_against_us(self) -> None:
        assert self.list_paths(self.page("<a " + " " * 3_000_000 + "<a href=" * 100_000)) == []

    def test_going_round_in_circles_ends(self) -> None:
        def answer(request: BaseHTTPRequestHandler) -> None:
            request.send_response(302)
            request.send_header("Location", "/cctv/")
            request.send_header("Content-Length", "0")
            request.end_headers()

        with pytest.raises(StoreUnavailable):
            self.list_paths(answer)

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
            self.list_paths(answer)
