"""The reader of a zip of OneRoster's CSV files (1EdTech, version 1.2), which runs in the sandbox alone."""

import csv
import io
import zipfile
from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from itertools import islice
from pathlib import Path
from typing import TypeVar

from campus.common.csv_cells import unguard_cell
from campus.common.errors import UserError
from campus.common.visible_text import remove_invisible
from campus.connections.oneroster_contents import (
    MAX_ENTRIES,
    MAX_PROBLEMS,
    STUDENT_ROLES,
    TEACHER_ROLES,
    Registry,
    RegistryClass,
    RegistryEnrolment,
    RegistryPerson,
    RegistryRequest,
    RegistryTerm,
)
from recognition.messages import Message

REQUESTS = RegistryRequest
T = TypeVar("T")

MANIFEST = "manifest.csv"
# The files that are read, with the columns that they have to have.
FILES = {
    "academicSessions": ("sourcedId", "title", "startDate", "endDate"),
    "courses": ("sourcedId", "title", "courseCode"),
    "classes": ("sourcedId", "title", "courseSourcedId", "classCode", "termSourcedIds"),
    "users": ("sourcedId", "username", "identifier", "givenName", "familyName", "email"),
    "enrollments": ("sourcedId", "classSourcedId", "userSourcedId", "role"),
}
OPTIONAL_COLUMNS = ("status", "enabledUser", "location", "beginDate", "endDate")
MAX_FILES = 100
MAX_UNPACKED_BYTES = 512 * 2**20
MAX_CELL_CHARACTERS = 1_000
MAX_LISTED_IDS = 50  # of terms of a class
CHUNK_ENTRIES = 20_000


def answer(request: RegistryRequest) -> Iterator[object]:
    with _open(Path(request.path)) as archive:
        yield from _Reader(archive).read()


def _open(path: Path) -> zipfile.ZipFile:
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise UserError("This is not a zip, or it is damaged. Export it from the registry again.") from error
    infos = archive.infolist()
    if len(infos) > MAX_FILES or sum(info.file_size for info in infos) > MAX_UNPACKED_BYTES:
        raise UserError("The zip holds more than OneRoster's files, or unpacked it is too large. Export fewer terms.")
    return archive


class _Reader:
    def __init__(self, archive: zipfile.ZipFile) -> None:
        self.archive = archive
        self.names = {Path(info.filename).name: info for info in archive.infolist() if not info.is_dir()}
        if MANIFEST not in self.names:
            raise UserError("The zip has no manifest.csv, so it is not a OneRoster export.")
        self.manifest = {
            row.get("propertyName", ""): row.get("value", "") for row in self.rows(MANIFEST, ("propertyName", "value"))
        }
        version = self.manifest.get("oneroster.version", "")
        if not version.startswith("1."):
            raise UserError("This is OneRoster {version}; versions 1.1 and 1.2 are read.", version=version[:20])
        for name in FILES:
            if self.manifest.get(f"file.{name}", "absent") != "bulk":
                raise UserError("“{name}.csv” has to be in the zip, and complete (bulk).", name=name)
        self.problems: list[Message] = []

    def read(self) -> Iterator[Registry]:
        for terms in _chunks(self.read_terms()):
            yield Registry(terms=terms)
        codes = {row["sourcedId"]: (row["courseCode"], row["title"]) for row in self.file("courses")}
        for classes in _chunks(self.read_classes(codes)):
            yield Registry(classes=classes)
        for people in _chunks(map(_person, self.file("users"))):
            yield Registry(people=people)
        for enrolments in _chunks(self.read_enrolments()):
            yield Registry(enrolments=enrolments)
        yield Registry(problems=self.problems)

    def read_terms(self) -> Iterator[RegistryTerm]:
        for row in self.file("academicSessions"):
            first, last = self.day(row, "startDate"), self.last_day(row)
            if first and last:
                yield RegistryTerm(row["sourcedId"], row["title"], first, last)

    def read_classes(self, codes: dict[str, tuple[str, str]]) -> Iterator[RegistryClass]:
        for row in self.file("classes"):
            code, title = codes.get(row["courseSourcedId"], ("", ""))
            yield RegistryClass(
                row["sourcedId"],
                row["classCode"] or code,
                row["title"] or title,
                [term.strip() for term in row["termSourcedIds"].split(",")][:MAX_LISTED_IDS],
                row["location"],
            )

    def read_enrolments(self) -> Iterator[RegistryEnrolment]:
        for row in self.file("enrollments"):
            role = row["role"].lower()
            if role in STUDENT_ROLES | TEACHER_ROLES:
                yield RegistryEnrolment(
                    row["userSourcedId"],
                    row["classSourcedId"],
                    role in STUDENT_ROLES,
                    self.day(row, "beginDate"),
                    self.last_day(row),
                )

    def file(self, name: str) -> Iterator[dict[str, str]]:
        """The rows that are not to be deleted, without those of users who are not enabled."""
        for row in self.rows(f"{name}.csv", FILES[name]):
            if row["status"].lower() != "tobedeleted" and row["enabledUser"].lower() != "false":
                yield row

    def rows(self, name: str, columns: tuple[str, ...]) -> Iterator[dict[str, str]]:
        """The cells of a file in these columns and the optional ones."""
        info = self.names.get(name)
        if info is None:
            raise UserError("“{name}” is not in the zip, although the manifest says so.", name=name)
        try:
            with self.archive.open(info) as packed:
                text = io.TextIOWrapper(packed, encoding="utf-8-sig", newline="")
                reader = csv.reader(text, strict=True)
                headers = next(reader, [])
                if missing := set(columns) - set(headers):
                    raise UserError("“{name}” has no column “{column}”.", name=name, column=min(missing))
                places = {header: n for n, header in enumerate(headers) if header in (*columns, *OPTIONAL_COLUMNS)}
                empty = dict.fromkeys(OPTIONAL_COLUMNS, "")
                for number, row in enumerate(filter(None, reader), start=1):
                    if number > MAX_ENTRIES:
                        raise UserError("“{name}” has more than {n} rows.", name=name, n=MAX_ENTRIES)
                    yield empty | {key: _clean(row[n]) if n < len(row) else "" for key, n in places.items()}
        except (UserError, MemoryError):
            raise
        except UnicodeDecodeError as error:
            raise UserError("“{name}” is not in UTF-8, which OneRoster prescribes.", name=name) from error
        except Exception as error:
            # A damaged zip ends in errors of many classes.
            raise UserError("“{name}” can't be read. Export it from the registry again.", name=name) from error

    def day(self, row: dict[str, str], column: str) -> date | None:
        text = row[column]
        try:
            return date.fromisoformat(text[:10]) if text else None
        except ValueError:
            if len(self.problems) < MAX_PROBLEMS:
                self.problems.append(Message("“{text}” is not a date like 2026-09-30.", text=text[:40]))
            return None

    def last_day(self, row: dict[str, str]) -> date | None:
        """The standard names the day after it."""
        day = self.day(row, "endDate")
        return day - timedelta(days=1) if day and day > date.min else None


def _person(row: dict[str, str]) -> RegistryPerson:
    names = ("sourcedId", "username", "identifier", "email", "givenName", "familyName")
    return RegistryPerson(*(row[name] for name in names))


def _chunks(entries: Iterable[T]) -> Iterator[list[T]]:
    iterator = iter(entries)
    while chunk := list(islice(iterator, CHUNK_ENTRIES)):
        yield chunk


def _clean(text: str) -> str:
    return unguard_cell(remove_invisible(text[:MAX_CELL_CHARACTERS]))
