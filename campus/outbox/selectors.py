"""Which webhooks and messages a user may see: who looks after all classes, and auditors."""

from django.db.models import QuerySet

from campus.accounts.roles import AnyUser, sees_everything
from campus.outbox.models import Delivery, Webhook


def webhooks_for(user: AnyUser) -> QuerySet[Webhook]:
    return Webhook.objects.all() if sees_everything(user) else Webhook.objects.none()


def deliveries_for(user: AnyUser) -> QuerySet[Delivery]:
    return Delivery.objects.select_related("webhook", "opt_in") if sees_everything(user) else Delivery.objects.none()
