"""Clients that keep a web server waiting."""

import asyncio
import ssl
import threading
from collections.abc import Sequence
from contextlib import suppress

# Beginnings of requests that never end.
SLOW_HEAD = b"GET /login/ HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
SLOW_LOGIN = b"POST /login/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50000\r\n\r\n"
SLOW_LARGE_LOGIN = b"POST /login/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 300000000\r\n\r\n"
# A request whose client does not hang up.
STAYING = b"GET /login/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
STRANGERS = (SLOW_HEAD, SLOW_LOGIN, SLOW_LARGE_LOGIN, STAYING)


class SlowClients:
    """Connections that send their beginning and then a byte every second, and come again when they are ended.

    They run in a thread, as a context manager; all have connected once when it begins.
    """

    def __init__(self, port: int, beginnings: Sequence[bytes], tls: ssl.SSLContext | None = None) -> None:
        self.port, self.beginnings, self.tls = port, beginnings, tls
        self.is_connected = threading.Event()
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self._run)

    def __enter__(self) -> "SlowClients":
        self.thread.start()
        assert self.is_connected.wait(60)
        return self

    def __exit__(self, *_: object) -> None:
        self.loop.call_soon_threadsafe(self.task.cancel)
        self.thread.join()

    def _run(self) -> None:
        async def all_clients() -> None:
            waiting = len(self.beginnings)

            async def client(beginning: bytes) -> None:
                nonlocal waiting
                is_new = True
                while True:
                    with suppress(OSError):
                        _reader, writer = await asyncio.open_connection("localhost", self.port, ssl=self.tls)
                        writer.write(beginning)
                        waiting -= is_new
                        is_new = False
                        if not waiting:
                            self.is_connected.set()
                        while not writer.is_closing():
                            await asyncio.sleep(1)
                            writer.write(b"x")
                            await writer.drain()
                    await asyncio.sleep(0.5)

            await asyncio.gather(*map(client, self.beginnings))

        self.task = self.loop.create_task(all_clients())
        with suppress(asyncio.CancelledError):
            self.loop.run_until_complete(self.task)
        self.loop.close()
