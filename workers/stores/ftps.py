"""FTP with TLS."""

import ftplib
import ssl
from collections.abc import Iterator
from typing import Any

from fsspec.implementations.ftp import FTPFileSystem

from campus.cctv.egress_policy import Address
from campus.cctv.models import Source
from workers.stores.base import CHUNK, READ_SECONDS, Found, Store, moment


class Ftps(Store):
    """FTP with TLS for commands and data, and the certificate checked."""

    def __init__(self, address: Address, source: Source, password: str) -> None:
        fs = CheckedFtps(
            address.host,
            address.port,
            source.username,
            password,
            tls=True,
            timeout=READ_SECONDS,
            skip_instance_cache=True,
        )
        super().__init__(fs, address.path)

    def look_at(self, path: str) -> Found:
        ftp = self.fs.ftp
        ftp.voidcmd("TYPE I")
        try:
            size, modified = ftp.size(self.name(path)), moment(ftp.sendcmd(f"MDTM {self.name(path)}")[4:].strip())
        except ftplib.error_perm as error:
            raise FileNotFoundError(path) from error
        return Found(path, size=size, modified=modified)

    def read(self, path: str, offset: int) -> Iterator[bytes]:
        ftp = self.fs.ftp
        ftp.voidcmd("TYPE I")
        with ftp.transfercmd(f"RETR {self.name(path)}", rest=offset or None) as connection:
            while chunk := connection.recv(CHUNK):
                yield chunk
        ftp.voidresp()

    def close(self) -> None:
        self.fs.ftp.close()


class CheckedFtps(FTPFileSystem):
    """fsspec's checks no certificate."""

    def _connect(self) -> None:
        self.ftp = OneSession(timeout=self.timeout, encoding=self.encoding, context=ssl.create_default_context())
        self.ftp.connect(self.host, self.port)
        self.ftp.login(*self.cred)


class OneSession(ftplib.FTP_TLS):
    """Data connections go on with the TLS session of the commands: many servers want it, so that nobody else takes the data."""

    def ntransfercmd(self, cmd: str, rest: int | str | None = None) -> Any:
        connection, size = ftplib.FTP.ntransfercmd(self, cmd, rest)  # noqa: S321 - encrypted in the next line
        return self.context.wrap_socket(connection, server_hostname=self.host, session=self.sock.session), size  # type: ignore[union-attr]
