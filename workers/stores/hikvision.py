"""Hikvision's recorders and cameras, and what is sold under other names, by ISAPI.

Their clocks say `Z` or an offset that may be wrong in summer, and mean what is shown on the recorder: the digits count,
read in the source's time zone.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4
from xml.sax.saxutils import escape

import httpx

from campus.cctv.file_discovery import RemoteFile
from recognition.messages import Message
from workers.stores.errors import StoreNotFound, StoreUnavailable
from workers.stores.recorder import COMPACT_TIME, HttpRecorder, cut_into_parts, parse_xml, text_of

MATCHES_A_PAGE = 40  # devices send 64 at most
MAX_PAGES = 50
NAMESPACE = "http://www.isapi.org/ver20/XMLSchema"
SEARCH = f"""<CMSearchDescription version="1.0" xmlns="{NAMESPACE}"><searchID>{{search}}</searchID>\
<trackList><trackID>{{track}}</trackID></trackList><timeSpanList><timeSpan><startTime>{{starts}}</startTime>\
<endTime>{{ends}}</endTime></timeSpan></timeSpanList><maxResults>{MATCHES_A_PAGE}</maxResults>\
<searchResultPostion>0</searchResultPostion><metadataList>\
<metadataDescriptor>//recordType.meta.std-cgi.com</metadataDescriptor></metadataList></CMSearchDescription>"""
DOWNLOAD = (
    f"""<downloadRequest version="1.0" xmlns="{NAMESPACE}"><playbackURI>{{uri}}</playbackURI></downloadRequest>"""
)
XML = {"Content-Type": "application/xml"}
TRACK = re.compile(r"\d{1,6}")
PATH = re.compile(r"(\d{1,6})/(\d{8}T\d{6}Z)-(\d{8}T\d{6}Z)(?:-([\w.-]{1,100})-(\d{1,20}))?\.mpg", re.ASCII)
NAME, SIZE = re.compile(r"[\w.-]{1,100}", re.ASCII), re.compile(r"\d{1,20}", re.ASCII)

Match = tuple[datetime, datetime, str]  # from, to, and the address at which it is played


class Hikvision(HttpRecorder):
    """A channel is a track: 101 is the main stream of the first camera, 1201 that of the twelfth.

    Where the device can cut a recording, exactly the time that was asked for is downloaded; else the recordings that
    it lies in.
    """

    def channels(self) -> Iterator[tuple[str, str]]:
        # A camera and the analogue side of a recorder have inputs; network cameras are proxied.
        for path, tag in (
            ("/ISAPI/System/Video/inputs/channels", "VideoInputChannel"),
            ("/ISAPI/ContentMgmt/InputProxy/channels", "InputProxyChannel"),
        ):
            channels = self._get_if_there(path)
            for channel in [] if channels is None else channels.iter(tag):
                number = text_of(channel, "id")
                if TRACK.fullmatch(number):
                    yield f"{number}01", text_of(channel, "name")

    def clock(self) -> datetime | None:
        time = self._get_if_there("/ISAPI/System/time")
        return None if time is None else self._moment(text_of(time, "localTime"))

    def recordings(self, channel: str, starts: datetime, ends: datetime) -> Iterator[RemoteFile]:
        if not TRACK.fullmatch(channel):
            raise StoreUnavailable(Message("A channel of this kind of recorder is a number, such as 101."))
        matches = self._search(channel, starts, ends)
        if self._can_cut():
            for part_starts, part_ends in cut_into_parts(((match[0], match[1]) for match in matches), starts, ends):
                yield self._file(channel, part_starts, part_ends)
            return
        for recording_starts, recording_ends, uri in matches:
            query = parse_qs(urlsplit(uri).query)
            name, size = query.get("name", [""])[0], query.get("size", [""])[0]
            if NAME.fullmatch(name) and SIZE.fullmatch(size):
                yield self._file(channel, recording_starts, recording_ends, f"-{name}-{size}")

    def read(self, path: str, offset: int) -> Iterator[bytes]:
        found = PATH.fullmatch(path)
        if not found:
            raise StoreNotFound
        track, starts, ends, name, size = found.groups()
        uri = f"rtsp://{self.address.host}/Streaming/tracks/{track}/?starttime={starts}&endtime={ends}"
        if name:
            uri += f"&name={name}&size={size}"
        request = DOWNLOAD.format(uri=escape(uri)).encode()
        return self.stream("GET", "/ISAPI/ContentMgmt/download", offset, content=request, headers=XML)

    def _search(self, track: str, starts: datetime, ends: datetime) -> list[Match]:
        """What was recorded between the two, in the order of time. Where there is more than a page, the next search
        begins where the page ends: devices do not agree on how a page is asked for."""
        found: dict[tuple[datetime, datetime], Match] = {}
        since = starts
        for _page in range(MAX_PAGES):
            request = SEARCH.format(
                search=f"{uuid4()}".upper(), track=track, starts=self._digits(since), ends=self._digits(ends)
            )
            result = parse_xml(self.ask("POST", "/ISAPI/ContentMgmt/search", content=request.encode(), headers=XML))
            page = [match for item in result.iter("searchMatchItem") if (match := self._match(item))]
            found |= {match[:2]: match for match in page if match[1] > starts and match[0] < ends}
            if text_of(result, "responseStatusStrg").upper() != "MORE":
                return sorted(found.values())
            page_ends = max((match[1] for match in page), default=since)
            if page_ends <= since:
                break
            since = page_ends
        raise StoreUnavailable(Message("The recorder says that it has more recordings, and does not list them."))

    def _match(self, item: Any) -> Match | None:
        starts = self._moment(text_of(item, "timeSpan/startTime"))
        ends = self._moment(text_of(item, "timeSpan/endTime"))
        if starts is None or ends is None or starts >= ends:
            return None
        return starts, ends, text_of(item, "mediaSegmentDescriptor/playbackURI")

    def _can_cut(self) -> bool:
        ability = self._get_if_there("/ISAPI/ContentMgmt/download/capabilities")
        return ability is not None and text_of(ability, "isSupportDownloadbyTime").lower() == "true"

    def _get_if_there(self, path: str) -> Any:
        """The answer; None where the device has nothing at this path, which it says in one of several ways."""
        try:
            return parse_xml(self.ask("GET", path))
        except httpx.HTTPStatusError as error:
            if error.response.status_code == HTTPStatus.UNAUTHORIZED:
                raise
            return None

    def _file(self, track: str, starts: datetime, ends: datetime, name_and_size: str = "") -> RemoteFile:
        span = "-".join(f"{moment.astimezone(self.zone):{COMPACT_TIME}}" for moment in (starts, ends))
        return RemoteFile(f"{track}/{span}{name_and_size}.mpg", 0, None, track, starts, ends)

    def _digits(self, moment: datetime) -> str:
        return f"{moment.astimezone(self.zone):%Y-%m-%dT%H:%M:%SZ}"

    def _moment(self, text: str) -> datetime | None:
        """The moment at which a clock in the source's time zone shows these digits; None if they are no time."""
        with suppress(ValueError):
            return datetime.fromisoformat(text).replace(tzinfo=self.zone).astimezone(UTC)
        return None
