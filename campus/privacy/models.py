"""What is done about people's rights to their own data."""

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from campus.common import jobs
from campus.common.encrypted_fields import EncryptedTextField
from campus.privacy.retention_models import LegalHold as LegalHold
from campus.privacy.retention_models import RetentionRule as RetentionRule
from campus.privacy.retention_models import RetentionRun as RetentionRun


class Erasure(jobs.LeasedJob):
    """The erasure of a student or of a class, by a worker, step by step; afterwards its receipt, which names nobody.

    `subject` is the id of the row. `terms` are the words to look for in texts, in JSON: the number, the names, the
    addresses. They go when all is done. `steps` are those that are done, `removed` says how much each has removed.
    `doubtful`: of each step, the numbers of the rows which have the name, and may mean somebody else of that name.
    """

    class Kind(models.TextChoices):
        STUDENT = "student", _("student")
        COURSE = "course", _("class")

    class State(models.TextChoices):
        QUEUED = "queued", _("in progress")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(_("what"), max_length=10, choices=Kind.choices)
    subject = models.PositiveBigIntegerField(_("number of the row"))
    terms = EncryptedTextField(default="")
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.QUEUED)
    steps = models.JSONField(default=list)
    removed = models.JSONField(_("removed"), default=dict)
    doubtful = models.JSONField(_("to look at"), default=dict)
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    requested_by_name = models.CharField(_("requested by"), max_length=150)
    created_at = models.DateTimeField(_("requested at"), auto_now_add=True)
    finished_at = models.DateTimeField(_("finished at"), null=True)

    class Meta:
        verbose_name = _("erasure")
        verbose_name_plural = _("erasures")
        ordering = ["-created_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "subject"], condition=Q(state="queued"), name="one_erasure_at_a_time"
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.subject}"
