"""Opencast, BigBlueButton and Zoom as their published interfaces describe them, with one recording of a film each."""

import hashlib
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from aiohttp import encode_basic_auth, web

from tests.servers.recorders import RecorderServer

EVENT = "776d4970-bc2d-45c4-900a-1f80b7990cb8"


class FileHost(RecorderServer):
    """Another server, where the files lie. It shows them to whoever has the signature."""

    def __init__(self, film: Path) -> None:
        super().__init__()
        self.film = film

    async def answer(self, request: web.Request, body: str) -> web.StreamResponse:
        if request.query.get("signature") != "valid":
            return web.Response(status=403)
        return web.FileResponse(self.film)


class Opencast(RecorderServer):
    """The event takes place at `starts` in the location `ca-01`. Its tracks are the film in three flavours."""

    kind = "opencast"

    def __init__(self, files: FileHost, starts: datetime, seconds: int) -> None:
        super().__init__()
        self.files, self.starts, self.seconds = files, starts, seconds

    @property
    def address(self) -> str:
        return f"{super().address}?files={self.files.address}"

    def refuse(self, request: web.Request) -> web.Response | None:
        known = encode_basic_auth(self.username, self.password, encoding="utf-8")
        if request.headers.get("Authorization") in (known, f"Bearer {self.password}"):
            return None
        return web.Response(status=401, text="<form>Log in</form>")

    async def answer(self, request: web.Request, body: str) -> web.StreamResponse:
        match request.path:
            case "/api/agents":
                return web.json_response([{"agent_id": "ca-01", "status": "capturing", "inputs": ["default"]}])
            case "/api/events":
                filters = dict(item.split(":", 1) for item in request.query["filter"].split(","))
                since, until = (datetime.fromisoformat(moment) for moment in filters["start"].split("/"))
                is_found = filters["location"] == "ca-01" and since <= self.starts <= until
                return web.json_response([self.event(signed=False)] if is_found else [])
            case path if path == f"/api/events/{EVENT}":
                return web.json_response(self.event(signed=request.query.get("sign") == "true"))
        return web.Response(status=404)

    def event(self, *, signed: bool) -> dict[str, Any]:
        signature = "?signature=valid" if signed else ""
        media = [
            {
                "id": f"track-{number}",
                "mediatype": mediatype,
                "url": f"{self.files.address}/{EVENT}/{number}.ts{signature}",
                "flavor": flavor,
                "size": self.files.film.stat().st_size,
                "duration": self.seconds * 1000,
                "has_video": True,
            }
            for number, (flavor, mediatype) in enumerate(
                [
                    ("presentation/delivery", "video/mp4"),
                    ("presenter/delivery", "video/mp4"),
                    ("presenter/hls", "application/x-mpegURL"),
                ]
            )
        ]
        return {
            "identifier": EVENT,
            "title": "Loops",
            "start": f"{self.starts:%Y-%m-%dT%H:%M:%SZ}",
            "duration": 0,
            "location": "ca-01",
            "processing_state": "SUCCEEDED",
            "publications": [{"id": "p-1", "channel": "engage-player", "mediatype": "text/html", "media": media}],
        }


class BigBlueButton(RecorderServer):
    """The meeting `algebra` has one recording. `file_name` is what this version calls its video."""

    kind = "bbb"
    username, password = "", "639259d4-9dd8-4b25-bf01-95f9567eaf4b"

    def __init__(self, film: Path, starts: datetime, seconds: int) -> None:
        super().__init__()
        self.film, self.starts, self.seconds, self.file_name = film, starts, seconds, "video-0.m4v"

    async def answer(self, request: web.Request, body: str) -> web.StreamResponse:
        match request.path:
            case "/bigbluebutton/api/getRecordings":
                return web.Response(text=self.recordings(request), content_type="text/xml")
            case "/playback/video/rec-1/":
                page = f"<html><video><source src='{self.file_name}' type='video/mp4'></video></html>"
                return web.Response(text=page, content_type="text/html")
            case path if path == f"/playback/video/rec-1/{self.file_name}":
                return web.FileResponse(self.film)
        return web.Response(status=404)

    def recordings(self, request: web.Request) -> str:
        query, _separator, checksum = request.query_string.rpartition("&checksum=")
        digests = [hashlib.new(name, f"getRecordings{query}{self.password}".encode()) for name in ("sha1", "sha256")]
        if checksum not in {digest.hexdigest() for digest in digests}:
            return "<response><returncode>FAILED</returncode><messageKey>checksumError</messageKey></response>"
        wanted = request.query.get("meetingID") or "algebra", request.query.get("recordID") or "rec-1"
        starts, ends = (
            round((self.starts + timedelta(seconds=seconds)).timestamp() * 1000) for seconds in (0, self.seconds)
        )
        recording = (
            "<recording><recordID>rec-1</recordID><meetingID>algebra</meetingID><name>Algebra I</name>"
            f"<published>true</published><state>published</state><startTime>{starts}</startTime><endTime>{ends}</endTime>"
            f"<playback><format><type>presentation</type><url>{self.address}/playback/presentation/2.3/rec-1</url></format>"
            f"<format><type>video</type><url>{self.address}/playback/video/rec-1/</url></format></playback></recording>"
        )
        found = recording if wanted == ("algebra", "rec-1") else ""
        return f"<response><returncode>SUCCESS</returncode><recordings>{found}</recordings></response>"


class Zoom(RecorderServer):
    """The meeting of ada@example.org was recorded in three views. Tokens are given to the app `viewer` of the account
    `A1`; `files` wants the token, too.
    """

    kind = "zoom"
    meeting = "/ajXp112QmuoKj4854875=="

    def __init__(self, film: Path, starts: datetime, seconds: int) -> None:
        super().__init__()
        self.film, self.starts, self.seconds = film, starts, seconds

    @property
    def address(self) -> str:
        return f"{super().address}/v2?account=A1&login={super().address}"

    def refuse(self, request: web.Request) -> web.Response | None:
        app = encode_basic_auth(self.username, self.password, encoding="utf-8")
        wanted = app if request.path == "/oauth/token" else "Bearer token-1"
        return None if request.headers.get("Authorization") == wanted else web.Response(status=401)

    async def answer(self, request: web.Request, body: str) -> web.StreamResponse:
        match request.path, request.raw_path.partition("?")[0]:
            case "/oauth/token", _:
                is_right = dict(request.query) == {"grant_type": "account_credentials", "account_id": "A1"}
                return web.json_response(
                    {"access_token": "token-1"} if is_right else {}, status=200 if is_right else 400
                )
            case "/v2/users", _:
                return web.json_response({"users": [{"email": "ada@example.org", "display_name": "Ada"}]})
            case "/v2/users/ada@example.org/recordings", _:
                day = f"{self.starts:%Y-%m-%d}"
                meetings = [self.recorded()] if request.query["from"] <= day <= request.query["to"] else []
                # The second page has nothing.
                if request.query.get("next_page_token"):
                    return web.json_response({"meetings": [], "next_page_token": ""})
                return web.json_response({"meetings": meetings, "next_page_token": "second"})
            case _, "/v2/meetings/%252FajXp112QmuoKj4854875%253D%253D/recordings":
                return web.json_response(self.recorded())
            case "/rec/download/gallery_view", _:
                return web.FileResponse(self.film)
        return web.Response(status=404)

    def recorded(self) -> dict[str, Any]:
        server = super().address
        starts, ends = (
            f"{self.starts + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%SZ}" for seconds in (0, self.seconds)
        )
        files = [
            {
                "id": f"file-{view}",
                "file_type": "MP4",
                "status": "completed",
                "recording_type": view,
                "recording_start": starts,
                "recording_end": ends,
                "file_size": self.film.stat().st_size,
                "download_url": f"{server}/rec/download/{view}",
            }
            for view in ("shared_screen", "active_speaker", "gallery_view")
        ]
        return {"uuid": self.meeting, "topic": "Loops", "start_time": starts, "recording_files": files}
