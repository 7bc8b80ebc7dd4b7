"""Periodic maintenance: publishes lost jobs again, fails those tried too often, and deletes what has expired."""

import base64
import json
import logging
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import close_old_connections
from django.db.models import CharField, F, Q, QuerySet, Value
from django.db.models.functions import Now
from kombu import Connection

from campus.academics.file_imports import delete_expired_file_imports
from campus.accounts.services import delete_expired_sessions
from campus.attendance.change_feed import number_entries
from campus.attendance.collected_lectures import finish_collected_lectures, unfinished_collected_lectures
from campus.attendance.confirmed_faces import update_lecture_faces
from campus.attendance.recurring_people import courses_to_compare, request_due_comparisons
from campus.attendance.reports import (
    lectures_without_report,
    requested_reports,
    write_missing_roll_reports,
    write_requested_reports,
)
from campus.attendance.roster_changes import courses_with_changed_roster, recount_changed_rosters
from campus.attendance.strangers import delete_tracks_of_strangers
from campus.audit.services import seal_entries, unsealed_entries
from campus.biometrics.basis import forget_ended_bases
from campus.biometrics.photo_zip import delete_expired_photo_imports
from campus.biometrics.services import (
    check_waiting_photos,
    courses_with_changed_faces,
    delete_expired_galleries,
    photos_to_check,
    request_due_trainings,
)
from campus.cctv.alarms import delete_expired_alarms
from campus.cctv.clock_drift import measure_clock_offsets
from campus.cctv.fetch_queue import delete_expired_footage_files
from campus.cctv.fetching import delete_expired_partial_files
from campus.common import periodic_tasks
from campus.common.jobs import JOBS, Job, not_leased
from campus.common.storage import is_storage_here, media
from campus.consent.links import delete_expired_student_links
from campus.privacy.retention import apply_retention
from campus.recordings.direct_uploads import discard_unknown_parts, finish_direct_uploads
from campus.recordings.models import Recording
from campus.recordings.segment_turns import publish_due_segments, waiting_segments
from campus.recordings.services import delete_tracks, processed_recordings, start_due_votes
from campus.recordings.uploads import delete_expired_uploads, finish_complete_uploads
from recognition.messages import Message, join_messages
from workers.celery import app

log = logging.getLogger(__name__)

LEFTOVER_RETENTION_SECONDS = 24 * 3600


@app.task(name=periodic_tasks.SWEEP.task)
def sweep() -> None:
    """Fail jobs that were tried too often, start what is due, and publish lost jobs again."""
    if not is_anything_due():
        return
    run_steps(watch_jobs, publish_due_segments, start_due_votes, seal_entries)
    if not is_storage_here():
        log.error("This machine does not reach the storage, so it starts nothing that needs it.")
        return
    run_steps(
        finish_collected_lectures,
        write_requested_reports,
        write_missing_roll_reports,
        update_lecture_faces,
        check_waiting_photos,
        request_due_trainings,
        request_due_comparisons,
        recount_changed_rosters,
    )


def is_anything_due() -> bool:
    """Whether a step of the sweep has anything to do. One query asks for all, since mostly none has."""
    rows: tuple[QuerySet[Any], ...] = (
        *(troubled_rows(job) for job in JOBS),
        waiting_segments(),
        processed_recordings(),
        unsealed_entries(),
        unfinished_collected_lectures(),
        requested_reports(),
        lectures_without_report(),
        courses_with_changed_faces(),
        photos_to_check(),
        courses_to_compare(),
        courses_with_changed_roster(),
    )
    return rows[0].union(*rows[1:], all=True).exists()


def run_steps(*steps: Callable[[], object]) -> None:
    """Run all steps. One that fails is logged, and stops none of the others."""
    for step in steps:
        try:
            step()
        except SoftTimeLimitExceeded:
            raise
        except Exception:
            log.exception("The step %s failed", step.__name__)
            close_old_connections()


def watch_jobs() -> None:
    """Fail jobs that were tried too often, and publish those whose messages are lost. One query finds them all, since
    hardly ever is there any.
    """
    first, *others = (
        troubled_rows(job).values_list(Value(job.name, output_field=CharField()), flat=True).distinct() for job in JOBS
    )
    names = set(first.union(*others, all=True))
    for job in JOBS:
        if job.name in names:
            fail_exhausted_jobs(job)
            publish_lost_jobs(job)


def troubled_rows(job: Job) -> QuerySet[Any]:
    """Those that were tried too often, or whose message may be lost."""
    is_troubled = Q(attempts__gte=settings.MAX_ATTEMPTS) | Q(published_at__lt=_overdue_before()) | _never_arrives(job)
    return job.waiting().filter(not_leased(), is_troubled).order_by()


def fail_exhausted_jobs(job: Job) -> None:
    for row in job.waiting().filter(not_leased(), attempts__gte=settings.MAX_ATTEMPTS):
        given_up = Message("This was tried {n} times and given up.", n=row.attempts)
        reason = row.error or Message("The worker stopped in the middle of it each time.")
        if job.fail(row, join_messages([given_up, reason]), row.error_detail):
            log.error("%s %s: given up after %d attempts", job.name, row.pk, row.attempts)


def publish_lost_jobs(job: Job) -> None:
    """Send the messages of waiting jobs again that are lost: those never sent, those before a lease that has ended or a
    pause that is over, and those sent a while ago that are no longer in the queue.
    """
    rows = job.waiting().filter(not_leased(), attempts__lt=settings.MAX_ATTEMPTS)
    lost = set(rows.filter(_never_arrives(job)).values_list("pk", flat=True))
    overdue = set(rows.filter(published_at__lt=_overdue_before()).values_list("pk", flat=True)) - lost
    if overdue:
        with app.connection_for_read() as connection:
            queued = queued_keys(job, connection)
        lost |= {pk for pk in overdue if str(pk) not in queued}
    if lost:
        log.info("%s: published %d lost jobs again", job.name, job.publish(lost))


def _never_arrives(job: Job) -> Q:
    """Rows for which no message is under way. Those of a job with a window may be waiting for their turn instead."""
    had_lease = Q(published_at__lt=F("lease_until"))
    return had_lease if job.has_window else had_lease | Q(published_at=None)


def _overdue_before() -> object:
    return Now() - timedelta(seconds=settings.SWEEP_SECONDS)


def queued_keys(job: Job, connection: Connection) -> set[str]:
    """The keys of the rows of this job whose messages are in the queue."""
    client = getattr(connection.default_channel, "client", None)
    if not client:
        return set()  # only Redis lets us look
    keys = set()
    for message in (json.loads(text) for queue, _rows in job.lanes() for text in client.lrange(queue, 0, -1)):
        if message["headers"]["task"] == job.task:
            (_version, pk), *_ = json.loads(base64.b64decode(message["body"]))
            keys.add(pk)
    return keys


@app.task(name=periodic_tasks.CLEAN_UP.task)
def clean_up() -> None:
    """Delete what has expired, and measure the clocks of the cameras.

    Tracks go as soon as no vote needs them.
    """
    if not is_storage_here():
        log.error("This machine does not reach the storage, so it deletes nothing.")
        return
    run_steps(
        delete_tracks_of_strangers,
        delete_old_tracks,
        forget_ended_bases,
        delete_expired_galleries,
        finish_complete_uploads,
        finish_direct_uploads,
        delete_expired_uploads,
        discard_unknown_parts,
        delete_expired_partial_files,
        delete_expired_file_imports,
        delete_expired_photo_imports,
        delete_expired_student_links,
        delete_expired_sessions,
        measure_clock_offsets,
        delete_expired_footage_files,
        delete_expired_alarms,
        delete_broken_uploads,
        number_entries,
    )


@app.task(name=periodic_tasks.APPLY_RETENTION.task)
def delete_by_rules() -> None:
    """Delete what the retention rules say."""
    if not is_storage_here():
        log.error("This machine does not reach the storage, so it deletes nothing.")
        return
    apply_retention()


def delete_broken_uploads() -> None:
    """Delete what requests that broke off have left of their bodies."""
    expired_before = time.time() - LEFTOVER_RETENTION_SECONDS
    for path in Path(settings.FILE_UPLOAD_TEMP_DIR).glob("*"):
        if path.is_file() and path.stat().st_mtime < expired_before:
            path.unlink(missing_ok=True)


def delete_old_tracks() -> None:
    """Delete the tracks of finished recordings that were written a while ago."""
    expired_before = time.time() - LEFTOVER_RETENTION_SECONDS
    needs_tracks = Q(state__in=("processing", "aggregating")) | Q(provisional=True)
    needed = {str(pk) for pk in Recording.objects.filter(needs_tracks).values_list("pk", flat=True)}
    written: dict[str, float] = {}  # when the newest tracks of a recording were
    for file in media().walk("tracks"):
        recording = file.name.split("/")[1]
        written[recording] = max(file.modified, written.get(recording, 0.0))
    for recording, when in written.items():
        if recording not in needed and when < expired_before:
            delete_tracks(recording_id=recording)
