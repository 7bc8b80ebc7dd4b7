"""Files that leave the house. Whoever calls has asked the selector first."""

from pathlib import Path

from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.core.files.storage import default_storage
from django.http import FileResponse, Http404
from django.utils.translation import gettext as _

from campus.attendance.models import Report
from campus.attendance.services import report_current
from campus.common.errors import DISK_FULL, UserError, disk_full

WORKBOOK_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
PICTURE_TYPES = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png", ".webp": "image/webp"}


def workbook_response(report: Report) -> FileResponse:
    """The workbook, up to date, as an attachment. Raises UserError when the disk is full, Http404 for a name outside Reports/."""
    try:
        report = report_current(report=report)
    except OSError as error:
        if disk_full(error):
            raise UserError(DISK_FULL) from error
        raise
    folder = Path(settings.REPORTS_DIR).resolve()
    path = (folder / report.file_name).resolve()
    if folder not in path.parents or not path.is_file():
        raise Http404(_("The workbook is no longer there. Take attendance again to have it written anew."))
    response = FileResponse(path.open("rb"), as_attachment=True, filename=path.name, content_type=WORKBOOK_TYPE)
    response["Cache-Control"] = "private, no-cache"
    return response


def picture_response(name: str, *, download_name: str = "") -> FileResponse:
    """A stored picture, shown in the page where a browser can show it and else an attachment. Raises Http404."""
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
