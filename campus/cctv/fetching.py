"""Everything that the fetching of a footage file writes: how far it is, that it is here, or that it has to be tried
again.
"""

import logging
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.db.models import Q, Sum
from django.utils import timezone

from campus.cctv.clips import update_lectures_shown_by
from campus.cctv.models import FootageFile, Source, footage_file_path
from campus.cctv.path_patterns import compile_pattern
from campus.common import jobs
from recognition.messages import Message
from recognition.types import VideoInfo

log = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=1)
SHORTER = 0.9  # of what its name says, or less: worth a word
DAY = timedelta(days=1)


def save_host_key(*, source: Source, key: str) -> None:
    """Take over the key that an SFTP server showed at its first test."""
    Source.objects.filter(pk=source.pk, host_key="").update(host_key=key)


def save_fetch_progress(*, footage_file: FootageFile, fetched_bytes: int) -> bool:
    """So many bytes are safely here. False: the footage file is not wanted any more, or another attempt has it."""
    footage_file.fetched_bytes = fetched_bytes
    return bool(
        FootageFile.objects.filter(
            pk=footage_file.pk, lease_owner=footage_file.lease_owner, state=FootageFile.State.FETCHING
        ).update(fetched_bytes=fetched_bytes)
    )


def restart_fetch(*, footage_file: FootageFile, size: int, modified: datetime | None, sha256: str = "") -> bool:
    """Begin from the start: the file at the source is another one than was seen, or it was damaged on its way and
    `sha256` is what came of it. False as `save_fetch_progress`.
    """
    fields = {"size": size, "modified_at": modified, "fetched_bytes": 0, "sha256": sha256}
    return bool(
        FootageFile.objects.filter(
            pk=footage_file.pk, lease_owner=footage_file.lease_owner, state=FootageFile.State.FETCHING
        ).update(**fields)
    )


def schedule_retry(*, footage_file: FootageFile, why: Message, pause: timedelta | None = None) -> bool:
    """Try again after a pause that grows, or after the given one. What is here stays, and is gone on with."""
    retry_count = footage_file.retry_count + 1
    due = timezone.now() + (pause or min(FIRST_PAUSE * 2 ** min(retry_count - 1, 10), LONGEST_PAUSE))
    return jobs.finish(footage_file, FootageFile.State.RETRY, retry_count=retry_count, retry_at=due, error=why)


def finish_fetch(*, footage_file: FootageFile, part: Path, sha256: str, info: VideoInfo) -> bool:
    """All bytes are in the part file: keep it, and hand it to the lectures that it shows. False: this attempt lost its
    lease.

    A file that is here already, of this source or of this room, is not kept twice.
    """
    name = footage_file_path(footage_file, footage_file.path)
    started = info.started_at and info.started_at.isoformat()
    facts = {
        "sha256": sha256,
        "info": asdict(info) | {"started_at": started},
        "fetched_bytes": footage_file.size,
        "retry_count": 0,
        "retry_at": None,
    }
    with transaction.atomic():
        # One at a time: of two names for the same bytes one has to be the second.
        Source.objects.select_for_update().get(pk=footage_file.source_id)
        twin = _twin(footage_file, sha256)
        if twin:
            done = jobs.finish(
                footage_file,
                FootageFile.State.DUPLICATE,
                note=Message("The same as {path}.", path=twin.path[:200]),
                **facts,
            )
        else:
            done = jobs.finish(
                footage_file,
                FootageFile.State.STORED,
                file=name,
                fetched_at=timezone.now(),
                **facts,
                **_times(footage_file, info),
            )
            if done:
                footage_file.refresh_from_db()
                update_lectures_shown_by(footage_file=footage_file)
                part.replace(Path(settings.MEDIA_ROOT, name))
    if twin and done:
        part.unlink(missing_ok=True)
    return done


def _times(footage_file: FootageFile, info: VideoInfo) -> dict[str, object]:
    """Its end, by its length; with a word where that is less than its name says. A name without an end says nothing."""
    if footage_file.starts_at is None:
        return {}
    ends_at = footage_file.starts_at + timedelta(seconds=info.duration)
    said = compile_pattern(footage_file.source.pattern).match(footage_file.path, footage_file.source.tzinfo)
    expected = (said.ends - said.starts).total_seconds() if said and said.starts and said.ends else 0.0
    if info.duration >= SHORTER * expected:
        return {"ends_at": ends_at}
    note = Message(
        "Shorter than expected: {here} of {expected} minutes.",
        here=round(info.duration / 60),
        expected=round(expected / 60),
    )
    return {"ends_at": ends_at, "note": note}


def _twin(footage_file: FootageFile, sha256: str) -> FootageFile | None:
    near = Q(source=footage_file.source_id)
    if footage_file.camera:
        near |= Q(camera__room=footage_file.camera.room_id)
    return (
        FootageFile.objects.filter(near, state=FootageFile.State.STORED, sha256=sha256)
        .exclude(pk=footage_file.pk)
        .first()
    )


def bytes_fetched_in_last_day(source: Source) -> int:
    """What was fetched from the source within a day, and what is here of files that are on their way."""
    here = source.footage_files.filter(fetched_at__gt=timezone.now() - DAY).aggregate(bytes=Sum("size"))["bytes"] or 0
    coming = (
        source.footage_files.filter(state__in=(FootageFile.State.FETCHING, FootageFile.State.RETRY)).aggregate(
            bytes=Sum("fetched_bytes")
        )["bytes"]
        or 0
    )
    return int(here + coming)


def active_fetch_count(source: Source) -> int:
    """How many files of the source are being fetched at this moment, by all workers."""
    return int(source.footage_files.filter(state=FootageFile.State.FETCHING, lease_until__gt=timezone.now()).count())


def partial_file_path(footage_file: FootageFile) -> Path:
    """Where the bytes wait until all are there, beside where they will stay."""
    return Path(settings.MEDIA_ROOT, "footage", f"{footage_file.pk}.part")


def delete_expired_partial_files() -> None:
    """Remove what is left of files that nobody waits for any more."""
    coming = {
        str(pk)
        for pk in FootageFile.objects.filter(
            state__in=(FootageFile.State.FETCHING, FootageFile.State.RETRY)
        ).values_list("pk", flat=True)
    }
    before = (timezone.now() - DAY).timestamp()
    for path in Path(settings.MEDIA_ROOT, "footage").glob("*.part"):
        if path.stem not in coming and path.stat().st_mtime < before:
            path.unlink(missing_ok=True)
