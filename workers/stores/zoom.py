"""Zoom's cloud recordings, by its API."""

import re
from collections.abc import Generator, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

import httpx

from campus.cctv.egress_policy import ZOOM_LOGIN_SERVER
from campus.cctv.file_discovery import RemoteFile
from campus.cctv.models import Source
from workers.stores.base import Entry
from workers.stores.errors import AccessRefused, StoreNotFound, StoreUnavailable
from workers.stores.login import BearerToken
from workers.stores.recorder import NOT_ITS_KIND, HttpRecorder

MAX_PAGES = 50
FILE_ID = re.compile(r"[\w-]{1,100}", re.ASCII)
# The views that show the people, the best first; a shared screen alone shows nobody.
VIEWS = (
    "gallery_view",
    "shared_screen_with_gallery_view",
    "active_speaker",
    "shared_screen_with_speaker_view",
    "shared_screen_with_speaker_view(CC)",
)


class Zoom(HttpRecorder):
    """A channel is a user of the account, or a room (Zoom Room), whose meetings are recorded in the cloud.

    The address is https://api.zoom.us/v2?account=ID; user name and password are ID and secret of a Server-to-Server
    OAuth app.
    """

    has_sizes = True

    def login(self, source: Source, password: str) -> httpx.Auth | None:
        query = urlencode({"grant_type": "account_credentials", "account_id": self.options.get("account", "")})
        url = f"{self.options.get('login', ZOOM_LOGIN_SERVER)}/oauth/token?{query}"
        return AccountCredentials(url, httpx.BasicAuth(source.username, password))

    def channels(self) -> Iterator[tuple[str, str]]:
        for user in self._pages("/users", "users", {"page_size": "300"}):
            yield str(user.get("email", "")), str(user.get("display_name", ""))

    def recordings(self, channel: str, starts: datetime, ends: datetime) -> Iterator[RemoteFile]:
        days = {"from": f"{starts - timedelta(days=1):%Y-%m-%d}", "to": f"{ends + timedelta(days=1):%Y-%m-%d}"}
        meetings = self._pages(f"/users/{quote(channel, safe='')}/recordings", "meetings", days | {"page_size": "300"})
        for meeting in meetings:
            meeting_id = quote(str(meeting.get("uuid", "")), safe="")
            for file in _best_views(meeting):
                file_starts, file_ends = (_moment(file.get(f"recording_{name}")) for name in ("start", "end"))
                if meeting_id and file_starts and file_ends and file_starts < ends and file_ends > starts:
                    path = f"{meeting_id}/{file['id']}.mp4"
                    yield RemoteFile(path, _size(file), None, channel, file_starts, file_ends)

    def stat(self, path: str) -> Entry:
        return Entry(path=path, size=_size(self._file(path)) or None)

    def read(self, path: str, offset: int) -> Iterator[bytes]:
        # The files are on another server of Zoom's, which wants the same token.
        return self.stream("GET", str(self._file(path).get("download_url")), offset)

    def _file(self, path: str) -> Any:
        meeting_id, _slash, file_id = path.removesuffix(".mp4").partition("/")
        # Encoded twice: an identifier may begin with a slash.
        meeting = self.ask_json(f"/meetings/{quote(meeting_id, safe='')}/recordings")
        for file in _files(meeting):
            if file["id"] == file_id:
                return file
        raise StoreNotFound

    def _pages(self, path: str, name: str, query: dict[str, str]) -> Iterator[Any]:
        page = ""
        for _page in range(MAX_PAGES):
            answer = self.ask_json(path, query | ({"next_page_token": page} if page else {}))
            if not isinstance(answer, dict) or not isinstance(answer.get(name), list):
                raise StoreUnavailable(NOT_ITS_KIND)
            yield from (item for item in answer[name] if isinstance(item, dict))
            page = str(answer.get("next_page_token") or "")
            if not page:
                return


class AccountCredentials(httpx.Auth):
    """Asks for a token once, with the app's ID and secret."""

    def __init__(self, url: str, app: httpx.BasicAuth) -> None:
        self.url, self.app, self.token = url, app, ""

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        if not self.token:
            response = yield next(self.app.auth_flow(httpx.Request("POST", self.url)))
            if response.is_error:
                raise AccessRefused
            response.read()
            with suppress(ValueError, AttributeError):
                self.token = str(response.json().get("access_token", ""))
        yield from BearerToken(self.token).auth_flow(request)


def _files(meeting: Any) -> list[Any]:
    """The videos of a meeting that are complete."""
    files = meeting.get("recording_files") if isinstance(meeting, dict) else None
    return [
        file
        for file in (files if isinstance(files, list) else [])
        if isinstance(file, dict)
        and file.get("file_type") == "MP4"
        and file.get("status") == "completed"
        and file.get("recording_type") in VIEWS
        and FILE_ID.fullmatch(str(file.get("id")))
    ]


def _best_views(meeting: Any) -> list[Any]:
    """Of each part of a meeting, the view that shows most people."""
    best: dict[str, Any] = {}
    for file in sorted(_files(meeting), key=lambda file: VIEWS.index(file["recording_type"])):
        best.setdefault(str(file.get("recording_start")), file)
    return list(best.values())


def _size(file: Any) -> int:
    size = file.get("file_size")
    return size if isinstance(size, int) and 0 < size < 2**60 else 0


def _moment(text: Any) -> datetime | None:
    with suppress(ValueError):
        moment = datetime.fromisoformat(str(text))
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    return None
