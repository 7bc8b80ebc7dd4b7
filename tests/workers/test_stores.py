"""Stores with real servers: files are listed and read from any byte, errors are sentences, other hosts are refused."""

import base64
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.core.exceptions import ValidationError

from campus.cctv.models import Source
from campus.cctv.services import save_source
from campus.common.errors import UserError
from tests.campus import factories
from tests.servers.ftps import PyFtpd
from tests.servers.nginx import Nginx, NginxDav
from tests.servers.openssh import OpenSsh
from tests.servers.s3 import Moto
from tests.servers.samba import Samba
from tests.servers.stores import FileServer, file_servers  # noqa: F401
from tests.servers.wsgidav import DigestDav, DigestWeb
from workers.source_listing import list_files, open_store
from workers.stores import FileBeingWritten, StoreNotFound, StoreUnavailable
from workers.stores.base import is_plain_name

pytestmark = pytest.mark.django_db

KINDS = [OpenSsh, Samba, PyFtpd, Nginx, NginxDav, DigestWeb, DigestDav, Moto]
PATTERN = "{camera}/{date:%Y%m%d}/{start:%H%M%S}.mp4"
CONTENT = bytes(range(256)) * 9001  # longer than one chunk
Servers = Callable[[type[FileServer]], Any]


@pytest.fixture(autouse=True)
def loopback(settings: Any) -> None:
    settings.SOURCE_NETWORKS = ["127.0.0.0/8", "::1/128"]


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def server(request: pytest.FixtureRequest, file_servers: Servers, monkeypatch: pytest.MonkeyPatch) -> Any:  # noqa: F811
    return trust_certificate(file_servers(request.param), monkeypatch)


def trust_certificate(server: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    if (server.folder / "cert.pem").exists():
        monkeypatch.setenv("SSL_CERT_FILE", str(server.folder / "cert.pem"))
    return server


def create_source(server: FileServer, **fields: Any) -> Source:
    """A source in the database, with the server's host key."""
    known = {"host_key": server.host_key} if isinstance(server, OpenSsh) else {}
    return factories.source(**{"pattern": PATTERN, "secret": server.password} | server.fields | known | fields)


def read(source: Source, path: str, offset: int = 0) -> bytes:
    with open_store(source, seconds=30, max_bytes=100_000_000) as (store, _guard):
        return b"".join(store.read(path, offset))


def test_a_store_is_listed_and_read_from_any_byte(server: FileServer) -> None:
    server.put("cam 1/20261123/090000.mp4", CONTENT)
    server.put("cam 1/20261124/090000.mp4", b"tomorrow")
    server.put("Zoë's #1 100%/20261123/100000.mp4", b"odd")
    server.put("notes.txt", b"no footage")
    source = create_source(server)
    day = datetime(2026, 11, 23, tzinfo=UTC).date()
    files = {file.path: file for file in list_files(source, (day, day))}
    assert files.keys() == {"cam 1/20261123/090000.mp4", "Zoë's #1 100%/20261123/100000.mp4"}
    file = files["cam 1/20261123/090000.mp4"]
    assert file.size == len(CONTENT)
    assert file.modified
    age = 0 if isinstance(server, Moto) else 600
    assert abs(datetime.now(UTC) - file.modified - timedelta(seconds=age)) < timedelta(minutes=2)
    assert read(source, file.path) == CONTENT
    assert read(source, file.path, offset=1_234_567) == CONTENT[1_234_567:]
    assert read(source, "Zoë's #1 100%/20261123/100000.mp4", offset=1) == b"dd"
    # Without days, all files are listed, also those that do not fit the pattern.
    assert {"notes.txt", "cam 1/20261124/090000.mp4"} < {file.path for file in list_files(source)}
    # `stat` agrees with the list; otherwise every file would count as changed.
    with open_store(source, seconds=30, max_bytes=1_000_000) as (store, _guard):
        now = store.stat(file.path)
        assert (now.size, now.modified) == (file.size, file.modified)


def test_errors_are_sentences(server: FileServer) -> None:
    server.put("here.mp4", b"here")
    with pytest.raises(StoreUnavailable, match="password is wrong"):
        list_files(create_source(server, secret="not the password"))
    with (
        pytest.raises(StoreNotFound),
        open_store(create_source(server), seconds=30, max_bytes=1_000_000) as (store, _guard),
    ):
        store.stat("nowhere.mp4")
    source = create_source(server)
    source.address = source.address.replace(f":{server.port}", ":1025")  # nothing listens there
    with pytest.raises(StoreUnavailable, match="refused, or it broke") as refused:
        list_files(source)
    assert not isinstance(refused.value, StoreNotFound)


def test_the_password_is_in_no_log_and_no_error(server: FileServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    server.put("here.mp4", b"here")
    source = create_source(server)
    list_files(source)
    with pytest.raises(StoreUnavailable) as missing:
        read(source, "nowhere.mp4")
    output = caplog.text + str(missing.getrepr(style="long"))
    basic = base64.b64encode(f"{server.username}:{server.password}".encode()).decode()
    assert not [secret for secret in (server.password, quote(server.password), basic) if secret in output]


@pytest.mark.parametrize("kind", [PyFtpd, Nginx, NginxDav], ids=lambda kind: kind.__name__)
def test_an_untrusted_certificate_is_refused(kind: type[FileServer], file_servers: Servers) -> None:  # noqa: F811
    with pytest.raises(StoreUnavailable, match="certificate"):
        list_files(create_source(file_servers(kind)))


class TestHostKey:
    """SFTP: the first test saves the host key, and from then on no other is accepted."""

    @pytest.fixture
    def server(self, tmp_path: Path, file_servers: Servers) -> Iterator[OpenSsh]:  # noqa: F811
        file_servers(OpenSsh)  # skips where there is none
        with OpenSsh(tmp_path / "sshd") as server:
            yield server

    def test_the_first_test_saves_it(self, server: OpenSsh) -> None:
        source = create_source(server, host_key="")
        with pytest.raises(UserError, match="Test the source"):
            list_files(source)
        list_files(source, learn_host_key=True)
        source.refresh_from_db()
        assert source.host_key == server.host_key
        list_files(source)

    @pytest.mark.parametrize("kind", ["ed25519", "ecdsa"])
    def test_a_server_with_another_key_gets_no_password(self, server: OpenSsh, kind: str) -> None:
        source = create_source(server)
        server.stop()
        server.new_host_key(kind)
        server.start()
        for learn in (False, True):
            with pytest.raises(StoreUnavailable, match="host key is another one"):
                list_files(source, learn_host_key=learn)
        assert "password" not in (server.folder / "log").read_text()


@pytest.mark.parametrize(("kind", "form"), [("ed25519", "RFC4716"), ("ecdsa", "PKCS8"), ("rsa", "PEM")])
def test_a_private_key_instead_of_a_password(file_servers: Servers, tmp_path: Path, kind: str, form: str) -> None:  # noqa: F811
    server = file_servers(OpenSsh)
    server.put("here.mp4", b"here")
    file = tmp_path / "id"
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-m", form, "-N", "", "-f", file], check=True)
    source = create_source(server)
    save_source(source=source, password=file.read_text())
    with pytest.raises(StoreUnavailable, match="refuses us"):
        list_files(source)
    (server.folder / "authorized_keys").write_text((tmp_path / "id.pub").read_text())
    assert "here.mp4" in {found.path for found in list_files(source)}


def test_unusable_private_keys_are_refused(tmp_path: Path) -> None:
    source, file = factories.source(kind="sftp", address="sftp://nvr.example.org/"), tmp_path / "id"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", file], check=True)
    for text, reason in (
        (file.read_text(), "has a passphrase"),
        ("-----BEGIN nonsense", "not a supported SSH private key"),
    ):
        with pytest.raises(ValidationError, match=reason):
            save_source(source=source, password=text)
    subprocess.run(["ssh-keygen", "-q", "-p", "-P", "secret", "-N", "", "-f", file], check=True)
    source.kind = "ftps"
    with pytest.raises(ValidationError, match="Only SFTP"):
        save_source(source=source, password=file.read_text())
    assert not Source.objects.get().secret


@pytest.mark.parametrize("kind", ["http", "webdav"])
def test_a_user_name_with_a_colon_is_refused(kind: str) -> None:
    with pytest.raises(UserError, match="no user name with a colon"):
        list_files(factories.source(kind=kind, address="http://127.0.0.1/", username="a:b", pattern=PATTERN))


def test_a_redirect_to_another_host_is_refused(file_servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    server = trust_certificate(file_servers(Nginx), monkeypatch)
    source = create_source(server)
    source.address = source.address.replace("/list", "/away")
    with pytest.raises(StoreUnavailable, match=r"sends us elsewhere \(to 169\.254\.169\.254:80\)"):
        list_files(source)


def test_a_file_open_for_writing_on_a_windows_share_is_not_read(file_servers: Servers) -> None:  # noqa: F811
    import smbclient

    server = file_servers(Samba)
    server.put("busy.mp4", b"busy")
    config = server.folder / "smb.conf"
    assert "read only = yes" in config.read_text()  # so the writer has to be a process beside Samba
    share = {"username": server.username, "password": server.password, "port": server.port}
    with (
        smbclient.open_file(r"\\localhost\recordings\busy.mp4", "rb", share_access="", **share),
        pytest.raises(FileBeingWritten),
    ):
        read(create_source(server), "busy.mp4")


class TestFolder:
    @pytest.fixture
    def folder(self, tmp_path: Path, settings: Any) -> Path:
        folder = tmp_path / "cctv"
        (folder / "cam1" / "20261123").mkdir(parents=True)
        settings.SOURCE_FOLDERS = [str(tmp_path / "cctv")]
        return folder

    def test_links_and_pipes_are_ignored(self, folder: Path, tmp_path: Path) -> None:
        (tmp_path / "secret.mp4").write_bytes(b"not ours")
        day = folder / "cam1" / "20261123"
        (day / "090000.mp4").write_bytes(b"film")
        (day / "100000.mp4").symlink_to(tmp_path / "secret.mp4")
        (folder / "cam2").symlink_to(tmp_path)
        os.mkfifo(day / "110000.mp4")
        source = factories.source(address=str(folder), pattern=PATTERN)
        assert [file.path for file in list_files(source)] == ["cam1/20261123/090000.mp4"]
        for path in ("cam1/20261123/100000.mp4", "cam2/secret.mp4", "../secret.mp4", "cam1/20261123/110000.mp4"):
            with pytest.raises(StoreUnavailable):
                read(source, path)

    def test_a_file_that_is_open_for_writing_is_not_read(self, folder: Path) -> None:
        file = folder / "now.mp4"
        source = factories.source(address=str(folder))
        with file.open("wb") as writer:
            writer.write(b"film")
            writer.flush()
            with pytest.raises(FileBeingWritten):
                read(source, "now.mp4")
        assert read(source, "now.mp4") == b"film"

    def test_reading_does_not_block_writers(self, folder: Path) -> None:
        """Another process can open the file for writing while it is read."""
        file = folder / "now.mp4"
        file.write_bytes(CONTENT)
        with open_store(factories.source(address=str(folder)), seconds=30, max_bytes=0) as (store, _guard):
            chunks = store.read("now.mp4", 0)
            next(chunks)
            writer = threading.Thread(target=lambda: file.open("ab").close())
            writer.start()
            writer.join(10)
            assert not writer.is_alive()

    def test_only_listed_folders_are_allowed(self, folder: Path, tmp_path: Path) -> None:
        (tmp_path / "other").mkdir()
        (folder / "way out").symlink_to(tmp_path / "other")
        for address in (tmp_path / "other", folder / ".." / "other", folder / "way out", Path("cctv")):
            with pytest.raises(UserError, match="ROLLCALL_SOURCE_FOLDERS"):
                list_files(factories.source(address=str(address)))
        with pytest.raises(UserError, match="Is it mounted"):
            list_files(factories.source(address=str(folder / "nowhere")))


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\\b", "a\nb", "a\0b", "\u202egpj.mp4", "\udc80.mp4"])
def test_a_name_that_is_no_plain_one_is_none(name: str) -> None:
    assert not is_plain_name(name)


@pytest.mark.parametrize("name", ["090000.mp4", "Hörsaal 1.mkv", "講堂.mp4", "...mp4", "~a b'\"%20.mp4"])
def test_any_plain_name_will_do(name: str) -> None:
    assert is_plain_name(name)
