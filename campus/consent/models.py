"""What students are asked, what each has answered, and the link by which a student does so without an account."""

import uuid
from datetime import timedelta

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from campus.academics.models import Student

# The longest that a consent holds; the law of Illinois (BIPA) has the same limit.
CONSENT_LIFETIME = timedelta(days=3 * 365)


class ConsentText(models.Model):
    """What students are asked to agree to, in one language. The latest version is shown; those before stay, since
    people have agreed to them.
    """

    version = models.PositiveIntegerField(_("version"))
    language = models.CharField(_("language"), max_length=10, choices=settings.LANGUAGES)
    text = models.TextField(_("text"), max_length=20_000)
    valid_from = models.DateTimeField(_("valid from"), default=timezone.now)

    class Meta:
        ordering = ["-version", "language"]
        constraints = [
            models.UniqueConstraint(fields=["version", "language"], name="one_consent_text_a_version_and_language")
        ]

    def __str__(self) -> str:
        return f"{self.version} ({self.language})"


class Consent(models.Model):
    """A student's answer to whether the face may be recognised. The latest of a student is `is_current` and counts;
    those before are its history.

    `recorded_by`: who wrote it down, as they were called then; empty where the student did.
    """

    class Method(models.TextChoices):
        LINK = "link", _("by link")
        PAPER = "paper", _("on paper")
        ROSTER = "roster", _("with the roster")
        STAFF = "staff", _("told to staff")

    student = models.ForeignKey(Student, on_delete=models.CASCADE, related_name="consents", verbose_name=_("student"))
    given = models.BooleanField(_("agreed"))
    text = models.ForeignKey(ConsentText, on_delete=models.PROTECT, related_name="+", verbose_name=_("text"))
    method = models.CharField(_("how"), max_length=10, choices=Method.choices)
    at = models.DateTimeField(_("answered at"), default=timezone.now)
    recorded_by = models.CharField(_("recorded by"), max_length=150, blank=True)
    expires_at = models.DateTimeField(_("holds until"), null=True)
    withdrawn_at = models.DateTimeField(_("withdrawn at"), null=True)
    is_current = models.BooleanField(default=True)

    class Meta:
        ordering = ["-at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["student"], condition=Q(is_current=True), name="one_current_consent_a_student"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.student}: {'yes' if self.is_active else 'no'}"

    @property
    def is_active(self) -> bool:
        """Whether the student agrees now, as far as this answer says."""
        has_ended = self.expires_at is not None and self.expires_at <= timezone.now()
        return self.given and self.withdrawn_at is None and not has_ended


class StudentLink(models.Model):
    """A link to a student's own page, which needs no account. Its withdrawal is its deletion, with the photos that were
    sent by it and not approved.
    """

    student = models.OneToOneField(Student, on_delete=models.CASCADE, related_name="link")
    # Names the valid link: a renewal makes a new one.
    key = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    expires_at = models.DateTimeField()

    class Meta:
        ordering = ["student__sort_key"]

    def __str__(self) -> str:
        return f"{self.student}, until {self.expires_at}"

    @property
    def is_expired(self) -> bool:
        return self.expires_at <= timezone.now()
