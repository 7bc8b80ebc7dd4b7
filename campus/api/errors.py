"""A sentence for people becomes an answer: {"detail": sentence}."""

from typing import Any

from rest_framework.response import Response
from rest_framework.views import exception_handler

from campus.errors import DISK_FULL, UserError, disk_full
from campus.uploads import NoRoom, TooLarge


def say_why(error: Exception, context: dict[str, Any]) -> Response | None:
    """What a service refuses is 400; a body too long 413; a full disk 507; the rest as Django REST framework has it."""
    match error:
        case TooLarge():
            return Response({"detail": str(error)}, status=413)
        case NoRoom():
            return Response({"detail": str(error)}, status=507)
        case UserError():
            return Response({"detail": str(error)}, status=400)
        case OSError() if disk_full(error):
            return Response({"detail": DISK_FULL}, status=507)
    return exception_handler(error, context)
