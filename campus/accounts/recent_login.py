"""Changes of accounts and exports want a recent login: a session that somebody left open or stole is not enough."""

import time
from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from campus.accounts.access import SAFE_METHODS

CONFIRMED_KEY = "confirmed-at"
RECENT_SECONDS = 10 * 60
SENDING_SECONDS = 5 * 60  # so long after that a form can be sent which was opened in time

FORMS = frozenset({"password", "two-factor", "recovery-codes", "admin:password_change"})
EXPORTS = frozenset(
    {
        "register-file",
        "lecture-file",
        "report",
        "student-data",
        "attendance-export-file",
        "audit-log-file",
        "admin:academics_course_register",
        "admin:academics_student_export",
        "admin:attendance_report_download",
        "api-attendance-export",
        "api-course-export",
        "api-course-register",
        "api-course-roster-file",
        "api-lecture-export",
        "api-report-download",
    }
)
# Only what changes something.
CHANGES = frozenset(
    {
        "token-create",
        "calendar-links",
        "api-calendarlink-list",
        "api-calendarlink-detail",
        "api-webhook-list",
        "api-webhook-detail",
        "api-webhook-secret",
        "api-webhook-replay",
        "student-erase",
        "course-erase",
        "api-student-erase",
        "api-course-erase",
    }
)
# Accounts and roles, and where data is sent: all but the lists.
ADMIN_PAGES = ("admin:auth_", "admin:identity_", "admin:outbox_webhook_", "admin:outbox_messagesettings_")
ADMIN_LISTS = ("_changelist", "_history")


def confirm_login(request: HttpRequest) -> None:
    """Note that whoever sends this request has just given the password, and the code where there is one."""
    request.session[CONFIRMED_KEY] = time.time()


def must_confirm_login(request: HttpRequest) -> bool:
    """Whether the request, with a session, wants a login more recent than its own."""
    name = request.resolver_match.view_name if request.resolver_match else ""
    reads = request.method in SAFE_METHODS
    wants = (
        name in FORMS | EXPORTS
        or (name in CHANGES and not reads)
        or (name.startswith(ADMIN_PAGES) and not (reads and name.endswith(ADMIN_LISTS)))
    )
    age = time.time() - request.session.get(CONFIRMED_KEY, 0)
    return wants and age > RECENT_SECONDS + (0 if reads else SENDING_SECONDS)


class RecentLoginMiddleware:
    """Asks for the password first. The API does so in its authentication by session."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: object, kwargs: object) -> HttpResponse | None:
        if hasattr(view, "cls") or not request.user.is_authenticated or not must_confirm_login(request):
            return None
        reads, in_dialog = request.method in SAFE_METHODS, "HX-Request" in request.headers
        back = request.get_full_path() if reads and not in_dialog else request.headers.get("Referer", "")
        if not url_has_allowed_host_and_scheme(back, {request.get_host()}):
            back = reverse("account")
        if not reads:
            messages.warning(request, _("Nothing is changed yet. Enter your password, then send the form again."))
        where = reverse("confirm-login", query={"next": back})
        return HttpResponse(headers={"HX-Redirect": where}) if in_dialog else HttpResponseRedirect(where)
