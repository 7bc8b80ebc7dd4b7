"""Sends e-mails and webhooks: a task is one attempt to send one message."""

from campus.common import jobs
from campus.outbox import services
from campus.outbox.models import Delivery
from workers.leased_task import leased_task


@leased_task(jobs.DELIVER)
def deliver(delivery: Delivery) -> None:
    services.deliver(delivery=delivery)
