"""Import a folder of recordings once: its files become footage files, and those that show a lecture are fetched."""

import os
from collections.abc import Collection as Many
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from campus.academics.models import Lecture, Room
from campus.cctv.egress_policy import allowed_folder
from campus.cctv.fetch_queue import MIN_COLLECTION_TIME
from campus.cctv.file_discovery import ParsedFile, RemoteFile, parse_files, save_discovered_files
from campus.cctv.models import Camera, Collection, FootageFile, Source
from campus.cctv.path_patterns import compile_pattern
from campus.cctv.services import save_camera, save_source
from campus.common import jobs
from campus.common.errors import UserError
from campus.common.keys import match_key

MAX_IMPORT_FILES = 100_000
UNLIMITED_GIB_PER_DAY = 32767


def list_files(folder: Path) -> list[RemoteFile]:
    """All files below the folder except links and hidden ones. Raises UserError if it is not allowed, does not exist
    or has too many files.
    """
    folder = allowed_folder(folder.absolute())
    files: list[RemoteFile] = []
    for file in _walk_files(folder):
        status = file.stat()
        files.append(
            RemoteFile(
                file.relative_to(folder).as_posix(), status.st_size, datetime.fromtimestamp(status.st_mtime, UTC)
            )
        )
        if len(files) > MAX_IMPORT_FILES:
            raise UserError(
                "There are more than {most} files. Import the folders below it one by one.", most=MAX_IMPORT_FILES
            )
    return files


def _walk_files(folder: Path) -> Iterator[Path]:
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            file = Path(where, name)
            if not name.startswith(".") and file.is_file() and not file.is_symlink():
                yield file


def save_import_source(
    folder: Path, *, pattern: str, time_zone: str, rooms: Mapping[str, str], files: Sequence[RemoteFile]
) -> Source:
    """The source that the folder is imported through, enabled until the import ends. Importing again reuses it.

    `rooms` maps a camera's label in the pattern to the name of its room, and "" to that of all other cameras. Without
    either, the label is the room's name. Raises UserError and ValidationError.
    """
    address = str(allowed_folder(folder.absolute()))
    source = Source.objects.filter(kind=Source.Kind.FOLDER, address=address).first() or Source(
        kind=Source.Kind.FOLDER, address=address
    )
    name = source.name or _("Imported from %(folder)s") % {"folder": folder.name}
    save_source(
        source=source,
        name=name[:100],
        pattern=pattern,
        time_zone=time_zone,
        max_gib_per_day=UNLIMITED_GIB_PER_DAY,
        enabled=True,
    )
    compiled = compile_pattern(pattern)
    fields = (compiled.match(file.path, timezone.get_default_timezone()) for file in files)
    known_labels = {match_key(label) for label in source.cameras.values_list("label", flat=True)}
    for label in sorted({field.label for field in fields if field}):
        if match_key(label) not in known_labels:
            known_labels.add(match_key(label))
            save_camera(
                camera=Camera(source=source), label=label, room=_room(rooms.get(label) or rooms.get("") or label, label)
            )
    return source


def _room(name: str, label: str) -> Room:
    if not name:
        raise UserError("Nothing says which room the files show. Name it.")
    room = Room.objects.filter(key=name).first()
    if room is None:
        raise UserError(
            "There is no room “{room}” for the camera “{label}”. Name its room, or create that room first.",
            room=name,
            label=label,
        )
    return room


def import_files(*, source: Source, files: Sequence[RemoteFile]) -> list[ParsedFile]:
    """Save the files as footage files, and queue each that shows a lecture, however old. Returns all parsed files."""
    parsed_files = parse_files(source, files)
    now = timezone.now()
    shown = [parsed for parsed in parsed_files if parsed.lectures and not (parsed.note or parsed.error)]
    with transaction.atomic():
        save_discovered_files(source, parsed_files, now)
        _start_collections({lecture for parsed in shown for lecture in parsed.lectures}, now)
        fetchable = source.footage_files.filter(
            state__in=(FootageFile.State.DISCOVERED, FootageFile.State.RETRY, FootageFile.State.FAILED)
        )
        wanted = [pk for parsed in shown for pk in fetchable.filter(path=parsed.file.path).values_list("pk", flat=True)]
        for pk in wanted:
            FootageFile.objects.filter(pk=pk).update(
                state=FootageFile.State.FETCHING,
                retry_count=0,
                retry_at=None,
                note="",
                error="",
                error_detail="",
                **jobs.RESET_FIELDS,
            )
        jobs.FETCH.request(*wanted)
    return parsed_files


def _start_collections(lectures: Many[Lecture], now: datetime) -> None:
    started = {
        "state": Collection.State.COLLECTING,
        "check_count": 0,
        "next_check_at": now,
        "deadline_at": now + MIN_COLLECTION_TIME,
        "finished_at": None,
        "note": "",
    }
    for lecture in lectures:
        Collection.objects.update_or_create(lecture=lecture, defaults=started)


def finish_import(*, source: Source) -> None:
    """Disable the source, so that lectures in its rooms no longer wait for footage from it."""
    Source.objects.filter(pk=source.pk).update(enabled=False)
