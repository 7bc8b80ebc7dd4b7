"""Read-only users: every request of theirs that would change something is refused here, for all pages and endpoints."""

from collections.abc import Callable
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.translation import gettext_lazy as _

from campus.accounts.roles import AnyUser, is_auditor

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
# URL names that read-only users may post to: they concern the user's own account, or export what the user may read.
ALLOWED_FOR_READERS = frozenset(
    {
        "login",
        "login-code",
        "logout",
        "password",
        "password-reset",
        "password-reset-confirm",
        "invitation",
        "token-create",
        "token-revoke",
        "two-factor",
        "recovery-codes",
        "confirm-login",
        "saml-consumer",
        "sessions-end",
        "lti-launch",
        "lti-login",
        "set_language",
        "calendar-links",
        "tour-end",
        "tour-start",
        "admin:logout",
        "admin:password_change",
        "api-token",
        "api-me",
        "api-calendarlink-list",
        "api-calendarlink-detail",
        "api-course-register",
    }
)
# What a token that may only read may send: its own end, and what reads although it is a POST.
ALLOWED_FOR_READING_TOKENS = frozenset({"api-token", "api-course-register"})
ROLE_IS_READ_ONLY = _("You may read this, and change nothing: your role is auditor.")
TOKEN_IS_READ_ONLY = _("This token may read, and change nothing. Make one that may write.")


def check_may_write(request: HttpRequest, user: AnyUser, *, read_only: bool = False) -> None:
    """Raise PermissionDenied where a request would change something and its sender may only read."""
    match = request.resolver_match
    name = match.view_name if match else ""
    if request.method in SAFE_METHODS:
        return
    if read_only and name not in ALLOWED_FOR_READING_TOKENS:
        raise PermissionDenied(TOKEN_IS_READ_ONLY)
    if is_auditor(user) and name not in ALLOWED_FOR_READERS:
        raise PermissionDenied(ROLE_IS_READ_ONLY)


class ReadOnlyRoleMiddleware:
    """Checks requests with a session. The API checks again in its views, where tokens are authenticated."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: object, kwargs: object) -> HttpResponse | None:
        if not hasattr(view, "cls"):
            check_may_write(request, request.user)
        return None
