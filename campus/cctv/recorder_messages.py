"""Messages that Zoom and BigBlueButton send when a recording is complete, so that it is looked for at once."""

import hashlib
import hmac
import json
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl

from django.utils import timezone
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from joserfc.jwt import JWTClaimsRegistry

from campus.cctv.collection import request_scans
from campus.cctv.credentials import read_password
from campus.cctv.file_discovery import spans_to_fetch
from campus.cctv.models import Source
from campus.common.encryption import DecryptionError
from campus.common.errors import UserError
from campus.common.keys import match_key

MAX_MESSAGE_AGE = timedelta(minutes=5)
BBB_RECORDING = re.compile(r"[\w-]{1,100}", re.ASCII)
# BigBlueButton's administrator chooses one; the length of a checksum says which.
CHECKSUM_ALGORITHMS = {2 * hashlib.new(name).digest_size: name for name in ("sha1", "sha256", "sha384", "sha512")}


class UnknownSender(Exception):
    """The message is not signed with the source's secret, or not of this moment."""


def receive_zoom_message(*, source: Source, body: bytes, timestamp: str, signature: str) -> dict[str, str]:
    """Do what the message asks for, and return the answer. A repeated message changes nothing.

    Raises UnknownSender.
    """
    _check_zoom_signature(source, body, timestamp, signature)
    try:
        message = json.loads(body)
        event, payload = message["event"], message["payload"]
        plain_token = str(payload["plainToken"]) if event == "endpoint.url_validation" else ""
    except (ValueError, TypeError, KeyError):
        return {}
    if plain_token:  # Zoom asks whether we know the secret token, too
        return {"plainToken": plain_token, "encryptedToken": _sign(source, plain_token.encode())}
    if event == "recording.completed":
        _look_for_recordings(source)
    return {}


def receive_bbb_message(*, source: Source, body: bytes, url: str, checksum: str) -> None:
    """Have a recording looked for that BigBlueButton says is complete: as the meeting's `bbb-recording-ready-url`
    (`signed_parameters` in the body), or as a webhook of the event `rap-publish-ended`, whose `checksum` is that of our
    `url`, the body and the secret.

    Only a recording that a lecture waits for and that is not known yet is looked for, so that a message that is
    repeated or old does nothing. Raises UnknownSender.
    """
    try:
        secret = read_password(source)
    except UserError as error:
        raise UnknownSender from error
    if not secret:
        raise UnknownSender
    form = dict(parse_qsl(body.decode(errors="replace")))
    if "signed_parameters" in form:
        published = [_read_signed_parameters(form["signed_parameters"], secret)]
    else:
        _check_bbb_checksum(url.encode() + body + secret.encode(), checksum)
        published = list(_published_recordings(form))
    waiting = {match_key(span.channel) for span in spans_to_fetch(source, timezone.now())}
    for meeting_id, recording_id in published:
        is_known = source.footage_files.filter(path__startswith=f"{recording_id}/").exists()
        if match_key(meeting_id) in waiting and BBB_RECORDING.fullmatch(recording_id) and not is_known:
            _look_for_recordings(source)


def _look_for_recordings(source: Source) -> None:
    now = timezone.now()
    Source.objects.filter(pk=source.pk, state=Source.State.IDLE).update(next_scan_at=now)
    request_scans(now)


def _check_zoom_signature(source: Source, body: bytes, timestamp: str, signature: str) -> None:
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


def _read_signed_parameters(token: str, secret: str) -> tuple[str, str]:
    """The identifiers of the meeting and of its recording."""
    try:
        claims = jwt.decode(token, OctKey.import_key(secret), algorithms=["HS256"]).claims
        JWTClaimsRegistry().validate(claims)
    except (JoseError, ValueError, RecursionError) as error:
        raise UnknownSender from error
    return str(claims.get("meeting_id")), str(claims.get("record_id"))


def _check_bbb_checksum(signed: bytes, checksum: str) -> None:
    algorithm = CHECKSUM_ALGORITHMS.get(len(checksum))
    if algorithm is None:
        raise UnknownSender
    expected = hashlib.new(algorithm, signed).hexdigest()
    if not hmac.compare_digest(expected.encode(), checksum.encode()):
        raise UnknownSender


def _published_recordings(form: dict[str, str]) -> Iterator[tuple[str, str]]:
    """The identifiers of each meeting and its recording in a message of webhooks, if it is of this moment."""
    moment = form.get("timestamp", "")
    is_number = re.fullmatch(r"\d{10,14}", moment, re.ASCII)
    if not is_number or abs(timezone.now().timestamp() - int(moment) / 1000) > MAX_MESSAGE_AGE.total_seconds():
        return
    try:
        events: list[Any] = [message["data"] for message in json.loads(form["event"])]
        for event in events:
            if event["id"] == "rap-publish-ended":
                attributes = event["attributes"]
                yield str(attributes["meeting"]["external-meeting-id"]), str(attributes["record-id"])
    except (ValueError, TypeError, KeyError):
        return
