"""Which unknown people of a class's lectures are one person."""

from django.db import models
from django.utils.translation import gettext_lazy as _

from campus.academics.models import Course
from campus.common import jobs


class UnknownComparison(jobs.LeasedJob):
    """A class whose unknown people are compared over its lectures. A worker does it from their pictures, and keeps
    which of them are one person but nothing else of their faces.
    """

    class State(models.TextChoices):
        QUEUED = "queued", _("being compared")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")

    course = models.OneToOneField(Course, on_delete=models.CASCADE, related_name="unknown_comparison")
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    requested_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.course.code}: {self.get_state_display()}"
