"""Which addresses a source may have: one check for everything that is fetched or recorded."""

from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from django.conf import settings

from campus.cctv.models import Source
from campus.common.errors import UserError
from campus.common.network_policy import resolve_allowed_addresses

Kind = Source.Kind
# The schemes of each kind, the usual one first, with the ports that are theirs.
SCHEMES = {
    Kind.SFTP: {"sftp": 22},
    Kind.FTPS: {"ftps": 21},
    Kind.SMB: {"smb": 445},
    Kind.WEBDAV: {"https": 443, "http": 80},
    Kind.HTTP: {"https": 443, "http": 80},
    Kind.S3: {"https": 443, "http": 80},
    Kind.HIKVISION: {"https": 443, "http": 80},
    Kind.DAHUA: {"https": 443, "http": 80},
    Kind.ONVIF: {"https": 443, "http": 80, "rtsp": 554},
    Kind.OPENCAST: {"https": 443, "http": 80},
    Kind.BBB: {"https": 443, "http": 80},
    Kind.ZOOM: {"https": 443, "http": 80},
    Kind.RTSP: {"rtsp": 554, "rtsps": 322},
}
# Their addresses may name other servers that the files lie on: ?files=https://download.example.org
KINDS_WITH_FILE_SERVERS = {Kind.ONVIF, Kind.OPENCAST, Kind.BBB, Kind.ZOOM}
MAX_FILE_SERVERS = 5
ZOOM_LOGIN_SERVER = "https://zoom.us"
UNENCRYPTED_SCHEMES = {"http", "rtsp"}
FIRST_UNPRIVILEGED_PORT = 1024
# Databases and caches hold no footage, and might obey what is sent to them.
FORBIDDEN_PORTS = {1433, 1521, 2379, 3306, 5432, 5672, 6379, 9200, 11211, 27017}


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A checked address. Of a folder there is only `path`.

    `ips` are what the host name resolved to; connect to no other. `host` has no brackets, `path` is decoded and begins
    with a slash, `query` has no question mark. `file_servers`: other servers that the files lie on.
    """

    scheme: str
    path: str
    host: str = ""
    port: int = 0
    query: str = ""
    ips: tuple[str, ...] = ()
    file_servers: "tuple[Address, ...]" = ()

    @property
    def origin(self) -> str:
        """Scheme, host and port as in a URL, without the port if it is the scheme's usual one."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = any(ports.get(self.scheme) == self.port for ports in SCHEMES.values())
        return f"{self.scheme}://{host}" if usual else f"{self.scheme}://{host}:{self.port}"


def allowed_address(source: Source) -> Address:
    """The source's address, if it may be used.

    Raises UserError, for whoever entered the address: its scheme or port does not fit the kind, it is private and not
    in ROLLCALL_SOURCE_NETWORKS, unencrypted outside those networks, or a folder outside ROLLCALL_SOURCE_FOLDERS.
    """
    if source.kind == Kind.FOLDER:
        return Address(scheme="file", path=str(allowed_folder(Path(source.address))))
    address = _allowed_server(Kind(source.kind), source.address)
    if source.kind not in KINDS_WITH_FILE_SERVERS:
        return address
    others = parse_qs(address.query).get("files", [])[:MAX_FILE_SERVERS]
    if source.kind == Kind.ONVIF and not others:  # what is recorded there is replayed by another protocol
        others = [replace(address, scheme="rtsp", port=SCHEMES[Kind.ONVIF]["rtsp"]).origin]
    if source.kind == Kind.ZOOM:
        others += parse_qs(address.query).get("login", [ZOOM_LOGIN_SERVER])[:1]
    return replace(address, file_servers=tuple(_allowed_server(Kind(source.kind), other) for other in others))


def _allowed_server(kind: Kind, text: str) -> Address:
    schemes = SCHEMES[kind]
    try:
        parts = urlsplit(text)
        host, port = (parts.hostname or "").encode("idna").decode(), parts.port
    except ValueError as error:
        raise UserError("This is not a valid address. Correct it.") from error
    if parts.scheme not in schemes:
        wanted = " / ".join(f"{scheme}://" for scheme in schemes)
        raise UserError("The address of this kind of source must begin with {wanted}.", wanted=wanted)
    if not host or parts.username is not None or parts.fragment:
        example = f"{next(iter(schemes))}://nvr.example.org/recordings"
        raise UserError(
            "The address must contain a server, and no user name or password, like {example}.", example=example
        )
    port = schemes[parts.scheme] if port is None else port
    if port not in schemes.values() and (port < FIRST_UNPRIVILEGED_PORT or port in FORBIDDEN_PORTS):
        raise UserError("Footage is not fetched from port {port}.", port=port)
    resolved = resolve_allowed_addresses(host, port, settings.SOURCE_NETWORKS, "ROLLCALL_SOURCE_NETWORKS")
    if parts.scheme in UNENCRYPTED_SCHEMES and not all(is_own for _address, is_own in resolved):
        raise UserError(
            "{scheme} is not encrypted and is only allowed in your own network. Use {other}, or have the administrator "
            "list the network.",
            scheme=f"{parts.scheme}://",
            other=f"{parts.scheme}s://",
        )
    return Address(
        scheme=parts.scheme,
        path=unquote(parts.path) or "/",
        host=host,
        port=port,
        query=parts.query,
        ips=tuple(str(address) for address, _is_own in resolved),
    )


def allowed_folder(folder: Path) -> Path:
    """The folder with links resolved. Raises UserError if it does not exist, or is not under
    ROLLCALL_SOURCE_FOLDERS.
    """
    real = folder.resolve()
    if not folder.is_absolute() or not any(
        real.is_relative_to(Path(allowed).resolve()) for allowed in settings.SOURCE_FOLDERS
    ):
        raise UserError(
            "Footage is not fetched from the folder {folder}. The administrator can allow it "
            "(ROLLCALL_SOURCE_FOLDERS).",
            folder=folder,
        )
    if not real.is_dir():
        raise UserError("The folder {folder} does not exist. Is it mounted?", folder=folder)
    return real
