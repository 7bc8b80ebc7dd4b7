"""While a source is in use, this process connects to its server alone, whatever a library or the server tries."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from campus.cctv.egress_policy import Address
from workers.egress_guard import guard_egress


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def address_of(port: int, host: str = "nvr.example") -> Address:
    return Address(scheme="http", path="/", host=host, port=port, ips=("127.0.0.1",))


class TestAddress:
    def test_the_name_resolves_to_the_checked_address(self, listener: socket.socket) -> None:
        port = listener.getsockname()[1]
        with guard_egress(address_of(port), seconds=30, max_bytes=1000):
            for host in ("nvr.example", "NVR.example", "127.0.0.1"):
                with socket.create_connection((host, port)) as connection:
                    assert connection.getpeername() == ("127.0.0.1", port)

    @pytest.mark.parametrize("host", ["127.0.0.2", "::1", "localhost", "2130706433", "other.example", ""])
    def test_other_hosts_are_refused(self, listener: socket.socket, host: str) -> None:
        port = listener.getsockname()[1]
        with (
            guard_egress(address_of(port), seconds=30, max_bytes=1000) as guard,
            pytest.raises(OSError, match=r"elsewhere|not the source"),
        ):
            socket.create_connection((host, port), timeout=1)
        assert "sends us elsewhere" in str(guard.reason)

    def test_other_ports_of_the_server_are_refused(self, listener: socket.socket) -> None:
        with (
            guard_egress(address_of(1), seconds=30, max_bytes=1000),
            pytest.raises(ConnectionRefusedError, match="elsewhere"),
        ):
            socket.create_connection(("nvr.example", listener.getsockname()[1]))

    def test_every_way_to_connect_is_guarded(self, listener: socket.socket) -> None:
        port = listener.getsockname()[1]
        with guard_egress(address_of(1), seconds=30, max_bytes=1000):
            with socket.socket() as plain, pytest.raises(ConnectionRefusedError):
                plain.connect_ex(("127.0.0.1", port))
            with socket.socket() as plain, pytest.raises(ConnectionRefusedError):
                plain.connect(("localhost", port))  # the system's own lookup
            with pytest.raises(OSError, match="elsewhere"):
                asyncio.run(asyncio.wait_for(asyncio.open_connection("127.0.0.1", port), 5))

    def test_afterwards_connections_are_free_again(self, listener: socket.socket) -> None:
        port = listener.getsockname()[1]
        with guard_egress(address_of(1), seconds=30, max_bytes=1000):
            pass
        with socket.create_connection(("localhost", port)):
            pass


class TestLimits:
    def test_a_silent_connection_is_broken(self, listener: socket.socket) -> None:
        port = listener.getsockname()[1]
        with (
            guard_egress(address_of(port), seconds=0.2, max_bytes=1000) as guard,
            socket.create_connection(("nvr.example", port)) as connection,
        ):
            assert connection.recv(1) == b""  # without the guard, it would wait for ever
        assert "too slowly" in str(guard.reason)

    def test_a_connection_that_receives_too_much_is_broken(self, listener: socket.socket) -> None:
        port = listener.getsockname()[1]

        def flood() -> None:
            with suppress(OSError), listener.accept()[0] as connection:
                while True:
                    connection.sendall(bytes(65536))

        thread = threading.Thread(target=flood, daemon=True)
        thread.start()
        address = ("nvr.example", port)
        with (
            guard_egress(address_of(port), seconds=30, max_bytes=100_000) as guard,
            socket.create_connection(address) as connection,
            suppress(ConnectionError),
        ):
            while connection.recv(65536):
                pass
        assert "more than is taken" in str(guard.reason)

    def test_connections_left_open_are_broken(self, listener: socket.socket) -> None:
        port = listener.getsockname()[1]
        with guard_egress(address_of(port), seconds=30, max_bytes=1000):
            left = socket.create_connection(("nvr.example", port))
        with left:
            assert left.recv(1) == b""
