"""Dahua's recorders and cameras, and what is sold under other names, by their HTTP API."""

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from http import HTTPStatus

import httpx

from campus.cctv.file_discovery import RemoteFile
from recognition.messages import Message
from workers.stores.errors import StoreNotFound, StoreUnavailable
from workers.stores.recorder import COMPACT_TIME, NOT_ITS_KIND, HttpRecorder, cut_into_parts

FINDER = "/cgi-bin/mediaFileFind.cgi"
FILES_A_PAGE = 100
MAX_PAGES = 50
CHANNEL = re.compile(r"\d{1,4}", re.ASCII)
PATH = re.compile(r"(\d{1,4})/(\d{8}T\d{6}Z)-(\d{8}T\d{6}Z)\.dav", re.ASCII)
CHANNEL_OF_FINDER = re.compile(r"\w{1,40}", re.ASCII)
FIELD = re.compile(r"^([\w.\[\]]+)=(.*?)\r?$", re.MULTILINE)
FOUND_TIME = re.compile(r"items\[(\d+)\]\.(StartTime|EndTime)")
CHANNEL_TITLE = re.compile(r"table\.ChannelTitle\[(\d+)\]\.Name")


class Dahua(HttpRecorder):
    """Channels are numbered from 1. Exactly the time that was asked for is downloaded, of the main stream."""

    def channels(self) -> Iterator[tuple[str, str]]:
        for key, name in self._fields("/cgi-bin/configManager.cgi?action=getConfig&name=ChannelTitle").items():
            if found := CHANNEL_TITLE.fullmatch(key):
                yield str(int(found[1]) + 1), name.strip()

    def clock(self) -> datetime | None:
        shown = self._fields("/cgi-bin/global.cgi?action=getCurrentTime").get("result", "")
        return self._moment(shown)

    def recordings(self, channel: str, starts: datetime, ends: datetime) -> Iterator[RemoteFile]:
        if not CHANNEL.fullmatch(channel):
            raise StoreUnavailable(Message("A channel of this kind of recorder is a number, such as 1."))
        for part_starts, part_ends in cut_into_parts(self._find(channel, starts, ends), starts, ends):
            span = "-".join(f"{moment.astimezone(self.zone):{COMPACT_TIME}}" for moment in (part_starts, part_ends))
            yield RemoteFile(f"{channel}/{span}.dav", 0, None, channel, part_starts, part_ends)

    def read(self, path: str, offset: int) -> Iterator[bytes]:
        found = PATH.fullmatch(path)
        if not found:
            raise StoreNotFound
        starts, ends = (_spaced(digits) for digits in found.groups()[1:])
        query = f"action=startLoad&channel={found[1]}&startTime={starts}&endTime={ends}&subtype=0"
        return self.stream("GET", f"/cgi-bin/loadfile.cgi?{query}", offset)

    def _find(self, channel: str, starts: datetime, ends: datetime) -> set[tuple[datetime, datetime]]:
        finder = self._fields(f"{FINDER}?action=factory.create").get("result", "")
        if not CHANNEL_OF_FINDER.fullmatch(finder):
            raise StoreUnavailable(NOT_ITS_KIND)
        since, until = (f"{moment.astimezone(self.zone):%Y-%m-%d%%20%H:%M:%S}" for moment in (starts, ends))
        condition = f"condition.Channel={channel}&condition.StartTime={since}&condition.EndTime={until}"
        types = "condition.Types[0]=dav&condition.Types[1]=mp4"
        try:
            with suppress(NothingFound):
                self._do(f"{FINDER}?action=findFile&object={finder}&{condition}&{types}")
                return self._found(finder)
            return set()
        finally:
            for action in ("close", "destroy"):  # a device has few finders
                with suppress(httpx.HTTPError):
                    self.ask("GET", f"{FINDER}?action={action}&object={finder}")

    def _found(self, finder: str) -> set[tuple[datetime, datetime]]:
        spans: set[tuple[datetime, datetime]] = set()
        for _page in range(MAX_PAGES):
            with suppress(NothingFound):
                fields = self._do(f"{FINDER}?action=findNextFile&object={finder}&count={FILES_A_PAGE}")
                times: dict[str, dict[str, datetime | None]] = {}
                for key, value in fields.items():
                    if found := FOUND_TIME.fullmatch(key):
                        times.setdefault(found[1], {})[found[2]] = self._moment(value)
                new = {
                    (found_starts, found_ends)
                    for file in times.values()
                    if (found_starts := file.get("StartTime")) and (found_ends := file.get("EndTime"))
                } - spans
                spans |= new
                if new:
                    continue
            return spans
        raise StoreUnavailable(Message("The recorder says that it has more recordings, and does not list them."))

    def _do(self, path: str) -> dict[str, str]:
        """Raises NothingFound: where it has no file, a device says that the request was bad."""
        try:
            return self._fields(path)
        except httpx.HTTPStatusError as error:
            if error.response.status_code == HTTPStatus.BAD_REQUEST:
                raise NothingFound from error
            raise

    def _fields(self, path: str) -> dict[str, str]:
        return dict(FIELD.findall(self.ask("GET", path).decode(errors="replace")))

    def _moment(self, text: str) -> datetime | None:
        """The moment at which a clock in the source's time zone shows these digits; None if they are no time."""
        with suppress(ValueError):
            return datetime.fromisoformat(text.strip()).replace(tzinfo=self.zone).astimezone(UTC)
        return None


class NothingFound(Exception):
    """The device has no file of this time."""


def _spaced(digits: str) -> str:
    moment = datetime.strptime(digits, COMPACT_TIME).replace(tzinfo=UTC)  # the digits count, not the zone
    return f"{moment:%Y-%m-%d%%20%H:%M:%S}"
