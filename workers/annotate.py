"""Draws an annotated video: who was recognised where in a recording, for the person whose name is in it."""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from campus.attendance.annotated_videos import read_face_paths, save_progress
from campus.attendance.models import AnnotatedVideo, AttendanceRecord, Status
from campus.attendance.statuses import ATTENDED, meaning_of
from campus.common import jobs
from campus.common.storage import delete_media, media
from campus.recordings.selectors import footage_between
from recognition.errors import Cancelled
from recognition.types import FacePath
from workers import vision
from workers.leased_task import leased_task

if TYPE_CHECKING:
    from recognition.annotate import FaceMark

PROGRESS_INTERVAL_SECONDS = 1.0


@leased_task(jobs.ANNOTATE)
def annotate(video: AnnotatedVideo) -> None:
    from recognition.annotate import Stretch, annotate_recording

    recording = video.recording
    parts = footage_between(recording, video.start, video.end)
    last_saved = float("-inf")

    def on_progress(share: float) -> None:
        nonlocal last_saved
        if time.monotonic() - last_saved >= PROGRESS_INTERVAL_SECONDS:
            if not save_progress(video=video, share=share):
                raise Cancelled("The work was cancelled, or another worker does it.")
            last_saved = time.monotonic()

    suffix = ".jpg" if parts[0].info.is_photo else ".mp4"
    file = f"annotated/{recording.pk}/{video.pk}-{video.lease_owner}{suffix}"
    name, account = video.user.get_full_name(), video.user.get_username()
    when = date_format(timezone.localtime(video.created_at), "DATETIME_FORMAT")
    with ExitStack() as stack:
        stretches = [
            Stretch(
                path=stack.enter_context(vision.open_recording(part.name, part.info)),
                info=part.info,
                start=part.start,
                end=part.end,
                recording_start=part.recording_start,
            )
            for part in parts
        ]
        annotate_recording(
            stretches,
            list(_marks(video)),
            stack.enter_context(media().writing(file)),
            watermark=f"{name} ({account}), {when}" if name else f"{account}, {when}",
            on_progress=on_progress,
        )
    if not jobs.finish(video, AnnotatedVideo.State.READY, file=file, progress=1.0):
        delete_media(file)


def _marks(video: AnnotatedVideo) -> Iterator["FaceMark"]:
    """How everybody in the recording is shown, by what people and the machine say now."""
    from recognition.annotate import FaceMark

    recording = video.recording
    of_students: dict[int, list[FacePath]] = {}
    of_unknown: dict[int | None, list[FacePath]] = {}
    for face in read_face_paths(recording):
        if face.label is not None:
            of_students.setdefault(int(face.label), []).append(face)
        else:
            of_unknown.setdefault(face.unknown, []).append(face)
    records = {row.student_id: row for row in recording.lecture.records.select_related("student")}
    for student, paths in of_students.items():
        yield _student_mark(video, records.get(student), student, paths)
    people = {row.index: row for row in recording.unknown_people.select_related("override__student")}
    unnamed = sorted(index for index, row in people.items() if row.student_id is None and not row.is_static)
    numbers = {index: number for number, index in enumerate(unnamed, 1)}  # as in the workbook
    for index, paths in of_unknown.items():
        person = None if index is None else people.get(index)
        if person is not None and person.student_id is not None:
            yield _student_mark(video, records.get(person.student_id), person.student_id, paths)
        elif person is None or person.is_static:  # too short, deleted, or no living person
            yield FaceMark(paths=paths, is_blurred=video.blur_others)
        else:
            number = str(numbers[person.index])
            kind = person.override.get_action_display() if person.override else ""
            caption = f"{kind} {number}" if kind else _("Unknown {n}").format(n=number)
            yield FaceMark(paths=paths, captions=(caption, number), certainty="unknown", is_blurred=video.blur_others)


def _student_mark(
    video: AnnotatedVideo, record: AttendanceRecord | None, student: int, paths: Sequence[FacePath]
) -> "FaceMark":
    from recognition.annotate import FaceMark

    is_other = video.student_id is not None and student != video.student_id
    if record is None:  # has left the roster since
        return FaceMark(paths=paths, is_blurred=video.blur_others)
    doubt = "?" if record.status == Status.TO_CONFIRM else ""
    is_rejected = bool(record.override_status) and meaning_of(record.status) not in ATTENDED
    return FaceMark(
        paths=paths,
        captions=() if is_rejected else (record.student.name + doubt, record.student.number + doubt),
        certainty="unknown" if is_rejected else "to confirm" if doubt else "present",
        is_blurred=video.blur_others and is_other,
    )
