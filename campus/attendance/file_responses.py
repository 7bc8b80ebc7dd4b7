"""Workbooks as answers to a request. The caller has checked that the user may see them."""

from django.core.exceptions import SuspiciousOperation
from django.http import FileResponse, Http404
from django.utils import timezone
from django.utils.translation import gettext as _

from campus.attendance.file_names import download_name
from campus.attendance.models import Report
from campus.attendance.reports import refresh_report
from campus.common.errors import explain_full_disk
from campus.common.file_responses import WORKBOOK_TYPE
from campus.common.storage import reports


def workbook_response(report: Report) -> FileResponse:
    """The workbook, up to date, as an attachment.

    Raises UserError when the disk is full, Http404 for a name outside Reports/.
    """
    with explain_full_disk():
        report = refresh_report(report=report)
    try:
        file = reports().open(report.file_name)
    except (OSError, SuspiciousOperation) as error:
        raise Http404(_("The workbook is missing. Take attendance again to have it written.")) from error
    lecture = report.lecture
    name = (
        download_name(report.course.code, "attendance", lecture.starts_at, ".xlsx")
        if lecture
        else download_name(report.course.code, "register", timezone.localdate(), ".xlsx")
    )
    response = FileResponse(file, as_attachment=True, filename=name, content_type=WORKBOOK_TYPE)
    response["Cache-Control"] = "private, no-cache"
    return response
