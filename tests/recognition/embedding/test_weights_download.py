"""Downloads, from a real server on this machine that behaves as well or badly as it is told."""

import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from recognition.embedding.weights.download import download
from recognition.embedding.weights.installed import WeightsFolder
from recognition.errors import DownloadFailed

CONTENT = hashlib.shake_256(b"weights").digest(3_000_000)


class Server(ThreadingHTTPServer):
    """A server of one file; it cuts as many of its answers short as `cuts` has lengths."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.etag, self.moved = CONTENT, '"one"', ""
        self.cuts: list[int | None] = []
        self.asked: list[str | None] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self):
        server = self.server
        server.asked.append(self.headers.get("Range"))
        content = server.content
        if self.path == "/moved":
            return self.answer(302, {"Location": server.moved})
        if self.path == "/endless":
            return self.endless()
        if self.path != "/file.bin":
            return self.answer(404, {})
        start = int((self.headers.get("Range") or "bytes=0-")[6:-1])
        if start and self.headers.get("If-Range") == server.etag:
            if start >= len(content):
                return self.answer(416, {})
            headers = {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}
            return self.answer(206, headers, content[start:])
        return self.answer(200, {}, content)

    def answer(self, status, headers, content=b""):
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(content)), "ETag": self.server.etag} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        cut = self.server.cuts.pop(0) if self.server.cuts and content else None
        self.wfile.write(content[:cut])
        if cut is not None:
            self.close_connection = True

    def endless(self):
        self.send_response(200)
        self.end_headers()
        try:
            while True:
                self.wfile.write(bytes(1 << 16))
        except OSError:
            self.close_connection = True

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def get(server, path: Path, name: str = "file.bin", **limits) -> bytes:
    download(f"{server.url}/{name}", path, schemes=("http",), **limits)
    return path.read_bytes()


def test_a_file_comes_whole_and_nothing_else_is_left(server, tmp_path):
    assert get(server, tmp_path / "a") == CONTENT
    assert [file.name for file in tmp_path.iterdir()] == ["a"]


def test_a_cut_connection_is_gone_on_with_where_it_stopped(server, tmp_path):
    server.cuts = [1_000_000, 500_000]
    assert get(server, tmp_path / "a") == CONTENT
    assert server.asked == [None, "bytes=1000000-", "bytes=1500000-"]


def test_a_server_that_stops_for_good_is_gone_on_with_the_next_time(server, tmp_path):
    server.cuts = [1_000_000, 0]
    with pytest.raises(
        DownloadFailed, match=r"can't be reached \(the connection was cut\)\. The same command resumes where it stopped"
    ):
        get(server, tmp_path / "a")
    assert not (tmp_path / "a").exists()
    assert get(server, tmp_path / "a") == CONTENT
    assert server.asked[-1] == "bytes=1000000-"


def test_a_file_that_changed_meanwhile_is_fetched_from_the_start(server, tmp_path):
    server.cuts = [1_000_000, 0]
    with pytest.raises(DownloadFailed):
        get(server, tmp_path / "a")
    server.content, server.etag = CONTENT[::-1], '"two"'
    assert get(server, tmp_path / "a") == CONTENT[::-1]


def test_a_part_longer_than_the_file_is_thrown_away(server, tmp_path):
    (tmp_path / "a.part").write_bytes(bytes(len(CONTENT) + 1))
    (tmp_path / "a.etag").write_text('"one"')
    assert get(server, tmp_path / "a") == CONTENT


def test_an_endless_or_too_long_file_is_refused_before_it_fills_the_disk(server, tmp_path):
    for name in ("endless", "file.bin"):
        with pytest.raises(DownloadFailed, match="no file of at most 1 MiB"):
            get(server, tmp_path / "a", name, max_bytes=1 << 20)
    assert list(tmp_path.iterdir()) == []


def test_only_https_is_spoken_by_redirections_too(server, tmp_path):
    with pytest.raises(DownloadFailed, match="unknown url type: http"):
        download(f"{server.url}/file.bin", tmp_path / "a")
    assert server.asked == []
    for server.moved in ("file:///etc/passwd", "ftp://127.0.0.1/x"):
        with pytest.raises(DownloadFailed):
            get(server, tmp_path / "a", "moved")
    server.moved = f"{server.url}/file.bin"
    assert get(server, tmp_path / "a", "moved") == CONTENT


def test_a_missing_file_and_no_network_are_sentences(server, tmp_path):
    with pytest.raises(DownloadFailed, match="answered 404"):
        get(server, tmp_path / "a", "other")
    with pytest.raises(DownloadFailed, match=r"127\.0\.0\.1 can't be reached .*refused"):
        download("https://127.0.0.1:9/file.bin", tmp_path / "a")


@pytest.fixture
def folder(tmp_path) -> WeightsFolder:
    return WeightsFolder(tmp_path / "weights")


def test_offline_it_says_what_to_download_by_hand(folder):
    sentence = r"can't be reached.*Download https://127\.0\.0\.1:9/w\.pt in a browser, then run: .* weights add w\.pt"
    with pytest.raises(DownloadFailed, match=sentence):
        folder.fetch("facenet-20180402", "https://127.0.0.1:9/w.pt")


def test_a_file_other_than_the_first_time_is_not_used(server, folder):
    folder.path.mkdir()
    (folder.path / "manifest.json").write_text(
        json.dumps({"installed": {}, "fetched_sha256": {"facenet-20180402": "0" * 64}})
    )
    with pytest.raises(DownloadFailed, match="another than when it was first fetched"):
        folder.fetch("facenet-20180402", f"{server.url}/file.bin", ("http",))
    assert folder.installed() == []
    assert list((folder.path / "downloads").iterdir()) == []
