"""What students say against their marks."""

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

MAX_OBJECTION_LENGTH = 1000


class Objection(models.Model):
    """A student says that a mark is wrong; a person answers by `due_on`. `upheld` is empty until then."""

    record = models.ForeignKey(
        "attendance.AttendanceRecord", on_delete=models.CASCADE, related_name="objections", verbose_name=_("mark")
    )
    text = models.TextField(_("objection"), max_length=MAX_OBJECTION_LENGTH)
    at = models.DateTimeField(_("objected at"), default=timezone.now)
    due_on = models.DateField(_("answer by"))
    answer = models.TextField(_("answer"), max_length=MAX_OBJECTION_LENGTH, blank=True)
    upheld = models.BooleanField(_("the student is right"), null=True)
    answered_by = models.CharField(_("answered by"), max_length=150, blank=True)
    answered_at = models.DateTimeField(_("answered at"), null=True)

    class Meta:
        verbose_name = _("objection")
        verbose_name_plural = _("objections")
        ordering = ["due_on", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["record"], condition=Q(upheld=None), name="one_open_objection_a_record")
        ]

    def __str__(self) -> str:
        return f"{self.record_id}: {self.get_state_display()}"

    def get_state_display(self) -> str:
        if self.upheld is None:
            return str(_("not answered yet"))
        return str(_("upheld") if self.upheld else _("not upheld"))

    @property
    def is_overdue(self) -> bool:
        return self.upheld is None and self.due_on < timezone.localdate()
