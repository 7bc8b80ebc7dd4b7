"""Limits on uploads: the size of a file and the free disk space. Both can be checked before the body is read."""

import shutil
from pathlib import Path
from typing import Final

from django.conf import settings
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat

from campus.common.errors import DISK_FULL, UserError

# The most that other fields and boundaries add to the file in a multipart body.
MAX_FORM_BYTES: Final = 1024 * 1024
# Disk space that uploads leave free for the database and the results.
RESERVED_DISK_BYTES: Final = 256 * 1024 * 1024


class UploadTooLarge(UserError):
    """The upload is larger than a recording may be."""


class DiskFull(UserError):
    """The upload does not fit on the disk."""


def check_upload_size(size: int, folder: str | Path, *, coming: int | None = None, reserved: int = 0) -> None:
    """Check that a file of `size` bytes may be uploaded and fits on the disk of `folder`.

    `coming` bytes of it still have to be written (default: all); `reserved` bytes are promised to other uploads. Raises
    UploadTooLarge or DiskFull.
    """
    limit: int = settings.MAX_RECORDING_BYTES
    if size > limit:
        raise UploadTooLarge(
            "The file is larger than the {limit} that a recording may have. "
            "Split it, or export it with a lower quality, and upload that.",
            limit=filesizeformat(limit),
        )
    bytes_to_write = size if coming is None else coming
    if bytes_to_write + reserved + RESERVED_DISK_BYTES > shutil.disk_usage(folder).free:
        raise DiskFull(DISK_FULL)


def check_announced_size(request: HttpRequest) -> None:
    """Check the Content-Length of a request whose body is not read yet. Raises UploadTooLarge or DiskFull."""
    announced = int(request.META.get("CONTENT_LENGTH") or 0)
    check_upload_size(max(0, announced - MAX_FORM_BYTES), settings.FILE_UPLOAD_TEMP_DIR)


def discard_partial_upload(request: HttpRequest) -> None:
    """Delete the temporary files of a body that broke off, which would otherwise stay until garbage collection."""
    for handler in request.upload_handlers:
        handler.upload_interrupted()
