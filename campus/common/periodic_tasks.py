"""The program's periodic tasks: one registry of their names and first schedules, and how people change when one runs.

Each schedule is a row that the scheduler reads; it notices when the row changes.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

from celery.schedules import crontab
from django.conf import settings
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

from campus.common.errors import UserError
from campus.common.jobs import MAINTENANCE_QUEUE, SWEEP_QUEUE

MAX_INTERVAL_MINUTES = 7 * 24 * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodicJob:
    """A periodic task: the name of its row, when it runs unless people change that, and what it does, in their words.

    One without a label always runs as it is configured here.
    """

    name: str
    schedule: timedelta | crontab
    label: str | Promise = ""
    queue: str = MAINTENANCE_QUEUE

    @property
    def task(self) -> str:
        """The name of the Celery task."""
        return f"rollcall.{self.name}"


SWEEP = PeriodicJob(name="sweep", schedule=timedelta(seconds=settings.SWEEP_SECONDS), queue=SWEEP_QUEUE)
COLLECT_FOOTAGE = PeriodicJob(
    name="collect_footage", schedule=timedelta(minutes=1), label=gettext_lazy("Check for lecture footage")
)
CHECK_ALARMS = PeriodicJob(
    name="check_alarms",
    schedule=timedelta(minutes=10),
    label=gettext_lazy("Check that sources, queues and cameras still work"),
)
# Runs every day: the first run after the end of a week counts, even if the messages of some days were lost.
SEND_WEEKLY_REGISTERS = PeriodicJob(
    name="send_weekly_registers",
    schedule=crontab(hour="6", minute="30"),
    label=gettext_lazy("Send last week's registers and warnings"),
)
WAKE_DELIVERIES = PeriodicJob(
    name="wake_deliveries",
    schedule=timedelta(minutes=1),
    label=gettext_lazy("Retry messages that could not be delivered"),
)
WAKE_CONNECTIONS = PeriodicJob(
    name="wake_connections",
    schedule=timedelta(minutes=1),
    label=gettext_lazy("Exchange rosters and marks with other systems"),
)
CLEAN_UP = PeriodicJob(name="clean_up", schedule=timedelta(hours=1), label=gettext_lazy("Delete expired data"))
APPLY_RETENTION = PeriodicJob(
    name="apply_retention", schedule=timedelta(hours=1), label=gettext_lazy("Delete what the retention rules say")
)

PERIODIC_JOBS = (
    SWEEP,
    COLLECT_FOOTAGE,
    CHECK_ALARMS,
    SEND_WEEKLY_REGISTERS,
    WAKE_DELIVERIES,
    WAKE_CONNECTIONS,
    CLEAN_UP,
    APPLY_RETENTION,
)


def schedule_by(now: Callable[[], datetime], task: PeriodicTask) -> Any:
    """The task's schedule by that clock."""
    schedule: Any = task.schedule
    schedule.nowfun = lambda: now().astimezone(schedule.tz)
    return schedule


def schedule_every(*, task: PeriodicTask, minutes: int) -> None:
    """Run the task at this interval. Raises UserError."""
    if not 1 <= minutes <= MAX_INTERVAL_MINUTES:
        raise UserError("Choose an interval from one minute to a week.")
    _set_schedule(
        task, interval=IntervalSchedule.objects.get_or_create(every=minutes, period=IntervalSchedule.MINUTES)[0]
    )


def schedule_at(*, task: PeriodicTask, at: time, days: Collection[int]) -> None:
    """Run the task at this time of the institution's clock, on these days of the week (0 is Monday).

    Raises UserError.
    """
    if not days:
        raise UserError("Choose one day of the week at least.")
    cron_days = "*" if len(set(days)) == 7 else ",".join(str(day) for day in sorted({(day + 1) % 7 for day in days}))
    when = {
        "minute": str(at.minute),
        "hour": str(at.hour),
        "day_of_week": cron_days,
        "day_of_month": "*",
        "month_of_year": "*",
    }
    zone = timezone.get_default_timezone()
    _set_schedule(task, crontab=CrontabSchedule.objects.get_or_create(timezone=zone, **when)[0])


def _set_schedule(
    task: PeriodicTask, interval: IntervalSchedule | None = None, crontab: CrontabSchedule | None = None
) -> None:
    task.interval, task.crontab, task.solar, task.clocked = interval, crontab, None, None
    task.save()


def scheduled_time(task: PeriodicTask) -> tuple[time, list[int]] | None:
    """The time and the days of the week (0 is Monday) at which a task runs; None if it runs at an interval."""
    cron = task.crontab
    if cron is None:
        return None
    days = (
        list(range(7)) if cron.day_of_week == "*" else sorted((int(day) + 6) % 7 for day in cron.day_of_week.split(","))
    )
    return time(int(cron.hour), int(cron.minute)), days


def interval_minutes(task: PeriodicTask) -> int | None:
    """The interval of a task in minutes; None if it runs at a time of the day."""
    return round(task.interval.schedule.run_every.total_seconds() / 60) or 1 if task.interval else None
