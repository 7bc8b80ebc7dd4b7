"""What receivers of webhooks rely on: the published description, replays, and secrets that are renewed."""

import json
import re
from datetime import datetime, time, timedelta

import jsonschema_rs
import pytest
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from campus.accounts.services import create_token
from campus.attendance.models import AttendanceRecord, RegisterPolicy
from campus.attendance.notifications import notify_recording_counted, notify_review_needed, notify_signed_off
from campus.attendance.weekly_notifications import notify_week
from campus.cctv.models import Alarm, Collection
from campus.cctv.notifications import notify_alarms, notify_missing_footage
from campus.common.days import Week
from campus.outbox import services
from campus.outbox.events import EVENTS
from campus.outbox.models import Delivery, Webhook
from campus.outbox.sending import signature
from recognition.messages import Message
from tests.campus import factories
from tests.campus.conftest import World
from tests.campus.outbox.test_services import Receiver, receiver, tell, work_off
from tests.conftest import REPOSITORY

__all__ = ["receiver"]

pytestmark = pytest.mark.django_db


def have_all_events(world: World) -> None:
    """Make everything happen that webhooks are told of."""
    notify_recording_counted(recording=world.recording)
    notify_signed_off(lecture=world.lecture)
    notify_review_needed(recording=world.recording)
    collection = Collection.objects.create(
        lecture=world.lecture, next_check_at=factories.STARTS, deadline_at=factories.STARTS
    )
    notify_missing_footage([collection], timezone.now())
    alarm = Alarm.objects.create(kind=Alarm.Kind.SILENT, key="source 1", text=Message("Nothing came."))
    notify_alarms(started=[alarm], ended=[alarm])
    falls, stays = world.course.students.all()
    RegisterPolicy.objects.create(course=world.course, warning_addresses="dean@example.org")
    monday = Week.current().previous.monday
    for weeks_ago, status in ((3, "present"), (2, "present"), (1, "present"), (0, "absent"), (0, "absent")):
        day = monday - timedelta(weeks=weeks_ago) + timedelta(days=world.course.lectures.count() % 5)
        lecture = factories.lecture(
            world.course, starts_at=timezone.make_aware(datetime.combine(day, time(6))), minutes=30
        )
        AttendanceRecord.objects.create(lecture=lecture, student=falls, override_status=status)
        AttendanceRecord.objects.create(lecture=lecture, student=stays, override_status="present")
    notify_week()


def test_what_is_sent_is_what_is_described(world: World, receiver: Receiver, client: Client):
    webhook = Webhook.objects.create(url=receiver.url)
    have_all_events(world)
    services.queue_ping(webhook=webhook)
    work_off()
    assert client.get("/api/v1/asyncapi.json").status_code == 401
    client.force_login(world.own)
    document = client.get("/api/v1/asyncapi.json").json()
    described = {message["name"]: message for message in document["components"]["messages"].values()}
    kinds = set()
    for _path, headers, body in receiver.got:
        message = json.loads(body)
        kinds.add(message["type"])
        payload = described[message["type"]]["payload"]
        jsonschema_rs.Draft202012Validator(payload, validate_formats=True).validate(message)
        jsonschema_rs.validate(document["components"]["schemas"]["Headers"], headers)
    assert kinds == set(described) == set(EVENTS)
    page = (REPOSITORY / "docs" / "integrations" / "webhooks.md").read_text()
    rows = re.findall(r"^\| (`.*?`) \|", page, re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`([\w.]+)`", row)} == set(EVENTS)


def test_the_last_week_is_sent_again_with_the_same_ids(world: World, receiver: Receiver):
    webhook, other = (Webhook.objects.create(url=receiver.url) for _ in range(2))
    new, old, ancient = (tell(world.course, key) for key in ("new", "old", "ancient"))
    work_off()
    services.queue_ping(webhook=webhook)
    work_off()
    now = timezone.now()
    mine = {row.topic: row for row in webhook.deliveries.all()}
    for topic, days in (("old", 3), ("ancient", 8)):
        Delivery.objects.filter(topic=topic).update(created_at=now - timedelta(days=days))
    del new, old, ancient
    receiver.got.clear()
    api = APIClient()
    for user, status in ((world.own, 403), (world.registrar, 202)):
        _, secret = create_token(user=user, name="replay", scope="write", days=1)
        api.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
        answer = api.post(f"/api/v1/webhooks/{webhook.pk}/replay/", {"since": now - timedelta(days=30)}, format="json")
        assert answer.status_code == status or (user == world.own and answer.status_code == 404)
    assert answer.json() == {"count": 2}
    work_off()
    assert {headers["webhook-id"] for _path, headers, _body in receiver.got} == {
        str(mine["new"].pk),
        str(mine["old"].pk),
    }
    assert other.deliveries.filter(tries=1).count() == 3  # nobody else hears it again
    webhook.active = False
    webhook.save()
    answer = api.post(f"/api/v1/webhooks/{webhook.pk}/replay/", {"since": now}, format="json")
    assert (answer.status_code, "switched off" in answer.json()["detail"]) == (400, True)


def test_a_renewed_secret_loses_no_message(world: World, receiver: Receiver):
    webhook = Webhook.objects.create(url=receiver.url)
    before = webhook.secret
    services.renew_secret(webhook=webhook)
    assert webhook.secret != before

    def signed_with() -> list[bool]:
        """Whether the message is signed with the secret before, and with the new one."""
        tell(world.course, f"{len(receiver.got)}")
        work_off()
        _path, headers, body = receiver.got[-1]
        about = headers["webhook-id"], int(headers["webhook-timestamp"]), body.decode()
        found = headers["webhook-signature"].split(" ")
        return [signature(secret, *about) in found for secret in (before, webhook.secret)]

    assert signed_with() == [True, True]
    services.forget_previous_secrets()
    assert signed_with() == [True, True]
    Webhook.objects.update(previous_secret_until=timezone.now() - timedelta(seconds=1))
    assert signed_with() == [False, True]
    services.forget_previous_secrets()
    webhook.refresh_from_db()
    assert webhook.previous_secret == ""
