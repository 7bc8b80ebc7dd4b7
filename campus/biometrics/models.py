"""Enrolment photos, and what a class's gallery was made of."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from campus.academics.models import Course, Student
from campus.common import jobs
from campus.common.file_names import file_suffix
from campus.common.messages import LocalizedMessage, MessageField, load_message


def photo_path(photo: "FacePhoto", name: str) -> str:
    """Names from outside are data, never paths: the stored name is the row's UUID."""
    return f"photos/{photo.id}{file_suffix(name)}"


class FacePhoto(jobs.LeasedJob):
    """An enrolment photo of a student, and the verdict on it (a worker gives it)."""

    class Verdict(models.TextChoices):
        PENDING = "pending", _("not checked yet")
        ACCEPTED = "accepted", _("accepted")
        WARNING = "warning", _("usable, with a warning")
        REJECTED = "rejected", _("rejected")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    student = models.ForeignKey(Student, on_delete=models.CASCADE, related_name="photos", verbose_name=_("student"))
    file = models.FileField(upload_to=photo_path)
    original_name = models.CharField(_("file name"), max_length=255, blank=True, editable=False)
    sha256 = models.CharField(max_length=64, editable=False)
    state = models.CharField(
        _("state"), max_length=10, choices=Verdict.choices, default=Verdict.PENDING, editable=False
    )
    reason = MessageField(_("reason"))
    face_px = models.FloatField(_("face height in pixels"), default=0, editable=False)
    quality = models.FloatField(_("quality"), default=0, editable=False)
    crop = models.FileField(_("face"), upload_to="crops/photos", blank=True, editable=False)
    created_at = models.DateTimeField(_("made at"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("photo")
        verbose_name_plural = _("photos")
        ordering = ["student__name", "created_at"]
        constraints = [models.UniqueConstraint(fields=["student", "sha256"], name="a_photo_once_a_student")]

    def __str__(self) -> str:
        return f"{self.student.name}: {self.original_name or self.id}"


def zip_path(row: "PhotoImport", name: str) -> str:
    return f"imports/{row.id}.zip"


class PhotoImport(jobs.LeasedJob):
    """A zip of enrolment photos that a worker takes apart; the zip goes when that is done, the row a week later."""

    class State(models.TextChoices):
        QUEUED = "queued", _("in progress")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="photo_imports")
    course = models.ForeignKey(Course, null=True, on_delete=models.CASCADE, related_name="photo_imports")
    file = models.FileField(upload_to=zip_path)
    original_name = models.CharField(max_length=255)
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.QUEUED)
    total = models.PositiveIntegerField(help_text="Files in the zip.")
    added = models.PositiveIntegerField(default=0)
    skipped = models.JSONField(default=list, help_text="Of each skipped file: its path, whose it is, and why.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.original_name

    @property
    def skipped_files(self) -> list[tuple[str, str, LocalizedMessage]]:
        """Of each skipped file: its path, whose it is, and why."""
        return [(path, name, load_message(reason)) for path, name, reason in self.skipped]

    @property
    def processed(self) -> int:
        return self.added + len(self.skipped)


class Embedding(models.Model):
    """What one embedder makes of an enrolment photo; without a vector where it finds no face to use."""

    photo = models.ForeignKey(FacePhoto, on_delete=models.CASCADE, related_name="embeddings")
    embedder = models.CharField(max_length=60)
    vector = models.BinaryField(_("float32 unit vector"), null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["photo", "embedder"], name="one_embedding_a_photo_and_embedder")]

    def __str__(self) -> str:
        return f"{self.embedder} of {self.photo_id}"


class Gallery(jobs.LeasedJob):
    """One training of a class: what its students' faces look like to one embedder. The file is npz + JSON beside it."""

    class State(models.TextChoices):
        QUEUED = "queued", _("waiting or training")
        READY = "ready", _("ready")
        FAILED = "failed", _("failed")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    course = models.ForeignKey(Course, on_delete=models.CASCADE, related_name="galleries", verbose_name=_("class"))
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.QUEUED, editable=False)
    active = models.BooleanField(
        _("active"), default=False, editable=False, help_text=_("The one that attendance is taken with.")
    )
    embedder = models.CharField(_("face model"), max_length=60, blank=True, editable=False)
    path = models.CharField(max_length=200, blank=True, editable=False)
    sha256 = models.CharField(max_length=64, blank=True, editable=False)
    threshold = models.FloatField(_("threshold"), null=True, editable=False)
    margin = models.FloatField(_("margin"), null=True, editable=False)
    students = models.PositiveIntegerField(_("students"), default=0, editable=False)
    photos = models.PositiveIntegerField(_("photos"), default=0, editable=False)
    photos_digest = models.CharField(
        max_length=64, blank=True, editable=False, help_text=_("The SHA-256 of which photos of whom it is made of.")
    )
    report = models.JSONField(default=dict, blank=True, editable=False)
    created_at = models.DateTimeField(_("made at"), auto_now_add=True)

    class Meta:
        verbose_name = _("gallery")
        verbose_name_plural = _("galleries")
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(fields=["course"], condition=Q(active=True), name="one_active_gallery_a_class"),
            models.CheckConstraint(condition=Q(active=False) | Q(state="ready"), name="only_a_ready_gallery_is_active"),
        ]

    def __str__(self) -> str:
        return f"{self.course.code}, {self.created_at:%Y-%m-%d %H:%M}"
