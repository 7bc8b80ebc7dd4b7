"""The audit log: who saw, changed, exported, trained or erased what.

An entry is one INSERT, for which nobody waits. The sweep *seals* it within a minute: it gives it a number in the chain,
and a hash over all its fields and the hash of the entry before. An entry names students, lectures and classes by the
ids of their rows alone, without foreign keys: the log outlives them, and says nothing of a student who was erased.
"""

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from campus.accounts.names import MAX_NAME_LENGTH
from campus.accounts.roles import Role
from campus.common.append_only import AppendOnlyModel, AppendOnlyQuerySet

MAX_ABOUT_LENGTH = 200
HASH_LENGTH = 64
FIRST_HASH = "0" * HASH_LENGTH  # the hash before that of the first entry


# What a hash covers, besides the entry's number and the hash before; none of it ever changes.
FIELDS = (
    *("id", "at", "actor_id", "actor_name", "actor_role", "action"),
    *("student_id", "lecture_id", "course_id", "about"),
)


class Action(models.TextChoices):
    """What was done. `about` of the entry says more."""

    SAW_FACES = "saw-faces", _("looked at faces from a lecture")
    SAW_PHOTOS = "saw-photos", _("looked at photos")
    SAW_VIDEO = "saw-video", _("watched a recording")
    SAW_LECTURE = "saw-lecture", _("looked at a lecture's attendance")
    SAW_REGISTER = "saw-register", _("looked at attendance of a class")
    SAW_STUDENT = "saw-student", _("looked at students' data")
    SAW_DOCUMENT = "saw-document", _("looked at an excuse's document")
    SAW_AUDIT_LOG = "saw-audit-log", _("looked at the audit log")
    SAW_OWN_DATA = "saw-own-data", _("a student looked at their own data")
    EXPORTED = "exported", _("exported attendance")
    EXPORTED_STUDENT = "exported-student", _("exported a student's data")
    EXPORTED_AUDIT_LOG = "exported-audit-log", _("exported the audit log")
    BACKED_UP = "backed-up", _("made a backup")
    RESTORED = "restored", _("restored a backup")
    CHANGED_ATTENDANCE = "changed-attendance", _("changed a lecture's attendance")
    SIGNED_OFF = "signed-off", _("signed a lecture off")
    REOPENED = "reopened", _("reopened a lecture")
    EXCUSED = "excused", _("changed an excuse")
    CHANGED_STUDENT = "changed-student", _("changed a student")
    CHANGED_ROSTER = "changed-roster", _("changed a roster")
    CHANGED_PHOTOS = "changed-photos", _("changed enrolment photos")
    CHANGED_CLASS = "changed-class", _("changed a class")
    CHANGED_SETTINGS = "changed-settings", _("changed the institution's settings")
    CHANGED_ACCOUNT = "changed-account", _("changed an account")
    CHANGED_CONSENT = "changed-consent", _("changed a consent")
    CHANGED_RETENTION = "changed-retention", _("changed how long data is kept")
    UPLOADED = "uploaded", _("added a recording")
    TRAINED = "trained", _("trained the recognition of a class")
    DELETED = "deleted", _("deleted something")
    EXPIRED = "expired", _("deleted data on schedule")
    ERASED = "erased", _("erased a student's data")
    PRUNED = "pruned", _("deleted old entries of the audit log")


class AuditEntry(AppendOnlyModel):
    """One thing that was done. The fields from `sequence` on are empty until the entry is sealed."""

    at = models.DateTimeField(_("when"), default=timezone.now, editable=False)
    actor_id = models.BigIntegerField(null=True)
    actor_name = models.CharField(_("by"), max_length=MAX_NAME_LENGTH, blank=True, help_text=_("As it was then."))
    actor_role = models.CharField(_("role"), max_length=15, choices=Role.choices, blank=True)
    action = models.CharField(_("action"), max_length=20, choices=Action.choices)
    student_id = models.BigIntegerField(null=True)
    lecture_id = models.BigIntegerField(null=True)
    course_id = models.BigIntegerField(null=True)
    about = models.CharField(_("about"), max_length=MAX_ABOUT_LENGTH, blank=True)
    sequence = models.BigIntegerField(_("number"), null=True, unique=True)
    previous_hash = models.CharField(max_length=HASH_LENGTH, blank=True)
    hash = models.CharField(max_length=HASH_LENGTH, blank=True)

    objects = AppendOnlyQuerySet["AuditEntry"].as_manager()

    class Meta:
        verbose_name = _("entry of the audit log")
        verbose_name_plural = _("entries of the audit log")
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(
                condition=Q(sequence=None, hash="") | Q(sequence__gte=1) & ~Q(hash=""),
                name="audit_entry_is_sealed_or_not",
            )
        ]
        indexes = [
            models.Index(fields=["at"], name="audit_by_time"),
            models.Index(fields=["student_id"], condition=Q(student_id__isnull=False), name="audit_by_student"),
            models.Index(fields=["lecture_id"], condition=Q(lecture_id__isnull=False), name="audit_by_lecture"),
            models.Index(fields=["course_id"], condition=Q(course_id__isnull=False), name="audit_by_course"),
        ]

    def __str__(self) -> str:
        return f"{self.actor_name or '-'}: {self.get_action_display()}"


class AuditCheckpoint(models.Model):
    """Where the chain begins: the number and the hash of the last entry that was deleted on schedule. There is one row.

    Whoever lengthens or shortens the chain locks it.
    """

    sequence = models.BigIntegerField(default=0)
    hash = models.CharField(max_length=HASH_LENGTH, default=FIRST_HASH)

    def __str__(self) -> str:
        return f"after entry {self.sequence}"
