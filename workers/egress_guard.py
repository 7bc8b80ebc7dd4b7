"""Restricts this process's connections to one source's server while it is used, and limits what they may receive.

Each library for files on the network resolves names, follows redirects and referrals, and reads responses in its own
way. All of them use Python's sockets, so the guard works there: the source's name resolves to the addresses that were
checked, connections to anything else are refused, and a connection that receives too much, or too little for too long,
is broken. The library sees a broken connection and nothing else.
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

POLL_INTERVAL_SECONDS = 0.05
TCP_INFO_BYTES = 136  # of Linux' struct tcp_info, up to and with tcpi_bytes_received
BYTES_RECEIVED_OFFSET = 128  # of tcpi_bytes_received in it

_lock = threading.Lock()
_active_guard: "EgressGuard | None" = None
_getaddrinfo = socket.getaddrinfo


class EgressGuard:
    """The limits of one use of a source.

    `max_bytes` is for all connections together, and `extend_deadline` has to be called in time. `reason`: why a
    connection was broken or refused; `was_cut`: one was broken for a reason.
    """

    def __init__(self, address: Address, seconds: float, max_bytes: int) -> None:
        self.address, self.max_bytes = address, max_bytes
        self.servers = (address, *address.file_servers)
        self.reason, self.was_cut = Message(), False
        self._deadline = time.monotonic() + seconds
        self._received_bytes: dict[int, int] = {}  # by the socket's inode
        self._inodes: dict[int, int] = {}  # by descriptor, since descriptors are reused and inodes are not

    def extend_deadline(self, seconds: float) -> None:
        """Allow this many seconds from now, because enough bytes have arrived."""
        self._deadline = time.monotonic() + seconds

    def sleep(self, seconds: float) -> None:
        """Sleep, and extend the deadline by that time, which is not the server's fault."""
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
        ip, port = str(address[0]).split("%", 1)[0], int(address[1])
        # FTP opens a connection to another port for each file.
        is_ftp_data = self.address.scheme == "ftps" and port >= FIRST_UNPRIVILEGED_PORT and ip in self.address.ips
        if not is_ftp_data and not any(ip in server.ips and port == server.port for server in self.servers):
            raise ConnectionRefusedError(self._refuse(f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"))
        self._inodes[sock.fileno()] = os.fstat(sock.fileno()).st_ino

    def resolve(
        self, host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
    ) -> list[Any]:
        """Replaces getaddrinfo while the guard is active."""
        name = host.decode() if isinstance(host, bytes) else str(host or "")
        ips = [ip for server in self.servers for ip in server.ips if name.lower() == server.host or name == ip]
        results = [info for ip in ips for info in _resolve_ip(ip, port, family, type, proto, flags)]
        if not results:
            self._refuse(name)
            raise socket.gaierror(socket.EAI_NONAME, f"{name} is not the source's server")
        return results

    def _refuse(self, where: str) -> Message:
        """Save the reason for refusing a connection to a host, and return it."""
        self.reason = self.reason or Message(
            "The server sends us elsewhere (to {where}), which is not followed. Enter the address that is meant.",
            where=where,
        )
        return self.reason

    def enforce_limits(self) -> None:
        """Break the connections if they received too much, or too little for too long."""
        for inode, sock in self._open_sockets():
            info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_BYTES)
            has_count = len(info) == TCP_INFO_BYTES
            self._received_bytes[inode] = struct.unpack_from("=Q", info, BYTES_RECEIVED_OFFSET)[0] if has_count else 0
        if sum(self._received_bytes.values()) > self.max_bytes:
            self.cut(
                Message(
                    "The server sends more than is taken at a time. "
                    "Narrow the address down to a folder, or the pattern to days."
                )
            )
        elif self.is_late:
            self.cut(Message("The server sends too slowly, or nothing at all. It is tried again later."))

    def cut(self, reason: Message | None = None) -> None:
        """Break all connections, for a reason that people will read. A library may take it for the end of the file."""
        self.reason = self.reason or reason or Message()
        self.was_cut = self.was_cut or bool(reason)
        for _inode, sock in self._open_sockets():
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _open_sockets(self) -> Iterator[tuple[int, socket.socket]]:
        for descriptor, inode in list(self._inodes.items()):
            try:
                copy = os.dup(descriptor)
                if os.fstat(copy).st_ino != inode:
                    os.close(copy)
                    raise OSError
            except OSError:
                self._inodes.pop(descriptor, None)
                continue
            with socket.socket(fileno=copy) as sock:
                yield inode, sock


@contextmanager
def guard_egress(address: Address, *, seconds: float, max_bytes: int) -> Iterator[EgressGuard]:
    """Allow connections to this address only, `max_bytes` in all, and `seconds` until `extend_deadline` is called.

    Libraries report a broken connection in many ways: the guard's `reason` has the cause. Connections that are still
    open at the end are broken. A process has one active guard at a time. A folder has no connections, but a deadline.
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
    while not ended.wait(POLL_INTERVAL_SECONDS):
        guard.enforce_limits()


@cache
def _install_hooks() -> None:
    """Called once in a process, by its first guard: an audit hook sees every library's connections, and stays."""

    def check_connect(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "socket.connect" and _active_guard:
            _active_guard.check_connect(*arguments)

    def resolve(host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0) -> list[Any]:
        getaddrinfo = _active_guard.resolve if _active_guard else _getaddrinfo
        return getaddrinfo(host, port, family, type, proto, flags)

    sys.addaudithook(check_connect)
    socket.getaddrinfo = resolve


def _resolve_ip(ip: str, port: Any, family: int, type: int, proto: int, flags: int) -> list[Any]:
    ip_family = socket.AF_INET6 if ipaddress.ip_address(ip).version == 6 else socket.AF_INET
    return _getaddrinfo(ip, port, family, type, proto, flags) if family in (0, ip_family) else []
