"""What is sent to a Sentry and to an OpenTelemetry collector, each a real server here: where it failed and how long it
took, and nothing that people are called, have typed or have sent."""

import gzip
import json
import logging
import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import brotli
import pytest
import sentry_sdk
from celery import Celery
from django.contrib.auth.models import User
from django.test import Client
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from campus.common import jobs, tracing
from campus.common.error_reports import SentryHandler
from campus.common.log_context import add_log_context
from campus.common.storage import mark_storage
from campus.web.views import classes
from recognition.errors import RecognitionError
from tests.campus import factories
from tests.campus.common.test_json_logs import HOSTILE
from tests.waiting import wait_until
from workers import leased_task as leased_task_module
from workers.leased_task import leased_task

DECODERS = {"gzip": gzip.decompress, "br": brotli.decompress, None: bytes}


class Receiver(ThreadingHTTPServer):
    """Keeps what it is sent, as bytes by address."""

    def __init__(self) -> None:
        self.received: list[tuple[str, bytes]] = []
        super().__init__(("127.0.0.1", 0), Receive)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_port}"


class Receive(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        body = DECODERS[self.headers.get("Content-Encoding")](body)
        self.server.received.append((self.path, body))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        yield server
        server.shutdown()


@pytest.fixture
def sentry(receiver: Receiver) -> Iterator[Receiver]:
    handler = SentryHandler(dsn=f"http://key@{receiver.address}/1", release="1.2.3")
    logging.getLogger().addHandler(handler)
    yield receiver
    logging.getLogger().removeHandler(handler)
    sentry_sdk.get_client().close()
    sentry_sdk.init()


@pytest.fixture
def collector(receiver: Receiver, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
    settings.OTLP_ENDPOINT = f"http://{receiver.address}"
    tracing._tracer.cache_clear()
    yield receiver
    tracing._tracer.cache_clear()


def events(receiver: Receiver) -> list[dict[str, Any]]:
    sentry_sdk.flush()
    found = []
    for path, body in receiver.received:
        assert path == "/api/1/envelope/"
        _envelope, header, payload = body.split(b"\n", 2)
        assert json.loads(header)["type"] == "event"
        found.append(json.loads(payload))
    return found


def spans(receiver: Receiver, count: int) -> list[Any]:
    def sent() -> list[Any]:
        requests = [ExportTraceServiceRequest.FromString(body) for _path, body in list(receiver.received)]
        return [
            span
            for request in requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    wait_until(lambda: len(sent()) >= count, "the spans are sent")
    return sent()


def facts(span: Any) -> dict[str, Any]:
    return {fact.key: getattr(fact.value, fact.value.WhichOneof("value")) for fact in span.attributes}


def fail_with(text: str) -> None:
    hidden = text  # noqa: F841 - a variable that a trace could show
    try:
        raise OSError(2, "gone", text)
    except OSError as error:
        raise ValueError(text) from error


@pytest.fixture
def broken(client: Client, monkeypatch: pytest.MonkeyPatch, db: None) -> Client:
    """The page of classes fails with a name."""
    monkeypatch.setattr(classes, "courses_for", lambda _user: fail_with("Ada Lovelace"))
    client.raise_request_exception = False
    client.force_login(factories.user(username="lovelace", email="ada@example.org"))
    return client


def test_an_error_says_where_it_was_and_nothing_of_whom(sentry: Receiver, broken: Client) -> None:
    answer = broken.get("/classes/?q=Lovelace", headers={"User-Agent": "Lovelace's", "Referer": "http://x/Lovelace"})
    (event,) = events(sentry)
    assert event["level"] == "error"
    assert event["release"] == "1.2.3"
    assert event["tags"]["request"] == answer["X-Request-ID"]
    (error,) = event["exception"]["values"]
    assert (error["type"], error["value"]) == ("ValueError", "")
    frames = [(frame["filename"], frame["function"]) for frame in error["stacktrace"]["frames"]]
    assert ("campus/web/views/classes.py", "courses") in frames
    assert frames[-1] == ("tests/campus/common/test_reporting.py", "fail_with")
    sent = json.dumps(event, ensure_ascii=False).lower()
    for text in ("lovelace", "ada@", "127.0.0.1", "hidden", "sessionid"):
        assert text not in sent


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_of_people_reaches_a_sentry(sentry: Receiver, text: str) -> None:
    log = logging.getLogger("workers.leased_task")
    for error in (ValueError(text), RecognitionError("{file} is broken", file=text)):
        try:
            raise error
        except Exception:
            with add_log_context(recording=text):
                log.exception("%s failed", text)
    logging.getLogger("paramiko").error("Connected as %s", text)
    log.warning("%s is only a warning", text)
    sent = events(sentry)
    assert len(sent) == 3
    assert text not in json.dumps(sent, ensure_ascii=False).replace("%s failed", "")


def test_a_span_has_the_route_of_a_request_and_not_its_address(collector: Receiver, broken: Client) -> None:
    course = factories.course(lecturers=(User.objects.get(),))
    broken.get(f"/classes/{course.pk}/register/?q=Lovelace", headers={"User-Agent": "Lovelace"})
    failed = broken.get("/classes/?q=Lovelace")
    good, bad = spans(collector, 2)
    assert good.name == "GET register"
    assert facts(good)["http.route"] == "classes/<int:pk>/register/"
    assert facts(good)["http.response.status_code"] == 200
    assert facts(bad)["rollcall.request"] == failed["X-Request-ID"]
    assert (bad.name, bad.status.message) == ("GET courses", "500")
    assert bad.end_time_unix_nano > bad.start_time_unix_nano > 0
    assert {path for path, _body in collector.received} == {"/v1/traces"}
    assert not [body for _path, body in collector.received if re.search(rb"ovelace|process\.|host\.", body)]


def test_a_span_has_the_ids_of_a_job_and_how_it_failed(
    collector: Receiver, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark_storage()
    segment = factories.planned().segments.first()
    job = replace(jobs.RECOGNISE, name="recognise_in_test")  # another name, since every Celery has the program's tasks
    with monkeypatch.context() as patch:
        patch.setattr(leased_task_module, "app", celery := Celery(set_as_current=False))
        leased_task(job)(lambda _segment: fail_with("Ada Lovelace"))
        celery.tasks[job.task](jobs.MESSAGE_VERSION, str(segment.pk))
    (span,) = spans(collector, 1)
    assert (span.name, span.status.message) == (job.name, "ValueError")
    assert facts(span)["rollcall.row"] == str(segment.pk)
    assert facts(span)["rollcall.recording"] == str(segment.recording_id)
    assert all(b"ovelace" not in body for _path, body in collector.received)


def test_nothing_is_sent_by_default(settings: Any) -> None:
    assert (settings.SENTRY_DSN, settings.OTLP_ENDPOINT) == ("", "")
    assert "sentry" not in settings.LOGGING["handlers"]
    with tracing.trace_span("job") as span:
        tracing.mark_failed("ValueError")
        assert span is None
