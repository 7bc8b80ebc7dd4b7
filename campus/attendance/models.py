"""Who was there: what the machine saw in each recording, the record a lecture keeps, and every change that people made."""

import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from campus.academics.models import Course, Lecture, Student
from campus.attendance.policy import RegisterPolicy
from campus.attendance.statuses import (
    AttendanceStatus,
    Status,
    override_choices,
    status_choices,
    status_label,
)
from campus.common import jobs
from campus.recordings.models import Recording

__all__ = [
    "AttendanceChange",
    "AttendanceRecord",
    "AttendanceStatus",
    "FaceOverride",
    "RegisterPolicy",
    "Report",
    "Sighting",
    "SignOff",
    "Snapshot",
    "Status",
    "UnknownPerson",
]


class Sighting(models.Model):
    """What one recording says of one student of the roster. Replaced as a whole when the recording is voted on again.

    `intervals` is a list of [start, end] in seconds of the recording; `crops` a list of {"file": storage name, "time": seconds,
    "quality": 0..1, "box": where in the picture}, best first, at most three; `face_positions` a list of [time, box], one for each time
    that the face was followed. A box is [x1, y1, x2, y2] in pixels of the upright picture.
    """

    recording = models.ForeignKey(Recording, on_delete=models.CASCADE, related_name="sightings")
    student = models.ForeignKey(Student, on_delete=models.CASCADE, related_name="sightings")
    present = models.BooleanField()
    to_confirm = models.BooleanField(_("to be confirmed"), default=False)
    intervals = models.JSONField(default=list)
    seconds = models.FloatField(default=0)
    share = models.FloatField(default=0)
    confidence = models.FloatField(default=0)
    crops = models.JSONField(default=list)
    face_positions = models.JSONField(default=list)

    class Meta:
        ordering = ["recording", "student__name"]
        constraints = [
            models.UniqueConstraint(fields=["recording", "student"], name="one_sighting_a_recording_and_student"),
            models.CheckConstraint(
                condition=Q(present=False) | Q(to_confirm=False), name="nobody_is_present_and_to_confirm"
            ),
            models.CheckConstraint(condition=Q(share__gte=0, share__lte=1), name="sighting_share_is_a_share"),
            models.CheckConstraint(
                condition=Q(confidence__gte=0, confidence__lte=1), name="sighting_confidence_is_a_share"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.student} in {self.recording}"


class FaceOverride(models.Model):
    """What a person said of a face in a recording. It is found again by time and place, so no measure of the face is kept, and a
    new run follows it."""

    class Verdict(models.TextChoices):
        NAMED = "named", _("is this student")
        NOT = "not", _("is not this student")
        VISITOR = "visitor", _("visitor")
        DELETED = "deleted", _("deleted")

    recording = models.ForeignKey(Recording, on_delete=models.CASCADE, related_name="face_overrides")
    verdict = models.CharField(max_length=10, choices=Verdict.choices)
    student = models.ForeignKey(Student, null=True, blank=True, on_delete=models.CASCADE, related_name="face_overrides")
    face_positions = models.JSONField(default=list)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    user_name = models.CharField(max_length=150)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(verdict__in=["named", "not"], student__isnull=False)
                | Q(verdict__in=["visitor", "deleted"], student=None),
                name="a_name_needs_a_student",
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_verdict_display()} ({self.recording})"


class UnknownPerson(models.Model):
    """Somebody in a recording whom the machine took for nobody on the roster; fields as in Sighting. `is_static`: a portrait, a poster or
    a screen. `decision`: whom a person said it is, or that it is a visitor."""

    recording = models.ForeignKey(Recording, on_delete=models.CASCADE, related_name="unknown_people")
    index = models.PositiveIntegerField()
    is_static = models.BooleanField(_("no living person"), default=False)
    intervals = models.JSONField(default=list)
    seconds = models.FloatField(default=0)
    crops = models.JSONField(default=list)
    face_positions = models.JSONField(default=list)
    decision = models.ForeignKey(FaceOverride, null=True, blank=True, on_delete=models.SET_NULL, related_name="people")

    class Meta:
        verbose_name_plural = _("unknown people")
        ordering = ["recording", "index"]
        constraints = [models.UniqueConstraint(fields=["recording", "index"], name="one_unknown_person_a_place")]

    def __str__(self) -> str:
        return f"unknown person {self.index + 1} in {self.recording}"

    # As in Sighting, for who was named: a person is sure.
    present = True
    to_confirm = False
    confidence = 1.0

    @property
    def student_id(self) -> int | None:
        """The student that a person said this is."""
        return self.decision.student_id if self.decision else None

    @property
    def share(self) -> float:
        duration = self.recording.duration
        return min(self.seconds / duration, 1.0) if duration else 1.0


class AttendanceRecord(models.Model):
    """A student in a lecture. The machine writes `machine_status` only, people write `override_status` only."""

    lecture = models.ForeignKey(Lecture, on_delete=models.CASCADE, related_name="records", verbose_name=_("lecture"))
    student = models.ForeignKey(Student, on_delete=models.CASCADE, related_name="records", verbose_name=_("student"))
    machine_status = models.CharField(
        _("seen by the machine"), max_length=10, choices=Status.choices, default=Status.ABSENT
    )
    override_status = models.CharField(_("set by a person"), max_length=10, choices=override_choices, blank=True)
    first_seen = models.DateTimeField(_("first seen"), null=True, blank=True)
    last_seen = models.DateTimeField(_("last seen"), null=True, blank=True)
    seconds = models.FloatField(_("seconds seen"), default=0)
    share = models.FloatField(_("share of the lecture"), default=0)
    confidence = models.FloatField(_("confidence"), default=0)
    updated_at = models.DateTimeField(_("changed at"), auto_now=True)

    class Meta:
        verbose_name = _("attendance record")
        verbose_name_plural = _("attendance records")
        ordering = ["lecture", "student__name"]
        constraints = [
            models.UniqueConstraint(fields=["lecture", "student"], name="one_record_a_lecture_and_student"),
            models.CheckConstraint(condition=~Q(machine_status="excused"), name="the_machine_excuses_nobody"),
            models.CheckConstraint(condition=~Q(override_status="to_confirm"), name="override_is_a_decision"),
        ]
        # The first pages ask how many wait for a person: few among all records of a faculty.
        indexes = [
            models.Index(
                fields=["lecture"],
                condition=Q(machine_status="to_confirm", override_status=""),
                name="records_to_be_confirmed",
            )
        ]

    def __str__(self) -> str:
        return f"{self.student} in {self.lecture}: {self.get_status_display()}"

    @property
    def status(self) -> str:
        """What counts: a person's decision, or else the machine's proposal."""
        return self.override_status or self.machine_status

    def get_status_display(self) -> str:
        return status_label(self.status)


class AppendOnlyQuerySet(models.QuerySet["AttendanceChange"]):
    """Rows go with their lecture only."""

    def update(self, **_: object) -> int:
        raise TypeError("The log of changes is append-only.")

    def delete(self) -> tuple[int, dict[str, int]]:
        raise TypeError("The log of changes is append-only.")


class AttendanceChange(models.Model):
    """One thing that a person did to a lecture's result. Append-only: rows are never changed or deleted while the lecture exists.

    `record` is whose status it was about, with what counted before and after; `about` says which face.
    """

    class Kind(models.TextChoices):
        STATUS = "status", _("status set")
        NAMED = "named", _("face named")
        NOT = "not", _("face taken away")
        VISITOR = "visitor", _("marked as a visitor")
        DELETED = "deleted", _("unknown person deleted")
        UNDONE = "undone", _("decision on a face taken back")
        SIGNED = "signed", _("signed off")
        REOPENED = "reopened", _("opened again")

    lecture = models.ForeignKey(Lecture, on_delete=models.CASCADE, related_name="changes", verbose_name=_("lecture"))
    record = models.ForeignKey(
        AttendanceRecord, null=True, blank=True, on_delete=models.CASCADE, related_name="changes"
    )
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices, default=Kind.STATUS)
    old = models.CharField(_("before"), max_length=10, choices=status_choices, blank=True)
    new = models.CharField(_("after"), max_length=10, choices=status_choices, blank=True)
    about = models.CharField(_("about"), max_length=300, blank=True)
    reason = models.CharField(_("reason"), max_length=300, blank=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    user_name = models.CharField(_("by"), max_length=150, help_text=_("As it was then, should the account be deleted."))
    at = models.DateTimeField(_("when"), auto_now_add=True)

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        verbose_name = _("correction")
        verbose_name_plural = _("corrections")
        ordering = ["-at", "-id"]

    def __str__(self) -> str:
        who = f"{self.record.student}: {self.old} to {self.new}" if self.record else self.get_kind_display()
        return f"{who} by {self.user_name}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("The log of changes is append-only.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise TypeError("The log of changes is append-only.")


class SignOff(models.Model):
    """Somebody vouched for the lecture's result. From then on only a registrar changes it."""

    lecture = models.OneToOneField(Lecture, on_delete=models.CASCADE, related_name="sign_off")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    user_name = models.CharField(max_length=150)
    at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.lecture}, signed off by {self.user_name}"


class Snapshot(jobs.LeasedJob):
    """A whole picture of a recording, as evidence. A worker clips it out when somebody looks for it; it can always be made again."""

    class State(models.TextChoices):
        QUEUED = "queued", _("being cut out")
        READY = "ready", _("ready")
        FAILED = "failed", _("failed")

    recording = models.ForeignKey(Recording, on_delete=models.CASCADE, related_name="snapshots")
    time = models.FloatField(_("second of the recording"))
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    file = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["recording", "time"]
        constraints = [models.UniqueConstraint(fields=["recording", "time"], name="one_snapshot_a_moment")]

    def __str__(self) -> str:
        return f"{self.time:.1f} s of {self.recording}"


class Report(models.Model):
    """A workbook in Reports/: of a lecture's recording; of a lecture over all its cameras, where `recording` is empty; or, where
    `lecture` is empty too, the register of a class."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    course = models.ForeignKey(Course, on_delete=models.CASCADE, related_name="reports", verbose_name=_("class"))
    lecture = models.ForeignKey(
        Lecture, null=True, blank=True, on_delete=models.CASCADE, related_name="reports", verbose_name=_("lecture")
    )
    recording = models.OneToOneField(
        Recording, null=True, blank=True, on_delete=models.CASCADE, related_name="report", verbose_name=_("recording")
    )
    file_name = models.CharField(_("file in Reports/"), max_length=200, unique=True)
    sha256 = models.CharField(_("SHA-256"), max_length=64)
    created_at = models.DateTimeField(_("made at"), auto_now=True)

    class Meta:
        verbose_name = _("report")
        verbose_name_plural = _("reports")
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.file_name
