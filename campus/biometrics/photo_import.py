"""Many enrolment photos at once: a zip or a folder of `<student number or name>/*.jpg`.

Nothing is unpacked to disk under its own name: names only say whose photo it is. What can't be taken is reported, row
by row.
"""

import re
import stat
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple, Protocol

from django.conf import settings
from django.core.files import File

from campus.academics.models import Course, Student
from campus.biometrics.models import FacePhoto
from campus.biometrics.photo_finder import StudentFinder
from campus.biometrics.zip_names import NameEncoding, decode_path, student_folders, unicode_name
from campus.common.errors import UserError
from recognition.media.file_kind import PHOTO_SUFFIXES
from recognition.messages import NO_MESSAGE, Message

JUNK_NAMES = {"thumbs.db", "desktop.ini", "__macosx"}
MAX_FILES = 20_000
MAX_UNPACKED_BYTES = 32 * 1024**3
MAX_DIRECTORY_BYTES = 16 * 1024**2
MAX_COMPRESSION_RATIO = 100
CHUNK_BYTES = 1024 * 1024
UTF8_FLAG = 0x800  # of an entry whose name is in UTF-8

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
        refusal = Message("It is a link.") if path.is_symlink() else refusal_reason(name, path.stat().st_size)
        yield FileEntry(name, refusal, lambda path=path: path.open("rb"))  # type: ignore[misc]


def file_entries(files: Iterable[tuple[PurePosixPath, "File[Any]"]]) -> Iterator[FileEntry]:
    """Files that came one by one, each with the path that it has on the sender's disk."""
    for path, file in files:
        if not is_junk(path):
            yield FileEntry(path, refusal_reason(path, file.size), lambda file=file: nullcontext(file))  # type: ignore[misc]


def zip_entries(file: IO[bytes], encoding: str = NameEncoding.CP437) -> Iterator[FileEntry]:
    """The files of a zip, in natural order. Names whose coding the zip does not say are in `encoding`.

    Raises UserError where the whole zip is refused, before anything is unpacked.
    """
    try:
        # zipfile reads the whole list of files into memory, so its size is looked at first.
        end = zipfile._EndRecData(file)  # type: ignore[attr-defined]
        if end and end[5] > MAX_DIRECTORY_BYTES:
            raise UserError("There are too many files in the zip. Make several zips of at most {n} files.", n=MAX_FILES)
        file.seek(0)
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise UserError("This is no zip, or it is damaged. Make it again and upload it once more.") from error
    with archive:
        infos = sorted(archive.infolist(), key=lambda info: natural_sort_key(info.filename))
        if len(infos) > MAX_FILES:
            raise UserError(
                "There are {infos} files in the zip. Make several zips of at most {n} files.",
                infos=len(infos),
                n=MAX_FILES,
            )
        if sum(info.file_size for info in infos) > MAX_UNPACKED_BYTES:
            raise UserError(
                "Unpacked, the zip would be larger than {n} GB. Make several smaller ones.",
                n=MAX_UNPACKED_BYTES // 1024**3,
            )
        for info in infos:
            name = info.orig_filename
            raw_name = None if info.flag_bits & UTF8_FLAG or name.isascii() else name.encode("cp437")
            if raw_name and (in_unicode := unicode_name(raw_name, info.extra)):
                raw_name, name = None, in_unicode.decode(errors="replace")
            path = decode_path(raw_name, encoding) if raw_name else decode_path(name.encode(), NameEncoding.UTF8)
            if not info.filename.endswith("/") and not is_junk(path):
                yield FileEntry(
                    path,
                    zip_refusal(info, path),
                    lambda info=info: unpack(archive, info),  # type: ignore[misc]
                    raw_name,
                )


def zip_refusal(info: zipfile.ZipInfo, path: PurePosixPath) -> Message:
    if path.is_absolute() or ".." in path.parts or re.match("[A-Za-z]:", str(path)):
        return Message("Its path leads out of the zip.")
    if stat.S_ISLNK(info.external_attr >> 16):
        return Message("It is a link.")
    if info.flag_bits & 1:
        return Message("It is locked with a password.")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return Message("It is packed in an unusual way. Use ordinary zip compression.")
    if info.file_size > CHUNK_BYTES and info.file_size > MAX_COMPRESSION_RATIO * info.compress_size:
        return Message("It is no photo: photos can't be packed that small.")
    return refusal_reason(path, info.file_size)


def unpack(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> IO[bytes]:
    """The file's bytes, seekable and checked against the zip's checksum; never more than the size that the zip
    declares.
    """
    content = tempfile.SpooledTemporaryFile(max_size=8 * CHUNK_BYTES, dir=settings.FILE_UPLOAD_TEMP_DIR)  # noqa: SIM115
    try:
        with archive.open(info) as packed:
            while chunk := packed.read(CHUNK_BYTES):
                content.write(chunk)
    except BaseException as error:
        content.close()
        if isinstance(error, OSError | zipfile.BadZipFile):
            raise
        raise zipfile.BadZipFile("it is damaged") from error
    content.seek(0)
    return content


def refusal_reason(path: PurePosixPath, size: int) -> Message:
    if path.suffix.lower() not in PHOTO_SUFFIXES:
        return Message("It is no photo. Use a usual kind, such as JPEG, PNG, WebP, HEIC or AVIF.")
    if size > settings.MAX_PHOTO_BYTES:
        return Message("It is larger than {n} MB.", n=settings.MAX_PHOTO_BYTES // 1024**2)
    return Message()


def is_junk(path: PurePosixPath) -> bool:
    """What macOS and Windows leave in folders, and hidden files."""
    return any((part.startswith(".") and part != "..") or part.lower() in JUNK_NAMES for part in path.parts)


def natural_sort_key(text: str) -> list[tuple[int, str]]:
    """A sorting key that puts photo 2 before photo 10."""
    parts = re.split(r"(\d+)", text)
    return [(len(part.lstrip("0")), part.lstrip("0")) if part.isdecimal() else (-1, part) for part in parts]
