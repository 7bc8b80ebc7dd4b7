"""How large the body of a request may be, by its address. A larger one is refused before it is read.

deploy/nginx.conf says the same for those who come through it (tests/deploy/test_nginx.py compares the two).
"""

from collections.abc import Callable
from typing import Any, Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _

from campus.common.errors import UserError
from campus.common.upload_limits import MAX_FORM_BYTES, DiskFull, check_announced_size

LOGIN_BYTES: Final = 64 * 1024
DOCUMENT_BYTES: Final = 12 * 1024**2  # a table, a calendar or an excuse's document, with the rest of its form

# What people send who are not logged in.
LOGINS = frozenset(
    {
        "bbb-message",
        "login",
        "login-code",
        "logout",
        "password-reset",
        "password-reset-confirm",
        "invitation",
        "lti-launch",
        "lti-login",
        "my-link",
        "message-choice",
        "set_language",
        "zoom-message",
        "admin:login",
        "admin:logout",
        "api-token",
    }
)
DOCUMENTS = frozenset(
    {
        "student-excuse",
        "course-excuse",
        "course-roster",
        "lecture-excuse",
        "api-excuse-list",
        "admin:academics_student_import",
        "admin:academics_lecture_calendar_import",
        "api-course-roster",
        "api-lecture-calendar",
    }
)
# Recordings, zips of photos, and photos, of which one form may send many.
UPLOADS = frozenset(
    {
        "upload",
        "api-recording-list",
        "api-upload",
        "api-photo-list",
        "api-photoimport-list",
        "admin:academics_student_photos",
        "admin:biometrics_facephoto_zip",
        "course-photo-zip",
        "connection-zip",
    }
)
# What workers store that share no disk with this machine. Its space is checked once their token is.
STORED_FILES = frozenset({"stored-file", "stored-files"})
# The photos of a student, who has a link and no login.
OWN_PHOTOS = frozenset({"my-data"})


def find_body_limit(view_name: str) -> int:
    """The largest body of a request to this view, in bytes."""
    if view_name in UPLOADS | STORED_FILES:
        return int(settings.MAX_RECORDING_BYTES) + MAX_FORM_BYTES
    if view_name in OWN_PHOTOS:
        return int(settings.MAX_PHOTO_BYTES) + MAX_FORM_BYTES
    if view_name in DOCUMENTS:
        return DOCUMENT_BYTES
    return LOGIN_BYTES if view_name in LOGINS else int(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)


class BodyLimitMiddleware:
    """Refuses bodies that are too large for their address, or do not say how large they are."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: object, kwargs: object) -> HttpResponse | None:
        if "Transfer-Encoding" in request.headers:
            return _refuse(request, 411, _("Say how many bytes are coming: Content-Length is missing."))
        size = int(request.META.get("CONTENT_LENGTH") or 0)
        # Views without a CSRF token, the API's among them, know who asks before they read; for the others, Django reads
        # the body to find the token.
        if size > LOGIN_BYTES and not getattr(view, "csrf_exempt", False) and not request.user.is_authenticated:
            return _refuse(request, 413, _("Log in before you send this much."))
        name = request.resolver_match.view_name if request.resolver_match else ""
        try:
            if name in UPLOADS | OWN_PHOTOS:
                check_announced_size(request)
        except UserError as error:
            return _refuse(request, 507 if isinstance(error, DiskFull) else 413, str(error))
        if size > (limit := find_body_limit(name)):
            sentence = _("This is larger than the %(limit)s that may be sent here. Send less at once.")
            return _refuse(request, 413, sentence % {"limit": filesizeformat(limit)})
        return None


def _refuse(request: HttpRequest, status: int, sentence: str) -> HttpResponse:
    if request.path.startswith("/api/") or request.get_preferred_type(["text/html", "application/json"]) != "text/html":
        problem = {"type": "about:blank", "status": status, "detail": sentence}
        return JsonResponse(problem, status=status, content_type="application/problem+json")
    return render(request, "413.html", {"sentence": sentence}, status=status)
