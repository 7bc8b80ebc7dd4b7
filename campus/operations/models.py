"""What is counted for whoever runs the server."""

from django.db import models
from django.utils.translation import gettext_lazy as _


class RequestCount(models.Model):
    """How many requests a view answered in at most `le` seconds, but in more than the next smaller bound.

    All web processes add to the same rows; see campus/operations/request_counts.py.
    """

    view_name = models.CharField(max_length=100)
    method = models.CharField(max_length=10)
    status = models.PositiveSmallIntegerField()
    le = models.CharField(max_length=5, help_text=_("The upper bound of the seconds; +Inf for all others."))
    requests = models.PositiveBigIntegerField(default=0)
    seconds = models.FloatField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["view_name", "method", "status", "le"], name="one_count_a_bound")
        ]

    def __str__(self) -> str:
        return f"{self.method} {self.view_name} {self.status} ≤ {self.le} s"


class Backup(models.Model):
    """A backup that was finished, so that a missing one is noticed."""

    name = models.CharField(max_length=40)
    finished_at = models.DateTimeField(auto_now_add=True)
    size = models.PositiveBigIntegerField(_("size in bytes"), help_text=_("Of what was new in it."))

    class Meta:
        ordering = ["-finished_at"]
        get_latest_by = "finished_at"

    def __str__(self) -> str:
        return self.name
