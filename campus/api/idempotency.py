"""A POST with an Idempotency-Key is done once: sent again, it gets the first response."""

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.exceptions import ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from campus.api.exception_handler import IdempotencyKeyReused
from campus.api.models import IdempotencyKey
from campus.api.permissions import request_user

KEY_LIFETIME = timedelta(days=1)
MAX_KEY_LENGTH = 255


def answer_once(key: str, handler: Callable[..., Response], request: Request, *args: Any, **kwargs: Any) -> Response:
    """Return the first response to a repeated request, without doing it again.

    The key and the work are one transaction. If it fails, the key is free again; a request with the same key that
    comes meanwhile waits for it.
    """
    if not (key.isascii() and key.isprintable() and 0 < len(key) <= MAX_KEY_LENGTH):
        raise ValidationError(_("An Idempotency-Key has 1 to 255 printable ASCII characters."))
    keys = IdempotencyKey.objects.filter(user=request_user(request), key=key)
    fingerprint = _fingerprint(request)
    with transaction.atomic():
        IdempotencyKey.objects.filter(created_at__lt=timezone.now() - KEY_LIFETIME).delete()
        try:
            with transaction.atomic():
                row = IdempotencyKey.objects.create(user=request_user(request), key=key, fingerprint=fingerprint)
        except IntegrityError:
            row = keys.get()
            if row.fingerprint != fingerprint:
                raise IdempotencyKeyReused from None
            return Response(json.loads(row.body), status=row.status, headers={"Idempotency-Replayed": "true"})
        response = handler(request, *args, **kwargs)
        row.status, row.body = response.status_code, render_json(response.data).decode() or "null"
        row.save(update_fields=["status", "body"])
    return response


def _fingerprint(request: Request) -> str:
    data = request.data
    if hasattr(data, "lists"):  # a form; of a file its name and size are enough, for its content may be gigabytes
        data = {
            name: [[value.name, value.size] if hasattr(value, "size") else value for value in values]
            for name, values in data.lists()
        }
    text = json.dumps([request.method, request.get_full_path(), data], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def render_json(data: Any) -> bytes:
    rendered: bytes = JSONRenderer().render(data)
    return rendered
