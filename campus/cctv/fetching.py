"""Everything that the fetching of a piece writes: how far it is, that it is here, or that it has to be tried again."""

import logging
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.db.models import Q, Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from campus.cctv import path_patterns as patterns
from campus.cctv.clips import piece_arrived
from campus.cctv.matching import zone_of
from campus.cctv.models import Piece, Source, piece_path
from campus.common.jobs import finish
from recognition.types import VideoInfo

log = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=1)
SHORTER = 0.9  # of what its name says, or less: worth a word
DAY = timedelta(days=1)


def host_key_keep(*, source: Source, key: str) -> None:
    """Take over the key that an SFTP server showed at its first test."""
    Source.objects.filter(pk=source.pk, host_key="").update(host_key=key)


def piece_progress(*, piece: Piece, offset: int) -> bool:
    """So many bytes are safely here. False: the piece is not wanted any more, or another attempt has it."""
    piece.offset = offset
    return bool(
        Piece.objects.filter(pk=piece.pk, lease_owner=piece.lease_owner, state=Piece.State.WANTED).update(offset=offset)
    )


def piece_anew(*, piece: Piece, size: int, modified: datetime | None, sha256: str = "") -> bool:
    """Begin from the start: the file at the source is another one than was seen, or it was damaged on its way and `sha256` is what
    came of it. False as `piece_progress`."""
    fields = {"size": size, "modified_at": modified, "offset": 0, "sha256": sha256}
    return bool(
        Piece.objects.filter(pk=piece.pk, lease_owner=piece.lease_owner, state=Piece.State.WANTED).update(**fields)
    )


def piece_later(*, piece: Piece, why: str, pause: timedelta | None = None) -> bool:
    """Try again after a pause that grows, or after the given one. What is here stays, and is gone on with."""
    tries = piece.tries + 1
    due = timezone.now() + (pause or min(FIRST_PAUSE * 2 ** min(tries - 1, 10), LONGEST_PAUSE))
    return finish(piece, Piece.State.LATER, tries=tries, due_at=due, error=why)


def piece_fetched(*, piece: Piece, part: Path, sha256: str, info: VideoInfo) -> bool:
    """All bytes are in the part file: keep it, and hand it to the lectures that it shows. False: this attempt lost its lease.

    A file that is here already, of this source or of this room, is not kept twice.
    """
    name = piece_path(piece, piece.path)
    started = info.started_at and info.started_at.isoformat()
    facts = {
        "sha256": sha256,
        "info": asdict(info) | {"started_at": started},
        "offset": piece.size,
        "tries": 0,
        "due_at": None,
    }
    with transaction.atomic():
        # One at a time: of two names for the same bytes one has to be the second.
        Source.objects.select_for_update().get(pk=piece.source_id)
        twin = _twin(piece, sha256)
        if twin:
            done = finish(
                piece, Piece.State.DOUBLE, note=_("The same as %(path)s.") % {"path": twin.path[:200]}, **facts
            )
        else:
            done = finish(piece, Piece.State.HERE, file=name, fetched_at=timezone.now(), **facts, **_times(piece, info))
            if done:
                piece.refresh_from_db()
                piece_arrived(piece=piece)
                part.replace(Path(settings.MEDIA_ROOT, name))
    if twin and done:
        part.unlink(missing_ok=True)
    return done


def _times(piece: Piece, info: VideoInfo) -> dict[str, object]:
    """Its end, by its length; with a word where that is less than its name says. A name without an end says nothing."""
    if piece.starts_at is None:
        return {}
    ends_at = piece.starts_at + timedelta(seconds=info.duration)
    said = patterns.compile(piece.source.pattern).match(piece.path, zone_of(piece.source))
    expected = (said.ends - said.starts).total_seconds() if said and said.starts and said.ends else 0.0
    if info.duration >= SHORTER * expected:
        return {"ends_at": ends_at}
    minutes = {"here": round(info.duration / 60), "expected": round(expected / 60)}
    return {"ends_at": ends_at, "note": _("Shorter than expected: %(here)d of %(expected)d minutes.") % minutes}


def _twin(piece: Piece, sha256: str) -> Piece | None:
    near = Q(source=piece.source_id)
    if piece.camera:
        near |= Q(camera__room=piece.camera.room_id)
    return Piece.objects.filter(near, state=Piece.State.HERE, sha256=sha256).exclude(pk=piece.pk).first()


def bytes_of_the_day(source: Source) -> int:
    """What was fetched from the source within a day, and what is here of files that are on their way."""
    here = source.pieces.filter(fetched_at__gt=timezone.now() - DAY).aggregate(bytes=Sum("size"))["bytes"] or 0
    coming = (
        source.pieces.filter(state__in=(Piece.State.WANTED, Piece.State.LATER)).aggregate(bytes=Sum("offset"))["bytes"]
        or 0
    )
    return int(here + coming)


def fetching_now(source: Source) -> int:
    """How many files of the source are being fetched at this moment, by all workers."""
    return int(source.pieces.filter(state=Piece.State.WANTED, lease_until__gt=timezone.now()).count())


def part_path(piece: Piece) -> Path:
    """Where the bytes wait until all are there, beside where they will stay."""
    return Path(settings.MEDIA_ROOT, "footage", f"{piece.pk}.part")


def parts_tidy() -> None:
    """Remove what is left of files that nobody waits for any more."""
    coming = {
        str(pk)
        for pk in Piece.objects.filter(state__in=(Piece.State.WANTED, Piece.State.LATER)).values_list("pk", flat=True)
    }
    before = (timezone.now() - DAY).timestamp()
    for path in Path(settings.MEDIA_ROOT, "footage").glob("*.part"):
        if path.stem not in coming and path.stat().st_mtime < before:
            path.unlink(missing_ok=True)
