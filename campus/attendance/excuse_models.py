"""Excuses for several days, and which of them cover a lecture."""

import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.signals import post_delete
from django.dispatch import receiver
from django.utils.translation import gettext_lazy as _

from campus.academics.models import Course, Student
from campus.common.file_names import file_suffix
from campus.common.storage import delete_media_after_commit


def excuse_document_path(excuse: "Excuse", name: str) -> str:
    """Names from outside are data, never paths: the stored name is the row's UUID."""
    return f"excuses/{excuse.id}{file_suffix(name)}"


class Excuse(models.Model):
    """A student is excused from one day to another, both included: in one class, or in all where `course` is empty.

    Nothing is copied to the lectures: each record looks for the excuse that covers it. An excuse that was withdrawn is
    kept, and excuses nobody.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    student = models.ForeignKey(Student, on_delete=models.CASCADE, related_name="excuses", verbose_name=_("student"))
    course = models.ForeignKey(
        Course, null=True, blank=True, on_delete=models.CASCADE, related_name="excuses", verbose_name=_("class")
    )
    first_day = models.DateField(_("from"))
    last_day = models.DateField(_("to"))
    reason = models.CharField(_("reason"), max_length=300)
    document = models.FileField(_("document"), upload_to=excuse_document_path, blank=True)
    document_name = models.CharField(max_length=255, blank=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    user_name = models.CharField(max_length=150)
    created_at = models.DateTimeField(auto_now_add=True)
    withdrawn_by = models.CharField(max_length=150, blank=True, editable=False)
    withdrawn_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        verbose_name = _("excuse")
        verbose_name_plural = _("excuses")
        ordering = ["-first_day", "-created_at"]
        constraints = [
            models.CheckConstraint(
                condition=Q(last_day__gte=F("first_day")),
                name="excuse_ends_after_it_starts",
                violation_error_message=_("The excuse ends before it starts."),
            )
        ]

    def __str__(self) -> str:
        return f"{self.student}: {self.reason}"


@receiver(post_delete, sender=Excuse)
def delete_document(instance: Excuse, **_kwargs: Any) -> None:
    """Nothing is left of an excuse whose student is deleted."""
    if instance.document:
        delete_media_after_commit(str(instance.document.name))


def covering_excuses(course: Any, day: Any) -> models.QuerySet[Excuse]:
    """The excuses that cover lectures of a class on a day, the oldest first. The arguments are values, or expressions
    of an outer query.
    """
    excuses = Excuse.objects.filter(first_day__lte=day, last_day__gte=day, withdrawn_at=None)
    return excuses.filter(Q(course=None) | Q(course=course)).order_by("created_at", "pk")
