"""Whatever somebody uploads or sends: little memory, little time, and a sentence that says what happened."""

import re
from collections.abc import Callable, Iterator
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.db import transaction

from campus.academics import file_contents
from campus.academics.file_contents import GUESSED_FORMAT, CalendarEntry, CalendarRequest, Table, TableRequest
from campus.biometrics import zip_contents
from campus.biometrics.zip_contents import DamagedFile, ListRequest, UnpackRequest, ZipListing, ZippedFile
from campus.connections import oneroster_contents
from campus.connections.oneroster_contents import RegistryRequest
from recognition.errors import RecognitionError
from recognition.media.photo import read_photo
from recognition.media.video import plan_segments, probe, sample_frames
from tests.campus.conftest import World, own_folders, world
from tests.campus.permissions import people
from tests.hostile import photos, registries, requests, tables, videos
from tests.hostile.case import MAX_PEAK_BYTES, MAX_SECONDS, READ, Case, measured

__all__ = ["own_folders", "world"]

MAX_FRAMES = 20


def judge(case: Case, read: Callable[[], str]) -> dict[str, Any]:
    """The row of the table."""
    with measured() as cost:
        said = read()
    assert re.search(case.says, said), said
    assert cost.peak < MAX_PEAK_BYTES
    assert cost.seconds < MAX_SECONDS
    return {"name": case.name, "limit": case.limit, "sentence": said, "seconds": cost.seconds, "peak": cost.peak}


def read_as_photo(path: Path) -> str:
    try:
        image, _kind, _taken_at = read_photo(path)
    except RecognitionError as error:
        return str(error)
    assert image.shape[2] == 3
    return READ


def read_as_recording(path: Path) -> str:
    try:
        info = probe(path)
        for segment in plan_segments(path, info)[:2]:
            for frame in islice(sample_frames(path, info, segment), MAX_FRAMES):
                assert frame.image.shape == (info.height, info.width, 3)
    except RecognitionError as error:
        return str(error)
    return READ


def read_as_roster(path: Path) -> str:
    try:
        request = TableRequest(path=str(path), format=GUESSED_FORMAT)
        table = file_contents.READERS.read_value(request, Table)
    except RecognitionError as error:
        return str(error)
    assert {len(row) for row in table.rows} == {len(table.headers)}
    return READ


def read_as_calendar(path: Path) -> str:
    request = CalendarRequest(path=str(path), until=date(2099, 12, 31), zone="Europe/Berlin")
    try:
        entries = file_contents.READERS.read_value(request, list[CalendarEntry])
    except RecognitionError as error:
        return str(error)
    return " ".join([READ, *{str(entry.problem) for entry in entries if entry.problem}])


def read_as_zip(path: Path) -> str:
    try:
        zip_contents.READERS.read_value(ListRequest(path=str(path)), ZipListing)
        request = UnpackRequest(path=str(path), encoding="utf-8", first=0, max_photo_bytes=40 << 20)
        said = {READ}
        for part in zip_contents.READERS.read_values(request, ZippedFile | DamagedFile | bytes):
            if isinstance(part, ZippedFile) and part.refusal:
                said = {str(part.refusal)}
            elif isinstance(part, DamagedFile):
                said = {"The file is damaged."}
    except RecognitionError as error:
        return str(error)
    return " ".join(said)


def read_as_registry(path: Path) -> str:
    try:
        request = RegistryRequest(path=str(path))
        parts = list(oneroster_contents.READERS.read_values(request, oneroster_contents.Registry))
    except RecognitionError as error:
        return str(error)
    return " ".join([READ, *{str(problem) for part in parts for problem in part.problems}])


FILES: list[tuple[Iterator[Case], Callable[[Path], str]]] = [
    (photos.cases(), read_as_photo),
    (videos.cases(), read_as_recording),
    (tables.rosters(), read_as_roster),
    (tables.calendars(), read_as_calendar),
    (tables.zips(), read_as_zip),
    (registries.cases(), read_as_registry),
]


@pytest.mark.parametrize(
    ("case", "read"), [pytest.param(case, read, id=case.name) for cases, read in FILES for case in cases]
)
def test_files(
    case: Case, read: Callable[[Path], str], tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    path = tmp_path / "upload"
    path.write_bytes(case.make())
    record_property("rows", [judge(case, lambda: read(path))])


def test_requests(world: World, record_property: Callable[[str, object], None]) -> None:
    client, rows, failed = people(world)["registrar"], [], []
    for case in requests.cases():
        cache.clear()
        with transaction.atomic():
            try:
                rows.append(judge(case, lambda case=case: requests.sentence(case.send(client, world))))  # type: ignore[misc]
            except Exception as error:
                failed.append(f"{case.name}: {error!r}")
            transaction.set_rollback(True)
    record_property("rows", rows)
    assert not failed, "\n".join(failed)
