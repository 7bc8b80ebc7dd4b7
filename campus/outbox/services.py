"""Everything that writes messages: they are queued, tried, tried again later, and deleted in the end."""

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from campus.academics.models import Course
from campus.accounts.institution import institution_name
from campus.common import jobs
from campus.common.errors import UserError
from campus.outbox.models import Delivery, Webhook, new_secret
from campus.outbox.sending import DeliveryError, send
from recognition.messages import Message

# How long after each failed try the next one follows; after the last pause the message is given up.
RETRY_PAUSES = [timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 480, 1440)]


def queue_email(*, to: str, event: str, key: str, subject: str, body: str) -> None:
    """Queue an e-mail, unless one with this key was queued for the address before."""
    _queue(key, to, Delivery(to=to, event=event, subject=" ".join(subject.split())[:200], body=body))


def queue_event(
    *, course: Course | None, event: str, key: str, data: Mapping[str, object] | Callable[[], Mapping[str, object]]
) -> None:
    """Queue an event for the webhooks of the class and of all classes, unless one with this key was queued for them
    before. A function that gives `data` is called only if there are any.
    """
    webhooks = list(Webhook.objects.filter(Q(course=course) | Q(course=None), active=True))
    if not webhooks:
        return
    content = {"type": event, "timestamp": timezone.now().isoformat(), "data": data() if callable(data) else data}
    body = json.dumps(content, ensure_ascii=False)
    for webhook in webhooks:
        _queue(key, str(webhook.pk), Delivery(webhook=webhook, event=event, body=body))


def _queue(key: str, receiver: str, delivery: Delivery) -> None:
    delivery.topic, delivery.key = key, hashlib.sha256(f"{key}:{receiver}".encode()).hexdigest()
    with transaction.atomic():
        if (
            Delivery.objects.bulk_create([delivery], ignore_conflicts=True)
            and Delivery.objects.filter(pk=delivery.pk).exists()
        ):
            jobs.DELIVER.request(delivery.pk)


def deliver(*, delivery: Delivery) -> None:
    """Try to send the message once, by the worker that has claimed it."""
    now = timezone.now()
    if delivery.webhook and not delivery.webhook.active:
        jobs.finish(delivery, Delivery.State.FAILED, error=Message("The webhook is switched off."))
        return
    try:
        send(delivery, now)
    except DeliveryError as error:
        tries = delivery.tries + 1
        if error.final or tries > len(RETRY_PAUSES):
            jobs.finish(delivery, Delivery.State.FAILED, tries=tries, due_at=None, error=error.message)
            if delivery.webhook and error.gone:
                Webhook.objects.filter(pk=delivery.webhook.pk).update(active=False)
        else:
            jobs.finish(
                delivery, Delivery.State.WAITING, tries=tries, due_at=now + RETRY_PAUSES[tries - 1], error=error.message
            )
    else:
        jobs.finish(delivery, Delivery.State.SENT, tries=delivery.tries + 1, due_at=None, sent_at=now)


def requeue_due_deliveries() -> int:
    """Request the messages whose next try is due; returns how many."""
    due = list(
        Delivery.objects.filter(state=Delivery.State.WAITING, due_at__lte=timezone.now()).values_list("pk", flat=True)[
            :500
        ]
    )
    with transaction.atomic():
        Delivery.objects.filter(pk__in=due, state=Delivery.State.WAITING).update(
            state=Delivery.State.QUEUED, **jobs.RESET_FIELDS
        )
        jobs.DELIVER.request(*due)
    return len(due)


def retry_delivery(*, delivery: Delivery) -> None:
    """Send a message that was given up, as if it were new. Raises UserError if it is not waiting."""
    rows = Delivery.objects.filter(pk=delivery.pk, state__in=(Delivery.State.FAILED, Delivery.State.WAITING))
    with transaction.atomic():
        if not rows.update(
            state=Delivery.State.QUEUED, tries=0, due_at=None, error="", error_detail="", **jobs.RESET_FIELDS
        ):
            raise UserError("This message is not waiting: it was sent, or is about to be.")
        jobs.DELIVER.request(delivery.pk)


def renew_secret(*, webhook: Webhook) -> Webhook:
    """Sign whatever is sent from now on with another secret."""
    webhook.secret = new_secret()
    webhook.save(update_fields=["secret"])
    return webhook


def queue_ping(*, webhook: Webhook) -> Delivery:
    """Queue a message without content to test the receiver, at most one a second."""
    body = json.dumps(
        {"type": "ping", "timestamp": timezone.now().isoformat(), "data": {"institution": institution_name()}}
    )
    key = f"ping:{webhook.pk}:{timezone.now():%Y%m%d%H%M%S}"
    _queue(key, str(webhook.pk), Delivery(webhook=webhook, event="ping", body=body))
    return Delivery.objects.get(topic=key)
