"""What the servers that speak like recorders have in common: they run in a thread, so a test changes what they do."""

import asyncio
import hashlib
import re
import secrets
import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self
from zoneinfo import ZoneInfo

import av
from aiohttp import web

from tests.servers.stores import PASSWORD, USERNAME, certificate

Span = tuple[datetime, datetime]


class RecorderServer:
    """A web server at `address`. `requests` has the method, the path with its query, and the body of each request that
    was answered, `credentials` what was sent with each. `hostile_answer` is sent to whatever is asked for.
    """

    kind = ""
    username, password = USERNAME, PASSWORD

    def __init__(self, *, certificate_folder: Path | None = None) -> None:
        self.folder = certificate_folder
        self.requests: list[str] = []
        self.hostile_answer = ""
        self.credentials: list[str] = []
        self.port = 0

    @property
    def address(self) -> str:
        return f"{'https' if self.folder else 'http'}://localhost:{self.port}"

    @property
    def fields(self) -> dict[str, Any]:
        """Of a source: `Source(**server.fields)`, with the password besides."""
        return {"kind": self.kind, "address": self.address, "username": self.username}

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = (await request.read()).decode()
        self.credentials += request.headers.getall("Authorization", [])
        if refusal := self.refuse(request):
            return refusal
        self.requests.append(f"{request.method} {request.path_qs} {body}".strip())
        if self.hostile_answer:
            return web.Response(text=self.hostile_answer)
        return await self.answer(request, body)

    def refuse(self, request: web.Request) -> web.Response | None:
        """What somebody is answered who is not known."""
        return None

    async def answer(self, request: web.Request, body: str) -> web.StreamResponse:
        raise NotImplementedError

    def __enter__(self) -> Self:
        self.loop = asyncio.new_event_loop()
        self.runner = web.AppRunner(self._app(), access_log=None, shutdown_timeout=0.1)
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self.loop).result(10)
        return self

    def _app(self) -> web.Application:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self.handle)
        return app

    async def _start(self) -> None:
        context = None
        if self.folder:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate(self.folder))
        await self.runner.setup()
        await web.TCPSite(self.runner, "127.0.0.1", 0, ssl_context=context).start()
        self.port = self.runner.addresses[0][1]

    async def _end(self) -> None:
        await self.runner.cleanup()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    def stop(self) -> None:
        if self.thread.is_alive():
            asyncio.run_coroutine_threadsafe(self._end(), self.loop).result(10)
            self.loop.call_soon_threadsafe(self.loop.stop)
            self.thread.join(10)
            self.loop.close()

    def __exit__(self, *_: object) -> None:
        self.stop()


class NetworkVideoRecorder(RecorderServer):
    """A recorder that asks for Digest. What it has of each channel in `recorded` is the film, which begins with the
    first recording: one picture a second, so that a part of it is cut between two pictures.

    `ahead`: seconds by which its clock, in the time zone `zone`, is fast. `breaks_at`: the next download breaks there.
    `ranges`: it sends parts of a file. `stalls`: it begins to send a file, and says nothing more.
    """

    def __init__(self, film: Path, **options: Any) -> None:
        super().__init__(**options)
        self.film = film.read_bytes()
        with av.open(str(film)) as container:
            packets = [packet.pos for packet in container.demux(video=0) if packet.size]
        self.second_offsets = [*packets, len(self.film)]
        self.channels = {"1": "Hall A, front", "2": "Hall A, back"}
        self.recorded: dict[str, list[Span]] = {}
        self.zone, self.ahead = ZoneInfo("UTC"), 0.0
        self.breaks_at, self.ranges, self.stalls = 0, True, False
        self.nonces: set[str] = set()

    def shown(self, moment: datetime) -> datetime:
        """What its clock shows at that moment."""
        return (moment + timedelta(seconds=self.ahead)).astimezone(self.zone)

    def refuse(self, request: web.Request) -> web.Response | None:
        given = dict(re.findall(r'(\w+)="?([^",]*)"?', request.headers.get("Authorization", "")))
        if given.get("nonce") in self.nonces and given.get("uri") == request.path_qs:
            identity = _md5(f"{self.username}:recorder:{self.password}")
            once = f"{given['nonce']}:{given['nc']}:{given['cnonce']}:{given['qop']}"
            if given["response"] == _md5(f"{identity}:{once}:{_md5(f'{request.method}:{request.path_qs}')}"):
                return None
        nonce = secrets.token_hex(8)
        self.nonces.add(nonce)
        challenge = f'Digest qop="auth", realm="recorder", nonce="{nonce}", stale="FALSE"'
        return web.Response(status=401, headers={"WWW-Authenticate": challenge})

    def cut(self, channel: str, starts: str, ends: str) -> bytes:
        """The pictures between two times of its clock."""
        began, last = self.shown(self.recorded[channel][0][0]), len(self.second_offsets) - 1
        moments = (datetime.fromisoformat(digits).replace(tzinfo=self.zone) for digits in (starts, ends))
        first, end = (min(round((moment - began).total_seconds()), last) for moment in moments)
        return self.film[self.second_offsets[first] : self.second_offsets[end]]

    async def send(self, request: web.Request, content: bytes) -> web.StreamResponse:
        """Send a file without a length: that it is complete is said by the end of the chunks alone."""
        status, headers = 200, {"Content-Type": "Opaque/data"}
        if self.ranges and (found := re.fullmatch(r"bytes=(\d+)-", request.headers.get("Range", ""))):
            first = int(found[1])
            if first >= len(content):
                return web.Response(status=416, headers={"Content-Range": f"bytes */{len(content)}"})
            status, headers["Content-Range"] = 206, f"bytes {first}-{len(content) - 1}/{len(content)}"
            content = content[first:]
        response = web.StreamResponse(status=status, headers=headers)
        response.enable_chunked_encoding()
        await response.prepare(request)
        if 0 < self.breaks_at < len(content):
            await response.write(content[: self.breaks_at])
            self.breaks_at = 0
            await asyncio.sleep(0.2)  # so that what was written is received before the connection is reset
            assert request.transport
            request.transport.abort()
            return response
        while self.stalls:
            await asyncio.sleep(0.05)
        await response.write(content)
        await response.write_eof()
        return response


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def now() -> datetime:
    return datetime.now(UTC)
