"""Who saw, changed, exported, trained or erased what, for auditors and administrators."""

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from campus.attendance.file_names import download_name
from campus.audit.selectors import can_read_log, entries_for
from campus.web.audit_log import AuditLogForm, build_lines, write_entries
from campus.web.views import StaffRequest

ENTRIES_PER_PAGE = 50


def may_read_log(request: HttpRequest) -> bool:
    """Whether the page is in the menu."""
    return can_read_log(request.user)


@require_safe
@login_required
def audit_log(request: StaffRequest) -> HttpResponse:
    if not can_read_log(request.user):
        raise PermissionDenied
    form = AuditLogForm(request.GET)
    page = Paginator(form.filter(entries_for(request.user)), ENTRIES_PER_PAGE).get_page(request.GET.get("page"))
    asked = request.GET.copy()
    asked.pop("page", None)
    context = {"form": form, "page": page, "lines": build_lines(page), "asked": asked.urlencode()}
    return render(request, "web/audit_log.html", context, status=400 if form.errors else 200)


@require_safe
@login_required
def audit_log_file(request: StaffRequest) -> HttpResponseBase:
    """The entries that were asked for, as CSV."""
    if not can_read_log(request.user):
        raise PermissionDenied
    form = AuditLogForm(request.GET)
    if form.errors:
        return audit_log(request)
    name = download_name("", "audit-log", timezone.localdate(), ".csv")
    return StreamingHttpResponse(
        write_entries(form.filter(entries_for(request.user))),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private, no-cache"},
    )
