"""What can be refused before a single byte of an upload is read."""

import shutil
from typing import Final

from django.conf import settings
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat

from campus.errors import DISK_FULL, UserError

# What the other fields and the boundaries of a multipart body may add to the file.
FORM_BYTES: Final = 1024 * 1024
# What must stay free on the disk, for the database and the results.
SPARE_BYTES: Final = 256 * 1024 * 1024


class TooLarge(UserError):
    """The body is longer than any recording may be."""


class NoRoom(UserError):
    """The disk can't take the body."""


def check_announced_size(request: HttpRequest) -> None:
    """Look at Content-Length only. Raises TooLarge or NoRoom, whose message is the sentence for people."""
    announced = int(request.META.get("CONTENT_LENGTH") or 0)
    limit: int = settings.MAX_RECORDING_BYTES
    if announced > limit + FORM_BYTES:
        raise TooLarge(
            f"The file is larger than the {filesizeformat(limit)} that a recording may have. "
            "Split it, or export it with a lower quality, and upload that."
        )
    if announced + SPARE_BYTES > shutil.disk_usage(settings.FILE_UPLOAD_TEMP_DIR).free:
        raise NoRoom(DISK_FULL)


def drop_partial(request: HttpRequest) -> None:
    """Delete what is left of a body that broke off; otherwise it would stay on the disk until the memory is tidied up."""
    for handler in request.upload_handlers:
        handler.upload_interrupted()
