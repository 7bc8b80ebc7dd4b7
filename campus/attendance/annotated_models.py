"""Recordings with boxes and names drawn in, made for one viewer."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import F
from django.utils.translation import gettext_lazy as _

from campus.academics.models import Student
from campus.common import jobs
from campus.recordings.models import Recording


class AnnotatedVideo(jobs.LeasedJob):
    """The part of a recording from second `start` to `end` with a box and a name around each face, or a photo with
    them.

    A worker draws it for `user`, whose name is in it, and it is deleted after a day. With `blur_others` the faces of
    all but `student` are made unrecognisable, or of all who are not on the roster where no student is given.
    """

    class State(models.TextChoices):
        QUEUED = "queued", _("being drawn")
        READY = "ready", _("ready")
        FAILED = "failed", _("failed")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    recording = models.ForeignKey(Recording, on_delete=models.CASCADE, related_name="annotated_videos")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="annotated_videos")
    start = models.FloatField(_("from, in seconds"))
    end = models.FloatField(_("to, in seconds"))
    student = models.ForeignKey(Student, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    blur_others = models.BooleanField(_("blur the faces of others"), default=False)
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    progress = models.FloatField(_("progress"), default=0, help_text=_("0 to 1, of the current attempt"))
    file = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(condition=models.Q(end__gte=F("start")), name="annotated_video_ends_after_it_starts")
        ]

    def __str__(self) -> str:
        return f"{self.start:.0f} to {self.end:.0f} s of {self.recording}"
