"""The one server that this process talks to while it looks through a source, and how much of it we take.

Every library for files on the network resolves names, follows redirects and referrals, and reads answers to their end in its own way.
So all of them are held at the one place that they share, Python's sockets: names give the guard's addresses, a connection to anything
else is refused, and a connection that brings too much or takes too long is cut. The library then sees a connection that broke.
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

POLL = 0.05  # seconds
TCP_INFO_BYTES = 136
BYTES_RECEIVED = 128  # where struct tcp_info has tcpi_bytes_received

_one = threading.Lock()
_line: "Line | None" = None
_getaddrinfo = socket.getaddrinfo


class Line:
    """What may come over the line: `budget` bytes in all, as long as `more` is called in time. `why`: why it was cut, or led elsewhere."""

    def __init__(self, address: Address, seconds: float, budget: int) -> None:
        self.address, self.budget = address, budget
        self.why, self.was_cut = Message(), False
        self._deadline = time.monotonic() + seconds
        self._received: dict[int, int] = {}  # bytes by the socket's inode
        self._sockets: dict[int, int] = {}  # inode by descriptor: a descriptor is used again, an inode is not

    def more(self, seconds: float) -> None:
        """Something came: wait for so many seconds again."""
        self._deadline = time.monotonic() + seconds

    def wait(self, seconds: float) -> None:
        """Wait ourselves, which is not the server's fault."""
        self._deadline += seconds
        time.sleep(seconds)

    @property
    def late(self) -> bool:
        """Whether the time is over."""
        return time.monotonic() > self._deadline

    def connecting(self, sock: Any, address: Any) -> None:
        """Raises ConnectionRefusedError where the address is another server's."""
        if not isinstance(address, tuple):
            return  # a socket in the file system, of our own database or broker
        host, port = str(address[0]).split("%", 1)[0], int(address[1])
        data = self.address.scheme == "ftps" and port >= FIRST_UNPRIVILEGED_PORT  # FTP has a connection for each file
        if host not in self.address.ips or not (port == self.address.port or data):
            raise ConnectionRefusedError(self._elsewhere(f"[{host}]:{port}" if ":" in host else f"{host}:{port}"))
        self._sockets[sock.fileno()] = os.fstat(sock.fileno()).st_ino

    def lookup(self, host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0) -> list[Any]:
        """What getaddrinfo says while the line is up."""
        name = host.decode() if isinstance(host, bytes) else str(host or "")
        ips = self.address.ips if name.lower() == self.address.host else [name] if name in self.address.ips else []
        found = [info for ip in ips for info in _literal(ip, port, family, type, proto, flags)]
        if not found:
            self._elsewhere(name)
            raise socket.gaierror(socket.EAI_NONAME, f"{name} is not the source's server")
        return found

    def _elsewhere(self, where: str) -> Message:
        self.why = self.why or Message(
            "The server sends us elsewhere (to {where}), which is not followed. Enter the address that is meant.",
            where=where,
        )
        return self.why

    def check(self) -> None:
        """Cut the line where it brought too much, or nothing for too long."""
        for inode, sock in self._open():
            info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_BYTES)
            self._received[inode] = (
                struct.unpack_from("=Q", info, BYTES_RECEIVED)[0] if len(info) == TCP_INFO_BYTES else 0
            )
        if sum(self._received.values()) > self.budget:
            self.cut(
                Message(
                    "The server sends more than is taken at a time. Narrow the address down to a folder, or the pattern to days."
                )
            )
        elif self.late:
            self.cut(Message("The server sends too slowly, or nothing at all. It is tried again later."))

    def cut(self, why: Message | None = None) -> None:
        """Break all connections; a `why` is what the user is told. A library may take it for the end of what it reads."""
        self.why, self.was_cut = self.why or why or Message(), self.was_cut or bool(why)
        for _inode, sock in self._open():
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _open(self) -> Iterator[tuple[int, socket.socket]]:
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
def line(address: Address, *, seconds: float, budget: int) -> Iterator[Line]:
    """Talk to nobody but the address: at most `budget` bytes come in, and `seconds` may pass between two calls of `more`.

    What the library makes of it when the line was cut is its own; `why` says it then. Connections that are left at the end are broken.
    One at a time in a process. A folder has no connections to be cut, but may be `late`, too.
    """
    global _line
    if not address.ips:
        yield Line(address, seconds, budget)
        return
    _watch_connections()
    with _one:
        _line = up = Line(address, seconds, budget)
        over = threading.Event()
        watcher = threading.Thread(target=_watch, args=(up, over), name=f"line to {address.host}", daemon=True)
        watcher.start()
        try:
            yield up
        finally:
            over.set()
            watcher.join()
            up.cut()
            _line = None


def _watch(up: Line, over: threading.Event) -> None:
    while not over.wait(POLL):
        up.check()


@cache
def _watch_connections() -> None:
    """Once in a process, at its first line. An audit hook sees each connection of every library, and can't be removed."""

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "socket.connect" and _line:
            _line.connecting(*arguments)

    def lookup(host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0) -> list[Any]:
        return (_line.lookup if _line else _getaddrinfo)(host, port, family, type, proto, flags)

    sys.addaudithook(hook)
    socket.getaddrinfo = lookup


def _literal(ip: str, port: Any, family: int, type: int, proto: int, flags: int) -> list[Any]:
    wanted = socket.AF_INET6 if ipaddress.ip_address(ip).version == 6 else socket.AF_INET
    return _getaddrinfo(ip, port, family, type, proto, flags) if family in (0, wanted) else []
