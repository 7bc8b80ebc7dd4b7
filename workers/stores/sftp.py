"""SFTP, by Paramiko, with one host key."""

import base64
from collections.abc import Iterator
from contextlib import suppress
from io import StringIO

import paramiko
from fsspec.implementations.sftp import SFTPFileSystem

from campus.cctv.credentials import PRIVATE_KEY_PREFIX
from campus.cctv.egress_policy import Address
from campus.cctv.models import Source
from campus.common.errors import UserError
from workers.stores.base import CHUNK, CONNECT_SECONDS, READ_SECONDS, Store

BLOCK, WINDOW = 32 * 1024, 16 * CHUNK  # bytes of one request, and of those that are under way at once


class Sftp(Store):
    """SFTP, with the host key that the source has. `host_key`: the server's, in the form that a source keeps."""

    def __init__(self, address: Address, source: Source, password: str, *, learn: bool) -> None:
        super().__init__(PinnedSftp(address, source.username, password, source.host_key, learn=learn), address.path)
        self.host_key = self.fs.host_key

    def read(self, path: str, offset: int) -> Iterator[bytes]:
        with self.fs.ftp.open(self.name(path), "rb") as file:
            size = file.stat().st_size
            while offset < size:
                window = range(offset, min(offset + WINDOW, size), BLOCK)
                for at, data in zip(window, file.readv([(at, min(BLOCK, size - at)) for at in window]), strict=True):
                    yield data
                    offset += len(data)
                    if len(data) < min(BLOCK, size - at):
                        return

    def close(self) -> None:
        self.fs.client.close()


class PinnedSftp(SFTPFileSystem):
    """fsspec's takes whatever key a server shows, and the keys and agents of whoever runs it."""

    cachable = False

    def __init__(self, address: Address, username: str, password: str, host_key: str, *, learn: bool) -> None:
        self.pinned, self.port, self.learn = host_key, address.port, learn
        self.login = (username, password)
        super().__init__(address.host)

    def _connect(self) -> None:
        self.client = paramiko.SSHClient()
        policy = FirstKey(wanted=self.learn and not self.pinned)
        self.client.set_missing_host_key_policy(policy)
        if self.pinned:
            kind, _space, blob = self.pinned.partition(" ")
            key = paramiko.PKey.from_type_string(kind, base64.b64decode(blob.split()[0]))
            self.client.get_host_keys().add(
                self.host if self.port == paramiko.config.SSH_PORT else f"[{self.host}]:{self.port}", kind, key
            )
        username, password = self.login
        own = private_key(password) if password.startswith(PRIVATE_KEY_PREFIX) else None
        self.client.connect(
            self.host,
            self.port,
            username,
            None if own else password,
            pkey=own,
            timeout=CONNECT_SECONDS,
            banner_timeout=CONNECT_SECONDS,
            auth_timeout=READ_SECONDS,
            allow_agent=False,
            look_for_keys=False,
        )
        self.ftp = self.client.open_sftp()
        if channel := self.ftp.get_channel():
            channel.settimeout(READ_SECONDS)
        self.host_key = policy.key or self.pinned


def private_key(text: str) -> paramiko.PKey:
    """Of what `campus.cctv.credentials.private_key` writes: each of Paramiko's classes reads its own type only."""
    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        with suppress(paramiko.SSHException):
            return kind.from_private_key(StringIO(text))
    raise UserError("The private key of this source can't be read. Give it again.")


class FirstKey(paramiko.MissingHostKeyPolicy):
    """A key is taken where none is known yet and somebody looks at it; and never otherwise."""

    def __init__(self, *, wanted: bool) -> None:
        self.wanted, self.key = wanted, ""

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        if not self.wanted:
            raise WrongHostKey
        self.key = f"{key.get_name()} {key.get_base64()}"


class WrongHostKey(paramiko.SSHException):
    """The server has another key, of another type, than the one that is known."""
