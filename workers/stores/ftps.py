"""FTP with TLS."""

import ftplib
import ssl
from collections.abc import Iterator
from typing import Any

from fsspec.implementations.ftp import FTPFileSystem

from campus.cctv.egress_policy import Address
from campus.cctv.models import Source
from workers.stores.base import CHUNK_BYTES, READ_SECONDS, Entry, Store, parse_time
from workers.stores.errors import AccessRefused, ErrorClass, StoreNotFound, classify_system_error

REPLY_CODE_LENGTH = 4  # with the space after it
ERRORS_BY_REPLY_CODE: dict[str, ErrorClass] = {"530": AccessRefused, "550": StoreNotFound}


class Ftps(Store):
    """FTP with TLS for commands and data, and the certificate checked."""

    def __init__(self, address: Address, source: Source, password: str, *, learn_host_key: bool = False) -> None:
        fs = CertifiedFtpFileSystem(
            address.host,
            address.port,
            source.username,
            password,
            tls=True,
            timeout=READ_SECONDS,
            skip_instance_cache=True,
        )
        self.fs, self.root = fs, address.path.rstrip("/")

    def stat(self, path: str) -> Entry:
        ftp = self.fs.ftp
        ftp.voidcmd("TYPE I")
        try:
            size = ftp.size(self.full_path(path))
            reply = ftp.sendcmd(f"MDTM {self.full_path(path)}")
        except ftplib.error_perm as error:
            raise FileNotFoundError(path) from error
        return Entry(path=path, size=size, modified=parse_time(reply[REPLY_CODE_LENGTH:].strip()))

    def read(self, path: str, offset: int) -> Iterator[bytes]:
        ftp = self.fs.ftp
        ftp.voidcmd("TYPE I")
        with ftp.transfercmd(f"RETR {self.full_path(path)}", rest=offset or None) as connection:
            while chunk := connection.recv(CHUNK_BYTES):
                yield chunk
        ftp.voidresp()

    def close(self) -> None:
        self.fs.ftp.close()

    @staticmethod
    def classify_error(error: BaseException) -> ErrorClass | None:
        if isinstance(error, ftplib.error_perm):
            return ERRORS_BY_REPLY_CODE.get(str(error)[:3])
        return classify_system_error(error)


class CertifiedFtpFileSystem(FTPFileSystem):
    """fsspec's own class checks no certificate."""

    def _connect(self) -> None:
        self.ftp = SessionReusingFtp(timeout=self.timeout, encoding=self.encoding, context=ssl.create_default_context())
        self.ftp.connect(self.host, self.port)
        self.ftp.login(*self.cred)


class SessionReusingFtp(ftplib.FTP_TLS):
    """Data connections resume the TLS session of the control connection.

    Many servers require this, so that nobody else can connect to the data port.
    """

    def ntransfercmd(self, cmd: str, rest: int | str | None = None) -> Any:
        connection, size = ftplib.FTP.ntransfercmd(self, cmd, rest)  # noqa: S321 - encrypted in the next line
        return self.context.wrap_socket(connection, server_hostname=self.host, session=self.sock.session), size  # type: ignore[union-attr]
