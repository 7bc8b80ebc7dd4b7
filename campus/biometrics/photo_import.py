"""Many enrolment photos at once: a zip or a folder of `<student number or name>/*.jpg`.

Nothing is unpacked to disk under its own name: names only say whose photo it is. What can't be taken is reported, row
by row.
"""

import tempfile
import zipfile
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple, Protocol

from django.conf import settings
from django.core.files import File

from campus.academics.models import Course, Student
from campus.biometrics.models import FacePhoto
from campus.biometrics.photo_finder import StudentFinder
from campus.biometrics.photo_paths import explain_refusal, is_junk, natural_sort_key, student_folders
from campus.biometrics.zip_contents import READERS, DamagedFile, UnpackRequest, ZippedFile
from campus.common.errors import UserError
from recognition.messages import NO_MESSAGE, Message

MAX_BYTES_IN_MEMORY = 8 * 1024**2  # of one file

EMPTY_IMPORT = Message("There is nothing in it. It should hold a folder for each student, with photos in it.")


class AddPhoto(Protocol):
    def __call__(self, *, student: Student, file: "File[Any]", name: str) -> FacePhoto: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedFile:
    """One file: its `path`, the `student` if one was found, and the `photo` that was added, or else the `reason`.

    `is_waiting`: it was kept until a person says whose it is.
    """

    path: str
    student: Student | None = None
    photo: FacePhoto | None = None
    is_waiting: bool = False
    reason: Message = NO_MESSAGE

    @property
    def is_added(self) -> bool:
        return self.photo is not None


@dataclass(slots=True)
class ImportResult:
    rows: list[ImportedFile] = field(default_factory=list)

    @property
    def added(self) -> list[ImportedFile]:
        return [row for row in self.rows if row.is_added]

    @property
    def skipped(self) -> list[ImportedFile]:
        return [row for row in self.rows if not (row.is_added or row.is_waiting)]

    @property
    def waiting(self) -> list[ImportedFile]:
        return [row for row in self.rows if row.is_waiting]


class FileEntry(NamedTuple):
    """A file of a zip or folder: its path, why it can't be added (empty if it can), and how to open it.

    `raw_name` has the path's bytes where their coding is not certain.
    """

    path: PurePosixPath
    refusal: Message
    open: Callable[[], AbstractContextManager[IO[bytes]]]
    raw_name: bytes | None = None


def import_entries(
    entries: Iterable[FileEntry],
    *,
    course: Course | None,
    add: AddPhoto,
    put_aside: Callable[[FileEntry, "File[Any]"], object] | None = None,
) -> Iterator[ImportedFile]:
    """Add each photo to the student whom its folder names; in `course` only, where one is given.

    The others are given to `put_aside`; without it, they are skipped.
    """
    finder = StudentFinder(course)
    for entry in entries:
        match = finder.match(student_folders(entry.path))
        student, path = match.student, str(entry.path)
        try:
            if entry.refusal:
                raise UserError(entry.refusal)
            if student is None and put_aside is None:
                raise UserError(match.reason)
            with entry.open() as content:
                file = File(content, name=entry.path.name)
                if student is None and put_aside:
                    put_aside(entry, file)
                    yield ImportedFile(path=path, reason=match.reason, is_waiting=True)
                elif student:
                    yield ImportedFile(
                        path=path, student=student, photo=add(student=student, file=file, name=entry.path.name)
                    )
        except UserError as error:
            yield ImportedFile(path=path, student=student, reason=error.message)
        except (OSError, zipfile.BadZipFile) as error:
            reason = Message("The file can't be read: {error}.", error=error)
            yield ImportedFile(path=path, student=student, reason=reason)


def import_all(
    entries: Iterable[FileEntry],
    *,
    course: Course | None,
    add: AddPhoto,
    put_aside: Callable[[FileEntry, "File[Any]"], object] | None = None,
) -> ImportResult:
    """Add all of them. Raises UserError where there are none."""
    result = ImportResult(list(import_entries(entries, course=course, add=add, put_aside=put_aside)))
    if not result.rows:
        raise UserError(EMPTY_IMPORT)
    return result


def folder_entries(folder: Path) -> Iterator[FileEntry]:
    """The files under `folder`, in natural order; links are refused, hidden files left out. Raises UserError."""
    if not folder.is_dir():
        raise UserError("{folder} is no folder.", folder=folder)
    for path in sorted(folder.rglob("*"), key=lambda path: natural_sort_key(str(path))):
        name = PurePosixPath(path.relative_to(folder).as_posix())
        if is_junk(name) or (path.is_dir() and not path.is_symlink()):
            continue
        refusal = (
            Message("It is a link.")
            if path.is_symlink()
            else explain_refusal(name, path.stat().st_size, settings.MAX_PHOTO_BYTES)
        )
        yield FileEntry(name, refusal, lambda path=path: path.open("rb"))  # type: ignore[misc]


def file_entries(files: Iterable[tuple[PurePosixPath, "File[Any]"]]) -> Iterator[FileEntry]:
    """Files that came one by one, each with the path that it has on the sender's disk."""
    for path, file in files:
        if not is_junk(path):
            refusal = explain_refusal(path, file.size, settings.MAX_PHOTO_BYTES)
            yield FileEntry(path, refusal, lambda file=file: nullcontext(file))  # type: ignore[misc]


def zip_entries(path: Path, encoding: str, first: int = 0) -> Generator[FileEntry]:
    """The files of a zip, in natural order, from the one with the index `first` on. Names whose coding the zip does not
    say are in `encoding`.

    Raises RecognitionError where the whole zip is refused, before anything is unpacked.
    """
    request = UnpackRequest(path=str(path), encoding=encoding, first=first, max_photo_bytes=settings.MAX_PHOTO_BYTES)
    found: Iterator[ZippedFile | bytes | DamagedFile] = READERS.read_values(request, ZippedFile | bytes | DamagedFile)
    file = next(found, None)
    while isinstance(file, ZippedFile):
        with tempfile.SpooledTemporaryFile(max_size=MAX_BYTES_IN_MEMORY, dir=settings.FILE_UPLOAD_TEMP_DIR) as content:
            is_damaged = False
            while (piece := next(found, None)) is not None and not isinstance(piece, ZippedFile):
                is_damaged = is_damaged or isinstance(piece, DamagedFile) or content.tell() + len(piece) > file.size
                if not is_damaged and isinstance(piece, bytes):
                    content.write(piece)
            content.seek(0)
            opened = partial(_open_unpacked, content, is_damaged)
            yield FileEntry(PurePosixPath(file.path), file.refusal, opened, file.raw_name)
        file = piece


def _open_unpacked(content: IO[bytes], is_damaged: bool) -> AbstractContextManager[IO[bytes]]:
    if is_damaged:
        raise zipfile.BadZipFile("it is damaged")
    return nullcontext(content)
