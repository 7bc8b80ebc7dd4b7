"""Hosts in network namespaces, each on a cable of its own that can be pulled. Needs root.

The thread that enters the network is on its first host: what it starts there is reached by the others, at ADDRESS.
"""

import ctypes
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers.stores import Missing, needed

ADDRESS, PREFIX_LENGTH = "10.0.0.1", 24
CLONE_NEWNET = 0x40000000  # include/uapi/linux/sched.h; os.setns is there from Python 3.12


def _ip(*arguments: str) -> None:
    subprocess.run([needed("ip", "iproute2"), *arguments], check=True)


@dataclass(frozen=True)
class Host:
    """Another host. `prefix` starts a command there."""

    namespace: str
    port: str  # of its cable, at the first host

    @property
    def prefix(self) -> tuple[str, ...]:
        return ("ip", "netns", "exec", self.namespace)

    def unplug(self) -> None:
        """Pull the cable: packets get lost, and neither side is told."""
        _ip("link", "set", self.port, "down")

    def plug_in(self) -> None:
        _ip("link", "set", self.port, "up")


@contextmanager
def _namespace(name: str) -> Iterator[str]:
    unique = f"rollcall-{os.getpid()}-{name}"
    _ip("netns", "add", unique)
    try:
        _ip("-n", unique, "link", "set", "lo", "up")
        yield unique
    finally:
        _ip("netns", "delete", unique)


@contextmanager
def _inside(namespace: str) -> Iterator[None]:
    """This thread, and what it starts, are in the namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    with Path("/proc/thread-self/ns/net").open() as outside, Path("/run/netns", namespace).open() as inside:
        if libc.setns(inside.fileno(), CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns")
        try:
            yield
        finally:
            libc.setns(outside.fileno(), CLONE_NEWNET)


@contextmanager
def network(names: Sequence[str]) -> Iterator[list[Host]]:
    """Be on a host to which others with these names are connected. Raises Missing."""
    if os.getuid():
        raise Missing("only root can make network namespaces")
    if subprocess.run(["unshare", "--net", "true"], capture_output=True).returncode:
        raise Missing("this machine allows no network namespaces")
    with ExitStack() as stack:
        first = stack.enter_context(_namespace("first"))
        others = [stack.enter_context(_namespace(name)) for name in names]
        stack.enter_context(_inside(first))
        _ip("link", "add", "lan", "type", "bridge")
        _ip("address", "add", f"{ADDRESS}/{PREFIX_LENGTH}", "dev", "lan")
        _ip("link", "set", "lan", "up")
        for number, name in enumerate(others):
            port, address = f"port{number}", ADDRESS[:-1] + str(number + 2)
            _ip("link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", name)
            _ip("link", "set", port, "master", "lan", "up")
            _ip("-n", name, "address", "add", f"{address}/{PREFIX_LENGTH}", "dev", "eth0")
            _ip("-n", name, "link", "set", "eth0", "up")
        yield [Host(name, f"port{number}") for number, name in enumerate(others)]
