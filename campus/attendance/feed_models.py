"""The change feed: which rows were changed since when, for programs that keep a copy of the attendance."""

import uuid

from django.db import models
from django.utils.translation import gettext_lazy as _


class FeedState(models.Model):
    """One row: how far the feed is numbered. A restored backup begins another `generation`, in which no cursor of the
    one before is valid.
    """

    generation = models.UUIDField(default=uuid.uuid4, editable=False)
    last_sequence = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.generation} up to {self.last_sequence}"


class FeedEntry(models.Model):
    """A row was written or deleted. The database itself notes it, in the transaction that does so
    (`feed_triggers.py`); an entry is numbered once that is committed (`change_feed.py`).
    """

    class Kind(models.TextChoices):
        COURSE = "course", _("class")
        STUDENT = "student", _("student")
        ENROLMENT = "enrolment", _("enrolment")
        LECTURE = "lecture", _("lecture")
        ATTENDANCE = "attendance", _("attendance record")
        EXCUSE = "excuse", _("excuse")
        CORRECTION = "correction", _("correction")

    kind = models.CharField(max_length=10, choices=Kind.choices)
    row_id = models.CharField(max_length=36)
    sequence = models.BigIntegerField(null=True, unique=True)

    class Meta:
        ordering = ["pk"]
        indexes = [
            models.Index(fields=["kind", "row_id"], name="feed_entries_of_a_row"),
            models.Index(fields=["id"], condition=models.Q(sequence=None), name="feed_entries_to_number"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.row_id}"
