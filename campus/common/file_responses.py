"""Responses with stored files. The caller has already checked that the user may see them."""

from pathlib import Path

from django.core.exceptions import SuspiciousOperation
from django.core.files.storage import default_storage
from django.http import FileResponse, Http404
from django.utils.translation import gettext as _

WORKBOOK_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
PICTURE_TYPES = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp"}


def picture_response(name: str, *, download_name: str = "") -> FileResponse:
    """A response with a stored picture: inline if browsers can show it, otherwise as an attachment. Raises Http404."""
    try:
        file = default_storage.open(name)
    except (OSError, SuspiciousOperation) as error:
        raise Http404(_("The picture is no longer there.")) from error
    kind = PICTURE_TYPES.get(Path(name).suffix.lower())
    response = FileResponse(
        file,
        as_attachment=kind is None,
        filename=download_name or Path(name).name,
        content_type=kind or "application/octet-stream",
    )
    response["Cache-Control"] = "private, max-age=3600"
    return response
