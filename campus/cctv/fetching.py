"""What fetching a footage file writes: its progress, its end, or that it is tried again later."""

import logging
from datetime import datetime, timedelta
from pathlib import Path, PurePosixPath

from django.db import transaction
from django.db.models import Q, Sum
from django.utils import timezone

from campus.cctv.clips import update_lectures_shown_by
from campus.cctv.models import FootageFile, Source, footage_file_path
from campus.cctv.path_patterns import compile_pattern
from campus.common import jobs
from campus.common.storage import local_path, media
from recognition.messages import Message
from recognition.types import VideoInfo

log = logging.getLogger(__name__)

MIN_RETRY_DELAY, MAX_RETRY_DELAY = timedelta(minutes=1), timedelta(hours=1)
MIN_EXPECTED_SHARE = 0.9  # of the length that its name says; a shorter file gets a note
DAY = timedelta(days=1)
UNFINISHED_STATES = (FootageFile.State.FETCHING, FootageFile.State.RETRY)


def save_host_key(*, source: Source, key: str) -> None:
    """Trust the key that an SFTP server showed in its first test."""
    Source.objects.filter(pk=source.pk, host_key="").update(host_key=key)


def save_fetch_progress(*, footage_file: FootageFile, fetched_bytes: int) -> bool:
    """Save how many bytes are on disk. False: the footage file is no longer wanted, or another attempt has it."""
    footage_file.fetched_bytes = fetched_bytes
    return bool(
        FootageFile.objects.filter(
            pk=footage_file.pk, lease_owner=footage_file.lease_owner, state=FootageFile.State.FETCHING
        ).update(fetched_bytes=fetched_bytes)
    )


def restart_fetch(*, footage_file: FootageFile, size: int, modified: datetime | None, sha256: str = "") -> bool:
    """Fetch the file again from its beginning: it has changed at the source, or was damaged in transit, with `sha256`
    as the result. False as for `save_fetch_progress`.
    """
    fields = {"size": size, "modified_at": modified, "fetched_bytes": 0, "sha256": sha256}
    return bool(
        FootageFile.objects.filter(
            pk=footage_file.pk, lease_owner=footage_file.lease_owner, state=FootageFile.State.FETCHING
        ).update(**fields)
    )


def schedule_retry(*, footage_file: FootageFile, why: Message, delay: timedelta | None = None) -> bool:
    """Try again after `delay`, or else after one that doubles each time. The bytes that are on disk are kept."""
    retry_count = footage_file.retry_count + 1
    due = timezone.now() + (delay or min(MIN_RETRY_DELAY * 2 ** min(retry_count - 1, 10), MAX_RETRY_DELAY))
    return jobs.finish(footage_file, FootageFile.State.RETRY, retry_count=retry_count, retry_at=due, error=why)


def finish_fetch(*, footage_file: FootageFile, part: Path, sha256: str, info: VideoInfo) -> bool:
    """Store the complete part file, and give it to the lectures that it shows. False: this attempt lost its lease.

    A file that this source or this room has already is not stored twice.
    """
    facts = {
        "sha256": sha256,
        "info": info.to_json(),
        "size": footage_file.size,
        "fetched_bytes": footage_file.size,
        "retry_count": 0,
        "retry_at": None,
    }
    usual = PurePosixPath(footage_file_path(footage_file, footage_file.path))
    name = str(usual.with_stem(f"{usual.stem}-{footage_file.lease_owner}"))  # of this attempt alone
    media().store(part, name)  # while no row is locked: it may take long
    with transaction.atomic():
        # Files of a source finish one at a time, so that of two with the same bytes one is the duplicate.
        Source.objects.select_for_update().get(pk=footage_file.source_id)
        duplicated = _stored_duplicate(footage_file, sha256)
        if duplicated:
            done = jobs.finish(
                footage_file,
                FootageFile.State.DUPLICATE,
                note=Message("The same as {path}.", path=duplicated.path[:200]),
                **facts,
            )
        else:
            done = jobs.finish(
                footage_file,
                FootageFile.State.STORED,
                file=name,
                fetched_at=timezone.now(),
                **facts,
                **_end_and_note(footage_file, info),
            )
            if done:
                footage_file.refresh_from_db()
                update_lectures_shown_by(footage_file=footage_file)
    if done:
        part.unlink(missing_ok=True)
    if duplicated or not done:
        media().delete(name)
    return done


def _end_and_note(footage_file: FootageFile, info: VideoInfo) -> dict[str, object]:
    """When it ends, by its length; with a note if that is shorter than its name says."""
    if footage_file.starts_at is None:
        return {}
    ends_at = footage_file.starts_at + timedelta(seconds=info.duration)
    expected = expected_seconds(footage_file)
    if info.duration >= MIN_EXPECTED_SHARE * expected:
        return {"ends_at": ends_at}
    note = Message(
        "Shorter than expected: {actual} of {expected} minutes.",
        actual=round(info.duration / 60),
        expected=round(expected / 60),
    )
    return {"ends_at": ends_at, "note": note}


def expected_seconds(footage_file: FootageFile) -> float:
    """How long the file is, by the recorder that has it or by its name; 0 where neither says so."""
    if footage_file.source.is_recorder:
        starts, ends = footage_file.starts_at, footage_file.ends_at
    else:
        named = compile_pattern(footage_file.source.pattern).match(footage_file.path, footage_file.source.tzinfo)
        starts, ends = (named.starts, named.ends) if named else (None, None)
    return (ends - starts).total_seconds() if starts and ends else 0.0


def _stored_duplicate(footage_file: FootageFile, sha256: str) -> FootageFile | None:
    same_place = Q(source=footage_file.source_id)
    if footage_file.camera:
        same_place |= Q(camera__room=footage_file.camera.room_id)
    same_bytes = FootageFile.objects.filter(same_place, state=FootageFile.State.STORED, sha256=sha256)
    return same_bytes.exclude(pk=footage_file.pk).first()


def bytes_fetched_in_last_day(source: Source) -> int:
    """The bytes of files that were fetched within a day, and of those that are being fetched."""
    fetched = source.footage_files.filter(fetched_at__gt=timezone.now() - DAY).aggregate(bytes=Sum("size"))
    unfinished = source.footage_files.filter(state__in=UNFINISHED_STATES).aggregate(bytes=Sum("fetched_bytes"))
    return int((fetched["bytes"] or 0) + (unfinished["bytes"] or 0))


def active_fetch_count(source: Source) -> int:
    """How many files of the source are being fetched at this moment, by all workers."""
    return int(source.footage_files.filter(jobs.held_by_workers(), state=FootageFile.State.FETCHING).count())


def partial_file_path(footage_file: FootageFile) -> Path:
    """Where the bytes are collected until the file is complete."""
    return local_path("footage", f"{footage_file.pk}.part")


def delete_expired_partial_files() -> None:
    """Delete part files that no fetch will continue."""
    unfinished = FootageFile.objects.filter(state__in=UNFINISHED_STATES)
    needed = {str(pk) for pk in unfinished.values_list("pk", flat=True)}
    expired_before = (timezone.now() - DAY).timestamp()
    for path in local_path("footage").glob("*.part"):
        if path.stem not in needed and path.stat().st_mtime < expired_before:
            path.unlink(missing_ok=True)
