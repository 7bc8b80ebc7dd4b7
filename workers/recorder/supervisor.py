"""Decides which cameras this process records, each in a thread, and turns their files into footage files."""

import hashlib
import logging
import math
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
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
from campus.common.storage import local_path
from recognition.errors import RecognitionError
from recognition.media.video import probe
from recognition.messages import Message, join_messages
from workers.recorder.session import PARTIAL_SUFFIX, Session, connection_settings

log = logging.getLogger(__name__)

UPDATE_INTERVAL_SECONDS = 5.0
STOP_TIMEOUT_SECONDS = 12.0  # for a thread whose camera sends nothing
ORPHAN_RETENTION_SECONDS = 24 * 3600  # of files whose camera was deleted
MIN_CLOCK_CHANGE_SECONDS = 0.5  # smaller changes are not saved
DAILY_LIMIT_REACHED = Message(
    "The cameras have given as many bytes today as they may. Allow more, or let them send a lower quality."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveFile:
    """A file of a camera that has no row yet. Times are milliseconds since 1970; `ends_ms` is 0 if it is not known."""

    path: Path
    camera_id: int
    starts_ms: int
    ends_ms: int

    @property
    def is_partial(self) -> bool:
        return self.path.suffix == PARTIAL_SUFFIX


class Supervisor:
    """One recorder process.

    Its files stay in a folder until they have a row: `CAMERA-START.part` is being written, `CAMERA-START-END.mp4` is
    complete. So nothing is lost if this process or the database is away for a while, and the next recorder takes over
    the files of one that was killed.
    """

    def __init__(self) -> None:
        self.owner = uuid4().hex
        self.folder = local_path("live")
        self.sessions: dict[int, Session] = {}  # by camera
        self.leased_sources: dict[int, float] = {}  # when each lease was taken or renewed, by the monotonic clock
        self.exhausted_sources: set[int] = set()  # have reached their limit of bytes a day
        self.saved_errors: dict[int, Message] = {}
        self.saved_clocks: dict[int, float] = {}  # by how many seconds each source's clock is fast
        self.stopping = False
        self.wake_up = threading.Event()  # a file was closed, or it is time to stop

    def stop(self) -> None:
        """Make `run` return. For signal handlers and other threads."""
        self.stopping = True
        self.wake_up.set()

    def run(self) -> None:
        """Record until `stop` is called. Every complete file has its row when this returns."""
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
        """Call the step. If the database does not answer, recording goes on, and the next step catches up."""
        try:
            step()
        except DatabaseError as error:
            log.warning("The database does not answer; what is recorded is kept until it does: %s", error)
            close_old_connections()

    def update(self) -> None:
        due = {camera.pk: camera for camera in cameras_to_record(timezone.now())}
        with_files = self.cameras_with_files()
        self.update_leases(due | with_files)
        self.exhausted_sources = {camera.source_id for camera in due.values() if has_reached_daily_limit(camera.source)}
        recordable_sources = self.leased_sources.keys() - self.exhausted_sources
        self.update_sessions({pk: camera for pk, camera in due.items() if camera.source_id in recordable_sources})
        self.save_complete_files(due | with_files)
        self.save_problems()
        self.save_clocks()

    def finish(self) -> None:
        close_old_connections()  # since there is no next step that would catch up
        self.sessions.clear()
        self.save_complete_files(self.cameras_with_files())
        self.update_leases({})

    def files(self) -> Iterator[LiveFile]:
        for path in sorted(self.folder.iterdir()):
            camera_id, starts_ms, ends_ms = (*path.stem.split("-"), "0")[:3]
            yield LiveFile(path=path, camera_id=int(camera_id), starts_ms=int(starts_ms), ends_ms=int(ends_ms))

    def cameras_with_files(self) -> dict[int, Camera]:
        return {camera.pk: camera for camera in live_cameras({file.camera_id for file in self.files()})}

    def update_sessions(self, wanted: Mapping[int, Camera]) -> None:
        """Start a session for each wanted camera, and stop those that are not wanted or whose settings changed."""
        for pk, session in list(self.sessions.items()):
            camera = wanted.get(pk)
            if camera is None or session.connection_settings != connection_settings(camera):
                session.stopping.set()
            if not session.thread.is_alive():
                del self.sessions[pk]
        for pk, camera in wanted.items():
            if pk not in self.sessions:
                self.sessions[pk] = Session(camera, self.folder, self.wake_up.set)

    def update_leases(self, wanted: Mapping[int, Camera]) -> None:
        """Lease the sources of the wanted cameras, renew the leases of those being recorded, and release all others."""
        recorded = {session.camera.source_id for session in self.sessions.values()}
        sources = {camera.source_id for camera in wanted.values()} | recorded
        for source_id in sources:
            if time.monotonic() - self.leased_sources.get(source_id, -math.inf) < settings.LEASE_SECONDS / 3:
                continue
            if claim_live_source(source_id=source_id, owner=self.owner):
                if source_id not in self.leased_sources:
                    self.take_over_files(pk for pk, camera in wanted.items() if camera.source_id == source_id)
                self.leased_sources[source_id] = time.monotonic()
            elif self.leased_sources.pop(source_id, None):
                log.warning("source %s: another recorder has taken it", source_id)
        for source_id in self.leased_sources.keys() - sources:
            release_live_source(source_id=source_id, owner=self.owner)
            del self.leased_sources[source_id]

    def take_over_files(self, camera_ids: Iterable[int]) -> None:
        """Mark as complete what a killed recorder was writing: its files can be read as far as they go."""
        left_behind = set(camera_ids) - self.sessions.keys()
        for file in self.files():
            if file.is_partial and file.camera_id in left_behind:
                file.path.rename(file.path.with_name(f"{file.camera_id}-{file.starts_ms}-0.mp4"))

    def save_complete_files(self, cameras: Mapping[int, Camera]) -> None:
        """Turn each complete file of the leased sources into a footage file. Files of deleted cameras are deleted."""
        for file in self.files():
            camera = cameras.get(file.camera_id)
            if camera is None:
                if file.path.stat().st_mtime < time.time() - ORPHAN_RETENTION_SECONDS:
                    file.path.unlink()
            elif camera.source_id in self.leased_sources and not file.is_partial:
                save_complete_file(camera, file)

    def save_problems(self) -> None:
        """Save what is wrong with the cameras of each source."""
        for source_id in self.leased_sources:
            problems = [
                Message("{camera}: {problem}", camera=session.camera, problem=session.problem)
                for session in self.sessions.values()
                if session.problem and session.camera.source_id == source_id
            ]
            error = DAILY_LIMIT_REACHED if source_id in self.exhausted_sources else join_messages(problems)
            if self.saved_errors.get(source_id) != error:
                save_live_error(source_id=source_id, owner=self.owner, error=error)
                self.saved_errors[source_id] = error

    def save_clocks(self) -> None:
        """Save by how much the clocks of the cameras are fast."""
        for session in self.sessions.values():
            ahead, source_id = session.clock_ahead, session.camera.source_id
            if ahead is None:
                continue
            if abs(ahead - self.saved_clocks.get(source_id, math.inf)) > MIN_CLOCK_CHANGE_SECONDS:
                save_measured_clock_offset(source_id=source_id, ahead=ahead, by=Source.ClockReference.STREAM)
                self.saved_clocks[source_id] = ahead


def has_reached_daily_limit(source: Source) -> bool:
    return bytes_fetched_in_last_day(source) >= source.max_gib_per_day * 1024**3


def save_complete_file(camera: Camera, file: LiveFile) -> None:
    """Give the file its row. One that cannot be read is deleted."""
    try:
        info = probe(file.path)
    except RecognitionError as error:
        log.warning("%s is dropped: %s", file.path.name, error)
        file.path.unlink()
        return
    starts_at = datetime.fromtimestamp(file.starts_ms / 1000, UTC)
    if file.ends_ms:
        ends_at = datetime.fromtimestamp(file.ends_ms / 1000, UTC)
    else:
        ends_at = starts_at + timedelta(seconds=info.duration)
    with file.path.open("rb") as content:
        sha256 = hashlib.file_digest(content, "sha256").hexdigest()
    save_recorded_file(camera=camera, file=file.path, starts_at=starts_at, ends_at=ends_at, sha256=sha256, info=info)
