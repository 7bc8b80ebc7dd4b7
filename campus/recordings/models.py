"""Recordings, the segments that workers process, clips of footage files, and uploads in progress."""

import uuid
from typing import Any, Final

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from campus.academics.models import Lecture, Strictness
from campus.biometrics.models import Gallery
from campus.cctv.models import Camera, FootageFile
from campus.common import jobs
from campus.common.file_names import file_suffix
from campus.common.picture_settings import PictureSettings
from campus.common.storage import clear_storage

RECORDINGS_FOLDER: Final = "recordings"  # of the media


def recording_path(recording: "Recording", name: str) -> str:
    """Names from outside are data, never paths: the stored name is the row's UUID."""
    return f"{RECORDINGS_FOLDER}/{recording.id}{file_suffix(name)}"


class Recording(jobs.LeasedJob, PictureSettings):
    """A video of a lecture, or a photo of the classroom, which is a recording of one frame.

    uploaded --ingest--> processing --last segment--> aggregating --vote--> done, or needs_review --a person accepts
    it--> done; failed or cancelled from any of the first three.

    A collected recording is what one camera saw of the lecture. It has no file of its own but clips of footage files,
    its second 0 is the start of the lecture, and it returns from done to processing when another footage file arrives.
    Its picture settings are those that its camera had when it was planned.
    """

    class State(models.TextChoices):
        UPLOADED = "uploaded", _("waiting")
        PROCESSING = "processing", _("looking for faces")
        AGGREGATING = "aggregating", _("counting")
        NEEDS_REVIEW = "needs_review", _("to be checked")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")
        CANCELLED = "cancelled", _("cancelled")

    class OffsetSource(models.TextChoices):
        ASSUMED = "assumed", _("assumed: nothing says when it began")
        CAMERA = "camera", _("by the camera's clock, which is written in the file")
        FILE_NAME = "file_name", _("by the file's name")
        PERSON = "person", _("set by a person")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    lecture = models.ForeignKey(Lecture, on_delete=models.CASCADE, related_name="recordings", verbose_name=_("lecture"))
    file = models.FileField(storage=clear_storage, upload_to=recording_path, max_length=200, blank=True)
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
        _("provisional"), default=False, editable=False, help_text=_("More footage files may arrive.")
    )
    original_name = models.CharField(_("file name"), max_length=255)
    size = models.PositiveBigIntegerField(_("size in bytes"), editable=False)
    sha256 = models.CharField(_("SHA-256"), max_length=64, blank=True, editable=False)
    uploaded_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, editable=False, verbose_name=_("uploaded by")
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    replaces = models.ForeignKey(
        "self",
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="replacements",
        editable=False,
        verbose_name=_("replaces"),
        help_text=_("The recording that is removed once this one counts."),
    )

    offset = models.FloatField(
        _("starts at second"), default=0, help_text=_("Of the lecture. Negative: it begins before the lecture.")
    )
    offset_source = models.CharField(
        max_length=10, choices=OffsetSource.choices, default=OffsetSource.ASSUMED, editable=False
    )

    state = models.CharField(_("state"), max_length=12, choices=State.choices, default=State.UPLOADED, editable=False)
    held = models.BooleanField(
        _("held back"), default=False, editable=False, help_text=_("Does not count until a person has checked it.")
    )
    review_reasons = models.JSONField(
        _("why it is to be checked"),
        default=list,
        editable=False,
        help_text=_("Of each reason: its code, and the message."),
    )
    fitting_courses = models.JSONField(
        default=list,
        editable=False,
        help_text=_("Of strangers: the ids of classes that they fit, and how many students of each are seen."),
    )
    accepted_reasons = models.JSONField(
        default=list, editable=False, help_text=_("The codes of the reasons that a person has checked and accepted.")
    )
    dismissed = models.BooleanField(
        _("dismissed"),
        default=False,
        editable=False,
        help_text=_("Failed, cancelled or with gaps, and nobody has to act on it."),
    )
    run = models.PositiveIntegerField(
        _("run"), default=1, editable=False, help_text=_("Increases each time attendance is taken again.")
    )
    info = models.JSONField(_("what the file is"), default=dict, editable=False)
    duration = models.FloatField(_("duration in seconds"), default=0, editable=False)
    embedder = models.CharField(
        _("face model"), max_length=60, blank=True, editable=False, help_text=_("The same for all segments.")
    )
    gallery = models.ForeignKey(
        Gallery, null=True, on_delete=models.SET_NULL, editable=False, verbose_name=_("gallery")
    )
    strictness = models.CharField(max_length=10, choices=Strictness.choices, blank=True, editable=False)
    coverage = models.FloatField(_("share that could be processed"), default=0, editable=False)
    planned_at = models.DateTimeField(null=True, editable=False)
    finished_at = models.DateTimeField(_("finished at"), null=True, editable=False)
    footage_deleted_at = models.DateTimeField(
        null=True, editable=False, help_text="When the retention rules deleted what was recorded."
    )
    crops_deleted_at = models.DateTimeField(
        null=True, editable=False, help_text="When the retention rules deleted the pictures of students' faces."
    )

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
        # Of years of recordings, few are new or under way, and those are asked for all the time.
        indexes = [
            models.Index(fields=["state", "finished_at"], name="recordings_by_state"),
            models.Index(fields=["created_at"], name="recordings_by_age"),
            models.Index(fields=["finished_at"], name="recordings_by_end"),
        ]

    def __str__(self) -> str:
        return f"{self.original_name} of {self.lecture}"

    @property
    def collected(self) -> bool:
        """Whether it consists of clips of footage files and has no file of its own."""
        return not self.file


class Clip(models.Model):
    """The part of a footage file that belongs to a lecture: its seconds from `start` to `end`, placed at the
    recording's second `recording_start`.
    """

    recording = models.ForeignKey(
        Recording, on_delete=models.CASCADE, related_name="clips", verbose_name=_("recording")
    )
    footage_file = models.ForeignKey(
        FootageFile, on_delete=models.PROTECT, related_name="clips", verbose_name=_("footage file")
    )
    start = models.FloatField(_("from, in seconds"))
    end = models.FloatField(_("to, in seconds"))
    recording_start = models.FloatField(_("at second of the recording"))
    sha256 = models.CharField(
        max_length=64, blank=True, editable=False, help_text=_("Of the footage file at that time.")
    )

    class Meta:
        verbose_name = _("clip")
        verbose_name_plural = _("clips")
        ordering = ["recording", "recording_start"]
        constraints = [
            models.UniqueConstraint(fields=["recording", "footage_file"], name="one_clip_a_recording_and_footage_file"),
            models.CheckConstraint(condition=Q(end__gt=F("start")), name="clip_ends_after_it_starts"),
        ]

    def __str__(self) -> str:
        return f"{self.start:.0f} to {self.end:.0f} s of {self.footage_file}"

    @property
    def recording_end(self) -> float:
        """The second of the recording at which the clip ends."""
        return self.recording_start + self.end - self.start


class Segment(jobs.LeasedJob):
    """About a minute of a recording, in its seconds, that one task processes."""

    class State(models.TextChoices):
        PENDING = "pending", _("waiting or in progress")
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
    progress = models.FloatField(_("progress"), default=0, help_text=_("0 to 1, of the current attempt"))
    result = models.CharField(_("file with the tracks"), max_length=200, blank=True)
    strangers_forgotten = models.BooleanField(
        default=False, editable=False, help_text="Whether the tracks hold embeddings of matched students alone."
    )
    faces = models.PositiveIntegerField(_("faces"), default=0)
    tracks = models.PositiveIntegerField(_("tracks"), default=0)
    light = models.FloatField(
        _("brightness"), null=True, editable=False, help_text=_("Of the brightest frame, 0 to 1.")
    )
    motion = models.FloatField(
        _("motion"), null=True, editable=False, help_text=_("The greatest change between two frames, 0 to 1.")
    )
    recognised_students = models.JSONField(
        _("recognised students"),
        default=list,
        editable=False,
        help_text=_("Their ids, by this segment alone. The vote over all segments decides."),
    )
    finished_at = models.DateTimeField(_("finished at"), null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("segment")
        verbose_name_plural = _("segments")
        ordering = ["recording", "index"]
        constraints = [
            models.UniqueConstraint(fields=["recording", "index"], name="one_segment_an_index"),
            models.CheckConstraint(condition=Q(end__gte=F("start")), name="segment_ends_after_it_starts"),
        ]
        indexes = [
            models.Index(fields=["recording"], name="pending_segments", condition=Q(state="pending")),
            models.Index(fields=["recording"], name="failed_segments", condition=Q(state="failed")),
        ]

    def __str__(self) -> str:
        return f"{self.start:.0f} to {self.end:.0f} s of {self.recording.original_name}"


# The fields of a segment that has to be processed again.
UNPROCESSED: dict[str, Any] = {
    "state": Segment.State.PENDING,
    "progress": 0,
    "faces": 0,
    "tracks": 0,
    "light": None,
    "motion": None,
    "recognised_students": [],
    "result": "",
    "strangers_forgotten": False,
    "error": "",
    "error_detail": "",
    "finished_at": None,
    **jobs.RESET_FIELDS,
}


class Upload(models.Model):
    """A recording that is being uploaded in several requests (tus 1.0).

    The bytes are kept in a part file until all have arrived; `offset` says how many have. `writer` names the request
    that writes: a newer request replaces it, and the older one no longer changes anything. Where `parts_id` is set, the
    bytes go straight to the storage instead, which knows their parts by it.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    lecture = models.ForeignKey(Lecture, on_delete=models.CASCADE, related_name="uploads")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="uploads")
    original_name = models.CharField(max_length=255)
    size = models.PositiveBigIntegerField(_("size in bytes"))
    offset = models.PositiveBigIntegerField(_("bytes received"), default=0)
    sha256 = models.CharField(max_length=64, blank=True, help_text=_("As announced by the sender, if it was."))
    recording_offset = models.FloatField(
        null=True, help_text=_("The second of the lecture at which the recording begins, if the sender said it.")
    )
    replaces = models.ForeignKey(
        Recording,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text=_("The recording that is removed once this one counts."),
    )
    writer = models.CharField(max_length=32, blank=True, editable=False)
    parts_id = models.CharField(max_length=1024, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    recording = models.OneToOneField(Recording, null=True, blank=True, on_delete=models.CASCADE, related_name="upload")

    class Meta:
        ordering = ["-created_at"]
        constraints = [models.CheckConstraint(condition=Q(offset__lte=F("size")), name="no_more_bytes_than_announced")]

    def __str__(self) -> str:
        return f"{self.original_name} for {self.lecture}"
