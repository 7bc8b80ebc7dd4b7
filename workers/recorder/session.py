"""One camera, recorded by a thread until it is told to stop, however often the connection breaks."""

import logging
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from django.conf import settings

from campus.cctv.credentials import decrypt
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
UNQUOTED_CHARACTERS = "/:@!$&'()*+,;=~"  # in a path


def target_for(camera: Camera) -> Target:
    """Where the camera's stream is. Its label is what comes after the source's address, like `Streaming/Channels/101`.

    Raises UserError, also where we may not go there.
    """
    source = camera.source
    address = allowed_address(source)
    path = quote(address.path, safe=UNQUOTED_CHARACTERS)
    if camera.label:
        path = f"{path.rstrip('/')}/{quote(camera.label.lstrip('/'), safe=UNQUOTED_CHARACTERS + '?%')}"
    if address.query:
        path += ("&" if "?" in path else "?") + quote(address.query, safe=UNQUOTED_CHARACTERS + "?%")
    tls_name = address.host if address.scheme == "rtsps" else ""
    return Target(
        address=address.ips[0],
        port=address.port,
        path=path,
        username=source.username,
        password=decrypt(source.secret),
        tls_name=tls_name,
    )


def describe_cameras(source: Source) -> Message:
    """What each camera of a source sends, or why nothing, a line each.

    Raises UserError where there is none, or no address for them.
    """
    allowed_address(source)
    lines: list[Message] = []
    for camera in source.cameras.select_related("room"):
        try:
            what: str | Message = describe_stream(target_for(camera))
        except CameraError as error:
            what = error.message
        lines.append(Message("{camera} ({room}): {what}", camera=camera, room=camera.room, what=what))
    if not lines:
        raise UserError("The source has no camera yet.")
    return join_messages(lines, "\n")


class Session:
    """`problem` is why nothing comes at the moment, empty while it records. `ahead`: by how many seconds the camera's
    own clock is fast, once it has said so.
    """

    def __init__(self, camera: Camera, folder: Path, on_file_closed: Callable[[], None]) -> None:
        self.camera, self.folder, self.on_file_closed = camera, folder, on_file_closed
        self.connection_settings = connection_settings(camera)
        self.problem = Message()
        self.ahead: float | None = None
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run, name=f"camera {camera.pk}", daemon=True)
        self.thread.start()

    def run(self) -> None:
        failures, logged = 0, Message()
        while not self.stopping.is_set():
            max_bytes = self.camera.source.max_file_gib * 1024**3
            sink = RecordingSink(
                new_file=self.new_file,
                done=self.done,
                clock=self.clock,
                seconds=settings.RECORDER_FILE_SECONDS,
                max_bytes=max_bytes,
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
                # Without what led to it: FFmpeg's errors have the address with the password.
                log.error("camera %s: %s", self.camera.pk, "".join(traceback.format_exception(error, chain=False)))
            if self.problem and self.problem != logged:
                log.warning("camera %s: %s", self.camera.pk, self.problem)
            logged = self.problem
            failures = 0 if sink.received else failures + 1
            self.stopping.wait(pause)

    def new_file(self, starts: float) -> Path:
        self.problem = Message()
        return self.folder / f"{self.camera.pk}-{starts * 1000:.0f}{PARTIAL_SUFFIX}"

    def clock(self, ahead: float) -> None:
        self.ahead = ahead

    def done(self, path: Path, starts: float, ends: float) -> None:
        with suppress(FileNotFoundError):  # another recorder has taken it over, since this one was silent for too long
            path.rename(path.with_name(f"{self.camera.pk}-{starts * 1000:.0f}-{ends * 1000:.0f}.mp4"))
        self.on_file_closed()


def connection_settings(camera: Camera) -> tuple[Any, ...]:
    """What a session has to begin anew for when a person changes it."""
    source = camera.source
    return (camera.label, source.address, source.username, source.secret, source.max_file_gib)
