"""Periodic tasks that only call the campus. Each may safely run twice, late, or not at all for a while."""

from campus.attendance.weekly_notifications import notify_week
from campus.cctv import alarms, collection
from campus.common import periodic_tasks
from campus.connections.runs import request_due_runs
from campus.outbox import services as outbox
from campus.privacy.erasure_alarms import erasure_alarms
from workers.celery import app


@app.task(name=periodic_tasks.COLLECT_FOOTAGE.task)
def collect_footage() -> None:
    collection.collect_footage()


@app.task(name=periodic_tasks.CHECK_ALARMS.task)
def check_alarms() -> None:
    alarms.update_alarms(erasure_alarms())


@app.task(name=periodic_tasks.SEND_WEEKLY_REGISTERS.task)
def send_weekly_registers() -> None:
    notify_week()


@app.task(name=periodic_tasks.WAKE_DELIVERIES.task)
def wake_deliveries() -> None:
    outbox.requeue_due_deliveries()
    outbox.forget_previous_secrets()


@app.task(name=periodic_tasks.WAKE_CONNECTIONS.task)
def wake_connections() -> None:
    request_due_runs()
