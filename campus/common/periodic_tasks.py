"""When the program's regular work runs: rows that a scheduler reads, and notices when they change."""

from collections.abc import Collection
from datetime import time

from django.utils import timezone
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

from campus.common.errors import UserError

LONGEST = 7 * 24 * 60  # minutes


def every_set(*, task: PeriodicTask, minutes: int) -> None:
    """Run the task again and again, with that pause. Raises UserError."""
    if not 1 <= minutes <= LONGEST:
        raise UserError("Choose a pause from one minute to a week.")
    _set(task, interval=IntervalSchedule.objects.get_or_create(every=minutes, period=IntervalSchedule.MINUTES)[0])


def times_set(*, task: PeriodicTask, at: time, days: Collection[int]) -> None:
    """Run the task at that time of the institution's clock, on these days of the week (0 is Monday). Raises UserError."""
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
    _set(task, crontab=CrontabSchedule.objects.get_or_create(timezone=timezone.get_default_timezone(), **when)[0])


def _set(task: PeriodicTask, interval: IntervalSchedule | None = None, crontab: CrontabSchedule | None = None) -> None:
    task.interval, task.crontab, task.solar, task.clocked = interval, crontab, None, None
    task.save()


def times_of(task: PeriodicTask) -> tuple[time, list[int]] | None:
    """The time and the days of the week (0 is Monday) at which a task runs; None where it runs again and again."""
    cron = task.crontab
    if cron is None:
        return None
    days = (
        list(range(7)) if cron.day_of_week == "*" else sorted((int(day) + 6) % 7 for day in cron.day_of_week.split(","))
    )
    return time(int(cron.hour), int(cron.minute)), days


def minutes_of(task: PeriodicTask) -> int | None:
    """The pause of a task in minutes; None where it has times."""
    return round(task.interval.schedule.run_every.total_seconds() / 60) or 1 if task.interval else None
