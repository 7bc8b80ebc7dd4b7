"""What an upload may be refused for, also before a single byte of it is read."""

import shutil
from pathlib import Path
from typing import Final

from django.conf import settings
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat

from campus.common.errors import DISK_FULL, UserError

# What the other fields and the boundaries of a multipart body may add to the file.
MAX_FORM_BYTES: Final = 1024 * 1024
# What must stay free on the disk, for the database and the results.
RESERVED_DISK_BYTES: Final = 256 * 1024 * 1024


class UploadTooLarge(UserError):
    """The body is longer than any recording may be."""


class DiskFull(UserError):
    """The disk can't take the body."""


def check_upload_size(size: int, folder: str | Path, *, coming: int | None = None, reserved: int = 0) -> None:
    """Whether a file of so many bytes may come, `coming` of which are not on the folder's disk yet, `reserved` promised
    to others.

    Raises TooLarge or NoRoom, whose message is the sentence for people.
    """
    limit: int = settings.MAX_RECORDING_BYTES
    if size > limit:
        raise UploadTooLarge(
            "The file is larger than the {limit} that a recording may have. "
            "Split it, or export it with a lower quality, and upload that.",
            limit=filesizeformat(limit),
        )
    if (size if coming is None else coming) + reserved + RESERVED_DISK_BYTES > shutil.disk_usage(folder).free:
        raise DiskFull(DISK_FULL)


def check_announced_size(request: HttpRequest) -> None:
    """Look at Content-Length only. Raises TooLarge or NoRoom."""
    announced = int(request.META.get("CONTENT_LENGTH") or 0)
    check_upload_size(max(0, announced - MAX_FORM_BYTES), settings.FILE_UPLOAD_TEMP_DIR)


def discard_partial_upload(request: HttpRequest) -> None:
    """Delete what is left of a body that broke off.

    Otherwise it would stay on the disk until the memory is tidied up.
    """
    for handler in request.upload_handlers:
        handler.upload_interrupted()
