"""The scheduler of periodic tasks, whose rows people edit in the admin.

Several schedulers may run: each task is sent once a time, by one of them.
"""

import logging
import signal
import threading
import time
from datetime import datetime, timedelta
from types import FrameType
from typing import Any

from celery.beat import SchedulingError
from django.db import DatabaseError, InterfaceError, connection
from django.db.models import F
from django.db.models.functions import Now
from django_celery_beat.models import PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler, ModelEntry

from campus.common.database_clock import DatabaseClock
from campus.common.periodic_tasks import SWEEP, schedule_by
from workers.older_tables import refuse_older_tables

log = logging.getLogger(__name__)

MAX_PAUSE_SECONDS = 30
CLOCK_TOLERANCE = timedelta(seconds=5)

clock = DatabaseClock()


def schedule_of(task: PeriodicTask) -> Any:
    """The task's schedule by the database's clock."""
    return schedule_by(lambda: clock.now(), task)


class Entry(ModelEntry):
    """A row. Only `Scheduler.apply_entry` saves when it ran, so Celery's own saving is switched off. Its clock is the
    database's.
    """

    def __init__(self, model: PeriodicTask, app: Any = None) -> None:
        super().__init__(model, app=app)
        self.schedule = schedule_of(model)

    def save(self) -> None:
        pass

    def _default_now(self) -> datetime:
        return clock.now()


class Scheduler(DatabaseScheduler):
    Entry = Entry
    failures = 0
    is_stopped = False
    looked_at = float("-inf")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        refuse_older_tables()
        self._note_stop_requests()
        super().__init__(*args, **kwargs)

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Send what is due; returns after how many seconds to look again, also when the database fails."""
        try:
            delay: float = super().tick(*args, **kwargs)
        except (DatabaseError, InterfaceError, OSError) as error:
            return self._note_failure(error)
        self.failures = 0
        return delay

    def _note_stop_requests(self) -> None:
        """SQLite makes a database error of a SystemExit that a signal raises while it calls a function of Python's."""
        stop = signal.getsignal(signal.SIGTERM)
        if not callable(stop) or threading.current_thread() is not threading.main_thread():
            return

        def note_and_stop(number: int, frame: FrameType | None) -> None:
            self.is_stopped = True
            stop(number, frame)

        signal.signal(signal.SIGTERM, note_and_stop)

    def _note_failure(self, error: Exception) -> float:
        """Returns after how many seconds to try again."""
        if self.is_stopped:
            raise SystemExit
        pause = min(2**self.failures, MAX_PAUSE_SECONDS)
        self.failures = min(self.failures + 1, 10)
        log.warning("The schedules could not be read or written (%s). Trying again in %d s.", error, pause)
        self._heap, self._initial_read = None, True  # read all rows again
        connection.close()
        return pause

    def setup_schedule(self) -> None:
        """Write the rows as `write_rows`, as soon as the database can be reached."""
        while True:
            try:
                self.write_rows()
                return
            except (DatabaseError, InterfaceError) as error:
                time.sleep(self._note_failure(error))

    def all_as_schedule(self) -> Any:
        """Also: a task that ran in the future, by a clock that was wrong, ran now; else it would stop until then."""
        if ahead := PeriodicTask.objects.filter(last_run_at__gt=clock.now() + CLOCK_TOLERANCE).update(
            last_run_at=Now()
        ):
            log.error("A clock was ahead when it sent %d periodic tasks. Their schedules begin anew.", ahead)
        return super().all_as_schedule()

    def write_rows(self) -> None:
        """Create missing rows, and delete those of tasks that no longer exist.

        Schedules that people chose are kept; that of the sweeper is a setting.
        """
        entries = self.app.conf.beat_schedule
        PeriodicTask.objects.exclude(name__in=entries).delete()
        editable = set(PeriodicTask.objects.exclude(name=SWEEP.name).values_list("name", flat=True))
        for name in editable:
            PeriodicTask.objects.filter(name=name).update(task=entries[name]["task"], **entries[name]["options"])
        self.update_from_dict({name: entry for name, entry in entries.items() if name not in editable})

    def schedule_changed(self) -> bool:
        """Whether a row has changed. The database is not asked before each task, but as often as the sweep runs."""
        if time.monotonic() - self.looked_at < self.max_interval:
            return False
        self.looked_at = time.monotonic()
        return bool(super().schedule_changed())

    def enabled_models_qs(self) -> Any:
        """All enabled rows, also those due at another hour, so that a task missed in an outage is sent at once."""
        return PeriodicTask.objects.enabled()

    def apply_entry(self, entry: Any, producer: Any = None) -> None:
        """Send the task if it is this scheduler's UPDATE that changes the row; otherwise another one has sent it."""
        rows = PeriodicTask.objects.filter(pk=entry.model.pk, enabled=True)
        last, now = entry.last_run_at, entry.model.last_run_at
        run = {"last_run_at": now, "total_run_count": F("total_run_count") + 1}
        if not rows.filter(last_run_at=last, date_changed=entry.model.date_changed).update(**run):
            row = rows.first()  # it has never run, or is not as this scheduler has read it
            if row is None or (row.last_run_at and not schedule_of(row).is_due(row.last_run_at).is_due):
                return
            last = row.last_run_at
            if not rows.filter(last_run_at=last).update(**run):
                return
        try:
            self.apply_async(entry, producer=producer, advance=False)
        except SchedulingError as error:
            PeriodicTask.objects.filter(pk=entry.model.pk, last_run_at=now).update(
                last_run_at=last, total_run_count=F("total_run_count") - 1
            )
            log.warning("%s could not be sent and will be tried again: %s", entry.name, error)
