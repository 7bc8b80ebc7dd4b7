"""A Hikvision recorder as its published interface (ISAPI) describes it, with what devices were seen to do beside it:
its times are the digits of its clock whatever letter follows, and its pages hold few matches.
"""

import re
from pathlib import Path
from typing import Any
from uuid import UUID

from aiohttp import web
from defusedxml import ElementTree

from tests.servers.recorders import NetworkVideoRecorder, Span, now

NAMESPACE = "http://www.isapi.org/ver20/XMLSchema"
PAGE = 3  # matches


class IsapiRecorder(NetworkVideoRecorder):
    """`cuts`: it downloads by time, too. `sends_all`: but does not end where it should. `repeats_pages`: it sends the
    first page of matches again and again.
    """

    kind = "hikvision"

    def __init__(self, film: Path, **options: Any) -> None:
        super().__init__(film, **options)
        self.cuts, self.sends_all, self.repeats_pages = True, False, False

    async def answer(self, request: web.Request, body: str) -> web.StreamResponse:
        match request.path:
            case "/ISAPI/System/time":
                return _xml(self.time())
            case "/ISAPI/ContentMgmt/InputProxy/channels":
                channels = "".join(
                    f"<InputProxyChannel><id>{number}</id><name>{name}</name></InputProxyChannel>"
                    for number, name in self.channels.items()
                )
                return _xml(
                    f'<InputProxyChannelList version="1.0" xmlns="{NAMESPACE}">{channels}</InputProxyChannelList>'
                )
            case "/ISAPI/Streaming/channels":
                channels = "".join(
                    f"<StreamingChannel><id>{number}0{stream}</id><channelName>{name}</channelName></StreamingChannel>"
                    for number, name in self.channels.items()
                    for stream in (1, 2)
                )
                return _xml(
                    f'<StreamingChannelList version="1.0" xmlns="{NAMESPACE}">{channels}</StreamingChannelList>'
                )
            case "/ISAPI/ContentMgmt/search":
                return _xml(self.search(ElementTree.fromstring(body)))
            case "/ISAPI/ContentMgmt/download/capabilities":
                return _xml(
                    f'<DownloadAbility version="1.0" xmlns="{NAMESPACE}"><isSupportDownloadbyTime>'
                    f"{str(self.cuts).lower()}</isSupportDownloadbyTime>"
                    "<isSupportDownloadbyFileName>true</isSupportDownloadbyFileName></DownloadAbility>"
                )
            case "/ISAPI/ContentMgmt/download":
                return await self.download(request, ElementTree.fromstring(body))
        return _xml("<ResponseStatus><statusCode>4</statusCode></ResponseStatus>", 403)

    def time(self) -> str:
        # With the offset of the standard time, all through the year.
        return (
            f'<Time version="2.0" xmlns="{NAMESPACE}"><timeMode>NTP</timeMode>'
            f"<localTime>{self.shown(now()):%Y-%m-%dT%H:%M:%S}+01:00</localTime>"
            "<timeZone>CST-1:00:00DST01:00:00,M3.5.0/02:00:00,M10.5.0/03:00:00</timeZone></Time>"
        )

    def search(self, asked: Any) -> str:
        values = {element.tag.rpartition("}")[2]: (element.text or "").strip() for element in asked.iter()}
        UUID(values["searchID"])
        starts, ends = values["startTime"].rstrip("Z"), values["endTime"].rstrip("Z")
        spans = sorted(self.recorded.get(values["trackID"], []))
        found = [span for span in spans if self.digits(span[1]) > starts and self.digits(span[0]) < ends]
        page, more = (spans[:PAGE], True) if self.repeats_pages else (found[:PAGE], len(found) > PAGE)
        items = "".join(self.match(values["trackID"], span) for span in page)
        status = "MORE" if more else "OK" if page else "NO MATCHES"
        return (
            f'<CMSearchResult version="1.0" xmlns="{NAMESPACE}"><searchID>{values["searchID"]}</searchID>'
            f"<responseStatus>true</responseStatus><responseStatusStrg>{status}</responseStatusStrg>"
            f"<numOfMatches>{len(page)}</numOfMatches><matchList>{items}</matchList></CMSearchResult>"
        )

    def digits(self, moment: Any) -> str:
        return f"{self.shown(moment):%Y-%m-%dT%H:%M:%S}"

    def match(self, track: str, span: Span) -> str:
        starts, ends = (self.digits(moment) for moment in span)
        compact = [digits.replace("-", "").replace(":", "") + "Z" for digits in (starts, ends)]
        uri = (
            f"rtsp://192.0.2.7/Streaming/tracks/{track}/?starttime={compact[0]}&amp;endtime={compact[1]}"
            f"&amp;name=000000{track}{compact[0][9:15]}&amp;size=1048576"
        )
        return (
            f"<searchMatchItem><trackID>{track}</trackID><timeSpan><startTime>{starts}Z</startTime>"
            f"<endTime>{ends}Z</endTime></timeSpan><mediaSegmentDescriptor><contentType>video</contentType>"
            f"<codecType>H.264-BP</codecType><playbackURI>{uri}</playbackURI></mediaSegmentDescriptor></searchMatchItem>"
        )

    async def download(self, request: web.Request, asked: Any) -> web.StreamResponse:
        uri = next(element.text for element in asked.iter() if element.tag.endswith("playbackURI"))
        track, starts, ends = re.findall(r"/tracks/(\d+)/\?starttime=(\w{15})Z&endtime=(\w{15})Z", uri)[0]
        if not self.cuts and "&name=" not in uri:
            return _xml("<ResponseStatus><statusCode>4</statusCode></ResponseStatus>", 400)
        return await self.send(request, self.cut(track, starts, "99990101T000000" if self.sends_all else ends))


def _xml(content: str, status: int = 200) -> web.Response:
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n{content}'
    return web.Response(text=body, content_type="application/xml", status=status)
