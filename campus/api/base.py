"""What all endpoints share: what is known is not sent again, what was changed meanwhile not written over, nothing made
twice.
"""

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar, cast

from django.contrib.auth.models import User
from django.db import IntegrityError, models, transaction
from django.utils import timezone
from django.utils.http import parse_etags
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import SAFE_METHODS, IsAuthenticated
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from campus.accounts.roles import is_registrar, sees_everything
from campus.api.exception_handler import IdempotencyKeyReused, PreconditionFailed
from campus.api.models import IdempotencyKey

Row = TypeVar("Row", bound=models.Model)

KEPT = timedelta(days=1)  # how long a key is remembered
LONGEST_KEY = 255


def who(request: Request) -> User:
    return cast(User, request.user)  # IsAuthenticated has let it through


class IsRegistrar(IsAuthenticated):
    message = gettext_lazy("Only a registrar may do this.")

    def has_permission(self, request: Request, view: APIView) -> bool:
        return super().has_permission(request, view) and is_registrar(who(request))


class IsRegistrarOrReadOnly(IsRegistrar):
    """Others read what is theirs to see."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        reads = request.method in SAFE_METHODS and IsAuthenticated().has_permission(request, view)
        return reads or super().has_permission(request, view)


class CanSeeEverything(IsAuthenticated):
    message = gettext_lazy("Only who looks after all classes may read this.")

    def has_permission(self, request: Request, view: APIView) -> bool:
        return super().has_permission(request, view) and sees_everything(who(request))


def tag_of(data: Any) -> str:
    return f'"{hashlib.sha256(_as_json(data)).hexdigest()[:32]}"'


def _as_json(data: Any) -> bytes:
    rendered: bytes = JSONRenderer().render(data)
    return rendered


class Endpoint(GenericViewSet[Row]):
    """GET answers with an ETag and to If-None-Match with 304; writes look at If-Match; every POST takes an
    Idempotency-Key.
    """

    conditional = True  # which is what the schema asks

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.method == "POST" and (key := request.headers.get("Idempotency-Key")) is not None:
            # Here, where the viewset has bound the action to the method, no action can be forgotten.
            self.post = partial(once, key, self.post)  # type: ignore[has-type]

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        if request.method in ("GET", "HEAD") and response.status_code == 200 and isinstance(response, Response):
            if "Cache-Control" not in response:
                response["Cache-Control"] = "private, no-cache"
            response["ETag"] = tag = tag_of(response.data)
            known = [etag.removeprefix("W/") for etag in parse_etags(request.headers.get("If-None-Match", ""))]
            if tag in known or known == ["*"]:
                response.data, response.status_code = None, 304
        return response

    def object_to_change(self) -> Row:
        """The object, held until the transaction ends. Raises PreconditionFailed where it is not as If-Match says."""
        row: Row = self.get_object()
        wanted = parse_etags(self.request.headers.get("If-Match", ""))
        if wanted and wanted != ["*"]:
            type(row)._default_manager.select_for_update().filter(pk=row.pk).first()
            row = self.get_object()
            if tag_of(self.get_serializer(row).data) not in wanted:
                raise PreconditionFailed
        return row

    def shown(self, row: Row, status: int = 200) -> Response:
        """The object as it is now, and its ETag."""
        self.kwargs[self.lookup_url_kwarg or self.lookup_field] = getattr(row, self.lookup_field)
        data = self.get_serializer(self.get_object()).data
        return Response(data, status=status, headers={"ETag": tag_of(data)})


def once(key: str, handler: Callable[..., Response], request: Request, *args: Any, **kwargs: Any) -> Response:
    """Answer a repeated request as the first time, without doing it again.

    The key and what is done are one transaction: where that fails, the key is free again; who comes at the same time
    waits for it.
    """
    if not (key.isascii() and key.isprintable() and 0 < len(key) <= LONGEST_KEY):
        raise ValidationError(_("An Idempotency-Key has 1 to 255 printable ASCII characters."))
    keys = IdempotencyKey.objects.filter(user=who(request), key=key)
    fingerprint = _fingerprint(request)
    with transaction.atomic():
        IdempotencyKey.objects.filter(created_at__lt=timezone.now() - KEPT).delete()
        try:
            with transaction.atomic():
                row = IdempotencyKey.objects.create(user=who(request), key=key, fingerprint=fingerprint)
        except IntegrityError:
            row = keys.get()
            if row.fingerprint != fingerprint:
                raise IdempotencyKeyReused from None
            return Response(row.body, status=row.status, headers={"Idempotency-Replayed": "true"})
        response = handler(request, *args, **kwargs)
        body = json.loads(_as_json(response.data) or "null")
        keys.filter(pk=row.pk).update(status=response.status_code, body=body)
    return response


def _fingerprint(request: Request) -> str:
    data = request.data
    if hasattr(data, "lists"):  # a form; of a file its name and size are enough, for its content may be gigabytes
        data = {
            name: [[value.name, value.size] if hasattr(value, "size") else value for value in values]
            for name, values in data.lists()
        }
    said = json.dumps([request.method, request.get_full_path(), data], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()
