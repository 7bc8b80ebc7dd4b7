"""Which addresses a source may have, and how its password is stored."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from campus.cctv import credentials
from campus.cctv.egress_policy import allowed_address
from campus.cctv.models import Source
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


class TestCredentials:
    def test_a_password_is_encrypted(self) -> None:
        token = credentials.encrypt("öpen sesame")
        assert "sesame" not in token
        assert credentials.decrypt(token) == "öpen sesame"
        assert credentials.encrypt("öpen sesame") != token
        assert credentials.encrypt("") == credentials.decrypt("") == ""

    def test_keys_are_rotated(self, settings: Any) -> None:
        token = credentials.encrypt("secret")
        settings.CREDENTIALS_KEYS = ["new"]
        assert credentials.decrypt(token) == "secret"  # still by the secret key
        newer = credentials.rotate(token)
        settings.SECRET_KEY = "another one" * 5
        assert credentials.decrypt(newer) == "secret"
        with pytest.raises(UserError, match="Enter it again"):
            credentials.decrypt(token)
        settings.CREDENTIALS_KEYS = ["newest", "new"]
        assert credentials.decrypt(newer) == "secret"

    @pytest.mark.django_db
    def test_the_command_rotates_all_passwords(self, settings: Any) -> None:
        source, broken, none = (
            factories.source(secret=secret) for secret in (credentials.encrypt("secret"), "garbage", "")
        )
        settings.CREDENTIALS_KEYS = ["new"]
        out, err = StringIO(), StringIO()
        call_command("rotate_credentials", stdout=out, stderr=err)
        settings.SECRET_KEY = "another one" * 5
        for row in (source, broken, none):
            row.refresh_from_db()
        assert credentials.decrypt(source.secret) == "secret"
        assert (broken.secret, none.secret) == ("garbage", "")
        assert (source.name in out.getvalue(), broken.name in err.getvalue()) == (True, True)
