"""Deliveries are sent once, although workers die and messages are repeated."""

from datetime import timedelta

import pytest
from django.core import mail
from django.utils import timezone

from campus.common import jobs
from campus.outbox import services
from campus.outbox.models import Delivery
from workers.celery import app
from workers.maintenance import fail_exhausted_jobs
from workers.periodic import wake_deliveries

pytestmark = pytest.mark.django_db


def deliver(version: int, pk: str) -> None:
    app.loader.import_default_modules()
    app.tasks[jobs.DELIVER.task](version, pk)


@pytest.fixture
def delivery() -> Delivery:
    services.queue_email(to="ada@example.org", event="attendance.absent", key="k", subject="Absent", body="Dear Ada")
    return Delivery.objects.get()


def test_a_repeated_message_sends_once(delivery: Delivery) -> None:
    for _ in range(2):
        deliver(jobs.MESSAGE_VERSION, str(delivery.pk))
    delivery.refresh_from_db()
    assert (delivery.state, len(mail.outbox)) == ("sent", 1)


def test_a_delivery_whose_workers_die_fails_in_the_end(delivery: Delivery, settings) -> None:
    for _ in range(settings.MAX_ATTEMPTS):
        assert jobs.DELIVER.claim(delivery.pk, owner="dies")
        Delivery.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    fail_exhausted_jobs(jobs.DELIVER)
    delivery.refresh_from_db()
    assert delivery.state == "failed"
    assert "given up" in str(delivery.error)


def test_a_waiting_delivery_is_sent_when_it_is_due(delivery: Delivery) -> None:
    Delivery.objects.update(state="waiting", tries=1, due_at=timezone.now() + timedelta(minutes=1))
    wake_deliveries()
    deliver(jobs.MESSAGE_VERSION, str(delivery.pk))
    assert mail.outbox == []
    Delivery.objects.update(due_at=timezone.now())
    wake_deliveries()
    deliver(jobs.MESSAGE_VERSION, str(delivery.pk))
    assert len(mail.outbox) == 1


def test_an_unexpected_error_is_retried(delivery: Delivery, monkeypatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a bug")

    with monkeypatch.context() as patch:
        patch.setattr("campus.outbox.services.send", broken)
        deliver(jobs.MESSAGE_VERSION, str(delivery.pk))
    delivery.refresh_from_db()
    assert (delivery.state, delivery.lease_owner) == ("queued", "")
    assert "a bug" in delivery.error_detail
    deliver(jobs.MESSAGE_VERSION, str(delivery.pk))
    assert len(mail.outbox) == 1
