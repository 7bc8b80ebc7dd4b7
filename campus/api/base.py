"""What all endpoints share: ETags and idempotency.

By the ETag, what a client knows is not sent again, and what somebody else changed meanwhile is not overwritten.
"""

import hashlib
from functools import partial
from typing import Any, TypeVar

from django.db import models
from django.utils.http import parse_etags
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from campus.api.exception_handler import PreconditionFailed
from campus.api.idempotency import answer_once, render_json

Row = TypeVar("Row", bound=models.Model)


def etag_of(data: Any) -> str:
    return f'"{hashlib.sha256(render_json(data)).hexdigest()[:32]}"'


class Endpoint(GenericViewSet[Row]):
    """GET returns an ETag, or 304 if it matches If-None-Match; writes check If-Match; every POST takes an
    Idempotency-Key.
    """

    conditional = True  # read by campus.api.schema

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        key = request.headers.get("Idempotency-Key")
        if request.method == "POST" and key is not None and hasattr(self, "post"):
            # Here, where the viewset has bound the action to the method, no action can be forgotten.
            self.post = partial(answer_once, key, self.post)  # type: ignore[has-type]

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        if request.method in ("GET", "HEAD") and response.status_code == 200 and isinstance(response, Response):
            if "Cache-Control" not in response:
                response["Cache-Control"] = "private, no-cache"
            response["ETag"] = tag = etag_of(response.data)
            known = [etag.removeprefix("W/") for etag in parse_etags(request.headers.get("If-None-Match", ""))]
            if tag in known or known == ["*"]:
                response.data, response.status_code = None, 304
        return response

    def get_object_for_update(self) -> Row:
        """The object, locked if the request has If-Match. Raises PreconditionFailed if it no longer matches."""
        row: Row = self.get_object()
        wanted = parse_etags(self.request.headers.get("If-Match", ""))
        if wanted and wanted != ["*"]:
            type(row)._default_manager.select_for_update().filter(pk=row.pk).first()
            row = self.get_object()
            if etag_of(self.get_serializer(row).data) not in wanted:
                raise PreconditionFailed
        return row

    def respond_with(self, row: Row, status: int = 200) -> Response:
        """A response with the object as it is now, and its ETag."""
        self.kwargs[self.lookup_url_kwarg or self.lookup_field] = getattr(row, self.lookup_field)
        data = self.get_serializer(self.get_object()).data
        return Response(data, status=status, headers={"ETag": etag_of(data)})
