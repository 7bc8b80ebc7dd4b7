"""Errors as problem details (RFC 9457): a sentence in `detail`, and for invalid input one for a field in `errors`."""

import logging
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.core.exceptions import ValidationError as InvalidRow
from django.db import InterfaceError, OperationalError
from django.http import Http404
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework import exceptions, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView, set_rollback

from campus.academics.file_imports import StillReading
from campus.attendance.roll import MarkedByHand
from campus.common.errors import DATABASE_AWAY, DATABASE_RETRY_SECONDS, DISK_FULL, UserError, disk_full
from campus.common.upload_limits import DiskFull, UploadTooLarge

log = logging.getLogger(__name__)

PROBLEM_TYPE = "application/problem+json"
PHRASES = {status.value: status.phrase for status in HTTPStatus}


class PreconditionFailed(exceptions.APIException):
    status_code = status.HTTP_412_PRECONDITION_FAILED
    default_detail = gettext_lazy("It was changed since you read it. Read it again, then decide anew.")


class IdempotencyKeyReused(exceptions.APIException):
    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY
    default_detail = gettext_lazy(
        "This Idempotency-Key came with another request before. Take a new key for a new request."
    )


def problem(
    code: int,
    detail: str,
    errors: list[dict[str, str]] | None = None,
    headers: dict[str, str] | None = None,
    members: dict[str, int] | None = None,
) -> Response:
    body: dict[str, Any] = {"type": "about:blank", "title": PHRASES.get(code, detail), "status": code, "detail": detail}
    body |= members or {}
    if errors:
        body["errors"] = errors
    return Response(
        body, status=code, headers={"Cache-Control": "no-store"} | (headers or {}), content_type=PROBLEM_TYPE
    )


def exception_handler(error: Exception, context: dict[str, Any]) -> Response:
    """What a service refuses is 400, a body that is too large 413, a full disk 507, a database that cannot be used 503.
    Anything unexpected is logged, and is 500 without details.
    """
    set_rollback()
    match error:
        case UploadTooLarge():
            return problem(413, str(error))
        case RequestDataTooBig():
            n = settings.DATA_UPLOAD_MAX_MEMORY_SIZE // 1024**2
            return problem(413, _("The request is larger than %(n)d MB. Send several smaller ones.") % {"n": n})
        case SuspiciousOperation():
            return problem(
                400, _("The request has too many fields or files, or a part that no program sends. Send less.")
            )
        case DiskFull():
            return problem(507, str(error))
        case MarkedByHand():
            return problem(409, str(error), members={"marked": error.count})
        case StillReading():
            return problem(409, str(error), headers={"Retry-After": "1"})
        case UserError():
            return problem(400, str(error))
        case OSError() if disk_full(error):
            return problem(507, str(DISK_FULL))
        case OperationalError() | InterfaceError():
            log.warning("%s %s: %r", context["request"].method, context["request"].path, error)
            return problem(503, str(DATABASE_AWAY), headers={"Retry-After": str(DATABASE_RETRY_SECONDS)})
        case Http404():
            return problem(404, _("There is no such thing, or it is not yours to see."))
        case PermissionDenied():
            return problem(403, str(error) or _("You may not do this. Ask a registrar."))
        case InvalidRow():
            return invalid(error.message_dict if hasattr(error, "error_dict") else error.messages)
        case exceptions.ValidationError():
            return invalid(error.detail)
        case exceptions.APIException():
            return problem(error.status_code, _sentence(error), headers=_headers(error))
    log.exception("%s %s broke", context["request"].method, context["request"].path, exc_info=error)
    return problem(
        500, _("Something broke on the server. The administrator finds the reason in its log; try again later.")
    )


def invalid(detail: Any) -> Response:
    errors = [{"pointer": pointer, "detail": sentence} for pointer, sentence in _flat(detail, "#")]
    # A sentence that several fields share is said once.
    return problem(400, " ".join(dict.fromkeys(error["detail"] for error in errors)), errors)


def _flat(detail: Any, pointer: str) -> Iterator[tuple[str, str]]:
    """DRF's nested lists and dicts of sentences as (JSON pointer, sentence)."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            whole = name in ("non_field_errors", "__all__")
            yield from _flat(
                inner, pointer if whole else f"{pointer}/{str(name).replace('~', '~0').replace('/', '~1')}"
            )
    elif isinstance(detail, list | tuple):
        for index, inner in enumerate(detail):
            yield from _flat(inner, pointer if isinstance(inner, str) else f"{pointer}/{index}")
    else:
        yield pointer, str(detail)


def _sentence(error: exceptions.APIException) -> str:
    return " ".join(sentence for _pointer, sentence in _flat(error.detail, "#"))


def _headers(error: exceptions.APIException) -> dict[str, str]:
    """The headers that Django REST framework sets: how to authenticate, and when to try again."""
    headers = {}
    if scheme := getattr(error, "auth_header", ""):
        headers["WWW-Authenticate"] = scheme
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(int(wait))
    return headers


class NotFoundView(APIView):
    """Any other address under the API."""

    authentication_classes = ()
    permission_classes = ()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise exceptions.NotFound(_("The API has no such address. /api/v1/docs/ lists them all."))
