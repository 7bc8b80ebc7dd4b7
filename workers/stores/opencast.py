"""Opencast, by its External API."""

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import PurePath
from typing import Any
from urllib.parse import urlsplit

import httpx

from campus.cctv.file_discovery import RemoteFile
from campus.cctv.models import Source
from workers.stores.base import Entry
from workers.stores.errors import StoreNotFound, StoreUnavailable
from workers.stores.login import BearerToken
from workers.stores.recorder import NOT_ITS_KIND, HttpRecorder

EVENTS_A_PAGE = 100
MAX_PAGES = 50
MAX_EVENT_LENGTH = timedelta(hours=12)
# Whoever teaches is filmed by “presenter”; a room that is filmed otherwise names its flavour in the address.
USUAL_FLAVOR = "presenter/*"
EVENT = re.compile(r"[\w.-]{1,100}", re.ASCII)
FLAVOR = re.compile(r"[\w.-]{1,60}/[\w.-]{1,60}", re.ASCII)
PATH = re.compile(rf"({EVENT.pattern})/({FLAVOR.pattern})(?:\.\w{{1,5}})?", re.ASCII)


class Opencast(HttpRecorder):
    """A channel is a capture agent, which is the location of its events. `?flavor=presenter/delivery` in the address
    says which video of an event is fetched; of several of one flavour it is the largest.

    Without a user name, the password is a token (JWT).
    """

    has_sizes = True

    def login(self, source: Source, password: str) -> httpx.Auth | None:
        # Opencast sends whoever it does not know to a page with a form, so that it is told at once.
        if source.username:
            return httpx.BasicAuth(source.username, password)
        return BearerToken(password) if password else None

    def channels(self) -> Iterator[tuple[str, str]]:
        for agent in _list_of(self.ask_json("/api/agents")):
            yield str(agent.get("agent_id", "")), str(agent.get("status", ""))

    def recordings(self, channel: str, starts: datetime, ends: datetime) -> Iterator[RemoteFile]:
        for event in self._events(channel, starts - MAX_EVENT_LENGTH, ends):
            event_id, event_starts = str(event.get("identifier", "")), _moment(event.get("start"))
            track = self._choose_track(event)
            if not track or not event_starts or not EVENT.fullmatch(event_id):
                continue
            event_ends = event_starts + timedelta(milliseconds=_number(track.get("duration")))
            if event_ends > starts:
                suffix = PurePath(urlsplit(str(track.get("url"))).path).suffix[:6]
                path = f"{event_id}/{track['flavor']}{suffix}"
                yield RemoteFile(path, _number(track.get("size")), None, channel, event_starts, event_ends)

    def stat(self, path: str) -> Entry:
        track = self._track(path)
        return Entry(path=path, size=_number(track.get("size")) or self.size_of(str(track.get("url"))))

    def read(self, path: str, offset: int) -> Iterator[bytes]:
        url = str(self._track(path).get("url"))
        return self.stream("GET", url, offset, auth=self.auth_for(url))

    def _events(self, location: str, starts: datetime, ends: datetime) -> Iterator[Any]:
        if not location or {",", ":"} & set(location):
            raise StoreUnavailable(NOT_ITS_KIND)
        since, until = (f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" for moment in (starts, ends))
        query = {
            "filter": f"location:{location},start:{since}/{until}",
            "sort": "start_date:ASC",
            "limit": str(EVENTS_A_PAGE),
            "withpublications": "true",
        }
        seen: set[str] = set()
        for page in range(MAX_PAGES):
            events = _list_of(self.ask_json("/api/events", query | {"offset": str(page * EVENTS_A_PAGE)}))
            new = [event for event in events if str(event.get("identifier")) not in seen]
            seen |= {str(event.get("identifier")) for event in new}
            yield from new
            if len(events) < EVENTS_A_PAGE or not new:
                return

    def _track(self, path: str) -> Any:
        """The track at the path, with an address that is signed now. Raises StoreNotFound."""
        found = PATH.fullmatch(path)
        if not found:
            raise StoreNotFound
        event = self.ask_json(f"/api/events/{found[1]}", {"withpublications": "true", "sign": "true"})
        for flavor in (found[2], found[2].rsplit(".", 1)[0]):  # a suffix may be part of the flavour
            if track := self._choose_track(event, flavor):
                return track
        raise StoreNotFound

    def _choose_track(self, event: Any, flavor: str = "") -> Any:
        """The largest video of the flavour among the event's publications; None if there is none."""
        wanted = flavor or self.options.get("flavor", USUAL_FLAVOR)
        tracks = [
            track
            for publication in _list_of(event.get("publications", []))
            for track in _list_of(publication.get("media", []))
            if _fits(str(track.get("flavor", "")), wanted)
            and str(track.get("mediatype", "")).startswith("video/")
            and track.get("has_video", True)
            and track.get("url")
        ]
        return max(tracks, key=lambda track: (_number(track.get("size")), str(track["url"])), default=None)


def _fits(flavor: str, wanted: str) -> bool:
    if not FLAVOR.fullmatch(flavor):
        return False
    return flavor == wanted or (wanted.endswith("/*") and flavor.startswith(wanted[:-1]))


def _list_of(value: Any) -> list[Any]:
    """The objects in the list. Raises StoreUnavailable where it is something else."""
    if not isinstance(value, list):
        raise StoreUnavailable(NOT_ITS_KIND)
    return [item for item in value if isinstance(item, dict)]


def _number(value: Any) -> int:
    return int(value) if isinstance(value, int | float) and 0 <= value < 2**60 else 0


def _moment(value: Any) -> datetime | None:
    with suppress(ValueError):
        moment = datetime.fromisoformat(str(value))
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    return None
