"""Zoom says that a recording is complete: whoever signs it right has it looked for at once, and nobody else."""

import hashlib
import hmac
import json
import time
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from campus.cctv.models import Source
from campus.cctv.services import save_source
from tests.campus import factories

pytestmark = pytest.mark.django_db

SECRET = "a secret token"
COMPLETED = {"event": "recording.completed", "payload": {"object": {"uuid": "x"}}}


@pytest.fixture
def source() -> Source:
    row = factories.source(kind="zoom", address="https://api.zoom.us/v2?account=A1")
    return save_source(source=row, message_secret=SECRET)


def send(
    source: Source, message: Any, *, secret: str = SECRET, age: float = 0, headers: dict[str, str] | None = None
) -> Any:
    body, moment = json.dumps(message), f"{time.time() - age:.0f}"
    signature = hmac.new(secret.encode(), f"v0:{moment}:{body}".encode(), hashlib.sha256).hexdigest()
    signed = {"x-zm-request-timestamp": moment, "x-zm-signature": f"v0={signature}"} | (headers or {})
    where = reverse("zoom-message", args=[source.pk])
    client = Client(enforce_csrf_checks=True)
    return client.post(where, body, content_type="application/json", headers=signed)


def is_scanned(source: Source) -> bool:
    return Source.objects.filter(pk=source.pk, state=Source.State.SCANNING).exists()


def test_a_complete_recording_is_looked_for(source: Source) -> None:
    assert send(source, COMPLETED).status_code == 200
    assert is_scanned(source)
    assert send(source, COMPLETED).status_code == 200, "it may be sent again"


def test_zoom_is_shown_that_the_token_is_known(source: Source) -> None:
    answer = send(source, {"event": "endpoint.url_validation", "payload": {"plainToken": "qgg8vlvZRS6UYooatFL8Aw"}})
    known = hmac.new(SECRET.encode(), b"qgg8vlvZRS6UYooatFL8Aw", hashlib.sha256).hexdigest()
    assert answer.json() == {"plainToken": "qgg8vlvZRS6UYooatFL8Aw", "encryptedToken": known}


def test_others_are_refused(source: Source) -> None:
    save_source(source=(unsigned := factories.source(kind="zoom", address="https://api.zoom.us/v2")))
    refused = [
        send(source, COMPLETED, secret="another"),
        send(source, COMPLETED, age=3600),
        send(source, COMPLETED, headers={"x-zm-signature": "v0=ä"}),
        send(source, COMPLETED, headers={"x-zm-request-timestamp": "soon"}),
        send(unsigned, COMPLETED, secret=""),
    ]
    assert [answer.status_code for answer in refused] == [403] * 5
    assert send(factories.source(), COMPLETED).status_code == 404
    nonsense: list[Any] = [
        [],
        {"event": "recording.completed"},
        {"event": "endpoint.url_validation", "payload": 1},
        "x",
    ]
    for message in nonsense:
        assert send(source, message).status_code == 200
    assert not is_scanned(source)
