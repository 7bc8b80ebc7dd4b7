"""Which addresses a source may have, and how its password is stored."""

from typing import Any

import pytest

from campus.cctv import credentials
from campus.cctv.egress_policy import allowed_address
from campus.cctv.models import Source
from campus.cctv.services import save_source
from campus.common.errors import UserError
from campus.common.network_policy import PrivateAddress, UnresolvableHost
from tests.campus import factories


def source_at(kind: str, address: str) -> Source:
    return Source(kind=kind, address=address)


@pytest.mark.parametrize(
    ("kind", "address", "port", "path"),
    [
        ("sftp", "sftp://192.0.2.7/recordings", 22, "/recordings"),
        ("sftp", "sftp://192.0.2.7:2222/a%20b", 2222, "/a b"),
        ("ftps", "ftps://192.0.2.7", 21, "/"),
        ("smb", "smb://192.0.2.7/share/cctv", 445, "/share/cctv"),
        ("webdav", "https://192.0.2.7/dav", 443, "/dav"),
        ("http", "http://192.0.2.7/list/", 80, "/list/"),
        ("http", "https://192.0.2.7:8443/", 8443, "/"),
        ("s3", "https://192.0.2.7:9000/bucket?region=here", 9000, "/bucket"),
        ("rtsp", "rtsp://192.0.2.7/Streaming/101", 554, "/Streaming/101"),
        ("rtsp", "rtsps://192.0.2.7/", 322, "/"),
    ],
)
def test_each_kind_has_its_scheme_and_port(settings: Any, kind: str, address: str, port: int, path: str) -> None:
    settings.SOURCE_NETWORKS = ["192.0.2.0/24"]
    allowed = allowed_address(source_at(kind, address))
    assert (allowed.host, allowed.port, allowed.path, allowed.ips) == ("192.0.2.7", port, path, ("192.0.2.7",))


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        ("sftp", "https://192.0.2.7/"),
        ("sftp", "192.0.2.7"),
        ("ftps", "ftp://192.0.2.7/"),
        ("http", "file:///etc/passwd"),
        ("http", "gopher://192.0.2.7/"),
        ("smb", "smb:///share"),
        ("http", "http://192.0.2.7:22/"),
        ("http", "http://192.0.2.7:6379/"),
        ("s3", "http://192.0.2.7:5432/"),
        ("sftp", "sftp://192.0.2.7:0/"),
        ("sftp", "sftp://192.0.2.7:99999/"),
        ("http", "http://[::1/"),
        ("http", "http://user:secret@192.0.2.7/"),
        ("http", "http://192.0.2.7/#there"),
        ("http", "http:///"),
        ("folder", "/etc"),
        ("folder", ""),
    ],
)
def test_an_unsuitable_address_is_refused(settings: Any, kind: str, address: str) -> None:
    settings.SOURCE_NETWORKS = ["192.0.2.0/24"]
    with pytest.raises(UserError) as refused:
        allowed_address(source_at(kind, address))
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "10.1.2.3", "169.254.169.254", "[::1]", "[::ffff:10.0.0.1]", "2130706433"]
)
def test_private_addresses_need_the_administrators_permission(settings: Any, host: str) -> None:
    settings.SOURCE_NETWORKS = ["192.0.2.0/24"]
    with pytest.raises(PrivateAddress, match="ROLLCALL_SOURCE_NETWORKS"):
        allowed_address(source_at("sftp", f"sftp://{host}/"))


def test_unencrypted_schemes_are_for_the_own_network(settings: Any) -> None:
    settings.SOURCE_NETWORKS = []
    for kind, address in (
        ("http", "http://93.184.216.34/"),
        ("webdav", "http://93.184.216.34/"),
        ("rtsp", "rtsp://93.184.216.34/"),
    ):
        with pytest.raises(UserError, match="not encrypted"):
            allowed_address(source_at(kind, address))
    assert allowed_address(source_at("http", "https://93.184.216.34/")).ips == ("93.184.216.34",)


def test_an_unresolvable_host_is_refused() -> None:
    with pytest.raises(UnresolvableHost):
        allowed_address(source_at("sftp", "sftp://nvr.invalid/"))


def test_the_origin_omits_the_usual_port(settings: Any) -> None:
    settings.SOURCE_NETWORKS = ["::1/128"]
    assert allowed_address(source_at("http", "https://[::1]:8443/x")).origin == "https://[::1]:8443"
    assert allowed_address(source_at("http", "https://[::1]/x")).origin == "https://[::1]"


@pytest.mark.django_db
def test_a_password_whose_key_is_gone_has_to_be_entered_again(settings: Any) -> None:
    source = factories.source(secret="öpen sesame")
    assert credentials.read_password(Source.objects.get()) == "öpen sesame"
    settings.ENCRYPTION_KEYS = [bytes(32)]
    source = Source.objects.get()
    with pytest.raises(UserError, match="Enter it again"):
        credentials.read_password(source)
    assert source.has_password
    save_source(source=source, name="NVR")  # other changes can be made
    save_source(source=source, password="sesame", address="/srv/other")
    assert credentials.read_password(Source.objects.get()) == "sesame"
