"""Reads uploaded rosters and calendars."""

from campus.academics.file_imports import process_file_import
from campus.academics.models import FileImport
from campus.common import jobs
from workers.leased_task import leased_task


@leased_task(jobs.READ_FILE)
def read_file(row: FileImport) -> None:
    process_file_import(row=row)
