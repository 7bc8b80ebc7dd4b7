"""Everything that writes messages: they are queued, tried, tried again later, and deleted in the end."""

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from campus.academics.models import Course
from campus.accounts.institution import institution_name
from campus.common import jobs
from campus.common.errors import UserError
from campus.outbox.delivery_error import DeliveryError
from campus.outbox.gateway import count_parts
from campus.outbox.message_limits import held_until
from campus.outbox.models import Delivery, Webhook, new_secret
from campus.outbox.sending import send
from recognition.messages import Message

# How long after each failed try the next one follows; after the last pause the message is given up.
RETRY_PAUSES = [timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 480, 1440)]
PING = "ping"
REPLAY_DAYS = 7
PREVIOUS_SECRET_LIFETIME = timedelta(hours=24)


def queue_email(*, to: str, event: str, key: str, subject: str, body: str) -> None:
    """Queue an e-mail, unless one with this key was queued for the address before."""
    queue_delivery(key, to, Delivery(to=to, event=event, subject=" ".join(subject.split())[:200], body=body))


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
        queue_delivery(key, str(webhook.pk), Delivery(webhook=webhook, event=event, body=body))


def queue_delivery(key: str, receiver: str, delivery: Delivery) -> None:
    """Queue a message, unless one with this key was queued for the receiver before."""
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
    if delivery.opt_in and (held := held_until(delivery, now)):
        due_at, reason = held
        jobs.finish(delivery, Delivery.State.WAITING, due_at=due_at, error=reason)
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
        parts = count_parts(delivery)
        jobs.finish(delivery, Delivery.State.SENT, tries=delivery.tries + 1, due_at=None, sent_at=now, parts=parts)


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
    """Sign whatever is sent from now on with another secret, and for a day with the present one too, so that the
    receiver can be given the new one without losing a message.
    """
    webhook.previous_secret, webhook.previous_secret_until = webhook.secret, timezone.now() + PREVIOUS_SECRET_LIFETIME
    webhook.secret = new_secret()
    webhook.save(update_fields=["secret", "previous_secret", "previous_secret_until"])
    return webhook


def forget_previous_secrets() -> None:
    """Delete the secrets whose day is over."""
    over = Webhook.objects.filter(previous_secret_until__lte=timezone.now())
    over.update(previous_secret="", previous_secret_until=None)


@transaction.atomic
def replay(*, webhook: Webhook, since: datetime) -> int:
    """Send again what was queued for the webhook since then, at most of the last week, with the ids that it had;
    returns how many messages. What waits to be sent is left.
    """
    if not webhook.active:
        raise UserError("This webhook is switched off. Switch it on first.")
    since = max(since, timezone.now() - timedelta(days=REPLAY_DAYS))
    rows = Delivery.objects.filter(webhook=webhook, created_at__gte=since).exclude(event=PING)
    rows = rows.exclude(state=Delivery.State.QUEUED)
    keys = list(rows.order_by("created_at").values_list("pk", flat=True))
    rows.filter(pk__in=keys).update(
        state=Delivery.State.QUEUED, tries=0, due_at=None, error="", error_detail="", **jobs.RESET_FIELDS
    )
    jobs.DELIVER.request(*keys)
    return len(keys)


def queue_ping(*, webhook: Webhook) -> Delivery:
    """Queue a message without content to test the receiver, at most one a second."""
    body = json.dumps(
        {"type": "ping", "timestamp": timezone.now().isoformat(), "data": {"institution": institution_name()}}
    )
    key = f"ping:{webhook.pk}:{timezone.now():%Y%m%d%H%M%S}"
    queue_delivery(key, str(webhook.pk), Delivery(webhook=webhook, event=PING, body=body))
    return Delivery.objects.get(topic=key)
