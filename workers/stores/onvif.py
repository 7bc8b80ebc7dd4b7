"""Recorders and cameras that store what they see, by ONVIF (profile G)."""

import base64
import hashlib
import secrets
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, unquote, urlsplit
from xml.sax.saxutils import escape

import httpx

from campus.cctv.egress_policy import Address
from campus.cctv.file_discovery import RemoteFile
from campus.cctv.models import Source
from workers.recorder.camera import Target
from workers.stores.errors import AccessRefused, StoreNotFound, StoreUnavailable
from workers.stores.recorder import COMPACT_TIME, NOT_ITS_KIND, HttpRecorder, cut_into_parts, parse_xml, text_of

DEVICE_PATH = "/onvif/device_service"
DEVICE, RECORDING, SEARCH, REPLAY = (
    f"http://www.onvif.org/ver10/{name}/wsdl" for name in ("device", "recording", "search", "replay")
)
SCHEMA = "http://www.onvif.org/ver10/schema"
SECURITY = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-{}-1.0.xsd"
DIGEST = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordDigest"
ENVELOPE = (
    '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Header>{header}</s:Header>'
    "<s:Body>{body}</s:Body></s:Envelope>"
)
TOKEN = (
    f'<Security xmlns="{SECURITY.format("secext")}"><UsernameToken><Username>{{username}}</Username>'
    f'<Password Type="{DIGEST}">{{digest}}</Password><Nonce>{{nonce}}</Nonce>'
    f'<Created xmlns="{SECURITY.format("utility")}">{{created}}</Created></UsernameToken></Security>'
)
PART_LENGTH = timedelta(minutes=5)  # a part begins anew when a connection breaks
MAX_SEARCH_ANSWERS = 50
MAX_TOKEN_LENGTH = 100


class Onvif(HttpRecorder):
    """A channel is a recording: a device has one of each camera. It is replayed by RTSP, on the usual port or the one
    that `?files=rtsp://…` in the address names.
    """

    def __init__(self, address: Address, source: Source, password: str, *, learn_host_key: bool = False) -> None:
        super().__init__(address, source, password)
        self.username, self.password = source.username, password
        self.ahead = timedelta()
        self.services: dict[str, str] = {}

    def clock(self) -> datetime | None:
        answer = self._call(DEVICE, "<GetSystemDateAndTime/>", anonymous=True)
        numbers = [text_of(answer, f".//UTCDateTime/{name}") for name in ("Date/Year", "Date/Month", "Date/Day")]
        numbers += [text_of(answer, f".//UTCDateTime/Time/{name}") for name in ("Hour", "Minute", "Second")]
        with suppress(ValueError):
            year, month, day, hour, minute, second = map(int, numbers)
            shown = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
            self.ahead = shown - datetime.now(UTC)
            return shown
        return None

    def channels(self) -> Iterator[tuple[str, str]]:
        for item in self._call(RECORDING, "<GetRecordings/>").iter("RecordingItem"):
            yield text_of(item, "RecordingToken"), text_of(item, "Configuration/Source/Name")

    def recordings(self, channel: str, starts: datetime, ends: datetime) -> Iterator[RemoteFile]:
        if len(channel) > MAX_TOKEN_LENGTH:
            raise StoreNotFound
        for part_starts, part_ends in cut_into_parts(self._find(channel), starts, ends, PART_LENGTH):
            span = "-".join(f"{moment.astimezone(UTC):{COMPACT_TIME}}" for moment in (part_starts, part_ends))
            path = f"{quote(channel, safe='')}/{span}.ts"
            yield RemoteFile(path, 0, None, channel, part_starts, part_ends)

    def read(self, path: str, offset: int) -> Iterator[bytes]:
        from workers.recorder.replay import replay

        quoted, _slash, span = path.removesuffix(".ts").partition("/")
        starts, ends = (datetime.strptime(digits, COMPACT_TIME).replace(tzinfo=UTC) for digits in span.split("-"))
        setup = f'<Stream xmlns="{SCHEMA}">RTP-Unicast</Stream>'
        setup += f'<Transport xmlns="{SCHEMA}"><Protocol>RTSP</Protocol></Transport>'
        token = escape(unquote(quoted))
        body = f"<StreamSetup>{setup}</StreamSetup><RecordingToken>{token}</RecordingToken>"
        self.clock()
        answer = self._call(REPLAY, f"<GetReplayUri>{body}</GetReplayUri>")
        try:
            uri = urlsplit(text_of(answer, ".//GetReplayUriResponse/Uri"))
            port = uri.port or 554
        except ValueError as error:
            raise StoreUnavailable(NOT_ITS_KIND) from error
        if uri.scheme != "rtsp":
            raise StoreUnavailable(NOT_ITS_KIND)
        target = Target(
            address=self.address.ips[0],
            port=port,
            path=uri.path + (f"?{uri.query}" if uri.query else ""),
            username=self.username,
            password=self.password,
            span=(starts, ends),
        )
        return replay(target)

    def _find(self, channel: str) -> list[tuple[datetime, datetime]]:
        """From when to when there is a recording of the channel; it may have gaps."""
        scope = f'<IncludedRecordings xmlns="{SCHEMA}">{escape(channel)}</IncludedRecordings>'
        found = self._call(
            SEARCH, f"<FindRecordings><Scope>{scope}</Scope><KeepAliveTime>PT30S</KeepAliveTime></FindRecordings>"
        )
        search = f"<SearchToken>{escape(text_of(found, './/SearchToken'))}</SearchToken>"
        spans = []
        for _answer in range(MAX_SEARCH_ANSWERS):
            body = f"<GetRecordingSearchResults>{search}<WaitTime>PT5S</WaitTime></GetRecordingSearchResults>"
            answer = self._call(SEARCH, body)
            for item in answer.iter("RecordingInformation"):
                starts = _moment(text_of(item, "EarliestRecording"))
                ends = _moment(text_of(item, "LatestRecording"))
                if text_of(item, "RecordingToken") == channel and starts and ends:
                    spans.append((starts, ends))
            if text_of(answer, ".//SearchState") == "Completed":
                return spans
        raise StoreUnavailable(NOT_ITS_KIND)

    def _call(self, service: str, body: str, *, anonymous: bool = False) -> Any:
        """The answer of one of the device's services. Raises AccessRefused, and StoreUnavailable for another fault."""
        name = body[1:].replace("/", ">").partition(">")[0]
        body = body.replace(f"<{name}", f'<{name} xmlns="{service}"', 1)
        header = "" if anonymous or not self.username else self._token()
        content = ENVELOPE.format(header=header, body=body).encode()
        headers = {"Content-Type": f'application/soap+xml; charset=utf-8; action="{service}/{name}"'}
        path = DEVICE_PATH if service == DEVICE else self._path_of(service)
        try:
            return parse_xml(self.ask("POST", path, content=content, headers=headers))
        except httpx.HTTPStatusError as error:
            if b"NotAuthorized" in error.response.content:
                raise AccessRefused from error
            raise

    def _path_of(self, service: str) -> str:
        """Where the service is. A device may call itself by an address that is not ours for it."""
        if not self.services:
            body = "<GetServices><IncludeCapability>false</IncludeCapability></GetServices>"
            for item in self._call(DEVICE, body).iter("Service"):
                with suppress(ValueError):
                    self.services[text_of(item, "Namespace")] = urlsplit(text_of(item, "XAddr")).path
        if service not in self.services:
            raise StoreUnavailable(NOT_ITS_KIND)  # the device does not store what it sees
        return self.services[service]

    def _token(self) -> str:
        nonce, created = secrets.token_bytes(16), f"{datetime.now(UTC) + self.ahead:%Y-%m-%dT%H:%M:%SZ}"
        digest = hashlib.sha1(nonce + created.encode() + self.password.encode(), usedforsecurity=False).digest()
        return TOKEN.format(
            username=escape(self.username),
            digest=base64.b64encode(digest).decode(),
            nonce=base64.b64encode(nonce).decode(),
            created=created,
        )


def _moment(text: str) -> datetime | None:
    with suppress(ValueError, OverflowError):
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    return None
