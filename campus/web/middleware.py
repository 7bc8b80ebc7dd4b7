"""The id of a request, and the headers that tell a browser what a page may do, besides those of Django itself.

Scripts and styles are our own files, nothing is written into the page, and no other site may embed it or what it shows.
"""

import uuid
from collections.abc import Callable
from http import HTTPStatus
from typing import TYPE_CHECKING

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from campus.common.json_logs import METHODS
from campus.common.log_context import add_log_context
from campus.common.tracing import mark_failed, trace_span

if TYPE_CHECKING:
    from opentelemetry.trace import Span

STRICT = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "media-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# Alpine.js, which the admin's theme is written with, compiles the expressions in its templates and sets styles. Nothing
# from outside is in such an expression (tests/campus/web/test_hostile_text.py). A script in the page does not run.
ADMIN = STRICT.replace("script-src 'self'", "script-src 'self' 'unsafe-eval'").replace(
    "style-src 'self'", "style-src 'self' 'unsafe-inline'"
)
# Swagger UI styles its own elements.
API_DOCS = STRICT.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
# For pictures, videos, documents and data: opened by themselves, they have no origin and run nothing.
FILE = f"{STRICT}; sandbox"
# A worker obeys the policy of its own file, not that of the page. The one that hashes uploads compiles WebAssembly.
HASH_WORKER = STRICT.replace("script-src 'self'", "script-src 'self' 'wasm-unsafe-eval'")
HASH_WORKER_PATH = "web/file_hash_worker."  # a stored static file's name has a hash after it
# The camera takes enrolment photos.
PERMISSIONS = "camera=(self), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"


def name_request(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware: each request has an id, which its lines in the log, its span and its response have."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        request_id = uuid.uuid4().hex
        with add_log_context(request=request_id), trace_span("request", request=request_id) as span:
            response = get_response(request)
            if span:
                _describe_request(span, request, response)
        response.headers["X-Request-ID"] = request_id
        return response

    return middleware


def _describe_request(span: "Span", request: HttpRequest, response: HttpResponseBase) -> None:
    """By its route, which has no values in it."""
    match = request.resolver_match
    method = request.method if request.method in METHODS else "other"
    span.update_name(f"{method} {match.view_name if match else 'none'}")
    span.set_attribute("http.request.method", method)
    span.set_attribute("http.route", match.route if match else "")
    span.set_attribute("http.response.status_code", response.status_code)
    if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        mark_failed(str(response.status_code))


def set_security_headers(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        match = request.resolver_match
        if request.path.startswith(settings.STATIC_URL + HASH_WORKER_PATH):
            policy = HASH_WORKER
        elif not response.headers.get("Content-Type", "").startswith("text/html"):
            policy = FILE
        elif match is not None and match.app_name == "admin":
            policy = ADMIN
        elif match is not None and match.url_name == "api-docs":
            policy = API_DOCS
        else:
            policy = STRICT
        response.headers.setdefault("Content-Security-Policy", policy)
        response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
        response.headers["Permissions-Policy"] = PERMISSIONS
        return response

    return middleware
