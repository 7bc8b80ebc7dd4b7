"""Uploads of rosters and calendars, and the part of the worker that reads them."""

from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from rest_framework.test import APIClient

from campus.academics.models import FileImport
from campus.common import jobs
from workers.file_imports import read_file
from workers.leased_task import run_attempt


def read_uploads() -> None:
    for row in FileImport.objects.filter(state=FileImport.State.QUEUED):
        run_attempt(jobs.READ_FILE, read_file, jobs.READ_FILE.claim(row.pk, owner="worker"))


def send_file(client: APIClient, url: str, content: bytes, **fields: Any) -> Any:
    """Upload a file, and have it read."""
    response = client.post(url, {"file": SimpleUploadedFile("upload", content), **fields}, format="multipart")
    read_uploads()
    return response
