"""A Dahua recorder as its published HTTP API describes it. Where it finds nothing it says that the request was bad."""

import re
from datetime import datetime
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.servers.recorders import NetworkVideoRecorder, now

PAGE = 3  # files, whatever is asked for


class DahuaRecorder(NetworkVideoRecorder):
    """`finders` are the searches that nobody has ended."""

    kind = "dahua"

    def __init__(self, film: Path, **options: Any) -> None:
        super().__init__(film, **options)
        self.finders: dict[str, list[Any]] = {}

    async def answer(self, request: web.Request, body: str) -> web.StreamResponse:
        query = request.query
        match request.path, query.get("action"):
            case "/cgi-bin/global.cgi", "getCurrentTime":
                return _text(f"result={self.shown(now()):%Y-%m-%d %H:%M:%S}\r\n")
            case "/cgi-bin/configManager.cgi", "getConfig":
                return _text(
                    "".join(
                        f"table.{query['name']}[{int(number) - 1}].Name={name}\r\n"
                        for number, name in self.channels.items()
                    )
                )
            case "/cgi-bin/magicBox.cgi", action:
                return _text({"getMachineName": "name=NVR\r\n"}.get(str(action), "sn=4M01\r\n"))
            case "/cgi-bin/mediaFileFind.cgi", "factory.create":
                finder = f"{len(self.requests):08}"
                self.finders[finder] = []
                return _text(f"result={finder}\r\n")
            case "/cgi-bin/mediaFileFind.cgi", action:
                return self.find(action, query)
            case "/cgi-bin/loadfile.cgi", "startLoad":
                content = self.cut(query["channel"], query["startTime"], query["endTime"])
                return await self.send(request, content)
        return _text("Error\r\nBad Request!\r\n", 400)

    def find(self, action: str, query: Any) -> web.Response:
        files = self.finders[query["object"]]
        if action == "findFile":
            starts, ends = (
                datetime.fromisoformat(query[f"condition.{name}Time"]).replace(tzinfo=self.zone)
                for name in ("Start", "End")
            )
            files += [
                span
                for span in self.recorded.get(query["condition.Channel"], [])
                if self.shown(span[1]) > starts and self.shown(span[0]) < ends
            ]
            return _text("OK\r\n") if files else _text("Error\r\nBad Request!\r\n", 400)
        if action == "findNextFile":
            page = files[:PAGE]
            del files[:PAGE]
            lines = [f"found={len(page)}"]
            for number, (starts, ends) in enumerate(page):
                lines += [
                    f"items[{number}].Channel=0",
                    f"items[{number}].StartTime={self.shown(starts):%Y-%m-%d %H:%M:%S}",
                    f"items[{number}].EndTime={self.shown(ends):%Y-%m-%d %H:%M:%S}",
                    f"items[{number}].FilePath=/mnt/dvr/{number}.dav",
                ]
            return _text("\r\n".join(lines) + "\r\n")
        if action == "destroy":
            del self.finders[query["object"]]
        return _text("OK\r\n")


def _text(content: str, status: int = 200) -> web.Response:
    assert not re.search(r"[^\r]\n", content)
    return web.Response(text=content, status=status)
