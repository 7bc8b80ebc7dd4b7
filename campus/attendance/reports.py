"""The workbooks in Reports/: one a recording, one a lecture over all its recordings, and the register of a class."""

import hashlib
import re
from pathlib import Path

from django.conf import settings
from django.utils import timezone, translation
from django.utils.translation import gettext

from campus.academics.models import Course, Lecture
from campus.attendance import documents
from campus.attendance.csv_files import moodle_marks
from campus.attendance.models import (
    Report,
)
from campus.attendance.policy import policy_for
from campus.attendance.register import build_register
from campus.attendance.register_workbook import write_register
from campus.recordings.models import Recording
from recognition.excel.lecture_workbook import write_lecture_workbook
from recognition.files import atomic_write


def write_recording_report(*, recording: Recording) -> Report:
    """Write the workbook of a recording into Reports/, in place of an earlier one. Raises OSError when the disk is full."""
    return _write_lecture_workbook(recording.lecture, recording, "", recording.pk.hex[:8])


def write_lecture_report(*, lecture: Lecture) -> Report:
    """Write the workbook of a lecture, over all its recordings, into its class's folder in Reports/, in place of an earlier one."""
    return _write_lecture_workbook(lecture, None, f"{_in_file_name(lecture.course.code)}/", str(lecture.pk))


@translation.override(settings.LANGUAGE_CODE)
def _write_lecture_workbook(lecture: Lecture, recording: Recording | None, folder: str, ending: str) -> Report:
    when = timezone.localtime(lecture.starts_at)
    name = f"{folder}Report_for_{_in_file_name(lecture.course.code)}_{when:%Y_%m_%d-%H%M}_{ending}.xlsx"
    path = Path(settings.REPORTS_DIR, name)
    path.parent.mkdir(exist_ok=True)
    write_lecture_workbook(path, documents.build_lecture_report(lecture, recording), gettext)
    if policy_for(lecture.course).moodle_file:
        with atomic_write(path.with_name(f"{path.stem}_moodle.csv")) as beside:
            beside.write_bytes(moodle_marks(lecture))
    return Report.objects.update_or_create(
        recording=recording,
        lecture=lecture,
        defaults={"course": lecture.course, "file_name": name, "sha256": _sha256(path)},
    )[0]


def refresh_lecture_reports(*, lecture: Lecture) -> None:
    """Bring what lies in Reports/ of the lecture up to date."""
    for report in Report.objects.filter(lecture=lecture):
        refresh_report(report=report)


def refresh_report(*, report: Report) -> Report:
    """The report with a workbook that says what the records say now: it is written again if they changed since, or it is gone."""
    if report.lecture is None:
        return write_register_report(course=report.course)
    changed = report.lecture.records.filter(updated_at__gt=report.created_at).exists()
    if changed or not Path(settings.REPORTS_DIR, report.file_name).exists():
        return (
            write_recording_report(recording=report.recording)
            if report.recording
            else write_lecture_report(lecture=report.lecture)
        )
    return report


@translation.override(settings.LANGUAGE_CODE)
def write_register_report(*, course: Course) -> Report:
    """Write the register of a class over all its lectures into Reports/, in place of an earlier one."""
    name = f"Register_of_{_in_file_name(course.code)}_{course.pk}.xlsx"
    path = Path(settings.REPORTS_DIR, name)
    write_register(path, build_register(course))
    return Report.objects.update_or_create(file_name=name, defaults={"course": course, "sha256": _sha256(path)})[0]


def _in_file_name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9-]+", "_", text).strip("_")[:60] or "class"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
