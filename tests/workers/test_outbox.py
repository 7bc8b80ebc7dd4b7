"""A message from the row to the receiver, with the worker that dies and the message that comes twice."""

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
def letter() -> Delivery:
    services.queue_email(to="ada@example.org", event="attendance.absent", key="k", subject="Absent", body="Dear Ada")
    return Delivery.objects.get()


def test_a_message_that_comes_twice_sends_once(letter: Delivery) -> None:
    for _ in range(2):
        deliver(jobs.MESSAGE_VERSION, str(letter.pk))
    letter.refresh_from_db()
    assert (letter.state, len(mail.outbox)) == ("sent", 1)


def test_a_worker_that_dies_is_replaced_and_not_for_ever(letter: Delivery, settings) -> None:
    for _ in range(settings.MAX_ATTEMPTS):
        assert jobs.DELIVER.claim(letter.pk, owner="dies")
        Delivery.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    fail_exhausted_jobs()
    letter.refresh_from_db()
    assert letter.state == "failed"
    assert "given up" in str(letter.error)


def test_what_waits_is_woken_when_it_is_due(letter: Delivery) -> None:
    Delivery.objects.update(state="waiting", tries=1, due_at=timezone.now() + timedelta(minutes=1))
    wake_deliveries()
    deliver(jobs.MESSAGE_VERSION, str(letter.pk))
    assert mail.outbox == []
    Delivery.objects.update(due_at=timezone.now())
    wake_deliveries()
    deliver(jobs.MESSAGE_VERSION, str(letter.pk))
    assert len(mail.outbox) == 1


def test_an_error_that_nobody_expected_is_tried_again(letter: Delivery, monkeypatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a bug")

    with monkeypatch.context() as patch:
        patch.setattr("campus.outbox.services.send", broken)
        deliver(jobs.MESSAGE_VERSION, str(letter.pk))
    letter.refresh_from_db()
    assert (letter.state, letter.lease_owner) == ("queued", "")
    assert "a bug" in letter.error_detail
    deliver(jobs.MESSAGE_VERSION, str(letter.pk))
    assert len(mail.outbox) == 1
