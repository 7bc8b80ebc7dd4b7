"""When periodic tasks run: rows that people edit, one message a slot, nothing lost in an outage, summer time."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from celery.beat import SchedulingError
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from campus.common.periodic_tasks import (
    CHECK_ALARMS,
    COLLECT_FOOTAGE,
    PERIODIC_JOBS,
    SEND_WEEKLY_REGISTERS,
    interval_minutes,
    schedule_at,
    schedule_every,
    scheduled_time,
)
from workers.beat_scheduler import Scheduler
from workers.celery import app

pytestmark = pytest.mark.django_db


class Recording(Scheduler):
    """A scheduler that sends nothing, and remembers what it would have sent."""

    fails = False
    producer = None

    def __init__(self) -> None:
        self.sent: list[str] = []
        super().__init__(app=app)

    def apply_async(self, entry: Any, producer: Any = None, advance: bool = True, **kwargs: Any) -> None:
        if self.fails:
            raise SchedulingError("The broker is away.")
        self.sent.append(entry.name)

    def schedule_changed(self) -> bool:
        return False

    def pass_by(self, *, anew: bool = True) -> list[str]:
        """Send what is due, by the rows as they are now; returns what was."""
        self.sent.clear()
        if anew:
            self._schedule, self._heap = self.all_as_schedule(), None
        for _ in range(20):
            if self.tick():
                break
        return sorted(self.sent)


@pytest.fixture(autouse=True)
def same_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test's own, in whose transaction all is."""
    monkeypatch.setattr("django_celery_beat.schedulers.close_old_connections", lambda: None)


@pytest.fixture
def schedulers() -> tuple[Recording, Recording]:
    return Recording(), Recording()


def long_ago(**ago: float) -> None:
    PeriodicTask.objects.update(last_run_at=timezone.now() - timedelta(**ago))


def test_the_rows_are_made_once_and_stay_as_people_left_them(settings) -> None:
    Recording()
    names = set(PeriodicTask.objects.values_list("name", flat=True))
    assert names == {job.name for job in PERIODIC_JOBS}
    assert set(PeriodicTask.objects.values_list("queue", "expire_seconds")) == {("maintenance", 3600)}
    schedule_every(task=PeriodicTask.objects.get(name=COLLECT_FOOTAGE.name), minutes=7)
    schedule_at(task=PeriodicTask.objects.get(name=SEND_WEEKLY_REGISTERS.name), at=time(18, 45), days=[6, 2])
    PeriodicTask.objects.filter(name=CHECK_ALARMS.name).update(enabled=False)
    PeriodicTask.objects.create(name="of an older version", task="x", interval=IntervalSchedule.objects.first())
    Recording()
    assert set(PeriodicTask.objects.values_list("name", flat=True)) == names
    assert interval_minutes(PeriodicTask.objects.get(name=COLLECT_FOOTAGE.name)) == 7
    assert scheduled_time(PeriodicTask.objects.get(name=SEND_WEEKLY_REGISTERS.name)) == (time(18, 45), [2, 6])
    assert not PeriodicTask.objects.get(name=CHECK_ALARMS.name).enabled


def test_each_slot_is_sent_once_by_two_schedulers(schedulers: tuple[Recording, Recording]) -> None:
    one, other = schedulers
    long_ago(days=2)
    names = {job.name for job in PERIODIC_JOBS}
    for scheduler in schedulers:
        scheduler._schedule, scheduler._heap = scheduler.all_as_schedule(), None
    sent = one.pass_by(anew=False) + other.pass_by(anew=False)
    assert sorted(sent) == sorted(names)
    assert one.pass_by() + other.pass_by() == []
    assert set(PeriodicTask.objects.values_list("total_run_count", flat=True)) == {1}


def test_one_goes_on_where_the_other_stopped(schedulers: tuple[Recording, Recording]) -> None:
    one, other = schedulers
    for turn in range(3):
        PeriodicTask.objects.filter(name=COLLECT_FOOTAGE.name).update(
            last_run_at=timezone.now() - timedelta(seconds=61 + turn)
        )
        scheduler = (one, other)[turn % 2]
        assert COLLECT_FOOTAGE.name in scheduler.pass_by()


def test_what_could_not_be_sent_is_sent_later(schedulers: tuple[Recording, Recording]) -> None:
    one, _other = schedulers
    long_ago(days=8)
    one.fails = True
    assert one.pass_by() == []
    assert (
        PeriodicTask.objects.filter(total_run_count=0, last_run_at__lt=timezone.now() - timedelta(days=7)).count() == 6
    )
    one.fails = False
    assert SEND_WEEKLY_REGISTERS.name in one.pass_by()


def test_a_week_s_slot_that_an_outage_held_up_is_due_whatever_the_hour(schedulers: tuple[Recording, Recording]) -> None:
    one, _other = schedulers
    task = PeriodicTask.objects.get(name=SEND_WEEKLY_REGISTERS.name)
    there = timezone.now() + timedelta(hours=11)
    schedule_at(task=task, at=time(there.hour, 0), days=[there.weekday()])
    long_ago(days=8)
    assert SEND_WEEKLY_REGISTERS.name in one.pass_by()


@pytest.mark.parametrize(
    ("last", "due"),
    [
        (datetime(2026, 3, 28, 5, 30, tzinfo=UTC), datetime(2026, 3, 29, 4, 30, tzinfo=UTC)),
        (datetime(2026, 10, 24, 4, 30, tzinfo=UTC), datetime(2026, 10, 25, 5, 30, tzinfo=UTC)),
    ],
)
def test_half_past_six_is_half_past_six_on_the_wall(settings, last: datetime, due: datetime) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    Recording()
    task = PeriodicTask.objects.get(name=SEND_WEEKLY_REGISTERS.name)
    schedule_at(task=task, at=time(6, 30), days=range(7))
    for now, expected in ((due - timedelta(seconds=5), False), (due, True)):
        schedule = task.schedule
        schedule.nowfun = lambda now=now: now
        assert schedule.is_due(last).is_due is expected


@pytest.mark.parametrize("hour", [0, 1])
def test_a_pause_is_as_long_in_the_night_of_the_change(settings, hour: int) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    Recording()
    task = PeriodicTask.objects.get(name=COLLECT_FOOTAGE.name)
    last = datetime(2026, 10, 25, hour, 59, 30, tzinfo=UTC)
    schedule = task.schedule
    schedule.nowfun = lambda: last + timedelta(seconds=59)
    assert not schedule.is_due(last).is_due
    schedule.nowfun = lambda: last + timedelta(seconds=60)
    assert schedule.is_due(last).is_due
