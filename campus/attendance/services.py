"""What the machine writes: its proposals, the pictures and the workbooks. What people decide is in `decisions`."""

import hashlib
import logging
import re
import shutil
from collections.abc import Iterable, Mapping
from datetime import timedelta
from itertools import chain
from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone, translation
from django.utils.translation import gettext

from campus.academics.models import Course, Lecture
from campus.academics.selectors import lecture_roster
from campus.attendance import documents
from campus.attendance.csv_files import moodle_marks
from campus.attendance.models import (
    AttendanceRecord,
    FaceDecision,
    Report,
    Sighting,
    SignOff,
    Snapshot,
    Status,
    UnknownPerson,
)
from campus.attendance.policy import policy_of
from campus.attendance.punctuality import machine_status, proportion
from campus.attendance.register import register
from campus.attendance.register_workbook import write_register
from campus.attendance.selectors import seen, watched
from campus.common.intervals import merged
from campus.common.jobs import finish, request
from campus.recordings.models import Recording
from campus.recordings.selectors import holes
from recognition.excel.lecture_workbook import write_lecture_workbook
from recognition.files import atomic_write
from recognition.types import Attendance, Crop, Interval

log = logging.getLogger(__name__)

SNAPSHOTS_KEPT = timedelta(days=7)


@transaction.atomic
def record_attendance(*, recording: Recording, attendance: Attendance) -> None:
    """Write down what a vote found, instead of what an earlier one of this recording did. Repeating it gives the same rows.

    The labels in `attendance` are students' ids, the decisions' keys those of FaceDecision. What was signed off stays as it was.
    """
    Lecture.objects.select_for_update().get(pk=recording.lecture_id)
    recording.sightings.all().delete()
    recording.unknown_people.all().delete()
    Sighting.objects.bulk_create(
        Sighting(
            recording=recording,
            student_id=int(presence.label),
            present=presence.present,
            to_confirm=presence.to_confirm,
            intervals=[list(interval) for interval in presence.intervals],
            seconds=presence.seconds,
            share=presence.share,
            confidence=presence.confidence,
            crops=_keep_crops(recording, presence.crops),
            marks=presence.marks,
        )
        for presence in attendance.presences
    )
    verdicts = {str(pk): verdict for pk, verdict in recording.face_decisions.values_list("pk", "verdict")}
    wanted = [
        person for person in attendance.unknown if verdicts.get(person.override_key) != FaceDecision.Verdict.DELETED
    ]
    UnknownPerson.objects.bulk_create(
        UnknownPerson(
            recording=recording,
            index=index,
            is_static=person.is_static,
            intervals=[list(interval) for interval in person.intervals],
            seconds=person.seconds,
            crops=_keep_crops(recording, person.crops),
            marks=person.marks,
            decision_id=int(person.override_key) if person.override_key in verdicts else None,
        )
        for index, person in enumerate(wanted)
    )
    if not SignOff.objects.filter(lecture=recording.lecture).exists():
        lecture_count(lecture=recording.lecture)
    transaction.on_commit(lambda: drop_old_crops(recording), robust=True)


def _keep_crops(recording: Recording, crops: Iterable[Crop]) -> list[dict[str, object]]:
    """Save the pictures under names that follow from their content, so that the same vote makes the same files."""
    kept: list[dict[str, object]] = []
    for crop in crops:
        name = f"face crops/{recording.pk}/{hashlib.sha256(crop.jpeg).hexdigest()[:32]}.jpg"
        with atomic_write(Path(settings.MEDIA_ROOT, name)) as beside:
            beside.write_bytes(crop.jpeg)
        kept.append({"file": name, "time": crop.time, "quality": crop.quality, "box": crop.box})
    return kept


def drop_old_crops(recording: Recording) -> None:
    """Delete the pictures that no row names any more."""
    rows = [
        *recording.sightings.values_list("crops", flat=True),
        *recording.unknown_people.values_list("crops", flat=True),
    ]
    wanted = {Path(crop["file"]).name for crops in rows for crop in crops}
    for path in Path(settings.MEDIA_ROOT, "crops", str(recording.pk)).glob("*.jpg"):
        if path.name not in wanted:
            path.unlink(missing_ok=True)


@transaction.atomic
def lecture_count(*, lecture: Lecture) -> None:
    """Make the lecture's records anew from all that its recordings saw, as if each began with the lecture.

    People's decisions stay, also those on students who have left the roster; other records of theirs go.
    """
    shown, looked_at = seen(lecture), watched(lecture)
    students = set(lecture_roster(lecture).values_list("pk", flat=True))
    for student in sorted(students):
        proposal = _proposal(lecture, shown.get(student, []), looked_at)
        AttendanceRecord.objects.update_or_create(lecture=lecture, student_id=student, defaults=proposal)
    lecture.records.exclude(student__in=students).filter(override_status="", changes=None).delete()


def _proposal(
    lecture: Lecture, sightings: list[Sighting | UnknownPerson], looked_at: Mapping[UUID, list[Interval]]
) -> dict[str, object]:
    """What the machine says of a student. What has to be confirmed counts only where no recording is sure."""
    duration = max((sighting.recording.duration for sighting in sightings), default=0.0)
    counted = [sighting for sighting in sightings if sighting.present] or [
        sighting for sighting in sightings if sighting.to_confirm
    ]
    to_confirm = any(sighting.to_confirm for sighting in counted)
    intervals = merged(interval for sighting in counted for interval in sighting.intervals)
    seconds = sum(end - start for start, end in intervals)
    whole = sum(end - start for start, end in merged(chain.from_iterable(looked_at.values()))) or duration
    seen_by = {sighting.recording_id for sighting in counted} & looked_at.keys()
    unwatched = merged(hole for recording in seen_by for hole in holes(looked_at[recording], duration))
    there = to_confirm or (bool(counted) and seconds >= lecture.course.present_seconds * proportion(duration))
    proposal: dict[str, object] = {
        "machine_status": Status.ABSENT,
        "first_seen": None,
        "last_seen": None,
        "seconds": seconds,
        "share": min(seconds / whole, 1.0) if duration else max((sighting.share for sighting in counted), default=0.0),
        "confidence": max((sighting.confidence for sighting in counted), default=0.0),
    }
    if there:
        first, last = (intervals[0][0], intervals[-1][1]) if intervals else (0.0, 0.0)
        proposal["machine_status"] = (
            Status.TO_CONFIRM if to_confirm else machine_status(lecture.course, first, last, duration, unwatched)
        )
        proposal["first_seen"] = lecture.starts_at + timedelta(seconds=first)
        proposal["last_seen"] = lecture.starts_at + timedelta(seconds=last)
    return proposal


@transaction.atomic
def recording_delete(*, recording: Recording) -> None:
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
        lecture_count(lecture=lecture)
        if not Sighting.objects.filter(recording__lecture=lecture).exists():
            lecture.records.filter(override_status="", changes=None).delete()  # nothing says who was there any more
    transaction.on_commit(lambda: _forget_files(pk, files), robust=True)
    log.info("recording %s: deleted", pk)


def _forget_files(recording: UUID, files: Iterable[Path]) -> None:
    for path in files:
        path.unlink(missing_ok=True)
    for kind in ("tracks", "crops", "snapshots"):
        shutil.rmtree(Path(settings.MEDIA_ROOT, kind, str(recording)), ignore_errors=True)


def snapshot_wanted(*, recording: Recording, time: float) -> Snapshot:
    """The whole picture at that second; a worker is asked for one that nobody looked for before."""
    with transaction.atomic():
        snapshot, new = Snapshot.objects.get_or_create(recording=recording, time=time)
        if new:
            request("rollcall.snapshot", snapshot.pk)
    return snapshot


def snapshot_finished(*, snapshot: Snapshot, jpeg: bytes) -> None:
    name = f"snapshots/{snapshot.recording_id}/{snapshot.pk}.jpg"
    with atomic_write(Path(settings.MEDIA_ROOT, name)) as beside:
        beside.write_bytes(jpeg)
    finish(snapshot, Snapshot.State.READY, file=name)


def snapshots_tidy() -> None:
    """Remove pictures of the whole room that were asked for a while ago; who looks again has them cut out again."""
    for snapshot in Snapshot.objects.exclude(state=Snapshot.State.QUEUED).filter(
        published_at__lt=timezone.now() - SNAPSHOTS_KEPT
    ):
        snapshot.delete()
        if snapshot.file:
            Path(settings.MEDIA_ROOT, snapshot.file).unlink(missing_ok=True)


def report_write(*, recording: Recording) -> Report:
    """Write the workbook of a recording into Reports/, in place of an earlier one. Raises OSError when the disk is full."""
    return _workbook(recording.lecture, recording, "", recording.pk.hex[:8])


def lecture_report_write(*, lecture: Lecture) -> Report:
    """Write the workbook of a lecture, over all its recordings, into its class's folder in Reports/, in place of an earlier one."""
    return _workbook(lecture, None, f"{_in_file_name(lecture.course.code)}/", str(lecture.pk))


@translation.override(settings.LANGUAGE_CODE)
def _workbook(lecture: Lecture, recording: Recording | None, folder: str, ending: str) -> Report:
    when = timezone.localtime(lecture.starts_at)
    name = f"{folder}Report_for_{_in_file_name(lecture.course.code)}_{when:%Y_%m_%d-%H%M}_{ending}.xlsx"
    path = Path(settings.REPORTS_DIR, name)
    path.parent.mkdir(exist_ok=True)
    write_lecture_workbook(path, documents.lecture_report(lecture, recording), gettext)
    if policy_of(lecture.course).moodle_file:
        with atomic_write(path.with_name(f"{path.stem}_moodle.csv")) as beside:
            beside.write_bytes(moodle_marks(lecture))
    return Report.objects.update_or_create(
        recording=recording,
        lecture=lecture,
        defaults={"course": lecture.course, "file_name": name, "sha256": _sha256(path)},
    )[0]


def reports_follow(*, lecture: Lecture) -> None:
    """Bring what lies in Reports/ of the lecture up to date."""
    for report in Report.objects.filter(lecture=lecture):
        report_current(report=report)


def report_current(*, report: Report) -> Report:
    """The report with a workbook that says what the records say now: it is written again if they changed since, or it is gone."""
    if report.lecture is None:
        return register_write(course=report.course)
    changed = report.lecture.records.filter(updated_at__gt=report.created_at).exists()
    if changed or not Path(settings.REPORTS_DIR, report.file_name).exists():
        return (
            report_write(recording=report.recording)
            if report.recording
            else lecture_report_write(lecture=report.lecture)
        )
    return report


@translation.override(settings.LANGUAGE_CODE)
def register_write(*, course: Course) -> Report:
    """Write the register of a class over all its lectures into Reports/, in place of an earlier one."""
    name = f"Register_of_{_in_file_name(course.code)}_{course.pk}.xlsx"
    path = Path(settings.REPORTS_DIR, name)
    write_register(path, register(course))
    return Report.objects.update_or_create(file_name=name, defaults={"course": course, "sha256": _sha256(path)})[0]


def _in_file_name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9-]+", "_", text).strip("_")[:60] or "class"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
