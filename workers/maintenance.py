"""Periodic maintenance: publishes lost jobs again, fails those tried too often, and deletes what has expired."""

import logging
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db.models import F, Q
from django.utils import timezone
from kombu import Connection
from kombu.exceptions import ChannelError

from campus.academics.file_imports import delete_expired_file_imports
from campus.accounts.history import delete_old_events
from campus.accounts.services import delete_expired_sessions
from campus.attendance.annotated_videos import delete_expired_annotated_videos
from campus.attendance.collected_lectures import finish_collected_lectures
from campus.attendance.confirmed_faces import update_lecture_faces
from campus.attendance.recurring_people import request_due_comparisons
from campus.attendance.reports import write_missing_roll_reports
from campus.attendance.roster_changes import recount_changed_rosters
from campus.attendance.snapshots import delete_expired_snapshots
from campus.biometrics.lecture_faces import delete_expired_lecture_faces
from campus.biometrics.photo_links import delete_expired_photo_links
from campus.biometrics.photo_zip import delete_expired_photo_imports
from campus.biometrics.services import delete_expired_galleries, request_due_trainings
from campus.cctv.alarms import delete_expired_alarms
from campus.cctv.clock_drift import measure_clock_offsets
from campus.cctv.fetch_queue import delete_expired_footage_files
from campus.cctv.fetching import delete_expired_partial_files
from campus.common import periodic_tasks
from campus.common.jobs import JOBS, Job, not_leased
from campus.common.storage import media_files
from campus.recordings.models import Recording
from campus.recordings.services import delete_tracks, start_due_votes
from campus.recordings.uploads import delete_expired_uploads, finish_complete_uploads
from recognition.messages import Message, join_messages
from workers.celery import app

log = logging.getLogger(__name__)

LEFTOVER_RETENTION_SECONDS = 24 * 3600


@app.task(name=periodic_tasks.SWEEP.task)
def sweep() -> None:
    """Fail jobs that were tried too often, start what is due, and publish lost jobs again."""
    fail_exhausted_jobs()
    start_due_votes()
    finish_collected_lectures()
    write_missing_roll_reports()
    update_lecture_faces()
    request_due_trainings()
    request_due_comparisons()
    recount_changed_rosters()
    with app.connection_for_read() as connection:
        republish_lost_jobs(connection)


def fail_exhausted_jobs() -> None:
    for job in JOBS:
        for row in job.waiting().filter(not_leased(), attempts__gte=settings.MAX_ATTEMPTS):
            given_up = Message("This was tried {n} times and given up.", n=row.attempts)
            reason = row.error or Message("The worker stopped in the middle of it each time.")
            if job.fail(row, join_messages([given_up, reason]), row.error_detail):
                log.error("%s %s: given up after %d attempts", job.name, row.pk, row.attempts)


def republish_lost_jobs(connection: Connection) -> None:
    for job in JOBS:
        lost = list(lost_rows(job, connection))
        if lost:
            log.info("%s: published %d lost jobs again", job.name, job.publish(lost))


def lost_rows(job: Job, connection: Connection) -> Iterator[Any]:
    """The ids of the waiting rows that no worker holds and whose message is lost."""
    now = timezone.now()
    lost = Q(published_at=None) | Q(published_at__lt=F("lease_until"))
    if not count_messages(job.queue, connection):
        # The queue is empty, so all its messages were delivered. The messages of rows that still wait are lost.
        lost |= Q(published_at__lt=now - timedelta(seconds=settings.SWEEP_SECONDS))
    rows = job.waiting().filter(not_leased(), lost, attempts__lt=settings.MAX_ATTEMPTS)
    return rows.values_list("pk", flat=True).iterator()


def count_messages(queue: str, connection: Connection) -> int:
    """The number of messages in a queue."""
    try:
        channel: Any = connection.default_channel
        return int(channel.queue_declare(queue, passive=True).message_count)
    except ChannelError:
        return 0  # an empty queue does not exist in Redis


@app.task(name=periodic_tasks.CLEAN_UP.task)
def clean_up() -> None:
    """Delete what has expired, and measure the clocks of the cameras.

    Tracks go as soon as no vote needs them, because they contain embeddings of bystanders.
    """
    expired_before = time.time() - LEFTOVER_RETENTION_SECONDS
    delete_old_tracks(expired_before)
    delete_expired_galleries()
    delete_expired_lecture_faces()
    finish_complete_uploads()
    delete_expired_uploads()
    delete_expired_partial_files()
    delete_expired_file_imports()
    delete_expired_photo_imports()
    delete_expired_photo_links()
    delete_expired_snapshots()
    delete_expired_annotated_videos()
    delete_expired_sessions()
    delete_old_events()
    measure_clock_offsets()
    delete_expired_footage_files()
    delete_expired_alarms()
    for path in Path(settings.FILE_UPLOAD_TEMP_DIR).glob("*"):
        if path.is_file() and path.stat().st_mtime < expired_before:
            path.unlink(missing_ok=True)


def delete_old_tracks(expired_before: float) -> None:
    """Delete the tracks of finished recordings whose folders were last written to before `expired_before`."""
    needs_tracks = Q(state__in=("processing", "aggregating")) | Q(provisional=True)
    needed = {str(pk) for pk in Recording.objects.filter(needs_tracks).values_list("pk", flat=True)}
    for folder in media_files("tracks"):
        if folder.name not in needed and folder.stat().st_mtime < expired_before:
            delete_tracks(recording_id=folder.name)
