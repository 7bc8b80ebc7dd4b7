"""A recorder says that a recording is complete: whoever signs it right has it looked for at once, and nobody else."""

import base64
import hashlib
import hmac
import json
import time
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from campus.academics.models import Lecture
from campus.cctv.collection import plan_collections
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


class TestBigBlueButton:
    RECORDING = "183f0bf3a0982a127bdb8161e0c44eb696b3e75c-1796000000000"
    SECRET = "639259d4-9dd8-4b25-bf01-95f9567eaf4b"

    @pytest.fixture
    def server(self) -> Source:
        """A lecture that ended an hour ago waits for the recording of the meeting “algebra”."""
        row = factories.source(kind="bbb", address="https://bbb.example.org", secret=self.SECRET)
        factories.camera("Online", row, label="algebra")
        now = timezone.now()
        factories.lecture(room="Online", starts_at=now - timedelta(hours=2), minutes=60)
        plan_collections(now)
        return row

    def signed(self, *, secret: str = SECRET, alg: str = "HS256", **claims: object) -> str:
        """The body of the call at `bbb-recording-ready-url`."""
        parts = {"alg": alg}, {"meeting_id": "algebra", "record_id": self.RECORDING} | claims
        text = ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
        digest = hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()
        signature = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        return urlencode({"signed_parameters": f"{text}.{'' if alg == 'none' else signature}"})

    def event(self, *, age: float = 0, name: str = "rap-publish-ended", meeting: str = "algebra") -> str:
        """The body of a webhook."""
        attributes = {"meeting": {"internal-meeting-id": "x", "external-meeting-id": meeting}}
        data = {"type": "event", "id": name, "attributes": attributes | {"record-id": self.RECORDING}}
        moment = round((time.time() - age) * 1000)
        return urlencode({"domain": "bbb", "event": json.dumps([{"data": data}]), "timestamp": moment})

    def send(self, source: Source, body: str, *, secret: str = SECRET, algorithm: str = "sha1") -> int:
        """Its status. With a checksum, which the one of the two kinds needs."""
        where = reverse("bbb-message", args=[source.pk])
        checksum = hashlib.new(algorithm, f"http://testserver{where}{body}{secret}".encode()).hexdigest()
        form = "application/x-www-form-urlencoded"
        client = Client(enforce_csrf_checks=True)
        return client.post(f"{where}?checksum={checksum}", body, content_type=form).status_code

    @pytest.mark.parametrize("algorithm", ["", "sha1", "sha256"])
    def test_a_complete_recording_is_looked_for(self, server: Source, algorithm: str) -> None:
        body, sent = (self.event(), {"algorithm": algorithm}) if algorithm else (self.signed(), {})
        assert self.send(server, body, **sent) == 200
        assert is_scanned(server)
        # It is found, and the message repeated.
        camera = server.cameras.get()
        factories.footage_file(camera, timezone.now(), source=server, path=f"{self.RECORDING}/video")
        Source.objects.update(state=Source.State.IDLE)
        assert self.send(server, body, **sent) == 200
        assert not is_scanned(server)

    def test_what_is_not_awaited_changes_nothing(self, server: Source) -> None:
        now = round(time.time() * 1000)
        for body in (
            self.signed(meeting_id="geometry"),
            self.signed(record_id="../x"),
            self.signed(record_id=None, meeting_id=[]),
            self.event(meeting="geometry"),
            self.event(name="rap-process-ended"),
            self.event(age=3600),
            self.event().replace("timestamp=", "timestamp=soon"),
            urlencode({"event": "[1]", "timestamp": now}),
            urlencode({"event": "[", "timestamp": now}),
            "",
        ):
            assert self.send(server, body) == 200
            assert not is_scanned(server), body

    def test_of_an_old_lecture_nothing_is_looked_for(self, server: Source) -> None:
        lectures = Lecture.objects.all()
        lectures.update(starts_at=timezone.now() - timedelta(days=20), ends_at=timezone.now() - timedelta(days=19))
        assert self.send(server, self.signed()) == 200
        assert not is_scanned(server)

    def test_others_are_refused(self, server: Source) -> None:
        deep = base64.urlsafe_b64encode(b"[" * 20_000).decode()
        refused = [
            self.signed(secret="another"),
            self.signed(alg="none"),
            self.signed(exp=time.time() - 60),
            urlencode({"signed_parameters": "x"}),
            urlencode({"signed_parameters": f"{deep}.e30.e30"}),
        ]
        assert [self.send(server, body) for body in refused] == [401] * 5
        assert self.send(server, self.event(), secret="another") == 401
        where = reverse("bbb-message", args=[server.pk])
        for query in ("", "?checksum=", "?checksum=ä", "?checksum=" + "ä" * 40):
            assert Client().post(where + query, self.event(), content_type="text/plain").status_code == 401
        server.secret = ""
        server.save()
        assert self.send(server, self.event(), secret="") == 401
        assert self.send(server, self.signed(secret="")) == 401
        assert self.send(factories.source(kind="zoom", address="https://api.zoom.us/v2"), self.event()) == 404
        assert not is_scanned(server)
