"""A thread that records one camera until it is stopped, however often the connection breaks."""

import logging
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from django.conf import settings

from campus.cctv.credentials import read_password
from campus.cctv.egress_policy import allowed_address
from campus.cctv.models import Camera, Source
from campus.common.errors import UserError
from recognition.messages import Message, join_messages
from workers.leased_task import describe_unexpected_error
from workers.recorder.camera import CameraError, RecordingSink, Target, describe_stream, record

log = logging.getLogger(__name__)

PARTIAL_SUFFIX = ".part"  # a file that is being written
RETRY_PAUSES_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0)  # changed settings start a new session
REFUSED_PAUSE_SECONDS = 600.0  # after a wrong password, since many cameras lock out whoever tries it often
PATH_SAFE_CHARACTERS = "/:@!$&'()*+,;=~"  # are not percent-encoded
QUERY_SAFE_CHARACTERS = PATH_SAFE_CHARACTERS + "?%"


def target_for(camera: Camera) -> Target:
    """The camera's stream: the source's address followed by the camera's label, such as `Streaming/Channels/101`.

    Raises UserError, also if the address is not allowed.
    """
    source = camera.source
    address = allowed_address(source)
    path = quote(address.path, safe=PATH_SAFE_CHARACTERS)
    if camera.label:
        label = quote(camera.label.lstrip("/"), safe=QUERY_SAFE_CHARACTERS)
        path = f"{path.rstrip('/')}/{label}"
    if address.query:
        separator = "&" if "?" in path else "?"
        path += separator + quote(address.query, safe=QUERY_SAFE_CHARACTERS)
    tls_name = address.host if address.scheme == "rtsps" else ""
    return Target(
        address=address.ips[0],
        port=address.port,
        path=path,
        username=source.username,
        password=read_password(source),
        tls_name=tls_name,
    )


def describe_cameras(source: Source) -> Message:
    """What each camera of a source sends, or why nothing, one line for each.

    Raises UserError if the source has no camera or its address is not allowed.
    """
    allowed_address(source)
    lines: list[Message] = []
    for camera in source.cameras.select_related("room"):
        try:
            description: str | Message = describe_stream(target_for(camera))
        except CameraError as error:
            description = error.message
        lines.append(Message("{camera} ({room}): {what}", camera=camera, room=camera.room, what=description))
    if not lines:
        raise UserError("The source has no camera yet.")
    return join_messages(lines, "\n")


class Session:
    """One camera's recording thread.

    `problem`: why nothing is being recorded; empty while something is. `clock_ahead`: by how many seconds the camera's
    own clock is fast; None until it has reported its time.
    """

    def __init__(self, camera: Camera, folder: Path, on_file_closed: Callable[[], None]) -> None:
        self.camera, self.folder, self.on_file_closed = camera, folder, on_file_closed
        self.connection_settings = connection_settings(camera)
        self.problem = Message()
        self.clock_ahead: float | None = None
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run, name=f"camera {camera.pk}", daemon=True)
        self.thread.start()

    def run(self) -> None:
        failures, logged = 0, Message()
        while not self.stopping.is_set():
            sink = RecordingSink(
                choose_path=self.choose_path,
                on_file_closed=self.rename_closed_file,
                on_clock_measured=self.save_clock,
                file_seconds=settings.RECORDER_FILE_SECONDS,
                max_file_bytes=self.camera.source.max_file_gib * 1024**3,
            )
            pause = RETRY_PAUSES_SECONDS[min(failures, len(RETRY_PAUSES_SECONDS) - 1)]
            try:
                record(target_for(self.camera), sink, self.stopping)
            except CameraError as error:
                self.problem = error.message
                pause = REFUSED_PAUSE_SECONDS if error.refused else pause
            except UserError as error:
                self.problem, pause = error.message, RETRY_PAUSES_SECONDS[-1]
            except Exception as error:
                self.problem = describe_unexpected_error(error)
                # Without the causes: FFmpeg's errors contain the address with the password.
                log.error("camera %s: %s", self.camera.pk, "".join(traceback.format_exception(error, chain=False)))
            if self.problem and self.problem != logged:
                log.warning("camera %s: %s", self.camera.pk, self.problem)
            logged = self.problem
            failures = 0 if sink.has_received else failures + 1
            self.stopping.wait(pause)

    def choose_path(self, starts: float) -> Path:
        self.problem = Message()  # a file starts, so the camera is being recorded
        return self.folder / f"{self.camera.pk}-{starts * 1000:.0f}{PARTIAL_SUFFIX}"

    def save_clock(self, ahead: float) -> None:
        self.clock_ahead = ahead

    def rename_closed_file(self, path: Path, starts: float, ends: float) -> None:
        with suppress(FileNotFoundError):  # this recorder lost its lease, and another one has taken the file over
            path.rename(path.with_name(f"{self.camera.pk}-{starts * 1000:.0f}-{ends * 1000:.0f}.mp4"))
        self.on_file_closed()


def connection_settings(camera: Camera) -> tuple[Any, ...]:
    """The settings whose change requires a new session."""
    source = camera.source
    try:
        password = read_password(source)
    except UserError:  # the session says so
        password = ""
    return (camera.label, source.address, source.username, password, source.max_file_gib)
