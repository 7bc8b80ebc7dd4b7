"""What staff write: the institution's statuses, a class's policy, and the deletion of recordings."""

import logging
from collections.abc import Iterable
from uuid import UUID

from django.db import transaction

from campus.academics.models import Course, Lecture
from campus.academics.services import validate_and_save
from campus.attendance.confirmed_faces import learn_later
from campus.attendance.models import AttendanceStatus, RegisterPolicy, Report, Sighting, SignOff
from campus.attendance.policy import policy_for
from campus.attendance.proposals import recount_lecture
from campus.common.errors import UserError
from campus.common.storage import delete_media, delete_media_folder, reports
from campus.recordings.models import Recording

log = logging.getLogger(__name__)

# The media folders that have a folder for each recording.
RECORDING_FOLDERS = ("tracks", "crops", "snapshots", "face_paths", "annotated")


def save_status(*, status: AttendanceStatus, **changes: object) -> AttendanceStatus:
    """Create or change a status.

    Raises ValidationError by field, and UserError where the change would alter existing records.
    """
    fixed = ("code", "name", "meaning") if status.is_built_in else ("code",)
    if status.pk and any(changes.get(name, getattr(status, name)) != getattr(status, name) for name in fixed):
        raise UserError(
            "Existing records rely on this: no status can change its code, and a built-in one not its name or meaning"
            " either."
        )
    return validate_and_save(status, **changes)


def delete_status(*, status: AttendanceStatus) -> None:
    """Delete a status of the institution's own.

    Raises UserError where it is built-in, or a record or the change log uses it.
    """
    if status.is_built_in or status.is_in_use:
        raise UserError(
            "This status is built-in or in use, so it stays. You can change its points and whether it counts."
        )
    status.delete()


def save_policy(*, course: Course, **changes: object) -> RegisterPolicy:
    """Change a class's policy. Raises ValidationError by field."""
    return validate_and_save(policy_for(course), **changes)


@transaction.atomic
def delete_recording(*, recording: Recording) -> None:
    """Delete a recording with its file and all that was seen in it; the lecture is counted again without it.

    People's overrides stay, and so does the result of a lecture that was signed off. Footage files of sources are not
    touched.
    """
    lecture = Lecture.objects.select_for_update().get(pk=recording.lecture_id)
    pk, file = recording.pk, recording.file.name
    workbooks = list(Report.objects.filter(recording=pk).values_list("file_name", flat=True))
    recording.delete()
    learn_later(course=lecture.course_id)
    if not SignOff.objects.filter(lecture=lecture).exists():
        recount_lecture(lecture=lecture)
        if not Sighting.objects.filter(recording__lecture=lecture).exists():
            # No recording is left that says who was present.
            lecture.records.filter(override_status="", changes=None).delete()
    transaction.on_commit(lambda: _delete_files(pk, file, workbooks), robust=True)
    log.info("recording %s: deleted", pk)


def _delete_files(recording: UUID, file: str | None, workbooks: Iterable[str]) -> None:
    if file:
        delete_media(file)
    for name in workbooks:
        reports().delete(name)
    for folder in RECORDING_FOLDERS:
        delete_media_folder(folder, str(recording))
