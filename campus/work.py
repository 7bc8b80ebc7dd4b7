"""Work that a worker does for a row: claim, work, finish, each one conditional UPDATE. See rules 1 and 2 of the design.

The database is the truth and the broker only a bell: a message carries a version and an id, and a lost, late or doubled
message changes nothing but the time at which the work is done.
"""

from django.db import models


class LeasedWork(models.Model):
    """A row that a worker holds for a while. Whoever holds the lease renews it while working; an expired one is free."""

    attempts = models.PositiveSmallIntegerField(default=0, editable=False)
    lease_owner = models.CharField(max_length=64, blank=True, editable=False)
    lease_until = models.DateTimeField(null=True, blank=True, editable=False)
    published_at = models.DateTimeField(null=True, blank=True, editable=False)
    error = models.TextField("what went wrong", blank=True, editable=False)
    error_detail = models.TextField("details for the administrator", blank=True, editable=False)

    class Meta:
        abstract = True
