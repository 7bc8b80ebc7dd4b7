"""SFTP, by Paramiko, with one host key."""

import base64
import errno
from collections.abc import Iterator
from contextlib import suppress
from io import StringIO

import paramiko
from fsspec.implementations.sftp import SFTPFileSystem
from paramiko.ssh_exception import NoValidConnectionsError

from campus.cctv.credentials import PRIVATE_KEY_PREFIX
from campus.cctv.egress_policy import Address
from campus.cctv.models import Source
from campus.common.errors import UserError
from workers.stores.base import CHUNK_BYTES, CONNECT_SECONDS, READ_SECONDS, Store
from workers.stores.errors import (
    AccessRefused,
    ConnectionBroken,
    ErrorClass,
    HostKeyChanged,
    StoreNotFound,
    classify_system_error,
)

REQUEST_BYTES = 32 * 1024
WINDOW_BYTES = 16 * CHUNK_BYTES  # of the requests that are under way at once


class Sftp(Store):
    """SFTP.

    The server must show the host key of the source. `host_key` is the server's, in the form that a source stores.
    """

    def __init__(self, address: Address, source: Source, password: str, *, learn_host_key: bool = False) -> None:
        if not source.host_key and not learn_host_key:
            raise UserError("The server's host key is not known yet. Test the source: its key is taken over then.")
        self.fs = PinnedSftp(address, source.username, password, source.host_key, learn=learn_host_key)
        self.root = address.path.rstrip("/")
        self.host_key = self.fs.host_key

    def read(self, path: str, offset: int) -> Iterator[bytes]:
        with self.fs.ftp.open(self.full_path(path), "rb") as file:
            size = file.stat().st_size
            while offset < size:
                window = range(offset, min(offset + WINDOW_BYTES, size), REQUEST_BYTES)
                for at, data in zip(
                    window, file.readv([(at, min(REQUEST_BYTES, size - at)) for at in window]), strict=True
                ):
                    yield data
                    offset += len(data)
                    if len(data) < min(REQUEST_BYTES, size - at):
                        return

    def close(self) -> None:
        self.fs.client.close()

    @staticmethod
    def classify_error(error: BaseException) -> ErrorClass | None:
        match error:
            case paramiko.BadHostKeyException() | WrongHostKey():
                return HostKeyChanged
            case paramiko.AuthenticationException():
                return AccessRefused
            case NoValidConnectionsError():
                return ConnectionBroken
            case OSError() if error.errno == errno.ENOENT:
                return StoreNotFound
        return classify_system_error(error)


class PinnedSftp(SFTPFileSystem):
    """fsspec's own class accepts any host key, and logs in with the keys and agents of whoever runs it."""

    cachable = False

    def __init__(self, address: Address, username: str, password: str, host_key: str, *, learn: bool) -> None:
        self.pinned, self.port, self.learn = host_key, address.port, learn
        self.login = (username, password)
        super().__init__(address.host)

    def _connect(self) -> None:
        self.client = paramiko.SSHClient()
        policy = LearnFirstHostKey(wanted=self.learn and not self.pinned)
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
    """Parse what `campus.cctv.credentials` stores. Each of Paramiko's classes reads its own type of key only."""
    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        with suppress(paramiko.SSHException):
            return kind.from_private_key(StringIO(text))
    raise UserError("The private key of this source can't be read. Give it again.")


class LearnFirstHostKey(paramiko.MissingHostKeyPolicy):
    """Accept an unknown key only if the source has none yet and a person is testing it."""

    def __init__(self, *, wanted: bool) -> None:
        self.wanted, self.key = wanted, ""

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        if not self.wanted:
            raise WrongHostKey
        self.key = f"{key.get_name()} {key.get_base64()}"


class WrongHostKey(paramiko.SSHException):
    """The server's key is of another type than the one that is known."""
