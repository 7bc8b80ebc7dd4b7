"""A worker reads the rosters and calendars that people upload, and nothing of them stays longer than it has to."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone, translation

from campus.academics import file_imports
from campus.academics.file_contents import TableFormat
from campus.academics.file_imports import create_roster_import, read_again, table_of
from campus.academics.models import FileImport
from tests.campus import factories
from tests.campus.file_imports import read_uploads
from workers.maintenance import clean_up

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def no_broker(settings: Any) -> None:
    settings.BROKER_URL = "memory://"


def upload(content: bytes, **fields: Any) -> FileImport:
    user = fields.pop("user", None) or factories.registrar()
    return create_roster_import(
        file=SimpleUploadedFile("roster.csv", content), name="../roster.csv", course=None, user=user, **fields
    )


def read(row: FileImport) -> FileImport:
    read_uploads()
    row.refresh_from_db()
    return row


def test_a_roster_is_read_and_read_again_in_another_format() -> None:
    row = read(upload(b"number;name\n1;Ann\n"))
    assert (row.state, row.original_name, table_of(row).rows) == ("ready", "roster.csv", [["1", "Ann"]])
    read_again(row=row, table_format=TableFormat(header_row=0))
    assert table_of(read(row)).rows == [["number", "name"], ["1", "Ann"]]
    read_again(row=row, table_format=TableFormat(header_row=30))
    assert "no rows" in str(read(row).error)
    assert len(table_of(row).rows) == 2, "the last reading that went well is kept"


def test_what_is_wrong_is_said_in_the_language_of_whoever_reads_it() -> None:
    row = read(upload(b"%PDF-1.7"))
    assert (row.state, row.attempts) == ("failed", 1)
    assert str(row.error) == "This is a PDF file. Save the roster as .xlsx or CSV."
    with translation.override("de"):
        assert str(row.error) != "This is a PDF file. Save the roster as .xlsx or CSV."


def test_a_file_that_is_gone_is_a_sentence() -> None:
    row = upload(b"number\n1\n")
    Path(row.file.path).unlink()
    for _ in range(3):
        read(row)
    assert (row.state, "Upload it again" in str(row.error)) == ("failed", True)


def test_imports_go_after_a_day_and_the_oldest_before(monkeypatch: pytest.MonkeyPatch) -> None:
    user = factories.registrar()
    monkeypatch.setattr(file_imports, "MAX_IMPORTS_PER_USER", 2)
    rows = [upload(b"number\n1\n", user=user) for _ in range(3)]
    assert [Path(row.file.path).exists() for row in rows] == [False, True, True]
    FileImport.objects.filter(pk=rows[1].pk).update(created_at=timezone.now() - timedelta(days=1, minutes=1))
    clean_up()
    assert [Path(row.file.path).exists() for row in rows] == [False, False, True]
    assert FileImport.objects.count() == 1
