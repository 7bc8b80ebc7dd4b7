"""When what runs: the rows that people edit in the admin. Several schedulers may run; one of them sends each slot."""

import logging
from typing import Any

from celery.beat import SchedulingError
from django.db.models import F
from django_celery_beat.models import PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler, ModelEntry

log = logging.getLogger(__name__)


class Entry(ModelEntry):
    """A row. That it ran is written when it is sent, by whoever sends it, and at no other time."""

    def save(self) -> None:
        pass


class Scheduler(DatabaseScheduler):
    Entry = Entry

    def setup_schedule(self) -> None:
        """Make the rows that are missing. When the others run is as people left it, but for the sweeper: its pace is a setting."""
        entries = self.app.conf.beat_schedule
        PeriodicTask.objects.exclude(name__in=entries).delete()
        known = set(PeriodicTask.objects.exclude(name="sweep").values_list("name", flat=True))
        for name in known:
            PeriodicTask.objects.filter(name=name).update(task=entries[name]["task"], **entries[name]["options"])
        self.update_from_dict({name: entry for name, entry in entries.items() if name not in known})

    def enabled_models_qs(self) -> Any:
        """All of them: what an outage held up is due at once, whatever the hour."""
        return PeriodicTask.objects.enabled()

    def apply_entry(self, entry: Any, producer: Any = None) -> None:
        """Send it unless another scheduler has: the one that changes the row does."""
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
            log.warning("%s could not be sent and is tried again: %s", entry.name, error)
