"""Where files lie: media (recordings, photos, crops, galleries, tracks) and reports. All code reaches them through this
module.

Rows keep names relative to the media or the reports folder, never paths.
"""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

from recognition.files import atomic_write


def media_path(*parts: str | os.PathLike[str]) -> Path:
    """The path of a media file or folder, given by its stored name or by the parts of it."""
    return Path(settings.MEDIA_ROOT, *parts)


def media_name(path: Path) -> str:
    """The name to store for a path from `media_path`."""
    return path.relative_to(settings.MEDIA_ROOT).as_posix()


def media_files(folder: str, pattern: str = "*") -> Iterator[Path]:
    """The entries of a media folder that match the pattern; none where there is no such folder."""
    return media_path(folder).glob(pattern)


def write_media(name: str, content: bytes) -> None:
    """Write a media file as a whole, in place of an earlier one. Raises OSError when the disk is full."""
    with atomic_write(media_path(name)) as temporary:
        temporary.write_bytes(content)


def delete_media(name: str) -> None:
    """Delete a media file; it is no error where it is gone already."""
    media_path(name).unlink(missing_ok=True)


def delete_media_folder(*parts: str | os.PathLike[str]) -> None:
    """Delete a media folder with all that is in it; it is no error where it is gone already."""
    shutil.rmtree(media_path(*parts), ignore_errors=True)


def report_path(*parts: str | os.PathLike[str]) -> Path:
    """The path of a workbook in the reports folder."""
    return Path(settings.REPORTS_DIR, *parts)
