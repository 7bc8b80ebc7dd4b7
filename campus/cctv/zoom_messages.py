"""Messages that Zoom sends when a recording is complete, so that it is looked for at once."""

import hashlib
import hmac
import json
from datetime import timedelta

from django.utils import timezone

from campus.cctv.collection import request_scans
from campus.cctv.models import Source
from campus.common.encryption import DecryptionError

MAX_MESSAGE_AGE = timedelta(minutes=5)


class UnknownSender(Exception):
    """The message is not signed with the source's secret token, or not of this moment."""


def receive_zoom_message(*, source: Source, body: bytes, timestamp: str, signature: str) -> dict[str, str]:
    """Do what the message asks for, and return the answer. A repeated message changes nothing.

    Raises UnknownSender.
    """
    _check_signature(source, body, timestamp, signature)
    try:
        message = json.loads(body)
        event, payload = message["event"], message["payload"]
        plain_token = str(payload["plainToken"]) if event == "endpoint.url_validation" else ""
    except (ValueError, TypeError, KeyError):
        return {}
    if plain_token:  # Zoom asks whether we know the secret token, too
        return {"plainToken": plain_token, "encryptedToken": _sign(source, plain_token.encode())}
    if event == "recording.completed":
        now = timezone.now()
        Source.objects.filter(pk=source.pk, state=Source.State.IDLE).update(next_scan_at=now)
        request_scans(now)
    return {}


def _check_signature(source: Source, body: bytes, timestamp: str, signature: str) -> None:
    age = timezone.now().timestamp() - int(timestamp) if timestamp.isascii() and timestamp.isdigit() else None
    if age is None or abs(age) > MAX_MESSAGE_AGE.total_seconds():
        raise UnknownSender
    expected = "v0=" + _sign(source, b"v0:" + timestamp.encode() + b":" + body)
    if not hmac.compare_digest(expected.encode(), signature.encode()):
        raise UnknownSender


def _sign(source: Source, text: bytes) -> str:
    try:
        secret = str(source.message_secret)
    except DecryptionError as error:
        raise UnknownSender from error
    if not secret:
        raise UnknownSender
    return hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()
