"""When periodic tasks run: as people edit them, once a time, also after an outage and when summer time ends."""

import signal
from contextlib import suppress
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest
from celery.beat import SchedulingError
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler

from campus.common.database_clock import DatabaseClock
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


class RecordingScheduler(Scheduler):
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

    def run_due(self, *, reload: bool = True) -> list[str]:
        """Send the tasks that are due, by the rows as they are now; returns their names."""
        self.sent.clear()
        if reload:
            self._schedule, self._heap = self.all_as_schedule(), None
        for _ in range(20):
            if self.tick():
                break
        return sorted(self.sent)


@pytest.fixture(autouse=True)
def same_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the connection of the test, which has a transaction."""
    monkeypatch.setattr("django_celery_beat.schedulers.close_old_connections", lambda: None)


@pytest.fixture
def schedulers() -> tuple[RecordingScheduler, RecordingScheduler]:
    return RecordingScheduler(), RecordingScheduler()


def set_last_run(**ago: float) -> None:
    PeriodicTask.objects.update(last_run_at=timezone.now() - timedelta(**ago))


def test_rows_are_created_once_and_keep_what_people_set(settings) -> None:
    RecordingScheduler()
    names = set(PeriodicTask.objects.values_list("name", flat=True))
    assert names == {job.name for job in PERIODIC_JOBS}
    assert set(PeriodicTask.objects.values_list("expire_seconds", flat=True)) == {3600}
    queues = dict(PeriodicTask.objects.values_list("name", "queue"))
    assert queues == {job.name: "maintenance" for job in PERIODIC_JOBS} | {"sweep": "sweep"}
    schedule_every(task=PeriodicTask.objects.get(name=COLLECT_FOOTAGE.name), minutes=7)
    schedule_at(task=PeriodicTask.objects.get(name=SEND_WEEKLY_REGISTERS.name), at=time(18, 45), days=[6, 2])
    PeriodicTask.objects.filter(name=CHECK_ALARMS.name).update(enabled=False)
    PeriodicTask.objects.create(name="of an older version", task="x", interval=IntervalSchedule.objects.first())
    RecordingScheduler()
    assert set(PeriodicTask.objects.values_list("name", flat=True)) == names
    assert interval_minutes(PeriodicTask.objects.get(name=COLLECT_FOOTAGE.name)) == 7
    assert scheduled_time(PeriodicTask.objects.get(name=SEND_WEEKLY_REGISTERS.name)) == (time(18, 45), [2, 6])
    assert not PeriodicTask.objects.get(name=CHECK_ALARMS.name).enabled


def test_two_schedulers_send_each_task_once(schedulers: tuple[RecordingScheduler, RecordingScheduler]) -> None:
    one, other = schedulers
    set_last_run(days=2)
    names = {job.name for job in PERIODIC_JOBS}
    for scheduler in schedulers:
        scheduler._schedule, scheduler._heap = scheduler.all_as_schedule(), None
    sent = one.run_due(reload=False) + other.run_due(reload=False)
    assert sorted(sent) == sorted(names)
    assert one.run_due() + other.run_due() == []
    assert set(PeriodicTask.objects.values_list("total_run_count", flat=True)) == {1}


def test_a_task_takes_one_statement_to_send() -> None:
    scheduler = RecordingScheduler()
    set_last_run(days=2)
    scheduler._schedule, scheduler._heap = scheduler.all_as_schedule(), None
    with CaptureQueriesContext(connection) as queries:
        sent = scheduler.run_due(reload=False)
    assert [query["sql"].split()[0] for query in queries] == ["UPDATE"] * len(sent)


def test_a_schedule_that_has_just_been_changed_is_kept(
    schedulers: tuple[RecordingScheduler, RecordingScheduler],
) -> None:
    """Though the scheduler has not read it yet."""
    one, _other = schedulers
    PeriodicTask.objects.update(last_run_at=timezone.now() - timedelta(minutes=2))
    one._schedule, one._heap = one.all_as_schedule(), None
    schedule_every(task=PeriodicTask.objects.get(name=COLLECT_FOOTAGE.name), minutes=7)
    assert COLLECT_FOOTAGE.name not in one.run_due(reload=False)


def test_changed_schedules_are_looked_for_every_few_seconds_and_not_before_each_task() -> None:
    scheduler = Scheduler(app=app)
    scheduler.schedule_changed()
    with CaptureQueriesContext(connection) as queries:
        scheduler.schedule_changed()
        assert len(queries) == 0
        scheduler.looked_at -= app.conf.beat_max_loop_interval
        scheduler.schedule_changed()
        assert len(queries) == 1


def test_one_scheduler_continues_where_the_other_stopped(
    schedulers: tuple[RecordingScheduler, RecordingScheduler],
) -> None:
    one, other = schedulers
    for turn in range(3):
        PeriodicTask.objects.filter(name=COLLECT_FOOTAGE.name).update(
            last_run_at=timezone.now() - timedelta(seconds=61 + turn)
        )
        scheduler = (one, other)[turn % 2]
        assert COLLECT_FOOTAGE.name in scheduler.run_due()


def test_a_task_that_could_not_be_sent_is_sent_later(schedulers: tuple[RecordingScheduler, RecordingScheduler]) -> None:
    one, _other = schedulers
    set_last_run(days=8)
    one.fails = True
    assert one.run_due() == []
    unsent = PeriodicTask.objects.filter(total_run_count=0, last_run_at__lt=timezone.now() - timedelta(days=7))
    assert unsent.count() == len(PERIODIC_JOBS)
    one.fails = False
    assert SEND_WEEKLY_REGISTERS.name in one.run_due()


def test_a_weekly_task_missed_in_an_outage_is_sent_at_once(
    schedulers: tuple[RecordingScheduler, RecordingScheduler],
) -> None:
    one, _other = schedulers
    task = PeriodicTask.objects.get(name=SEND_WEEKLY_REGISTERS.name)
    scheduled = timezone.now() + timedelta(hours=11)
    schedule_at(task=task, at=time(scheduled.hour, 0), days=[scheduled.weekday()])
    set_last_run(days=8)
    assert SEND_WEEKLY_REGISTERS.name in one.run_due()


@pytest.mark.parametrize(
    ("last", "due"),
    [
        (datetime(2026, 3, 28, 5, 30, tzinfo=UTC), datetime(2026, 3, 29, 4, 30, tzinfo=UTC)),
        (datetime(2026, 10, 24, 4, 30, tzinfo=UTC), datetime(2026, 10, 25, 5, 30, tzinfo=UTC)),
    ],
)
def test_a_time_of_day_is_local_time(settings, last: datetime, due: datetime) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    RecordingScheduler()
    task = PeriodicTask.objects.get(name=SEND_WEEKLY_REGISTERS.name)
    schedule_at(task=task, at=time(6, 30), days=range(7))
    for now, expected in ((due - timedelta(seconds=5), False), (due, True)):
        schedule = task.schedule
        schedule.nowfun = lambda now=now: now
        assert schedule.is_due(last).is_due is expected


@pytest.mark.parametrize("hour", [0, 1])
def test_an_interval_is_unchanged_when_summer_time_ends(settings, hour: int) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    RecordingScheduler()
    task = PeriodicTask.objects.get(name=COLLECT_FOOTAGE.name)
    last = datetime(2026, 10, 25, hour, 59, 30, tzinfo=UTC)
    schedule = task.schedule
    schedule.nowfun = lambda: last + timedelta(seconds=59)
    assert not schedule.is_due(last).is_due
    schedule.nowfun = lambda: last + timedelta(seconds=60)
    assert schedule.is_due(last).is_due


@pytest.mark.django_db(transaction=True)
def test_the_scheduler_survives_errors_of_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    scheduler = RecordingScheduler()
    set_last_run(days=8)
    scheduler._schedule, scheduler._heap = scheduler.all_as_schedule(), None
    with monkeypatch.context() as broken:

        def fail(*_: object, **__: object) -> None:
            raise OperationalError("the database system is shutting down")

        broken.setattr("django.db.backends.utils.CursorWrapper.execute", fail)
        pauses = [scheduler.tick() for _ in range(8)]
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]
    while not scheduler.tick():
        pass
    assert sorted(scheduler.sent) == sorted(job.name for job in PERIODIC_JOBS)


@pytest.mark.django_db(transaction=True)
def test_an_error_while_the_first_rows_are_read_is_survived(monkeypatch: pytest.MonkeyPatch) -> None:
    read, errors = Scheduler.all_as_schedule, [OperationalError("the database system is shutting down")]

    def fail_once(scheduler: Scheduler) -> Any:
        if errors:
            raise errors.pop()
        return read(scheduler)

    monkeypatch.setattr(Scheduler, "all_as_schedule", fail_once)
    monkeypatch.setattr("workers.beat_scheduler.time.sleep", lambda seconds: None)
    assert set(RecordingScheduler().schedule) == {job.name for job in PERIODIC_JOBS}
    assert not errors


def test_the_database_says_what_time_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    scheduler = RecordingScheduler()
    set_last_run(seconds=1)
    assert scheduler.run_due() == []
    later = timezone.now() + timedelta(minutes=5)
    monkeypatch.setattr("workers.beat_scheduler.clock", DatabaseClock(lambda: later))
    assert COLLECT_FOOTAGE.name in scheduler.run_due()
    ran = PeriodicTask.objects.get(name=COLLECT_FOOTAGE.name).last_run_at
    assert ran is not None
    assert abs(ran - later) < timedelta(seconds=30)


def test_a_task_that_ran_in_the_future_runs_again() -> None:
    scheduler = RecordingScheduler()
    PeriodicTask.objects.update(last_run_at=timezone.now() + timedelta(hours=3))
    assert scheduler.run_due() == []
    assert not PeriodicTask.objects.filter(last_run_at__gt=timezone.now() + timedelta(seconds=1)).exists()
    set_last_run(seconds=70)
    assert COLLECT_FOOTAGE.name in scheduler.run_due()


def test_a_stop_that_the_database_turned_into_an_error_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(_number: int, _frame: Any) -> None:
        raise SystemExit

    def tick(_scheduler: Any) -> float:
        with suppress(SystemExit):
            signal.raise_signal(signal.SIGTERM)
        raise OperationalError("user-defined function raised exception")

    before = signal.signal(signal.SIGTERM, stop)
    try:
        scheduler = RecordingScheduler()
        monkeypatch.setattr(DatabaseScheduler, "tick", tick)
        with pytest.raises(SystemExit):
            scheduler.tick()
    finally:
        signal.signal(signal.SIGTERM, before)
