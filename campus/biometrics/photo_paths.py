"""The paths of photos in folders and zips: their order, and which can be photos at all."""

import re
from pathlib import PurePosixPath

from recognition.media.file_kind import PHOTO_SUFFIXES
from recognition.messages import NO_MESSAGE, Message

JUNK_NAMES = {"thumbs.db", "desktop.ini", "__macosx"}


def student_folders(path: PurePosixPath) -> tuple[str, ...]:
    """The names that may say whose photo it is: the folders, or that of the file if it lies in none."""
    return path.parts[:-1] or (path.stem,)


def explain_refusal(path: PurePosixPath, size: int, max_bytes: int) -> Message:
    """Why a file of `size` bytes can't be a photo of `max_bytes` at most; empty where it can."""
    if path.suffix.lower() not in PHOTO_SUFFIXES:
        return Message("It is no photo. Use a usual kind, such as JPEG, PNG, WebP, HEIC or AVIF.")
    if size > max_bytes:
        return Message("It is larger than {n} MB.", n=max_bytes // 1024**2)
    return NO_MESSAGE


def is_junk(path: PurePosixPath) -> bool:
    """What macOS and Windows leave in folders, and hidden files."""
    return any((part.startswith(".") and part != "..") or part.lower() in JUNK_NAMES for part in path.parts)


def natural_sort_key(text: str) -> list[tuple[int, str]]:
    """A sorting key that puts photo 2 before photo 10."""
    parts = re.split(r"(\d+)", text)
    return [(len(part.lstrip("0")), part.lstrip("0")) if part.isdecimal() else (-1, part) for part in parts]
