"""SFTP, by Paramiko, with a pinned host key."""

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
WINDOW_BYTES = 16 * CHUNK_BYTES  # requested at once


class Sftp(Store):
    """SFTP. The server must show the host key of the source; `host_key` is the one it shows, as a source stores it."""

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
                requests = [(start, min(REQUEST_BYTES, size - start)) for start in window]
                for (_start, length), data in zip(requests, file.readv(requests), strict=True):
                    yield data
                    offset += len(data)
                    if len(data) < length:
                        return  # the file has become shorter

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
    """fsspec's own class accepts any host key, and logs in with the keys and agents of the user that runs it."""

    cachable = False

    def __init__(self, address: Address, username: str, password: str, host_key: str, *, learn: bool) -> None:
        self.pinned_host_key, self.port, self.learn = host_key, address.port, learn
        self.login = (username, password)
        super().__init__(address.host)

    def _connect(self) -> None:
        self.client = paramiko.SSHClient()
        policy = LearnFirstHostKey(allowed=self.learn and not self.pinned_host_key)
        self.client.set_missing_host_key_policy(policy)
        if self.pinned_host_key:
            kind, _space, encoded = self.pinned_host_key.partition(" ")
            key = paramiko.PKey.from_type_string(kind, base64.b64decode(encoded.split()[0]))
            known_host = self.host if self.port == paramiko.config.SSH_PORT else f"[{self.host}]:{self.port}"
            self.client.get_host_keys().add(known_host, kind, key)
        username, password = self.login
        client_key = parse_private_key(password) if password.startswith(PRIVATE_KEY_PREFIX) else None
        self.client.connect(
            self.host,
            self.port,
            username,
            None if client_key else password,
            pkey=client_key,
            timeout=CONNECT_SECONDS,
            banner_timeout=CONNECT_SECONDS,
            auth_timeout=READ_SECONDS,
            allow_agent=False,
            look_for_keys=False,
        )
        self.ftp = self.client.open_sftp()
        if channel := self.ftp.get_channel():
            channel.settimeout(READ_SECONDS)
        self.host_key = policy.key or self.pinned_host_key


def parse_private_key(text: str) -> paramiko.PKey:
    """Parse what `campus.cctv.credentials` stores. Each of Paramiko's classes reads its own type of key only."""
    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        with suppress(paramiko.SSHException):
            return kind.from_private_key(StringIO(text))
    raise UserError("The private key of this source can't be read. Give it again.")


class LearnFirstHostKey(paramiko.MissingHostKeyPolicy):
    """Accept an unknown key only if the source has none yet and a person is testing it."""

    def __init__(self, *, allowed: bool) -> None:
        self.allowed, self.key = allowed, ""

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        if not self.allowed:
            raise WrongHostKey
        self.key = f"{key.get_name()} {key.get_base64()}"


class WrongHostKey(paramiko.SSHException):
    """The server has shown a key of another type than the known one."""
