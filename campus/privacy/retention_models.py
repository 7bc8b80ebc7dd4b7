"""How long personal data is kept, what a legal hold keeps for longer, and what was deleted on each day."""

from typing import Any

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.deletion import Collector
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from campus.academics.models import Course, Lecture, Student
from campus.common.errors import UserError

MAX_DAYS = 3650


class RetentionRule(models.Model):
    """After how many days something is deleted, in place of what Rollcall comes with: in one class, or in all where
    `course` is empty. Without days it is kept.
    """

    class Kind(models.TextChoices):
        UNSIGNED = "unsigned", _("lectures that nobody signs off")
        FOOTAGE = "footage", _("recordings")
        CROPS = "crops", _("pictures of students' faces in lectures")
        UNKNOWN_FACES = "unknown-faces", _("pictures of unknown people")
        LECTURE_FACES = "lecture-faces", _("faces from lectures that a class has learnt")
        SNAPSHOTS = "snapshots", _("whole frames of recordings")
        ANNOTATED_VIDEOS = "annotated-videos", _("clips and annotated videos")
        PHOTOS = "photos", _("enrolment photos and their embeddings")
        GALLERIES = "galleries", _("galleries")
        EXCUSE_DOCUMENTS = "excuse-documents", _("documents of excuses")
        WORKBOOKS = "workbooks", _("workbooks")
        MESSAGES = "messages", _("sent messages")
        ACCOUNT_EVENTS = "account-events", _("logins and changes of accounts")
        AUDIT_LOG = "audit-log", _("entries of the audit log")
        ATTENDANCE = "attendance", _("lectures with their attendance")
        STUDENTS = "students", _("students without attendance")

    kind = models.CharField(_("what"), max_length=20, choices=Kind.choices)
    course = models.ForeignKey(
        Course, null=True, blank=True, on_delete=models.CASCADE, related_name="retention_rules", verbose_name=_("class")
    )
    days = models.PositiveSmallIntegerField(
        _("days"), null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(MAX_DAYS)]
    )

    class Meta:
        verbose_name = _("retention rule")
        verbose_name_plural = _("retention rules")
        ordering = ["course", "kind"]
        constraints = [
            models.UniqueConstraint(fields=["course", "kind"], name="one_retention_rule_a_class_and_kind"),
            models.UniqueConstraint(fields=["kind"], condition=Q(course=None), name="one_retention_rule_a_kind"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.days or '-'}"


class LegallyHeld(UserError):
    """Something can't be deleted, since a legal hold keeps it."""

    def __init__(self, hold: "LegalHold") -> None:
        super().__init__(
            "A legal hold is in force: {reason}. Nothing is deleted until it is lifted.", reason=hold.reason
        )
        self.hold = hold


def keep_held(collector: Collector, field: Any, sub_objs: Any, using: str) -> None:
    """An `on_delete`: what is held is not deleted; a hold whose last day is over goes with what it has kept."""
    for hold in sub_objs:
        if not hold.is_over:
            raise LegallyHeld(hold)
    models.CASCADE(collector, field, sub_objs, using)


class LegalHold(models.Model):
    """Why nothing of a class, a lecture or a student is deleted, and until when (that day included; empty: until
    somebody lifts it). Its end is its deletion; the audit log remembers it.
    """

    course = models.ForeignKey(
        Course, null=True, blank=True, on_delete=keep_held, related_name="legal_holds", verbose_name=_("class")
    )
    lecture = models.ForeignKey(
        Lecture, null=True, blank=True, on_delete=keep_held, related_name="legal_holds", verbose_name=_("lecture")
    )
    student = models.ForeignKey(
        Student, null=True, blank=True, on_delete=keep_held, related_name="legal_holds", verbose_name=_("student")
    )
    reason = models.CharField(_("reason"), max_length=300)
    until = models.DateField(_("until"), null=True, blank=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    user_name = models.CharField(_("by"), max_length=150)
    created_at = models.DateTimeField(_("since"), auto_now_add=True)

    class Meta:
        verbose_name = _("legal hold")
        verbose_name_plural = _("legal holds")
        ordering = ["-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(course__isnull=False, lecture=None, student=None)
                | Q(course=None, lecture__isnull=False, student=None)
                | Q(course=None, lecture=None, student__isnull=False),
                name="a_legal_hold_is_of_one_thing",
            )
        ]

    def __str__(self) -> str:
        return f"{self.subject}: {self.reason}"

    @property
    def subject(self) -> Course | Lecture | Student:
        """What it keeps."""
        subject = self.course or self.lecture or self.student
        assert subject is not None  # noqa: S101 - a constraint holds it
        return subject

    @property
    def is_over(self) -> bool:
        return self.until is not None and self.until < timezone.localdate()


class RetentionRun(models.Model):
    """What was deleted on a day by the rules, by its kinds, and what a legal hold kept at the last run."""

    day = models.DateField(unique=True)
    deleted = models.JSONField(default=dict, help_text="How many by kind.")
    held = models.JSONField(default=dict, help_text="How many are due, by kind, and kept for a legal hold.")
    failed = models.JSONField(default=list, help_text="The kinds of which something could not be deleted.")
    ended_at = models.DateTimeField(_("last run"), null=True)

    class Meta:
        ordering = ["-day"]

    def __str__(self) -> str:
        return f"{self.day}: {self.deleted}"
