"""Recordings, the segments that workers process, clips of footage files, and uploads in progress."""

import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from campus.academics.models import Lecture, Strictness
from campus.biometrics.models import Gallery
from campus.cctv.models import Camera, FootageFile
from campus.common import jobs
from campus.common.file_names import file_suffix


def recording_path(recording: "Recording", name: str) -> str:
    """Names from outside are data, never paths: the stored name is the row's UUID."""
    return f"recordings/{recording.id}{file_suffix(name)}"


class Recording(jobs.LeasedJob):
    """A lecture's video, or a photo of the classroom: a recording of one frame.

    uploaded --ingest--> processing --last segment--> aggregating --vote--> done; failed or cancelled from any of the first three.

    One that was collected is what a camera saw of the lecture: it has no file of its own but clips of footage files, its second 0 is the
    lecture's start, and it goes back from done to processing when another footage file comes.
    """

    class State(models.TextChoices):
        UPLOADED = "uploaded", _("waiting")
        PROCESSING = "processing", _("looking for faces")
        AGGREGATING = "aggregating", _("counting")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")
        CANCELLED = "cancelled", _("cancelled")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    lecture = models.ForeignKey(Lecture, on_delete=models.CASCADE, related_name="recordings", verbose_name=_("lecture"))
    file = models.FileField(upload_to=recording_path, max_length=200, blank=True)
    camera = models.ForeignKey(
        Camera,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="recordings",
        editable=False,
        verbose_name=_("camera"),
    )
    provisional = models.BooleanField(
        _("provisional"), default=False, editable=False, help_text=_("More footage files may come.")
    )
    original_name = models.CharField(_("file name"), max_length=255)
    size = models.PositiveBigIntegerField(_("size in bytes"), editable=False)
    sha256 = models.CharField(_("SHA-256"), max_length=64, blank=True, editable=False)
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, editable=False, verbose_name=_("uploaded by")
    )
    created_at = models.DateTimeField(_("made at"), auto_now_add=True)

    state = models.CharField(_("state"), max_length=12, choices=State.choices, default=State.UPLOADED, editable=False)
    run = models.PositiveIntegerField(
        _("run"), default=1, editable=False, help_text=_("Grows each time attendance is taken again.")
    )
    info = models.JSONField(_("what the file is"), default=dict, editable=False)
    duration = models.FloatField(_("duration in seconds"), default=0, editable=False)
    embedder = models.CharField(
        _("face model"), max_length=60, blank=True, editable=False, help_text=_("The same for all parts.")
    )
    gallery = models.ForeignKey(
        Gallery, null=True, on_delete=models.SET_NULL, editable=False, verbose_name=_("gallery")
    )
    strictness = models.CharField(max_length=10, choices=Strictness.choices, blank=True, editable=False)
    coverage = models.FloatField(_("share that could be looked at"), default=0, editable=False)
    planned_at = models.DateTimeField(null=True, editable=False)
    finished_at = models.DateTimeField(_("finished at"), null=True, editable=False)

    class Meta:
        verbose_name = _("recording")
        verbose_name_plural = _("recordings")
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["lecture", "sha256"], condition=~Q(sha256=""), name="a_recording_once_a_lecture"
            ),
            models.UniqueConstraint(fields=["lecture", "camera"], name="one_recording_a_lecture_and_camera"),
            models.CheckConstraint(condition=Q(coverage__gte=0, coverage__lte=1), name="coverage_is_a_share"),
        ]

    def __str__(self) -> str:
        return f"{self.original_name} of {self.lecture}"

    @property
    def collected(self) -> bool:
        """Whether it is made of clips, and has no file of its own."""
        return not self.file


class Clip(models.Model):
    """What a collected recording has of a footage file: the footage file's seconds from `start` to `end`, at the recording's second `at`."""

    recording = models.ForeignKey(
        Recording, on_delete=models.CASCADE, related_name="clips", verbose_name=_("recording")
    )
    footage_file = models.ForeignKey(
        FootageFile, on_delete=models.PROTECT, related_name="clips", verbose_name=_("footage_file")
    )
    start = models.FloatField(_("from, in seconds"))
    end = models.FloatField(_("to, in seconds"))
    at = models.FloatField(_("at second of the recording"))
    sha256 = models.CharField(
        max_length=64, blank=True, editable=False, help_text=_("Of the footage file as it was cut.")
    )

    class Meta:
        verbose_name = _("clip")
        verbose_name_plural = _("clips")
        ordering = ["recording", "at"]
        constraints = [
            models.UniqueConstraint(fields=["recording", "footage_file"], name="one_clip_a_recording_and_footage_file"),
            models.CheckConstraint(condition=Q(end__gt=F("start")), name="clip_ends_after_it_starts"),
        ]

    def __str__(self) -> str:
        return f"{self.start:.0f} to {self.end:.0f} s of {self.footage_file}"

    @property
    def until(self) -> float:
        """The recording's second at which it is over."""
        return self.at + self.end - self.start


class Segment(jobs.LeasedJob):
    """About a minute of a recording, in the recording's seconds. Pending with a live lease means that a worker is at it."""

    class State(models.TextChoices):
        PENDING = "pending", _("waiting or in work")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")

    recording = models.ForeignKey(
        Recording, on_delete=models.CASCADE, related_name="segments", verbose_name=_("recording")
    )
    clip = models.ForeignKey(
        Clip,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="segments",
        verbose_name=_("clip"),
        editable=False,
    )
    index = models.PositiveIntegerField()
    start = models.FloatField(_("from, in seconds"))
    end = models.FloatField(_("to, in seconds"))
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.PENDING)
    progress = models.FloatField(_("progress"), default=0, help_text=_("0 to 1, of the attempt in work"))
    result = models.CharField(_("file with the tracks"), max_length=200, blank=True)
    faces = models.PositiveIntegerField(_("faces"), default=0)
    tracks = models.PositiveIntegerField(_("tracks"), default=0)
    light = models.FloatField(
        _("brightness"), null=True, editable=False, help_text=_("Of the brightest picture, 0 to 1.")
    )
    motion = models.FloatField(
        _("motion"), null=True, editable=False, help_text=_("Of the greatest change between two pictures, 0 to 1.")
    )
    found = models.JSONField(
        "students found in it alone",
        default=list,
        editable=False,
        help_text=_("The ids. The vote over all parts decides, not this."),
    )
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("part")
        verbose_name_plural = _("parts")
        ordering = ["recording", "index"]
        constraints = [
            models.UniqueConstraint(fields=["recording", "index"], name="one_segment_a_place"),
            models.CheckConstraint(condition=Q(end__gte=F("start")), name="segment_ends_after_it_starts"),
        ]

    def __str__(self) -> str:
        return f"{self.start:.0f} to {self.end:.0f} s of {self.recording.original_name}"


# What a segment looks like that is to be looked at anew.
UNPROCESSED: dict[str, Any] = {
    "state": Segment.State.PENDING,
    "progress": 0,
    "faces": 0,
    "tracks": 0,
    "light": None,
    "motion": None,
    "found": [],
    "result": "",
    "error": "",
    "error_detail": "",
    "finished_at": None,
    **jobs.RESET_FIELDS,
}


class Upload(models.Model):
    """A recording on its way here in footage files (tus 1.0). The bytes wait in a part file until all are there; `offset` says how many
    are. Whoever writes holds `writer`: a newer request takes it over, and the older one changes nothing any more.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    lecture = models.ForeignKey(Lecture, on_delete=models.CASCADE, related_name="uploads")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="uploads")
    original_name = models.CharField(max_length=255)
    size = models.PositiveBigIntegerField(_("size in bytes"))
    offset = models.PositiveBigIntegerField(_("bytes that are here"), default=0)
    sha256 = models.CharField(max_length=64, blank=True, help_text=_("As the sender says; empty where it did not."))
    writer = models.CharField(max_length=32, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    recording = models.OneToOneField(Recording, null=True, blank=True, on_delete=models.CASCADE, related_name="upload")

    class Meta:
        ordering = ["-created_at"]
        constraints = [models.CheckConstraint(condition=Q(offset__lte=F("size")), name="no_more_bytes_than_announced")]

    def __str__(self) -> str:
        return f"{self.original_name} for {self.lecture}"
