"""Which cameras this process records, and what becomes of the files. The cameras are recorded by a thread each."""

import hashlib
import logging
import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from django.conf import settings
from django.db import DatabaseError, close_old_connections
from django.utils import timezone

from campus.cctv.clock_drift import save_measured_clock_offset
from campus.cctv.fetching import bytes_fetched_in_last_day
from campus.cctv.live_recording import (
    cameras_to_record,
    claim_live_source,
    live_cameras,
    release_live_source,
    save_live_error,
    save_recorded_file,
)
from campus.cctv.models import Camera, Source
from campus.common.storage import media_path
from recognition.errors import RecognitionError
from recognition.media.video import probe
from recognition.messages import Message, join_messages
from workers.recorder.session import PARTIAL_SUFFIX, Session, connection_settings

log = logging.getLogger(__name__)

UPDATE_INTERVAL_SECONDS = 5.0
STOP_TIMEOUT_SECONDS = 12.0  # for a thread whose camera sends nothing
ORPHAN_RETENTION_SECONDS = 24 * 3600
MIN_CLOCK_CHANGE_SECONDS = 0.5  # smaller changes of a clock are not saved
DAILY_LIMIT_REACHED = Message(
    "The cameras have given as many bytes today as they may. Allow more, or let them send a lower quality."
)


class File(NamedTuple):
    """Of which camera, and from when to when, in milliseconds since 1970; `ends` is 0 where it is not known."""

    path: Path
    camera: int
    starts: int
    ends: int


class Supervisor:
    """One recorder. What it records lies in a folder until a row knows it: `CAMERA-START.part` is being written and
    `CAMERA-START-END.mp4` is whole. So nothing is lost where this process or the database is away for a while, and the
    next recorder takes over what is left of a killed one.
    """

    def __init__(self) -> None:
        self.owner = uuid4().hex
        self.folder = media_path("live")
        self.sessions: dict[int, Session] = {}
        self.held_sources: dict[int, float] = {}  # sources, and when they were taken or last kept
        self.exhausted_sources: set[int] = set()  # sources that gave all that they may in a day
        self.saved_errors: dict[int, Message] = {}
        self.ahead: dict[int, float] = {}  # what the sources' clocks are known to be fast by
        self.stopping = False
        self.wake_up = threading.Event()  # a file is whole, or it is time to stop

    def stop(self) -> None:
        """Let `run` come to its end. For signal handlers and other threads."""
        self.stopping = True
        self.wake_up.set()

    def run(self) -> None:
        """Record until `stop` is called. What is whole by then has its row."""
        self.folder.mkdir(parents=True, exist_ok=True)
        log.info("recorder %s: ready", self.owner)
        while not self.stopping:
            self.run_step(self.update)
            self.wake_up.wait(UPDATE_INTERVAL_SECONDS)
            self.wake_up.clear()
        for session in self.sessions.values():
            session.stopping.set()
        deadline = time.monotonic() + STOP_TIMEOUT_SECONDS
        for session in self.sessions.values():
            session.thread.join(max(0.0, deadline - time.monotonic()))
        self.run_step(self.finish)

    def run_step(self, step: Callable[[], None]) -> None:
        """Where the database is away, recording goes on and the step is tried again later."""
        try:
            close_old_connections()
            step()
        except DatabaseError as error:
            log.warning("The database does not answer; what is recorded is kept until it does: %s", error)

    def update(self) -> None:
        due = {camera.pk: camera for camera in cameras_to_record(timezone.now())}
        left = {camera.pk: camera for camera in live_cameras({file.camera for file in self.files()})}
        self.update_holds(due | left)
        self.exhausted_sources = {
            camera.source_id
            for camera in due.values()
            if bytes_fetched_in_last_day(camera.source) >= camera.source.max_gib_per_day * 1024**3
        }
        wanted = {
            pk: camera
            for pk, camera in due.items()
            if camera.source_id in self.held_sources and camera.source_id not in self.exhausted_sources
        }
        for pk, session in list(self.sessions.items()):
            camera = wanted.get(pk)
            if camera is None or session.connection_settings != connection_settings(camera):
                session.stopping.set()
            if not session.thread.is_alive():
                del self.sessions[pk]
        for pk, camera in wanted.items():
            if pk not in self.sessions:
                self.sessions[pk] = Session(camera, self.folder, self.wake_up.set)
        self.register(due | left)
        self.save_problems()

    def update_holds(self, wanted: Mapping[int, Camera]) -> None:
        """Take the sources of the cameras that are wanted and keep those that are recorded; give the others back."""
        recorded = {session.camera.source_id for session in self.sessions.values()}
        sources = {camera.source_id for camera in wanted.values()} | recorded
        for source_id in sources:
            if time.monotonic() - self.held_sources.get(source_id, -math.inf) < settings.LEASE_SECONDS / 3:
                continue
            if claim_live_source(source_id=source_id, owner=self.owner):
                if source_id not in self.held_sources:
                    self.take_over({pk for pk, camera in wanted.items() if camera.source_id == source_id})
                self.held_sources[source_id] = time.monotonic()
            elif self.held_sources.pop(source_id, None):
                log.warning("source %s: another recorder has taken it", source_id)
        for source_id in self.held_sources.keys() - sources:
            release_live_source(source_id=source_id, owner=self.owner)
            del self.held_sources[source_id]

    def take_over(self, cameras: set[int]) -> None:
        """What a recorder that was killed was writing is whole as far as it got."""
        for file in self.files():
            if file.path.suffix == PARTIAL_SUFFIX and file.camera in cameras - self.sessions.keys():
                file.path.rename(file.path.with_name(f"{file.camera}-{file.starts}-0.mp4"))

    def files(self) -> Iterator[File]:
        for path in sorted(self.folder.iterdir()):
            camera, starts, ends = (*path.stem.split("-"), "0")[:3]
            yield File(path, int(camera), int(starts), int(ends))

    def register(self, cameras: Mapping[int, Camera]) -> None:
        """Give each whole file of the held sources its row."""
        for file in self.files():
            camera = cameras.get(file.camera)
            if camera is None and file.path.stat().st_mtime < time.time() - ORPHAN_RETENTION_SECONDS:
                file.path.unlink()  # the camera was deleted
            if camera is None or camera.source_id not in self.held_sources or file.path.suffix == PARTIAL_SUFFIX:
                continue
            try:
                info = probe(file.path)
            except RecognitionError as error:
                log.warning("%s is dropped: %s", file.path.name, error)
                file.path.unlink()
                continue
            starts_at = datetime.fromtimestamp(file.starts / 1000, UTC)
            ends_at = (
                datetime.fromtimestamp(file.ends / 1000, UTC)
                if file.ends
                else starts_at + timedelta(seconds=info.duration)
            )
            with file.path.open("rb") as content:
                sha256 = hashlib.file_digest(content, "sha256").hexdigest()
            save_recorded_file(
                camera=camera, file=file.path, starts_at=starts_at, ends_at=ends_at, sha256=sha256, info=info
            )

    def save_problems(self) -> None:
        """Keep with the source what is wrong with its cameras, and how right their clock is."""
        for source_id in self.held_sources:
            problems = [
                Message("{camera}: {problem}", camera=one.camera, problem=one.problem)
                for one in self.sessions.values()
                if one.problem and one.camera.source_id == source_id
            ]
            error = DAILY_LIMIT_REACHED if source_id in self.exhausted_sources else join_messages(problems)
            if self.saved_errors.get(source_id) != error:
                save_live_error(source_id=source_id, owner=self.owner, error=error)
                self.saved_errors[source_id] = error
        for session in self.sessions.values():
            ahead, source_id = session.ahead, session.camera.source_id
            if ahead is not None and abs(ahead - self.ahead.get(source_id, math.inf)) > MIN_CLOCK_CHANGE_SECONDS:
                save_measured_clock_offset(source_id=source_id, ahead=ahead, by=Source.ClockReference.STREAM)
                self.ahead[source_id] = ahead

    def finish(self) -> None:
        self.sessions.clear()
        self.register({camera.pk: camera for camera in live_cameras({file.camera for file in self.files()})})
        self.update_holds({})
