"""Messages that leave the house: one try of one message, and the clock that wakes those that wait."""

from campus.outbox import services
from campus.outbox.models import Delivery
from workers.celery import app
from workers.leased_task import work


@work(services.TASK)
def deliver(delivery: Delivery) -> None:
    services.deliver(delivery=delivery)


@app.task(name="rollcall.outbox")
def outbox() -> None:
    services.wake_due()
    services.forget_old()
