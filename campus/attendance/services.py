"""What staff change: an institution's statuses, what a class requires of its students, and recordings that are deleted."""

import logging
import shutil
from collections.abc import Iterable
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.db import transaction

from campus.academics.models import Course, Lecture
from campus.academics.services import validate_and_save
from campus.attendance.models import (
    AttendanceStatus,
    RegisterPolicy,
    Report,
    Sighting,
    SignOff,
)
from campus.attendance.policy import policy_for
from campus.attendance.proposals import recount_lecture
from campus.common.errors import UserError
from campus.recordings.models import Recording

log = logging.getLogger(__name__)


def save_status(*, status: AttendanceStatus, **changes: object) -> AttendanceStatus:
    """Raises ValidationError by field, and UserError where records or pages rely on what would change."""
    kept = ("code", "name", "like") if status.built_in else ("code",)
    if status.pk and any(changes.get(name, getattr(status, name)) != getattr(status, name) for name in kept):
        raise UserError(
            "Records rely on this: a status keeps its code, and one that is always there its name and its meaning, too."
        )
    return validate_and_save(status, **changes)


def delete_status(*, status: AttendanceStatus) -> None:
    """Raises UserError where it is always there, or a record or the log names it."""
    if status.built_in or status.in_use:
        raise UserError(
            "This status is in use or always there, so it stays. You can change its points and whether it counts."
        )
    status.delete()


def save_policy(*, course: Course, **changes: object) -> RegisterPolicy:
    """Raises ValidationError by field."""
    return validate_and_save(policy_for(course), **changes)


@transaction.atomic
def delete_recording(*, recording: Recording) -> None:
    """Delete a recording with its file, and all that was seen in it; the lecture is counted again without it.

    What people decided on students stays, and so does a lecture that was signed off. Footage files stay where they are.
    """
    lecture = Lecture.objects.select_for_update().get(pk=recording.lecture_id)
    pk, files = recording.pk, [Path(recording.file.path)] if recording.file else []
    files += [
        Path(settings.REPORTS_DIR, name)
        for name in Report.objects.filter(recording=pk).values_list("file_name", flat=True)
    ]
    recording.delete()
    if not SignOff.objects.filter(lecture=lecture).exists():
        recount_lecture(lecture=lecture)
        if not Sighting.objects.filter(recording__lecture=lecture).exists():
            lecture.records.filter(override_status="", changes=None).delete()  # nothing says who was there any more
    transaction.on_commit(lambda: _forget_files(pk, files), robust=True)
    log.info("recording %s: deleted", pk)


def _forget_files(recording: UUID, files: Iterable[Path]) -> None:
    for path in files:
        path.unlink(missing_ok=True)
    for kind in ("tracks", "crops", "snapshots"):
        shutil.rmtree(Path(settings.MEDIA_ROOT, kind, str(recording)), ignore_errors=True)
