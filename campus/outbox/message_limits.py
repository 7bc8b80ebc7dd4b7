"""When a message to somebody who has opted in has to wait: in quiet hours, and when enough were sent on a day."""

from datetime import datetime, timedelta

from django.utils import timezone

from campus.outbox.gateway import get_message_settings
from campus.outbox.message_models import MessageSettings
from campus.outbox.models import Delivery
from recognition.messages import Message


def held_until(delivery: Delivery, now: datetime) -> tuple[datetime, Message] | None:
    """Until when the message waits, and why; None: it may be sent now. Several workers that send at this moment may
    exceed a limit by one message each.
    """
    chosen = get_message_settings()
    if end := quiet_hours_end(chosen, now):
        return end, Message("It waits until the quiet hours are over.")
    midnight = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    sent = Delivery.objects.filter(opt_in__isnull=False, sent_at__gte=midnight)
    to_recipient = sent.filter(opt_in__address=delivery.address)
    if sent.count() < chosen.daily_limit and to_recipient.count() < chosen.daily_limit_per_recipient:
        return None
    tomorrow = midnight + timedelta(days=1)
    return quiet_hours_end(chosen, tomorrow) or tomorrow, Message("It waits until tomorrow: enough were sent today.")


def quiet_hours_end(chosen: MessageSettings, now: datetime) -> datetime | None:
    """When the quiet hours of this moment end; None: it is not in them."""
    first, last = chosen.quiet_from, chosen.quiet_until
    if first is None or last is None or first == last:
        return None
    local = timezone.localtime(now)
    is_over_midnight = first > last
    moment = local.time()
    is_quiet = (moment >= first or moment < last) if is_over_midnight else first <= moment < last
    if not is_quiet:
        return None
    day = local.date() + timedelta(days=1) if is_over_midnight and moment >= first else local.date()
    return timezone.make_aware(datetime.combine(day, last))
