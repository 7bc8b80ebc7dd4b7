"""How long the web server waits for a slow client."""

import os
import selectors
import socket
from collections.abc import Callable, Iterable, Iterator
from threading import Thread

import pytest
from gunicorn.config import Config
from gunicorn.glogging import Logger
from hypothesis import given
from hypothesis import strategies as st

from campus import gunicorn_worker
from campus.gunicorn_worker import MAX_COLLECTED_BYTES, SteadyUnreader, Worker, _is_more_wanted, _request_bytes
from tests.waiting import wait_until

HEAD = b"POST /login/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n"


@pytest.fixture
def connection() -> Iterator[tuple[socket.socket, socket.socket]]:
    server, client = socket.socketpair()
    with server, client:
        yield server, client


def test_a_client_that_stops_sending_is_given_up(connection, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(gunicorn_worker, "BODY_SECONDS", 0.05)
    server, client = connection
    unreader = SteadyUnreader(server)
    client.send(b"the beginning")
    assert unreader.chunk() == b"the beginning"
    with pytest.raises(TimeoutError):
        unreader.chunk()


def test_time_is_earned_by_sending(connection):
    server, client = connection
    unreader = SteadyUnreader(server)
    unreader.seconds_left = 1.0
    client.send(bytes(8000))
    unreader.chunk(8000)
    assert unreader.seconds_left == pytest.approx(1.0 + 8000 / gunicorn_worker.BODY_BYTES_PER_SECOND, abs=0.5)


@given(sent=st.integers(0, len(HEAD) + 9))
def test_a_thread_waits_for_the_whole_request(sent: int):
    assert _is_more_wanted((HEAD + bytes(10))[:sent])


@pytest.mark.parametrize(
    ("request_", "size"),
    [
        (HEAD + bytes(10), len(HEAD) + 10),
        (HEAD + bytes(10) + b"GET / HTTP/1.1\r\n\r\n", len(HEAD) + 10),
        (HEAD.replace(b": 10", b": 70000"), None),
        (HEAD.replace(b"Content-Length: 10", b"Transfer-Encoding: chunked"), None),
        (b"x" * MAX_COLLECTED_BYTES, None),
    ],
    ids=["small", "followed by another", "large", "of unknown length", "no head"],
)
def test_what_is_handled_at_once(request_: bytes, size: int | None):
    assert not _is_more_wanted(request_)
    assert _request_bytes(request_) == size


def application(environ: dict[str, object], start_response: Callable[..., object]) -> Iterable[bytes]:
    start_response("200 OK", [("Content-Length", "2")])
    return [b"OK"]


@pytest.fixture
def worker() -> Iterator[Worker]:
    """One that serves in a thread, and is being stopped at the end."""
    config = Config()
    config.set("keepalive", 10)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        worker = Worker(1, os.getppid(), [listener], None, 30, config, Logger(config))
        worker.wsgi = application
        worker.tpool, worker.poller = worker.get_thread_pool(), selectors.DefaultSelector()
        worker.method_queue.init()
        thread = Thread(target=worker.run)
        thread.start()
        yield worker
        worker.handle_exit(None, None)
        thread.join()


def connect(worker: Worker) -> socket.socket:
    return socket.create_connection(worker.sockets[0].getsockname(), timeout=60)


def response(connection: socket.socket) -> bytes:
    with connection, connection.makefile("rb") as stream:
        return stream.read()


def test_a_worker_that_is_stopped_answers_who_has_begun(worker: Worker):
    """However many have come and gone before."""
    for _ in range(5):
        before = connect(worker)
        before.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert response(before).endswith(b"OK")
    wait_until(lambda: worker.nr_conns == 0, "all connections are closed")
    connection = connect(worker)
    connection.sendall(HEAD[:20])
    wait_until(lambda: worker.pending_conns, "the worker waits for the rest")
    worker.handle_exit(None, None)
    connection.sendall(HEAD[20:] + bytes(10))
    assert response(connection).endswith(b"OK")
