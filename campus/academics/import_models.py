"""Rosters and calendars that somebody uploads to import them."""

import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models.signals import post_delete
from django.dispatch import receiver
from django.utils.translation import gettext_lazy as _

from campus.common import jobs
from campus.common.storage import clear_storage, delete_media_after_commit


def import_path(row: "FileImport", _name: str) -> str:
    """Names from outside are data, never paths: the stored name is the row's UUID."""
    return f"imports/{row.id}"


class FileImport(jobs.LeasedJob):
    """A roster or a calendar, whose owner imports it once a worker has read it. It goes a day later.

    `course` is that of what names no class, `options` how the file is read, and `content` what it holds, as the sandbox
    has sent it: of the last reading that went well.
    """

    class Kind(models.TextChoices):
        ROSTER = "roster", _("roster")
        CALENDAR = "calendar", _("calendar")

    class State(models.TextChoices):
        QUEUED = "queued", _("being read")
        READY = "ready", _("ready to import")
        FAILED = "failed", _("failed")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="file_imports")
    course = models.ForeignKey("Course", null=True, on_delete=models.CASCADE, related_name="file_imports")
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    file = models.FileField(storage=clear_storage, upload_to=import_path)
    original_name = models.CharField(max_length=255)
    options = models.JSONField(default=dict)
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.QUEUED)
    content = models.BinaryField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return self.original_name


@receiver(post_delete, sender=FileImport)
def delete_file(instance: FileImport, **_kwargs: Any) -> None:
    """Nothing is left of an import whose owner or class is deleted."""
    delete_media_after_commit(str(instance.file.name))
