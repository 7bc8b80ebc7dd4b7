"""Files that leave the house. Whoever calls has asked the selector first."""

from pathlib import Path

from django.conf import settings
from django.http import FileResponse, Http404
from django.utils.translation import gettext as _

from campus.attendance.models import Report
from campus.attendance.reports import refresh_report
from campus.common.errors import DISK_FULL, UserError, disk_full
from campus.common.file_responses import WORKBOOK_TYPE


def workbook_response(report: Report) -> FileResponse:
    """The workbook, up to date, as an attachment. Raises UserError when the disk is full, Http404 for a name outside Reports/."""
    try:
        report = refresh_report(report=report)
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
