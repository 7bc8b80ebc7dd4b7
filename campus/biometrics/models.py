"""Enrolment photos, and what a class's gallery was made of."""

import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.signals import post_delete
from django.dispatch import receiver
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from campus.academics.models import Course, Lecture, Student
from campus.biometrics.zip_names import NameEncoding
from campus.common import jobs
from campus.common.encrypted_fields import EncryptedBinaryField
from campus.common.file_names import file_suffix
from campus.common.messages import LocalizedMessage, MessageField, load_message
from campus.common.storage import clear_storage, delete_media_after_commit
from campus.consent.models import StudentLink


def photo_path(photo: "FacePhoto", name: str) -> str:
    """Names from outside are data, never paths: the stored name is the row's UUID."""
    return f"photos/{photo.id}{file_suffix(name)}"


class FacePhoto(jobs.LeasedJob):
    """An enrolment photo of a student, and the verdict on it (a worker gives it).

    `confirmed_at`: when `confirmed_by`, as they were called then, said that it shows its student; empty until then. It
    then counts although it looks more like another student. While its student may not be recognised, it waits, and
    nothing looks at it.
    """

    class Verdict(models.TextChoices):
        WAITING = "waiting", _("waits for consent")
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
    thumbnail = models.FileField(
        upload_to="thumbnails", blank=True, editable=False, help_text="Where there is no face to show."
    )
    created_at = models.DateTimeField(_("made at"), default=timezone.now, editable=False)
    confirmed_at = models.DateTimeField(_("confirmed at"), null=True, editable=False)
    confirmed_by = models.CharField(_("confirmed by"), max_length=150, blank=True, editable=False)
    photo_import = models.ForeignKey(
        "PhotoImport", null=True, on_delete=models.SET_NULL, related_name="photos", editable=False
    )

    class Meta:
        verbose_name = _("photo")
        verbose_name_plural = _("photos")
        ordering = ["student__sort_key", "created_at"]
        constraints = [models.UniqueConstraint(fields=["student", "sha256"], name="a_photo_once_a_student")]
        indexes = [
            models.Index(fields=["id"], name="pending_photos", condition=Q(state="pending")),
            models.Index(fields=["id"], name="waiting_photos", condition=Q(state="waiting")),
        ]

    def __str__(self) -> str:
        return f"{self.student.name}: {self.original_name or self.id}"


def zip_path(row: "PhotoImport", name: str) -> str:
    return f"imports/{row.id}.zip"


class PhotoImport(jobs.LeasedJob):
    """A zip or folder of enrolment photos. A worker takes the zip apart, and it goes when that is done. The row goes a
    week later, with the photos that still wait for a person then.
    """

    class State(models.TextChoices):
        QUEUED = "queued", _("in progress")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="photo_imports")
    course = models.ForeignKey(Course, null=True, on_delete=models.CASCADE, related_name="photo_imports")
    file = models.FileField(storage=clear_storage, upload_to=zip_path)
    original_name = models.CharField(max_length=255)
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.QUEUED)
    name_encoding = models.CharField(
        _("coding of the names"),
        max_length=20,
        choices=NameEncoding.choices,
        blank=True,
        help_text=_("Empty where all names are in Unicode."),
    )
    total = models.PositiveIntegerField(default=0, help_text="Files in it.")
    processed = models.PositiveIntegerField(default=0, help_text="Files that were looked at.")
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


def waiting_path(photo: "WaitingPhoto", name: str) -> str:
    return f"imports/{photo.id}{file_suffix(name)}"


class WaitingPhoto(jobs.LeasedJob):
    """A photo of an import that is kept until a person says whose it is. A worker makes its thumbnail when it is to be
    shown.
    """

    class State(models.TextChoices):
        NEW = "new", _("not shown yet")
        QUEUED = "queued", _("in progress")
        READY = "ready", _("ready")
        FAILED = "failed", _("failed")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    photo_import = models.ForeignKey(PhotoImport, on_delete=models.CASCADE, related_name="waiting")
    folder = models.TextField(help_text="The folder that it lay in; its own name if it lay in none.")
    raw_name = models.BinaryField(null=True, help_text="Its path in the zip, where the coding is not certain.")
    original_name = models.CharField(max_length=255)
    file = models.FileField(upload_to=waiting_path)
    sha256 = models.CharField(max_length=64)
    state = models.CharField(max_length=10, choices=State.choices, default=State.NEW)
    thumbnail = models.FileField(upload_to="imports", blank=True)

    class Meta:
        ordering = ["folder", "original_name"]
        constraints = [
            models.UniqueConstraint(fields=["photo_import", "folder", "sha256"], name="a_waiting_photo_once_a_folder")
        ]

    def __str__(self) -> str:
        return f"{self.folder}: {self.original_name}"


def sent_photo_path(photo: "SentPhoto", name: str) -> str:
    return f"sent/{photo.id}{file_suffix(name)}"


class SentPhoto(jobs.LeasedJob):
    """A photo that a student has sent by a link. It becomes an enrolment photo when a registrar approves it: until then
    nothing is learnt from it.

    `fault` is a `recognition.types.PhotoFault`: what it is rejected for, or could be better at. `file` is there while
    somebody may need it, `picture` (a small JPEG) as long as the row.
    """

    class State(models.TextChoices):
        CHECKING = "checking", _("being looked at")
        REJECTED = "rejected", _("not usable")
        WAITING = "waiting", _("waiting for approval")
        APPROVED = "approved", _("approved")
        REFUSED = "refused", _("refused")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    link = models.ForeignKey(StudentLink, on_delete=models.CASCADE, related_name="photos")
    file = models.FileField(upload_to=sent_photo_path, blank=True)
    original_name = models.CharField(max_length=255)
    sha256 = models.CharField(max_length=64)
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.CHECKING)
    fault = models.CharField(max_length=20, blank=True)
    picture = models.FileField(upload_to="sent", blank=True)
    refusal = models.CharField(_("reason"), max_length=300, blank=True)
    decided_by = models.CharField(max_length=150, blank=True, help_text="The registrar's name.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["created_at", "pk"]
        constraints = [models.UniqueConstraint(fields=["link", "sha256"], name="a_sent_photo_once_a_link")]

    def __str__(self) -> str:
        return f"{self.link.student.name}: {self.original_name}"


@receiver(post_delete, sender=SentPhoto)
def delete_sent_files(instance: SentPhoto, **_kwargs: Any) -> None:
    """No picture is left of a student or link that is deleted."""
    for file in filter(None, (instance.file, instance.picture)):
        delete_media_after_commit(str(file.name))


class Embedding(models.Model):
    """What one embedder makes of an enrolment photo; without a vector where it finds no face to use."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    photo = models.ForeignKey(FacePhoto, on_delete=models.CASCADE, related_name="embeddings")
    embedder = models.CharField(max_length=60)
    vector = EncryptedBinaryField(_("float32 unit vector"), null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["photo", "embedder"], name="one_embedding_a_photo_and_embedder")]

    def __str__(self) -> str:
        return f"{self.embedder} of {self.photo_id}"


class LectureFace(models.Model):
    """A picture of a student's face in a lecture that a person has confirmed, so that the class's gallery learns it.

    It stays as long as the confirmation does. `vector` is what `embedder` makes of it, empty where it is not known yet.
    """

    class State(models.TextChoices):
        NEW = "new", _("checked at the next training")
        LEARNT = "learnt", _("learnt")
        UNLIKE = "unlike", _("not learnt: unlike the photos")
        REFUSED = "refused", _("not learnt: refused")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    student = models.ForeignKey(
        Student, on_delete=models.CASCADE, related_name="lecture_faces", verbose_name=_("student")
    )
    lecture = models.ForeignKey(Lecture, on_delete=models.CASCADE, related_name="faces", verbose_name=_("lecture"))
    crop = models.CharField(max_length=200, unique=True, help_text="The media file.")
    sha256 = models.CharField(max_length=64)
    quality = models.FloatField(_("quality"))
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.NEW)
    embedder = models.CharField(_("face model"), max_length=60, blank=True)
    vector = EncryptedBinaryField(_("float32 unit vector"), null=True)
    created_at = models.DateTimeField(_("made at"), auto_now_add=True)

    class Meta:
        verbose_name = _("face from a lecture")
        verbose_name_plural = _("faces from lectures")
        ordering = ["-lecture__starts_at", "student__sort_key", "-quality", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["student", "lecture", "sha256"], name="a_lecture_face_once_a_student")
        ]

    def __str__(self) -> str:
        return f"{self.student.name}, {self.lecture}"


@receiver(post_delete, sender=LectureFace)
def delete_crop(instance: LectureFace, **_kwargs: Any) -> None:
    """No picture is left of a student or lecture that is deleted."""
    delete_media_after_commit(instance.crop)


class LookAlike(models.Model):
    """Two students whose photos look like one person's.

    `decided_at`: when `decided_by`, as they were called then, said that they are two people; empty until then.
    """

    first = models.ForeignKey(Student, on_delete=models.CASCADE, related_name="+")
    second = models.ForeignKey(Student, on_delete=models.CASCADE, related_name="+")
    similarity = models.FloatField(help_text="The cosine of their templates.")
    found_at = models.DateTimeField(auto_now_add=True)
    decided_at = models.DateTimeField(null=True)
    decided_by = models.CharField(max_length=150, blank=True)

    class Meta:
        ordering = ["-similarity", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["first", "second"], name="a_pair_of_look_alikes_once"),
            models.CheckConstraint(condition=Q(first__lt=F("second")), name="look_alikes_are_in_order"),
        ]

    def __str__(self) -> str:
        return f"{self.first}, {self.second}"


class Gallery(jobs.LeasedJob):
    """One training of a class: what its students' faces look like to one embedder, in an npz file."""

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
    members = models.ManyToManyField(
        Student, related_name="galleries", editable=False, help_text="Whose templates are in the file."
    )
    photos_deleted = models.BooleanField(
        default=False,
        editable=False,
        help_text="Whether a photo that it was made of is gone: nobody returns to it.",
    )
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
        return f"{self.course.code}, {date_format(timezone.localtime(self.created_at), 'DATETIME_FORMAT')}"
