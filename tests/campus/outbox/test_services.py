"""Messages that leave the house: sent once, tried again, signed, and never to our own services."""

import base64
import hashlib
import hmac
import json
import shutil
import smtplib
import ssl
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from django.core import mail
from django.core.exceptions import ValidationError
from django.utils import timezone

from campus.academics.models import Course
from campus.attendance.models import AttendanceRecord, RegisterPolicy
from campus.attendance.notifications import notify_recording_counted, notify_signed_off
from campus.attendance.overrides import reopen_lecture, sign_off_lecture
from campus.common import jobs
from campus.common.errors import UserError
from campus.outbox import services
from campus.outbox.models import Delivery, Webhook
from tests.campus import factories
from tests.campus.conftest import World

pytestmark = pytest.mark.django_db


@dataclass
class Receiver:
    """A real web server. It answers with the next of `answers`, the last one for ever."""

    url: str = ""
    answers: list[int] = field(default_factory=lambda: [204])
    got: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)


def serving(receiver: Receiver, context: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.got.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(receiver.answers.pop(0) if len(receiver.answers) > 1 else receiver.answers[0])
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    receiver.url = f"{'https' if context else 'http'}://localhost:{server.server_port}/hook?from=rollcall"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield receiver
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def receiver(settings) -> Iterator[Receiver]:
    settings.WEBHOOK_NETWORKS = ["127.0.0.0/8", "::1/128"]
    yield from serving(Receiver())


def work_off() -> None:
    """What the worker does."""
    for pk in Delivery.objects.filter(state="queued").values_list("pk", flat=True):
        row = jobs.DELIVER.claim(pk, owner="worker")
        assert row is not None
        services.deliver(delivery=row)


def tell(course: Course, key: str = "k") -> Delivery:
    services.queue_event(course=course, event="attendance.counted", key=key, data={"lecture": 7, "name": "Zoë"})
    return Delivery.objects.latest("created_at")


def test_a_webhook_is_signed_as_the_standard_says(receiver: Receiver) -> None:
    webhook = Webhook.objects.create(url=receiver.url)
    delivery = tell(factories.course())
    work_off()
    ((path, headers, body),) = receiver.got
    assert path == "/hook?from=rollcall"
    assert json.loads(body)["data"] == {"lecture": 7, "name": "Zoë"}
    assert headers["webhook-id"] == str(delivery.pk)
    key = base64.b64decode(webhook.secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert abs(int(headers["webhook-timestamp"]) - timezone.now().timestamp()) < 60
    delivery.refresh_from_db()
    assert (delivery.state, delivery.tries) == ("sent", 1)


def test_what_fails_is_tried_again_later_and_keeps_its_id(receiver: Receiver) -> None:
    receiver.answers = [500, 503, 200]
    Webhook.objects.create(url=receiver.url)
    delivery = tell(factories.course())
    for tries, pause in ((1, 1), (2, 5)):
        work_off()
        delivery.refresh_from_db()
        assert (delivery.state, delivery.tries) == ("waiting", tries)
        assert "answered 50" in str(delivery.error)
        assert timedelta(minutes=pause - 1) < delivery.due_at - timezone.now() <= timedelta(minutes=pause)
        assert services.requeue_due_deliveries() == 0  # not yet
        Delivery.objects.update(due_at=timezone.now())
        assert services.requeue_due_deliveries() == 1
    work_off()
    delivery.refresh_from_db()
    assert (delivery.state, delivery.tries, str(delivery.error)) == ("sent", 3, "")
    assert {headers["webhook-id"] for _, headers, _ in receiver.got} == {str(delivery.pk)}


def test_it_is_given_up_in_the_end_and_a_person_can_try_again(receiver: Receiver) -> None:
    receiver.answers = [500]
    Webhook.objects.create(url=receiver.url)
    delivery = tell(factories.course())
    for _ in range(len(services.RETRY_PAUSES) + 1):
        work_off()
        Delivery.objects.filter(state="waiting").update(due_at=timezone.now())
        services.requeue_due_deliveries()
    delivery.refresh_from_db()
    assert (delivery.state, len(receiver.got)) == ("failed", 7)
    receiver.answers = [200]
    services.retry_delivery(delivery=delivery)
    work_off()
    delivery.refresh_from_db()
    assert delivery.state == "sent"
    with pytest.raises(UserError):
        services.retry_delivery(delivery=delivery)


def test_a_receiver_that_is_gone_is_asked_no_more(receiver: Receiver) -> None:
    receiver.answers = [410]
    webhook = Webhook.objects.create(url=receiver.url)
    course = factories.course()
    assert tell(course)
    work_off()
    webhook.refresh_from_db()
    assert not webhook.active
    before = Delivery.objects.count()
    tell(course, "second")
    assert Delivery.objects.count() == before


def test_redirects_are_not_followed(receiver: Receiver) -> None:
    receiver.answers = [302]
    Webhook.objects.create(url=receiver.url)
    delivery = tell(factories.course())
    work_off()
    delivery.refresh_from_db()
    assert (delivery.state, [path for path, *_ in receiver.got]) == ("waiting", ["/hook?from=rollcall"])


def test_only_webhooks_of_the_class_are_told_and_each_once(receiver: Receiver) -> None:
    course, other = factories.course(), factories.course()
    Webhook.objects.create(url=receiver.url)
    Webhook.objects.create(url=receiver.url, course=course)
    Webhook.objects.create(url=receiver.url, course=other)
    Webhook.objects.create(url=receiver.url, active=False)
    tell(course)
    tell(course)
    assert Delivery.objects.count() == 2


def test_two_workers_send_one_message_once(receiver: Receiver) -> None:
    Webhook.objects.create(url=receiver.url)
    delivery = tell(factories.course())
    assert jobs.DELIVER.claim(delivery.pk, owner="one")
    assert jobs.DELIVER.claim(delivery.pk, owner="two") is None


def test_plain_http_is_for_allowed_networks_only(receiver: Receiver, settings) -> None:
    Webhook.objects.create(url=receiver.url)
    settings.WEBHOOK_NETWORKS = []
    delivery = tell(factories.course())
    work_off()
    delivery.refresh_from_db()
    assert (delivery.state, receiver.got) == ("failed", [])
    assert "ROLLCALL_WEBHOOK_NETWORKS" in str(delivery.error)


def test_the_certificate_is_checked_against_the_name(tmp_path: Path, settings, monkeypatch) -> None:
    openssl = shutil.which("openssl")
    if not openssl:
        pytest.skip("openssl is not installed (Debian: apt install openssl)")
    settings.WEBHOOK_NETWORKS = ["127.0.0.0/8", "::1/128"]
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        [
            openssl,
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            key,
            "-out",
            cert,
            "-subj",
            "/CN=localhost",
            "-addext",
            "subjectAltName=DNS:localhost",
        ],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    for receiver in serving(Receiver(), context):
        webhook = Webhook.objects.create(url=receiver.url)
        delivery = tell(factories.course())
        work_off()
        delivery.refresh_from_db()
        assert (delivery.state, receiver.got) == ("waiting", [])  # nobody vouches for it

        monkeypatch.setenv("SSL_CERT_FILE", str(cert))
        services.retry_delivery(delivery=delivery)
        work_off()
        delivery.refresh_from_db()
        assert (delivery.state, str(delivery.error)) == ("sent", "")

        Webhook.objects.filter(pk=webhook.pk).update(url=receiver.url.replace("localhost", "127.0.0.1"))
        other = tell(factories.course(), "other name")
        work_off()
        other.refresh_from_db()
        assert other.state == "waiting"


@pytest.mark.parametrize(
    "url", ["ftp://example.org/", "javascript:alert(1)", "https://user:secret@example.org/", "example.org", ""]
)
def test_addresses_that_are_none_are_refused(url: str) -> None:
    with pytest.raises(ValidationError):
        Webhook(url=url).full_clean()


def test_the_lecturers_hear_of_a_counted_lecture_once(world: World, settings) -> None:
    settings.BASE_URL = "https://rollcall.example"
    notify_recording_counted(recording=world.recording)
    assert not Delivery.objects.exists()  # nobody asked for it
    RegisterPolicy.objects.create(course=world.course, mail_lecturers=True)
    world.own.email = "own@example.org"
    world.own.save()
    world.course.lecturers.add(factories.user(email=""), factories.user(email="gone@example.org", is_active=False))
    for _ in range(2):
        notify_recording_counted(recording=world.recording)
    work_off()
    (letter,) = mail.outbox
    assert letter.to == ["own@example.org"]
    assert "CS101" in letter.subject
    assert "Present: 1" in letter.body
    assert f"https://rollcall.example/lectures/{world.lecture.pk}/" in letter.body


def test_absentees_hear_of_it_at_the_sign_off_once(world: World) -> None:
    RegisterPolicy.objects.create(course=world.course, mail_absentees=True, required_percent=60)
    absent = world.lecture.records.exclude(pk=world.record.pk).get()
    absent.student.email, absent.student.name = "absent@example.org", "Zoë\nBcc: all@example.org"
    absent.student.save()
    world.student.email = "present@example.org"
    world.student.save()
    AttendanceRecord.objects.create(
        lecture=world.lecture, student=factories.student(), machine_status="absent"
    )  # has no address
    sign_off_lecture(lecture=world.lecture, user=world.own)
    reopen_lecture(lecture=world.lecture, user=world.registrar)
    sign_off_lecture(lecture=world.lecture, user=world.own)
    work_off()
    (letter,) = mail.outbox
    assert letter.to == ["absent@example.org"]
    assert "Absent" in letter.body
    assert "0 % of the points; 60 % are required" in letter.body
    assert "below" in letter.body


def test_webhooks_get_numbers_and_no_names(world: World, receiver: Receiver) -> None:
    Webhook.objects.create(url=receiver.url)
    notify_signed_off(lecture=world.lecture)
    work_off()
    body = receiver.got[0][2].decode()
    assert json.loads(body)["data"]["counts"] == {"present": 1, "absent": 1}
    assert world.student.name not in body
    assert world.student.number not in body


def test_a_mail_server_that_is_away_is_asked_again(monkeypatch) -> None:
    services.queue_email(to="a@example.org", event="e", key="k", subject="Two\r\nlines", body="text")

    def away(*_: object, **__: object) -> None:
        raise smtplib.SMTPServerDisconnected("Connection unexpectedly closed")

    with monkeypatch.context() as patch:
        patch.setattr("django.core.mail.backends.locmem.EmailBackend.send_messages", away)
        work_off()
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.tries) == ("waiting", 1)
    services.retry_delivery(delivery=delivery)
    work_off()
    assert [letter.subject for letter in mail.outbox] == ["Two lines"]


def test_long_keys_that_differ_at_the_end_are_two_messages(db: None) -> None:
    for key in ("a" * 150 + "1", "a" * 150 + "2", "a" * 150 + "2"):
        services.queue_email(to="a@example.org", event="test", key=key, subject="s", body="b")
    assert Delivery.objects.count() == 2
