"""The scheduler of periodic tasks, whose rows people edit in the admin.

Several schedulers may run: each task is sent once a time, by one of them.
"""

import logging
from typing import Any

from celery.beat import SchedulingError
from django.db.models import F
from django_celery_beat.models import PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler, ModelEntry

from campus.common.periodic_tasks import SWEEP

log = logging.getLogger(__name__)


class Entry(ModelEntry):
    """A row. Only `Scheduler.apply_entry` saves when it ran, so Celery's own saving is switched off."""

    def save(self) -> None:
        pass


class Scheduler(DatabaseScheduler):
    Entry = Entry

    def setup_schedule(self) -> None:
        """Create missing rows, and delete those of tasks that no longer exist.

        Schedules that people chose are kept; that of the sweeper is a setting.
        """
        entries = self.app.conf.beat_schedule
        PeriodicTask.objects.exclude(name__in=entries).delete()
        editable = set(PeriodicTask.objects.exclude(name=SWEEP.name).values_list("name", flat=True))
        for name in editable:
            PeriodicTask.objects.filter(name=name).update(task=entries[name]["task"], **entries[name]["options"])
        self.update_from_dict({name: entry for name, entry in entries.items() if name not in editable})

    def enabled_models_qs(self) -> Any:
        """All enabled rows, also those due at another hour, so that a task missed in an outage is sent at once."""
        return PeriodicTask.objects.enabled()

    def apply_entry(self, entry: Any, producer: Any = None) -> None:
        """Send the task if it is this scheduler's UPDATE that changes the row; otherwise another one has sent it."""
        row = PeriodicTask.objects.filter(pk=entry.model.pk, enabled=True).first()
        if row is None or (row.last_run_at and not row.schedule.is_due(row.last_run_at).is_due):
            return
        now = entry.model.last_run_at
        if not PeriodicTask.objects.filter(pk=row.pk, last_run_at=row.last_run_at).update(
            last_run_at=now, total_run_count=F("total_run_count") + 1
        ):
            return
        try:
            self.apply_async(entry, producer=producer, advance=False)
        except SchedulingError as error:
            PeriodicTask.objects.filter(pk=row.pk, last_run_at=now).update(
                last_run_at=row.last_run_at, total_run_count=row.total_run_count
            )
            log.warning("%s could not be sent and will be tried again: %s", entry.name, error)
