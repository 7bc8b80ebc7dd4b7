"""Messages to students and guardians: to who has opted in, of what was signed off, and no longer than they want."""

import base64
import json
import re
from collections.abc import Iterator
from datetime import datetime, time, timedelta
from email.message import Message as Letter
from typing import Any
from urllib.parse import parse_qs

import pytest
from aiosmtpd.controller import Controller
from django.core import mail
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from campus.attendance.excuses import create_excuse, withdraw_excuse
from campus.attendance.models import RegisterPolicy
from campus.attendance.overrides import reopen_lecture, sign_off_lecture
from campus.audit.models import AuditEntry
from campus.common.errors import UserError
from campus.consent.links import renew_student_link, student_link_token
from campus.outbox import services
from campus.outbox.gateway import count_sms
from campus.outbox.message_limits import quiet_hours_end
from campus.outbox.models import Delivery, MessageOptIn, MessageSettings
from campus.outbox.opt_ins import record_opt_in, withdraw_opt_in
from campus.privacy.after_restore import find_endings, repeat_endings
from campus.privacy.erasure_steps import erase_messages
from campus.privacy.export import collect_data
from campus.privacy.texts import Terms
from deploy.local import free_port
from tests.campus import factories
from tests.campus.conftest import World
from tests.campus.outbox.test_services import Receiver, serving, work_off
from tests.conftest import REPOSITORY

pytestmark = pytest.mark.django_db

PAGE = REPOSITORY / "docs" / "integrations" / "messages.md"
NUMBER = "+49 171 5550199"


@pytest.fixture
def gateway(settings) -> Iterator[Receiver]:
    """An SMS gateway on the web: a real server, set up as the page for administrators says."""
    [example] = re.findall(r"```json\n(.*?)```", PAGE.read_text(), re.DOTALL)
    settings.CONNECTION_NETWORKS = ["127.0.0.0/8", "::1/128"]
    settings.BASE_URL = "https://rollcall.example"
    for receiver in serving(Receiver()):
        MessageSettings.objects.create(
            pk=1,
            gateway="http",
            url=receiver.url,
            secret="s3cret",
            **json.loads(example),
        )
        MessageSettings.objects.get().full_clean()
        yield receiver


@pytest.fixture
def absent(world: World, gateway: Receiver) -> MessageOptIn:
    """The guardian of a student who was absent, in a class that has chosen all messages."""
    RegisterPolicy.objects.create(
        course=world.course, message_absent=True, message_below=True, message_excuse=True, required_percent=60
    )
    record = world.lecture.records.exclude(pk=world.record.pk).get()
    return record_opt_in(
        student=record.student,
        recipient="guardian",
        channel="sms",
        address=NUMBER,
        language="en-gb",
        name="Maria",
        user=world.registrar,
    )


def sent(gateway: Receiver) -> list[dict[str, str]]:
    return [json.loads(body) for _path, _headers, body in gateway.got]


def test_a_guardian_hears_of_an_absence_at_the_sign_off_and_once(world: World, gateway: Receiver, absent: MessageOptIn):
    work_off()
    assert gateway.got == []  # a proposal of the machine is told nobody
    sign_off_lecture(lecture=world.lecture, user=world.own)
    work_off()
    [message] = sent(gateway)
    delivery = Delivery.objects.get(opt_in=absent)
    assert message["to"] == "+491715550199"
    assert message["reference"] == str(delivery.pk)
    assert message["text"].startswith(f"{absent.student.name}: absent on ")
    assert f"https://rollcall.example/messages/{absent.code}/" in message["text"]
    assert gateway.got[0][1]["authorization"] == "Bearer s3cret"
    assert (delivery.state, delivery.parts) == ("sent", 1)
    reopen_lecture(lecture=world.lecture, user=world.registrar)
    sign_off_lecture(lecture=world.lecture, user=world.own)
    work_off()
    assert len(gateway.got) == 1


def test_nobody_is_written_to_without_an_opt_in_or_the_choice_of_the_class(world: World, gateway: Receiver):
    RegisterPolicy.objects.create(course=world.course, message_absent=True)
    student = world.lecture.records.exclude(pk=world.record.pk).get().student
    student.guardian_phone = NUMBER
    student.save()
    present: dict[str, Any] = {"student": world.student, "recipient": "student", "channel": "sms", "language": "en-gb"}
    record_opt_in(address=NUMBER, user=world.registrar, **present)
    sign_off_lecture(lecture=world.lecture, user=world.own)
    assert not Delivery.objects.exists()


def test_who_falls_below_by_a_signed_lecture_is_told_once(world: World, gateway: Receiver, absent: MessageOptIn):
    course = world.course
    RegisterPolicy.objects.update(message_absent=False)

    def hold(days: int, status: str) -> None:
        lecture = factories.lecture(course, starts_at=world.lecture.starts_at + timedelta(days=days))
        for student in course.students.all():
            lecture.records.create(student=student, override_status=status)
        sign_off_lecture(lecture=lecture, user=world.own)
        work_off()

    for days, status in ((1, "present"), (2, "present"), (3, "absent")):
        hold(days, status)
    assert gateway.got == []  # 67 %; the first lecture is not signed off
    hold(4, "absent")
    [message] = sent(gateway)
    assert "is now 50 %, below the required 60 %" in message["text"]
    hold(5, "absent")
    assert len(gateway.got) == 1


def test_an_excuse_is_told_without_its_reason(world: World, gateway: Receiver, absent: MessageOptIn):
    MessageOptIn.objects.update(language="de")
    day = world.lecture.starts_at.date()
    excuse = create_excuse(
        student=absent.student, course=None, first_day=day, last_day=day, reason="appendix", user=world.registrar
    )
    withdraw_excuse(excuse=excuse, user=world.registrar)
    work_off()
    texts = [message["text"] for message in sent(gateway)]
    assert len(texts) == 2
    assert "appendix" not in str(texts)
    assert day.strftime("%Y") in texts[0]


def test_the_link_in_a_message_ends_them_and_what_waits_is_not_sent(
    world: World, gateway: Receiver, absent: MessageOptIn, client: Client
):
    sign_off_lecture(lecture=world.lecture, user=world.own)
    page = f"/messages/{absent.code}/"
    assert b"No messages to this address" in client.get(page).content
    absent.refresh_from_db()
    assert absent.is_active  # a program that looks at each link ends nothing
    client.post(page, {"act": "stop"})
    work_off()
    assert gateway.got == []
    assert "does not want" in str(Delivery.objects.get().error)
    assert AuditEntry.objects.filter(student_id=absent.student_id, about__startswith="messages withdrawn").exists()
    assert client.get("/messages/nobody/").status_code == 404


def test_a_student_asks_on_the_own_page_and_confirms_from_the_address(world: World, settings, client: Client):
    settings.BASE_URL = "https://rollcall.example"
    link = renew_student_link(student=world.student, user=world.registrar)
    own = f"/me/{student_link_token(link)}/"
    wrong = client.post(own, {"act": "messages", "channel": "sms", "address": "0171 5550199"})
    assert (wrong.status_code, "country code" in wrong.content.decode()) == (400, True)
    client.post(own, {"act": "messages", "channel": "email", "address": "ann@home.example"})
    opt_in = MessageOptIn.objects.get()
    assert (opt_in.recipient, opt_in.is_active, opt_in.recorded_by) == ("student", False, "")
    work_off()
    [letter] = mail.outbox
    assert letter.to == ["ann@home.example"]
    path = re.search(r"https://rollcall\.example(/messages/\w+/)", str(letter.body))
    assert path is not None
    client.post(path[1], {"act": "confirm"})
    opt_in.refresh_from_db()
    assert opt_in.is_active
    assert "attendance" in opt_in.text
    client.post(own, {"act": "messages-end", "opt_in": opt_in.pk})
    opt_in.refresh_from_db()
    assert not opt_in.is_active
    other = record_opt_in(
        student=factories.student(),
        recipient="student",
        channel="sms",
        address=NUMBER,
        language="en-gb",
        user=world.own,
    )
    client.post(own, {"act": "messages-end", "opt_in": other.pk})
    other.refresh_from_db()
    assert other.is_active  # somebody else's


def test_staff_record_what_a_guardian_has_signed(world: World, gateway: Receiver, client: Client):
    client.force_login(world.registrar)
    world.student.guardian_phone = NUMBER
    world.student.save()
    page = f"/students/{world.student.pk}/messages/"
    assert NUMBER in client.get(page).content.decode()  # offered, since the roster has it
    form = {
        "act": "record",
        "recipient": "guardian",
        "channel": "sms",
        "address": NUMBER,
        "language": "de",
        "name": "M",
    }
    assert client.post(page, form).status_code == 400  # nobody has agreed
    client.post(page, form | {"agreed": "on"})
    opt_in = MessageOptIn.objects.get()
    assert (opt_in.address, opt_in.is_active, opt_in.recorded_by) == ("+491715550199", True, "registrar")
    assert client.post(page, form | {"agreed": "on"}).status_code == 400  # already
    client.post(page, {"act": "end", "opt_in": opt_in.pk})
    opt_in.refresh_from_db()
    assert (opt_in.is_active, opt_in.withdrawn_by) == (False, "registrar")
    client.force_login(world.own)
    assert client.get(page).status_code == 403


def test_nobody_is_disturbed_in_quiet_hours_nor_too_often(world: World, gateway: Receiver, absent: MessageOptIn):
    now = timezone.localtime()
    chosen = MessageSettings.objects.get()
    chosen.quiet_from, chosen.quiet_until = (now - timedelta(hours=1)).time(), (now + timedelta(hours=1)).time()
    chosen.save()
    sign_off_lecture(lecture=world.lecture, user=world.own)
    work_off()
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.tries, gateway.got) == ("waiting", 0, [])
    assert timedelta(minutes=59) < delivery.due_at - now < timedelta(minutes=61)
    chosen.quiet_from = chosen.quiet_until = None
    chosen.daily_limit_per_recipient = 1
    chosen.save()
    Delivery.objects.update(due_at=now)
    services.requeue_due_deliveries()
    work_off()
    assert len(gateway.got) == 1
    day = world.lecture.starts_at.date()
    create_excuse(student=absent.student, course=None, first_day=day, last_day=day, reason="-", user=world.registrar)
    work_off()
    waiting = Delivery.objects.get(state="waiting")
    assert timezone.localtime(waiting.due_at).time() == time()
    assert len(gateway.got) == 1


@pytest.mark.parametrize(
    ("at", "end"),
    [("21:59", None), ("22:00", "2026-11-04 07:00"), ("03:00", "2026-11-03 07:00"), ("07:00", None)],
)
def test_quiet_hours_end_in_the_morning(at: str, end: str | None, settings):
    settings.TIME_ZONE = "Europe/Berlin"
    with timezone.override("Europe/Berlin"):
        chosen = MessageSettings(quiet_from=time(22), quiet_until=time(7))
        now = timezone.make_aware(datetime.fromisoformat(f"2026-11-03 {at}"))
        expected = timezone.make_aware(datetime.fromisoformat(end)) if end else None
        assert quiet_hours_end(chosen, now) == expected


@pytest.mark.parametrize(
    ("statuses", "answer", "state"),
    [("", 202, "sent"), ("", 503, "waiting"), ("", 429, "waiting"), ("", 400, "failed"), ("202", 200, "waiting")],
)
def test_the_gateway_says_what_became_of_it(
    world: World, gateway: Receiver, absent: MessageOptIn, statuses: str, answer: int, state: str
):
    MessageSettings.objects.update(success_statuses=statuses)
    gateway.answers = [answer]
    sign_off_lecture(lecture=world.lecture, user=world.own)
    work_off()
    assert Delivery.objects.get().state == state


def test_no_text_adds_a_field_or_a_header(world: World, gateway: Receiver, absent: MessageOptIn):
    absent.student.name = '{secret}","to":"+1&to=+1\r\nX-Evil: 1'
    absent.student.save()
    MessageSettings.objects.update(headers={"X-Text": "{text}{id}"})
    sign_off_lecture(lecture=world.lecture, user=world.own)
    work_off()
    [message] = sent(gateway)
    assert message["to"] == "+491715550199"
    assert message["text"].startswith(absent.student.name)  # as it is: what is filled in is not looked at again
    assert "x-evil" not in gateway.got[0][1]
    assert "s3cret" not in json.dumps(message)
    MessageSettings.objects.update(body_format="form")
    Delivery.objects.update(state="failed")
    services.retry_delivery(delivery=Delivery.objects.get())
    work_off()
    fields = parse_qs(gateway.got[1][2].decode())
    assert fields["to"] == ["+491715550199"]
    assert gateway.got[1][1]["content-type"] == "application/x-www-form-urlencoded"


def test_a_gateway_takes_it_by_mail(world: World, gateway: Receiver, absent: MessageOptIn, settings):
    letters: list[Letter] = []

    class Inbox:
        async def handle_DATA(self, server: object, session: object, envelope: object) -> str:  # noqa: N802
            letters.append(envelope)  # type: ignore[arg-type]
            return "250 OK"

    controller = Controller(Inbox(), hostname="127.0.0.1", port=free_port())
    controller.start()
    try:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", controller.port
        MessageSettings.objects.update(gateway="mail", mail_address="{number}@sms.example")
        sign_off_lecture(lecture=world.lecture, user=world.own)
        work_off()
    finally:
        controller.stop()
    [letter] = letters
    assert letter.rcpt_tos == ["491715550199@sms.example"]  # type: ignore[attr-defined]
    assert b"absent on" in letter.content or b"absent on" in base64.b64decode(letter.content.split(b"\n\n")[-1])  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "changes",
    [
        {"gateway": "http", "url": ""},
        {"gateway": "mail", "mail_address": "sms@example.org"},
        {"gateway": "mail", "mail_address": "{number}"},
        {"body": ["{to}"]},
        {"body": {"to": 5}},
        {"quiet_from": time(22)},
        {"success_statuses": "2xx"},
    ],
)
def test_settings_that_cannot_work_are_refused(changes: dict[str, object]):
    with pytest.raises(ValidationError):
        MessageSettings(**changes).full_clean()


@pytest.mark.parametrize(
    ("text", "parts"),
    [("a" * 160, 1), ("a" * 161, 2), ("€" * 80, 1), ("€" * 81, 2), ("Ж" * 70, 1), ("Ж" * 71, 2), ("a" * 459, 3)],
)
def test_long_texts_are_several_sms(text: str, parts: int):
    assert count_sms(text) == parts


def test_an_erasure_takes_opt_ins_and_messages_and_an_export_has_them(
    world: World, gateway: Receiver, absent: MessageOptIn
):
    sign_off_lecture(lecture=world.lecture, user=world.own)
    data = collect_data(absent.student)
    assert [row["address"] for row in data["opt-ins to messages"]] == ["+491715550199"]
    assert "absent on" in data["messages"][0]["body"]
    erase_messages(absent.student_id, Terms.of([absent.student.number], "-"))
    assert not MessageOptIn.objects.exists()
    assert not Delivery.objects.exists()


def test_an_address_is_recorded_once(world: World, absent: MessageOptIn):
    again: dict[str, Any] = {
        "student": absent.student,
        "recipient": "guardian",
        "channel": "sms",
        "language": "en-gb",
        "user": world.own,
    }
    with pytest.raises(UserError):
        record_opt_in(address="+49-171-555-0199", **again)


def test_a_restored_backup_ends_again_what_was_ended_since(absent: MessageOptIn):
    before = timezone.now()
    withdraw_opt_in(opt_in=absent)
    endings = find_endings()
    MessageOptIn.objects.update(withdrawn_at=None)  # as the backup has it
    assert repeat_endings(endings, since=before) == 1
    absent.refresh_from_db()
    assert not absent.is_active


def test_the_gateway_is_set_up_and_tried_in_the_admin(world: World, gateway: Receiver, client: Client):
    client.force_login(world.registrar)
    page = reverse("admin:outbox_messagesettings_change", args=[1])
    assert "s3cret" not in client.get(page).content.decode()
    form = {"gateway": "http", "url": gateway.url, "headers": '{"X-Key": "{secret}"}', "body": '{"n": "{to}"}'}
    form |= {
        "body_format": "form",
        "daily_limit": "9",
        "daily_limit_per_recipient": "2",
        "price": "0.08",
        "currency": "EUR",
    }
    assert client.post(page, form).status_code == 302
    tried = reverse("admin:outbox_messagesettings_test_gateway", args=[1])
    client.post(tried, {"_form_submitted": "True", "number": NUMBER})
    [(_path, headers, body)] = gateway.got
    assert (headers["x-key"], body) == ("s3cret", b"n=%2B491715550199")  # the secret stays, though the form has none
    gateway.answers = [401]
    said = client.post(tried, {"_form_submitted": "True", "number": NUMBER}, follow=True).content.decode()
    assert "The SMS gateway answered 401." in said
