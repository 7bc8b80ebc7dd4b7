"""BigBlueButton, by its API."""

import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from html import unescape
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import httpx

from campus.cctv.file_discovery import RemoteFile
from campus.cctv.models import Source
from workers.stores.base import Entry
from workers.stores.errors import AccessRefused, StoreNotFound, StoreUnavailable
from workers.stores.recorder import NOT_ITS_KIND, HttpRecorder, parse_xml, text_of

API = "/bigbluebutton/api"
RECORDING = re.compile(r"[\w-]{1,100}", re.ASCII)
MAX_LISTED = "100"  # recordings, of which the meetings are the channels to choose from
PATH = re.compile(rf"({RECORDING.pattern})/video", re.ASCII)
VIDEO_FILE = re.compile(r"""<source\b[^<>]{0,500}?\bsrc=["']?([^"'<>\s]{1,500})""", re.IGNORECASE)


class BigBlueButton(HttpRecorder):
    """A channel is a meeting, whose recordings in the format “video” are fetched. The password is the shared secret."""

    has_sizes = True

    def login(self, source: Source, password: str) -> httpx.Auth | None:
        self.secret = password
        return None  # each call is signed instead

    def channels(self) -> Iterator[tuple[str, str]]:
        meetings = {text_of(found, "meetingID"): text_of(found, "name") for found in self._recordings(limit=MAX_LISTED)}
        yield from sorted(meetings.items())

    def recordings(self, channel: str, starts: datetime, ends: datetime) -> Iterator[RemoteFile]:
        for found in self._recordings(meetingID=channel):
            recording_id = text_of(found, "recordID")
            recording_starts, recording_ends = (_moment(text_of(found, name)) for name in ("startTime", "endTime"))
            is_wanted = recording_starts and recording_ends and recording_starts < ends and recording_ends > starts
            if is_wanted and RECORDING.fullmatch(recording_id) and _video_page(found):
                yield RemoteFile(f"{recording_id}/video", 0, None, channel, recording_starts, recording_ends)

    def stat(self, path: str) -> Entry:
        return Entry(path=path, size=self.size_of(self._file(path)))

    def read(self, path: str, offset: int) -> Iterator[bytes]:
        return self.stream("GET", self._file(path), offset)

    def _recordings(self, **query: str) -> list[Any]:
        """What has been recorded, as XML. Raises AccessRefused for a wrong secret."""
        call = "getRecordings"
        text = urlencode(query | {"state": "published"})
        checksum = hashlib.sha256(f"{call}{text}{self.secret}".encode()).hexdigest()
        answer = parse_xml(self.ask("GET", f"{API}/{call}?{text}&checksum={checksum}"))
        if text_of(answer, "messageKey") == "checksumError":
            raise AccessRefused
        if text_of(answer, "returncode") != "SUCCESS":
            raise StoreUnavailable(NOT_ITS_KIND)
        return list(answer.iterfind("recordings/recording"))

    def _file(self, path: str) -> str:
        """Where the video lies, by the page that plays it: the file's name is not the same in all versions."""
        found = PATH.fullmatch(path)
        recordings = self._recordings(recordID=found[1]) if found else []
        page = next((url for recording in recordings if (url := _video_page(recording))), "")
        if not page:
            raise StoreNotFound
        video = VIDEO_FILE.search(self.ask("GET", page).decode(errors="replace"))
        if not video:
            raise StoreNotFound
        url = urljoin(page, unescape(video[1]))
        if urlsplit(url).scheme not in ("https", "http"):
            raise StoreNotFound
        return url


def _video_page(recording: Any) -> str:
    """The page that plays the recording in the format “video”; "" if there is none."""
    for playback in recording.iterfind("playback/format"):
        if text_of(playback, "type") == "video":
            return text_of(playback, "url")
    return ""


def _moment(milliseconds: str) -> datetime | None:
    if not re.fullmatch(r"\d{10,14}", milliseconds, re.ASCII):
        return None
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC).replace(microsecond=0)
