"""The reader of zips of photos, which runs in the sandbox alone.

Nothing is unpacked to disk: names only say whose photo it is. What can't be taken is said, file by file.
"""

import re
import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from campus.biometrics.photo_paths import explain_refusal, is_junk, natural_sort_key
from campus.biometrics.zip_contents import MAX_FILES, DamagedFile, ListRequest, UnpackRequest, ZipListing, ZippedFile
from campus.biometrics.zip_names import MAX_SAMPLED_NAMES, NameEncoding, decode_path, unicode_name
from campus.common.errors import UserError
from recognition.messages import Message

REQUESTS = ListRequest | UnpackRequest

MAX_UNPACKED_BYTES = 32 * 1024**3
MAX_DIRECTORY_BYTES = 16 * 1024**2
MAX_NAME_BYTES = 1_000
MAX_COMPRESSION_RATIO = 100
CHUNK_BYTES = 1024 * 1024
UTF8_FLAG = 0x800  # of an entry whose name is in UTF-8


def answer(request: ListRequest | UnpackRequest) -> Iterator[object]:
    with open_zip(Path(request.path)) as archive:
        match request:
            case ListRequest():
                names = [raw_name for _, _, raw_name in list_files(archive, NameEncoding.CP437)]
                uncertain = sorted({raw_name for raw_name in names if raw_name})
                yield ZipListing(len(names), uncertain[:MAX_SAMPLED_NAMES])
            case UnpackRequest():
                for info, path, raw_name in list_files(archive, request.encoding)[request.first :]:
                    refusal = refuse(info, path) or explain_refusal(path, info.file_size, request.max_photo_bytes)
                    yield ZippedFile(str(path), info.file_size, refusal, raw_name)
                    if not refusal:
                        yield from unpack(archive, info)


def open_zip(path: Path) -> zipfile.ZipFile:
    """Raises UserError where the whole zip is refused, before anything is unpacked."""
    try:
        with path.open("rb") as file:
            # zipfile reads the whole list of files into memory, so its size is looked at first.
            end = zipfile._EndRecData(file)  # type: ignore[attr-defined]
        if end and end[5] > MAX_DIRECTORY_BYTES:
            raise UserError("There are too many files in the zip. Make several zips of at most {n} files.", n=MAX_FILES)
        return zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise UserError("This is not a zip, or it is damaged. Make it again and upload it once more.") from error


def list_files(archive: zipfile.ZipFile, encoding: str) -> list[tuple[zipfile.ZipInfo, PurePosixPath, bytes | None]]:
    """The files in natural order, each with its path, and with its name in bytes where the zip does not say its coding:
    then it is in `encoding`. Raises UserError where they are too many, or too large.
    """
    infos = sorted(archive.infolist(), key=lambda info: natural_sort_key(info.filename))
    if len(infos) > MAX_FILES:
        raise UserError(
            "There are {infos} files in the zip. Make several zips of at most {n} files.", infos=len(infos), n=MAX_FILES
        )
    if sum(info.file_size for info in infos) > MAX_UNPACKED_BYTES:
        raise UserError(
            "Unpacked, the zip would be larger than {n} GB. Make several smaller ones.", n=MAX_UNPACKED_BYTES // 1024**3
        )
    files = []
    for info in infos:
        name = info.orig_filename
        raw_name = None if info.flag_bits & UTF8_FLAG or name.isascii() else name.encode("cp437")[:MAX_NAME_BYTES]
        if raw_name and (in_unicode := unicode_name(raw_name, info.extra)):
            raw_name, name = None, in_unicode.decode(errors="replace")
        encoded = name.encode()[:MAX_NAME_BYTES]
        path = decode_path(raw_name, encoding) if raw_name else decode_path(encoded, NameEncoding.UTF8)
        if not info.filename.endswith("/") and not is_junk(path):
            files.append((info, path, raw_name))
    return files


def refuse(info: zipfile.ZipInfo, path: PurePosixPath) -> Message:
    """Why a file of a zip is not taken; empty where it is."""
    if len(info.orig_filename) >= MAX_NAME_BYTES:
        return Message("Its path is too long.")
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
    return Message()


def unpack(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes | DamagedFile]:
    """The file's bytes, never more than the size that the zip declares, checked against the zip's checksum."""
    try:
        with archive.open(info) as packed:
            while chunk := packed.read(CHUNK_BYTES):
                yield chunk
    except MemoryError:
        raise
    except Exception:
        yield DamagedFile()
