"""A guard on this process's connections while it talks to one source: only its server, and only so much.

Each library for files on the network resolves names, follows redirects and referrals, and reads answers to their end in
its own way. The one place that all of them share are Python's sockets, so the guard sits there: the source's name
resolves to the addresses that were checked, connections to anything else are refused, and a connection that brings too
much, or nothing for too long, is cut. To the library that looks like a broken connection.
"""

import ipaddress
import os
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any

from campus.cctv.egress_policy import FIRST_UNPRIVILEGED_PORT, Address
from recognition.messages import Message

POLL_SECONDS = 0.05
TCP_INFO_BYTES = 136
BYTES_RECEIVED_OFFSET = 128  # of tcpi_bytes_received in struct tcp_info

_lock = threading.Lock()
_active_guard: "EgressGuard | None" = None
_getaddrinfo = socket.getaddrinfo


class EgressGuard:
    """Limits: `max_bytes` in all, as long as `extend_deadline` is called in time. `reason`: why it cut or refused a
    connection.
    """

    def __init__(self, address: Address, seconds: float, max_bytes: int) -> None:
        self.address, self.max_bytes = address, max_bytes
        self.reason, self.was_cut = Message(), False
        self._deadline = time.monotonic() + seconds
        self._received: dict[int, int] = {}  # bytes by the socket's inode
        self._sockets: dict[int, int] = {}  # inode by descriptor, since descriptors are reused and inodes are not

    def extend_deadline(self, seconds: float) -> None:
        """Enough bytes came: allow so many seconds from now."""
        self._deadline = time.monotonic() + seconds

    def sleep(self, seconds: float) -> None:
        """Sleep without charging the time to the server."""
        self._deadline += seconds
        time.sleep(seconds)

    @property
    def is_late(self) -> bool:
        """Whether the deadline has passed."""
        return time.monotonic() > self._deadline

    def check_connect(self, sock: Any, address: Any) -> None:
        """Raises ConnectionRefusedError if the address is not the source's server."""
        if not isinstance(address, tuple):
            return  # a Unix socket, of our own database or broker
        host, port = str(address[0]).split("%", 1)[0], int(address[1])
        # FTP opens a connection to another port for each file.
        is_ftp_data = self.address.scheme == "ftps" and port >= FIRST_UNPRIVILEGED_PORT
        if host not in self.address.ips or not (port == self.address.port or is_ftp_data):
            raise ConnectionRefusedError(self._redirected_to(f"[{host}]:{port}" if ":" in host else f"{host}:{port}"))
        self._sockets[sock.fileno()] = os.fstat(sock.fileno()).st_ino

    def resolve(
        self, host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
    ) -> list[Any]:
        """In place of getaddrinfo while the guard is active."""
        name = host.decode() if isinstance(host, bytes) else str(host or "")
        ips = self.address.ips if name.lower() == self.address.host else [name] if name in self.address.ips else []
        results = [info for ip in ips for info in _resolve_literal(ip, port, family, type, proto, flags)]
        if not results:
            self._redirected_to(name)
            raise socket.gaierror(socket.EAI_NONAME, f"{name} is not the source's server")
        return results

    def _redirected_to(self, where: str) -> Message:
        self.reason = self.reason or Message(
            "The server sends us elsewhere (to {where}), which is not followed. Enter the address that is meant.",
            where=where,
        )
        return self.reason

    def enforce_limits(self) -> None:
        """Cut the connections if they brought too much, or nothing for too long."""
        for inode, sock in self._open_sockets():
            info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_BYTES)
            self._received[inode] = (
                struct.unpack_from("=Q", info, BYTES_RECEIVED_OFFSET)[0] if len(info) == TCP_INFO_BYTES else 0
            )
        if sum(self._received.values()) > self.max_bytes:
            self.cut(
                Message(
                    "The server sends more than is taken at a time. "
                    "Narrow the address down to a folder, or the pattern to days."
                )
            )
        elif self.is_late:
            self.cut(Message("The server sends too slowly, or nothing at all. It is tried again later."))

    def cut(self, reason: Message | None = None) -> None:
        """Break all connections, for a reason that people are told. A library may take that for the end of the file."""
        self.reason = self.reason or reason or Message()
        self.was_cut = self.was_cut or bool(reason)
        for _inode, sock in self._open_sockets():
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _open_sockets(self) -> Iterator[tuple[int, socket.socket]]:
        for descriptor, inode in list(self._sockets.items()):
            try:
                copy = os.dup(descriptor)
                if os.fstat(copy).st_ino != inode:
                    os.close(copy)
                    raise OSError
            except OSError:
                self._sockets.pop(descriptor, None)
                continue
            with socket.socket(fileno=copy) as sock:
                yield inode, sock


@contextmanager
def guard_egress(address: Address, *, seconds: float, max_bytes: int) -> Iterator[EgressGuard]:
    """Connect to nothing but this address; receive at most `max_bytes`, with at most `seconds` between calls of
    `extend_deadline`.

    What a library makes of a cut connection is its own affair: `reason` has the cause. Connections that are still open
    at the end are broken. One guard at a time is active in a process. A folder has no connections to cut, but may be
    late as well.
    """
    global _active_guard
    if not address.ips:
        yield EgressGuard(address, seconds, max_bytes)
        return
    _install_hooks()
    with _lock:
        _active_guard = guard = EgressGuard(address, seconds, max_bytes)
        ended = threading.Event()
        name = f"egress guard of {address.host}"
        watcher = threading.Thread(target=_enforce_until, args=(guard, ended), name=name, daemon=True)
        watcher.start()
        try:
            yield guard
        finally:
            ended.set()
            watcher.join()
            guard.cut()
            _active_guard = None


def _enforce_until(guard: EgressGuard, ended: threading.Event) -> None:
    while not ended.wait(POLL_SECONDS):
        guard.enforce_limits()


@cache
def _install_hooks() -> None:
    """Once in a process, with its first guard.

    An audit hook sees the connections of every library, and cannot be removed.
    """

    def check_connect(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "socket.connect" and _active_guard:
            _active_guard.check_connect(*arguments)

    def resolve(host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0) -> list[Any]:
        getaddrinfo = _active_guard.resolve if _active_guard else _getaddrinfo
        return getaddrinfo(host, port, family, type, proto, flags)

    sys.addaudithook(check_connect)
    socket.getaddrinfo = resolve


def _resolve_literal(ip: str, port: Any, family: int, type: int, proto: int, flags: int) -> list[Any]:
    ip_family = socket.AF_INET6 if ipaddress.ip_address(ip).version == 6 else socket.AF_INET
    return _getaddrinfo(ip, port, family, type, proto, flags) if family in (0, ip_family) else []
