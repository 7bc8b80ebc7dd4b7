"""A client of Rollcall's API, in Python's standard library alone. Copy it, and take what you need.

    export ROLLCALL_TOKEN=...     # from the account page, or from POST /api/v1/token/
    python rollcall_client.py https://attendance.example.org CS101 2026-11-23T09:00+01:00 lecture.mp4

finds or makes the class's lecture at that time, uploads the recording (an upload that broke off goes on where it
stopped), waits until attendance is taken, prints who was there, and saves the workbook beside the recording.
"""

import argparse
import hashlib
import json
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from functools import partial
from http.client import HTTPException, HTTPMessage, HTTPResponse
from pathlib import Path
from typing import IO, Any, TypeVar, cast

FOOTAGE_FILE = 8 * 1024 * 1024  # bytes of a file that are sent at a time
TRIES = 5
TIMEOUT_SECONDS = 60  # seconds
OVER = ("done", "failed", "cancelled")

T = TypeVar("T")


class Problem(Exception):
    """Why the server refused, as RFC 9457 has it. `errors` has a sentence for each wrong field."""

    def __init__(self, status: int, detail: str, errors: list[dict[str, str]], headers: Mapping[str, str]) -> None:
        super().__init__(f"{status}: {detail}")
        self.status, self.detail, self.errors, self.headers = status, detail, errors, headers


@dataclass(frozen=True, slots=True)
class Course:
    id: int
    code: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lecture:
    id: int
    course: int
    title: str
    room: int | None
    room_name: str
    starts_at: str
    ends_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    id: str
    lecture: int
    original_name: str
    state: str
    coverage: float
    error: str
    report: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    state: str
    state_label: str
    share: float
    faces: int
    eta_seconds: float | None
    error: str


@dataclass(frozen=True, slots=True)
class Student:
    id: int
    number: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A student in a lecture. `tag` says which state of it this is: a decision on an older one is refused."""

    id: int
    lecture: int
    student: Student
    status: str
    machine_status: str
    confidence: float
    tag: str = ""


def _made(kind: type[T], data: Mapping[str, Any]) -> T:
    """What a newer server says besides is left out."""
    return kind(**{field.name: data[field.name] for field in fields(kind) if field.name in data})  # type: ignore[arg-type]


def _record(data: Mapping[str, Any], tag: str = "") -> Record:
    return _made(Record, {**data, "student": _made(Student, data["student"]), "tag": tag})


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """The token goes to the server that it was made by, and nowhere else."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        return None


class Rollcall:
    """`server` as in https://attendance.example.org; errors are `Problem`, or `OSError` when the network is away."""

    def __init__(self, server: str, token: str) -> None:
        if not server.startswith(("https://", "http://")):
            raise ValueError("Give the server's address with https://")
        self.server, self.token = server.rstrip("/"), token
        self.opener = urllib.request.build_opener(_NoRedirects)

    def open(self, method: str, path: str, body: bytes | None = None, **headers: str) -> HTTPResponse:
        """One request; header names have an underscore for a hyphen. Raises Problem."""
        address = urllib.parse.urljoin(f"{self.server}/api/v1/", path)
        if not address.startswith(f"{self.server}/"):
            raise ValueError(f"{address} is not on {self.server}.")
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        headers = {"Authorization": f"Bearer {self.token}"} | given
        request = urllib.request.Request(address, body, headers, method=method)  # noqa: S310
        try:
            return cast(HTTPResponse, self.opener.open(request, timeout=TIMEOUT_SECONDS))
        except urllib.error.HTTPError as error:
            with error:
                raise _problem(error) from None

    def ask(self, method: str, path: str, data: object = None, **headers: str) -> Any:
        """JSON there and back. What may be repeated is repeated while the network or the server is away."""
        body = None if data is None else json.dumps(data).encode()
        if method == "POST":
            headers.setdefault("Idempotency_Key", str(uuid.uuid4()))  # so that it may be repeated, too
        if body is not None:
            headers["Content_Type"] = "application/json"
        with _patiently(lambda: self.open(method, path, body, **headers)) as answer:
            told = json.loads(answer.read() or b"null")
            if isinstance(told, dict) and "ETag" in answer.headers:
                told["tag"] = answer.headers["ETag"]
            return told

    def each(self, path: str, **narrowed: object) -> Iterator[dict[str, Any]]:
        """All rows of a list, page after page."""
        following: str | None = f"{path}?{urllib.parse.urlencode(narrowed)}"
        while following:
            page = self.ask("GET", following)
            yield from page["results"]
            following = page["next"]

    def course(self, code: str) -> Course:
        for row in self.each("courses/", code=code):
            return _made(Course, row)
        raise LookupError(f"There is no class {code} that you may see.")

    def lecture(
        self, course: Course, starts_at: datetime, length: timedelta = timedelta(minutes=90), title: str = ""
    ) -> Lecture:
        """The class's lecture at that time, which is made where there is none. `starts_at` has a time zone."""
        day = {"after": starts_at.isoformat(), "before": (starts_at + timedelta(seconds=1)).isoformat()}
        for row in self.each("lectures/", course=course.id, **day):
            return _made(Lecture, row)
        wish = {
            "course": course.id,
            "title": title,
            "starts_at": starts_at.isoformat(),
            "ends_at": (starts_at + length).isoformat(),
        }
        return _made(Lecture, self.ask("POST", "lectures/", wish))

    def calendar(self, course: Course) -> str:
        """A private address of the class's lectures, for a calendar program. The one of before stops working."""
        return str(self.ask("POST", "calendar-links/", {"course": course.id})["url"])

    def upload(
        self, lecture: Lecture, path: Path, sent: Callable[[int, int], None] = lambda done, whole: None
    ) -> Recording:
        """Send a recording by tus 1.0, or straight to the storage where the server allows that.

        Called again after a break it goes on; a file that is there already is not sent.
        """
        size = path.stat().st_size
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        try:
            url, offset, parts = self._announced(lecture, path.name, size, sha256)
            recording = ""
            with path.open("rb") as file:
                while parts and not recording:
                    state = self.ask("POST", parts, Tus_Resumable="1.0.0")
                    sent(state["offset"], size)
                    recording = state["recording"]
                    for part in state["missing"]:
                        file.seek(part["start"])
                        _patiently(partial(self._put, part["url"], file.read(part["size"])))
                while not recording:
                    file.seek(offset)
                    footage_file = file.read(FOOTAGE_FILE)
                    offset, recording = self._append(url, offset, footage_file)
                    sent(offset, size)
        except Problem as problem:
            if problem.status != 409 or "Rollcall-Recording" not in problem.headers:
                raise
            recording = problem.headers["Rollcall-Recording"]
        return self.recording(recording)

    def _announced(self, lecture: Lecture, name: str, size: int, sha256: str) -> tuple[str, int, str | None]:
        """Of an upload that was begun before, or of a new one: where to send the bytes, how many are there, and who
        says where in the storage they go."""
        for begun in self.ask("GET", f"uploads/?lecture={lecture.id}&sha256={sha256}"):
            return begun["url"], begun["offset"], begun["parts"]
        told = {"lecture": str(lecture.id), "filename": name, "sha256": sha256}
        metadata = ",".join(f"{key} {b64encode(value.encode()).decode()}" for key, value in told.items())
        with self.open(
            "POST", "uploads/", Tus_Resumable="1.0.0", Upload_Length=str(size), Upload_Metadata=metadata
        ) as answer:
            return answer.headers["Location"], 0, answer.headers.get("Rollcall-Parts")

    def _put(self, url: str, part: bytes) -> None:
        """Without the token, which the storage has no need of."""
        headers = {"Content-Type": "application/octet-stream"}
        request = urllib.request.Request(url, part, headers, method="PUT")  # noqa: S310
        self.opener.open(request, timeout=TIMEOUT_SECONDS).close()

    def _append(self, url: str, offset: int, footage_file: bytes) -> tuple[int, str]:
        """How many bytes are there now, and the recording's id after the last.

        A broken connection asks first how many came.
        """
        checksum = f"sha256 {b64encode(hashlib.sha256(footage_file).digest()).decode()}"
        kind = "application/offset+octet-stream"

        def once() -> HTTPResponse:
            there = self.open("HEAD", url, Tus_Resumable="1.0.0")
            at = int(there.headers["Upload-Offset"])
            if at != offset or "Rollcall-Recording" in there.headers:
                return there
            there.close()
            headers = {"Upload_Offset": str(offset), "Upload_Checksum": checksum, "Content_Type": kind}
            return self.open("PATCH", url, footage_file, Tus_Resumable="1.0.0", **headers)

        with _patiently(once) as answer:
            return int(answer.headers["Upload-Offset"]), answer.headers.get("Rollcall-Recording", "")

    def recording(self, pk: str) -> Recording:
        return _made(Recording, self.ask("GET", f"recordings/{pk}/"))

    def follow(self, recording: Recording) -> Iterator[Progress]:
        """Each news of the work on a recording, until it is over."""
        last = ""
        while True:
            events = f"recordings/{recording.id}/events/"
            with _patiently(partial(self.open, "GET", events, Last_Event_ID=last)) as stream:
                if stream.status == 204:
                    return
                for line in stream:
                    name, _colon, value = line.decode().rstrip("\r\n").partition(": ")
                    if name == "id":
                        last = value
                    elif name == "data":
                        news = _made(Progress, json.loads(value))
                        yield news
                        if news.state in OVER:
                            return

    def attendance(self, lecture: Lecture) -> list[Record]:
        return [_record(row) for row in self.each("attendance/", lecture=lecture.id, limit=500)]

    def record(self, pk: int) -> Record:
        row = self.ask("GET", f"attendance/{pk}/")
        return _record(row, row["tag"])

    def decide(self, record: Record, status: str, reason: str = "") -> Record:
        """Correct a status. Raises Problem 412 where somebody else changed the record since it was read."""
        row = self.ask(
            "PATCH", f"attendance/{record.id}/", {"status": status, "reason": reason}, If_Match=record.tag or "*"
        )
        return _record(row, row["tag"])

    def workbook(self, recording: Recording, folder: Path) -> Path:
        """Save the workbook of a recording whose work is done; returns its path."""
        with self.open("GET", f"reports/{recording.report}/download/") as answer:
            name = Path(answer.headers.get_filename() or "attendance.xlsx").name
            (folder / name).write_bytes(answer.read())
        return folder / name


def _problem(error: urllib.error.HTTPError) -> Problem:
    try:
        told = json.loads(error.read())
    except ValueError:
        told = {}  # a proxy's own page
    return Problem(error.code, told.get("detail", error.reason), told.get("errors", []), dict(error.headers))


def _patiently(ask: Callable[[], T]) -> T:
    """Again, with longer and longer waits, while nobody is there who could answer."""
    for attempt in range(TRIES):
        try:
            return ask()
        except Problem as problem:
            if problem.status not in (429, 502, 503, 504) or attempt == TRIES - 1:
                raise
        except (OSError, HTTPException):
            if attempt == TRIES - 1:
                raise
        time.sleep(2**attempt)
    raise AssertionError("the last try returns or raises")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("server")
    parser.add_argument("code", help="the class's")
    parser.add_argument("starts", type=datetime.fromisoformat, help="when the lecture began, with its time zone")
    parser.add_argument("file", type=Path)
    given = parser.parse_args()
    say = sys.stderr.write

    def sent(done: int, whole: int) -> None:
        say(f"\r{done / whole:.0%} sent ")

    rollcall = Rollcall(given.server, os.environ["ROLLCALL_TOKEN"])
    try:
        lecture = rollcall.lecture(rollcall.course(given.code), given.starts)
        recording = rollcall.upload(lecture, given.file, sent)
        for news in rollcall.follow(recording):
            say(f"\r{news.state_label}: {news.share:.0%} ")
        recording = rollcall.recording(recording.id)
        for record in rollcall.attendance(lecture):
            sys.stdout.write(f"{record.student.number}\t{record.student.name}\t{record.status}\n")
        if recording.report:
            say(f"\n{rollcall.workbook(recording, given.file.parent)}\n")
    except (Problem, LookupError, OSError) as error:
        say(f"\n{error}\n")
        return 1
    return 0 if recording.state == "done" else 1


if __name__ == "__main__":
    sys.exit(main())
