"""A recorder as ONVIF's profile G describes it: SOAP with a token for each request, and replay by RTSP."""

import asyncio
import base64
import hashlib
import re
import struct
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.sax.saxutils import unescape

import av
from aiohttp import web
from av.bitstream import BitStreamFilterContext

from tests.servers.recorders import RecorderServer, Span, now

TOKEN = "Recording 1/a"
CLOCK = 90_000  # ticks a second of RTP
ENVELOPE = '<env:Envelope xmlns:env="http://www.w3.org/2003/05/soap-envelope"><env:Body>{}</env:Body></env:Envelope>'
FAULT = ENVELOPE.format(
    '<env:Fault xmlns:ter="http://www.onvif.org/ver10/error"><env:Code><env:Value>env:Sender</env:Value><env:Subcode><env:Value>ter:NotAuthorized</env:Value>'
    "</env:Subcode></env:Code></env:Fault>"
)
DEVICE, RECORDING, SEARCH, REPLAY = (
    f"http://www.onvif.org/ver10/{name}/wsdl" for name in ("device", "recording", "search", "replay")
)
SCHEMA = "http://www.onvif.org/ver10/schema"


class OnvifRecorder(RecorderServer):
    """What it has of its only recording is the film, one picture a second. `ahead`: seconds by which its clock is fast;
    a token must be of its present time. `breaks_after`: the next replay breaks after so many pictures. `plays` has the
    request of each replay.
    """

    kind = "onvif"

    def __init__(self, film: Path, span: Span, **options: Any) -> None:
        super().__init__(**options)
        self.span, self.ahead, self.breaks_after = span, 0.0, 0
        self.pictures = list(pictures(film))
        self.plays: list[str] = []

    @property
    def address(self) -> str:
        return f"{super().address}/?files=rtsp://localhost:{self.rtsp_port}"

    async def _start(self) -> None:
        await super()._start()
        self.rtsp = await asyncio.start_server(self.serve_rtsp, "127.0.0.1", 0)
        self.rtsp_port = self.rtsp.sockets[0].getsockname()[1]

    async def answer(self, request: web.Request, body: str) -> web.StreamResponse:
        content = self.soap(body)
        return web.Response(
            text=FAULT if content is None else ENVELOPE.format(content),
            status=400 if content is None else 200,
            content_type="application/soap+xml",
        )

    def soap(self, body: str) -> str | None:
        """The answer; None to whoever is not known."""
        name = re.search(r"Body>\s*<(?:\w+:)?(\w+)", body)[1]
        shown = now() + timedelta(seconds=self.ahead)
        if name == "GetSystemDateAndTime":
            time = f"<tt:Hour>{shown.hour}</tt:Hour><tt:Minute>{shown.minute}</tt:Minute>"
            time += f"<tt:Second>{shown.second}</tt:Second>"
            date = f"<tt:Year>{shown.year}</tt:Year><tt:Month>{shown.month}</tt:Month><tt:Day>{shown.day}</tt:Day>"
            utc = f"<tt:UTCDateTime><tt:Time>{time}</tt:Time><tt:Date>{date}</tt:Date></tt:UTCDateTime>"
            return _response(DEVICE, name, f"<w:SystemDateAndTime>{utc}</w:SystemDateAndTime>")
        if not self.knows(body, shown):
            return None
        if name == "GetCapabilities":
            here = f"http://localhost:{self.port}/onvif"
            extension = "".join(
                f"<tt:{service}><tt:XAddr>{here}/{service.lower()}</tt:XAddr></tt:{service}>"
                for service in ("Recording", "Search", "Replay")
            )
            capabilities = f"<w:Capabilities><tt:Extension>{extension}</tt:Extension></w:Capabilities>"
            return _response(DEVICE, name, capabilities)
        if name == "GetServices":
            services = "".join(
                f"<w:Service><w:Namespace>http://www.onvif.org/ver10/{service}/wsdl</w:Namespace>"
                f"<w:XAddr>http://192.0.2.7/onvif/{service}</w:XAddr></w:Service>"
                for service in ("recording", "search", "replay")
            )
            return _response(DEVICE, name, services)
        starts, ends = (f"{moment + timedelta(seconds=self.ahead):%Y-%m-%dT%H:%M:%SZ}" for moment in self.span)
        token = f"<tt:RecordingToken>{TOKEN}</tt:RecordingToken>"
        match name:
            case "GetRecordings":
                source = "<tt:Source><tt:SourceId>1</tt:SourceId><tt:Name>Hall A</tt:Name></tt:Source>"
                item = f"{token}<tt:Configuration>{source}</tt:Configuration>"
                return _response(RECORDING, name, f"<w:RecordingItem>{item}</w:RecordingItem>")
            case "FindRecordings":
                assert unescape(re.search(r"<(?:\w+:)?IncludedRecordings[^>]*>([^<]+)<", body)[1]) == TOKEN
                return _response(SEARCH, name, "<w:SearchToken>S1</w:SearchToken>")
            case "GetRecordingSearchResults":
                found = f"<tt:EarliestRecording>{starts}</tt:EarliestRecording>"
                found += f"<tt:LatestRecording>{ends}</tt:LatestRecording>"
                found = f"<tt:RecordingInformation>{token}{found}</tt:RecordingInformation>"
                state = "<tt:SearchState>Completed</tt:SearchState>"
                return _response(SEARCH, name, f"<w:ResultList>{state}{found}</w:ResultList>")
            case "GetReplayUri":
                assert unescape(re.search(r"<(?:\w+:)?RecordingToken>([^<]+)<", body)[1]) == TOKEN
                uri = f"rtsp://192.0.2.7:{self.rtsp_port}/replay?recording=1"
                return _response(REPLAY, name, f"<w:Uri>{uri}</w:Uri>")
        return None

    def knows(self, body: str, shown: datetime) -> bool:
        tags = ("Username", "Password", "Nonce", "Created")
        parts = {tag: re.search(rf"<(?:\w+:)?{tag}(?: [^>]*)?>([^<]*)<", body) for tag in tags}
        if not all(parts.values()):
            return False
        username, password, nonce, created = (part[1] for part in parts.values())
        said = base64.b64decode(nonce) + created.encode() + self.password.encode()
        digest = hashlib.sha1(said, usedforsecurity=False)
        is_fresh = abs((datetime.fromisoformat(created) - shown).total_seconds()) < 60
        return username == self.username and base64.b64decode(password) == digest.digest() and is_fresh

    async def serve_rtsp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while request := (await reader.readuntil(b"\r\n\r\n")).decode():
            method, headers = request.split()[0], ""
            sequence = re.search(r"CSeq: (\d+)", request)[1]
            body = ""
            if method in ("SETUP", "PLAY"):
                assert "Require: onvif-replay" in request
            if method == "DESCRIBE":
                body, headers = self.sdp(), "Content-Type: application/sdp\r\n"
            elif method == "SETUP":
                headers = "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n"
            elif method == "OPTIONS":
                headers = "Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN\r\n"
            length = f"Content-Length: {len(body)}\r\n" if body else ""
            writer.write(f"RTSP/1.0 200 OK\r\nCSeq: {sequence}\r\nSession: 1\r\n{headers}{length}\r\n{body}".encode())
            if method == "PLAY":
                self.plays.append(request)
                await self.play(request, writer)
                return
            if method == "TEARDOWN":
                writer.close()
                return

    def sdp(self) -> str:
        sets = ",".join(base64.b64encode(unit).decode() for unit in self.pictures[0] if unit[0] & 31 in (7, 8))
        return (
            "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=replay\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\n"
            f"a=fmtp:96 packetization-mode=1;sprop-parameter-sets={sets}\r\na=control:track1\r\n"
        )

    async def play(self, request: str, writer: asyncio.StreamWriter) -> None:
        """Send the pictures of the range as fast as they are taken, and close the connection."""
        assert "Rate-Control: no" in request
        began = self.span[0].timestamp() + self.ahead
        found = re.search(r"Range: clock=(\w+)-(\w+)\r", request)
        first, end = (
            round(datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp() - began)
            for text in found.groups()
        )
        sequence = 0
        for number in range(first, min(end, len(self.pictures))):
            if self.breaks_after and number - first >= self.breaks_after:
                self.breaks_after = 0
                writer.transport.abort()
                return
            units = self.pictures[number]
            for unit in units:
                mark = 0x80 if unit is units[-1] else 0
                header = struct.pack(">BBHII", 0x80, mark | 96, sequence & 0xFFFF, (number * CLOCK) & 0xFFFFFFFF, 7)
                writer.write(struct.pack(">cBH", b"$", 0, len(header) + len(unit)) + header + unit)
                sequence += 1
            await writer.drain()
        writer.close()


def _response(service: str, name: str, content: str) -> str:
    return f'<w:{name}Response xmlns:w="{service}" xmlns:tt="{SCHEMA}">{content}</w:{name}Response>'


def pictures(film: Path) -> Iterator[list[bytes]]:
    """The units of each picture of an H.264 video."""
    with av.open(str(film)) as container:
        stream = container.streams.video[0]
        raw = BitStreamFilterContext("h264_mp4toannexb", stream)
        for packet in container.demux(stream):
            for part in raw.filter(packet) if packet.size else ():
                units = re.split(rb"\x00\x00\x00?\x01", bytes(part))
                yield [unit.rstrip(b"\0") for unit in units if unit]
