"""What a store in a web server's folders has alone: it asks for the lease. `test_remote_storage.py` has the rest."""

import http.client
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from campus.common import jobs
from campus.common.storage import media
from campus.common.storage_tokens import make_storage_token
from campus.recordings.models import Recording
from campus.settings.file_stores import file_stores
from tests.campus import factories
from tests.waiting import wait_until
from tests.web_server import WebServer
from workers.leased_task import run_attempt

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def web(transactional_db: None, tmp_path: Path, settings: Any) -> Iterator[WebServer]:
    server = WebServer(tmp_path / "server")
    (tmp_path / "server" / "media").mkdir(parents=True)
    server.environment |= {"ROLLCALL_DATA_DIR": str(tmp_path / "server")}
    server.start()
    settings.STORAGES = settings.STORAGES | file_stores(server.url)
    yield server
    server.kill()


def begin_to_write(web: WebServer, name: str, token: str) -> http.client.HTTPConnection:
    """Half of a mebibyte is sent, and the server has begun to write it."""
    connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=30)
    connection.putrequest("PUT", f"/internal/files/media/{name}")
    connection.putheader("Authorization", f"Bearer {token}")
    connection.putheader("Content-Length", str(2**20))
    connection.endheaders(b"1" * 2**19)
    wait_until(lambda: list(web.log.parent.glob("media/tracks/.*")), "the file in the making")
    return connection


def test_a_transfer_that_breaks_off_leaves_what_was_there(web: WebServer) -> None:
    media().write("tracks/a.npz", b"whole")
    connection = begin_to_write(web, "tracks/a.npz", make_storage_token(None))
    connection.sock.shutdown(socket.SHUT_WR)
    assert connection.getresponse().status == 400
    assert media().read("tracks/a.npz") == b"whole"
    assert [file.name for file in media().walk("tracks")] == ["tracks/a.npz"]


def test_a_worker_that_lost_its_lease_writes_nothing_and_goes_on_with_others(web: WebServer) -> None:
    """Not even a file whose transfer was under way then."""
    recording = jobs.INGEST.claim(factories.recording().pk, "me")
    written = []

    def work(row: Recording) -> None:
        media().write("tracks/first.npz", b"tracks")
        connection = begin_to_write(web, "tracks/slow.npz", make_storage_token(jobs.current_attempt()))
        Recording.objects.update(lease_owner="another")
        connection.send(b"2" * 2**19)
        written.append(connection.getresponse().status)
        media().write("tracks/late.npz", b"tracks")

    assert run_attempt(jobs.INGEST, work, recording) is None, "the machine is not to blame"
    assert written == [403]
    assert [file.name for file in media().walk("tracks")] == ["tracks/first.npz"]
    recording.refresh_from_db()
    assert (recording.lease_owner, str(recording.error)) == ("another", ""), "the other attempt goes on"


def test_what_follows_the_end_of_a_job_is_still_written(web: WebServer) -> None:
    recording = jobs.INGEST.claim(factories.recording().pk, "me")

    def work(row: Recording) -> None:
        assert jobs.finish(row, Recording.State.PROCESSING)
        media().write("a", b"workbook")

    assert run_attempt(jobs.INGEST, work, recording) is None
    assert media().read("a") == b"workbook"
