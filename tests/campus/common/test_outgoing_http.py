"""Requests to other servers: to the address that was checked alone, and never for longer or for more than is wanted."""

import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from itertools import count

import pytest

from campus.common.outgoing_http import OutgoingError, request
from tests.servers.scripted_http import scripted_http_server


def ask(url: str, **options):
    return request("GET", url, networks_setting="CONNECTION_NETWORKS", **options)


@pytest.fixture(autouse=True)
def loopback_is_allowed(settings) -> None:
    settings.CONNECTION_NETWORKS = ["127.0.0.0/8"]


def test_an_answer_is_read_whatever_its_status_and_redirects_are_not_followed() -> None:
    def redirect(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("Location", "http://127.0.0.1:1/")
        handler.send_header("Content-Length", "4")
        handler.end_headers()
        handler.wfile.write(handler.headers["Host"].split(":")[0][:4].encode())

    with scripted_http_server(redirect) as port:
        answer = ask(f"http://localhost:{port}/a?b=c")
    assert (answer.status, answer.is_success, answer.body) == (302, False, b"loca")
    assert answer.headers["location"] == "http://127.0.0.1:1/"


def test_what_is_longer_than_wanted_is_refused() -> None:
    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        for _ in count():
            handler.wfile.write(b"x" * 65536)

    with scripted_http_server(endless) as port, pytest.raises(OutgoingError, match="more than 100 bytes"):
        ask(f"http://127.0.0.1:{port}/", max_bytes=100)


def test_a_server_that_sends_a_byte_now_and_then_is_left() -> None:
    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        for _ in count():
            handler.wfile.write(b"x")
            time.sleep(0.05)

    with scripted_http_server(drip) as port, pytest.raises(OutgoingError, match="in time"):
        ask(f"http://127.0.0.1:{port}/", total_seconds=0.3)


@pytest.mark.parametrize(
    ("url", "sentence", "is_final"),
    [
        ("http://127.0.0.1:1/", "could not be reached", False),
        ("http://10.0.0.1/", "ROLLCALL_CONNECTION_NETWORKS", True),
        ("http://93.184.216.34/", "begins with https", True),
        ("https://user:secret@example.org/", "no valid one", True),
        ("https://[::1/", "no valid one", True),
        ("file:///etc/passwd", "no valid one", True),
        ("http://nowhere.invalid/", "leads nowhere", False),
    ],
)
def test_what_cannot_be_called_says_why(url: str, sentence: str, is_final: bool) -> None:
    with pytest.raises(OutgoingError, match=sentence) as caught:
        ask(url)
    assert caught.value.final == is_final


def test_headers_of_one_name_are_one_and_a_date_is_read_if_it_is_one() -> None:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response_only(200)
        for name, value in (("Link", "<a>; rel=first"), ("Link", "<b>; rel=next"), ("Date", next(dates))):
            handler.send_header(name, value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    dates = iter(["Mon, 30 Nov 2026 05:00:00 GMT", "Mon, 30 Nov 2026 05:00:00 -0000", "yesterday"])
    with scripted_http_server(answer) as port:
        found = [ask(f"http://127.0.0.1:{port}/") for _ in range(3)]
    assert found[0].headers["link"] == "<a>; rel=first, <b>; rel=next"
    assert [each.date for each in found] == [datetime(2026, 11, 30, 5, tzinfo=UTC)] * 2 + [None]
