"""Rosters as files, and what importing them does."""

from collections.abc import Sequence
from io import BytesIO
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from openpyxl import Workbook

from campus.academics import roster_files as roster
from campus.academics.models import Course
from campus.academics.roster_columns import guess_columns
from campus.academics.roster_import import import_roster
from campus.academics.roster_plan import RosterPlan, plan_roster
from tests.campus.file_imports import read_uploads

HEADER = "number,name,email,guardian_phone,class,from,to\n"
IMPORT = "/admin/academics/student/import/"


def upload(client: Client, content: bytes, **fields: Any) -> str:
    """Returns the address of the preview; the file is read."""
    address = client.post(IMPORT, {"file": SimpleUploadedFile("roster", content), **fields})["Location"]
    read_uploads()
    return address


def preview(client: Client, content: bytes, **fields: Any) -> tuple[str, RosterPlan]:
    """Returns the preview's address and what it says."""
    address = upload(client, content, **fields)
    return address, client.get(address).context["plan"]


def read_otherwise(client: Client, address: str, **chosen: object) -> Any:
    """The preview of the file in another format."""
    assert client.post(address, {"format": "", **chosen})["Location"] == address
    read_uploads()
    return client.get(address)


def confirm(client: Client, address: str, **fields: str) -> None:
    assert client.post(address, fields)["Location"] == "/admin/academics/student/"


def plan_of(content: bytes, course: Course | None = None, **decisions: Any) -> RosterPlan:
    table = roster.read_table(content)
    return plan_roster(table, guess_columns(table.headers), course, **decisions)


def do_import(content: bytes, course: Course | None = None, **decisions: Any) -> list[int]:
    """How many were new, changed, and as they were."""
    table = roster.read_table(content)
    plan = import_roster(table=table, columns=guess_columns(table.headers), course=course, **decisions)
    return [len(plan.new), len(plan.changed), plan.unchanged]


def workbook(*rows: Sequence[object]) -> bytes:
    book, content = Workbook(), BytesIO()
    for row in rows:
        book.active.append(row)
    book.save(content)
    return content.getvalue()
