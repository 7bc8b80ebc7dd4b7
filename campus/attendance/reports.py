"""The workbooks in Reports/: one a recording, one a lecture over all its recordings, and the register of a class.

Each is written in the institution's language and replaces an earlier one. Writing raises OSError when the disk is full.
What changes a lecture's attendance requests its workbook: that is written once the change is committed. Until then its
row has no SHA-256, by which the sweeper finds what a crash or a full disk has left, and a download writes it first.
"""

import logging
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone, translation
from django.utils.translation import gettext

from campus.academics.models import Course, Lecture
from campus.attendance.csv_files import moodle_marks
from campus.attendance.file_names import plain_name
from campus.attendance.lecture_report import build_lecture_report
from campus.attendance.models import Excuse, Report
from campus.attendance.policy import policy_for
from campus.attendance.register import build_register
from campus.attendance.register_workbook import write_register
from campus.attendance.selectors import held_lectures, lectures_without_recording
from campus.common.errors import UserError
from campus.common.storage import reports
from campus.recordings.models import Recording
from recognition.excel.lecture_workbook import write_lecture_workbook
from recognition.files import sha256_of

log = logging.getLogger(__name__)

# How long ago a lecture may have ended for the scheduler to write its workbook. Later it is written when it is signed
# off or downloaded.
ROLL_REPORT_PERIOD = timedelta(days=7)


def request_recording_report(*, recording: Recording) -> None:
    """Write the workbook of one recording as soon as the transaction is committed, in which the lecture is locked."""
    _request(recording.lecture, recording)
    transaction.on_commit(lambda: write_recording_report(recording=recording), robust=True)


def request_lecture_report(*, lecture: Lecture) -> None:
    """Write the workbook of a lecture over all its recordings, as `request_recording_report`."""
    _request(lecture, None)
    transaction.on_commit(lambda: write_lecture_report(lecture=lecture), robust=True)


def _request(lecture: Lecture, recording: Recording | None) -> None:
    fields = {"file_name": _workbook_name(lecture, recording), "created_at": timezone.now()}
    if not request_again(reports=Report.objects.filter(lecture=lecture, recording=recording), **fields):
        Report.objects.create(course=lecture.course, lecture=lecture, recording=recording, sha256="", **fields)


def request_again(*, reports: QuerySet[Report], **changes: Any) -> int:
    """Have these workbooks written once more; returns how many. Whoever is writing one from what was before, writes it
    again.
    """
    return reports.update(sha256="", version=F("version") + 1, **changes)


def requested_reports() -> QuerySet[Report]:
    """Those that have not been written yet."""
    return Report.objects.filter(sha256="")


def write_requested_reports() -> None:
    """Write the workbooks that were requested but not written, since the worker crashed or the disk was full."""
    for report in requested_reports().select_related("lecture__course", "recording"):
        try:
            refresh_report(report=report)
        except OSError:
            log.exception("%s could not be written", report.file_name)


def write_recording_report(*, recording: Recording) -> Report:
    """Write the workbook of one recording."""
    return _write_lecture_workbook(recording.lecture, recording)


def write_lecture_report(*, lecture: Lecture) -> Report:
    """Write the workbook of a lecture over all its recordings, into its class's folder."""
    return _write_lecture_workbook(lecture, None)


def _workbook_name(lecture: Lecture, recording: Recording | None) -> str:
    code = plain_name(lecture.course.code)
    folder, suffix = ("", recording.pk.hex[:8]) if recording else (f"{code}/", str(lecture.pk))
    return f"{folder}Report_for_{code}_{timezone.localtime(lecture.starts_at):%Y_%m_%d-%H%M}_{suffix}.xlsx"


@translation.override(settings.LANGUAGE_CODE)
def _write_lecture_workbook(lecture: Lecture, recording: Recording | None) -> Report:
    name = _workbook_name(lecture, recording)
    moodle_file = f"{name.removesuffix('.xlsx')}_moodle.csv"

    def write(path: Path) -> None:
        write_lecture_workbook(path, build_lecture_report(lecture, recording), gettext)
        if policy_for(lecture.course).write_moodle_file:
            reports().write(moodle_file, moodle_marks(lecture))
        else:
            reports().delete(moodle_file)

    return _write(name, write, course=lecture.course, lecture=lecture, recording=recording)


@translation.override(settings.LANGUAGE_CODE)
def write_register_report(*, course: Course) -> Report:
    """Write the register of a class over all its lectures."""
    name = f"Register_of_{plain_name(course.code)}_{course.pk}.xlsx"
    return _write(
        name, lambda path: write_register(path, build_register(course)), course=course, lecture=None, recording=None
    )


def _write(name: str, write: Callable[[Path], None], **subject: Any) -> Report:
    """Write a workbook, and note it in its row: once more where somebody else requested or wrote it meanwhile, for what
    is in ours may be what was before.
    """
    rows = Report.objects.filter(**subject)
    while True:
        as_of = timezone.now()  # what changes from here on is not in it
        version = rows.values_list("version", flat=True).first()
        with reports().writing(name) as path:
            write(path)
            written = {"file_name": name, "sha256": sha256_of(path), "created_at": as_of}
        if version is None:
            return Report.objects.update_or_create(**subject, defaults=written)[0]
        if rows.filter(version=version).update(version=F("version") + 1, **written):
            return rows.get()
        if not rows.exists():  # deleted meanwhile, with its class
            raise Report.DoesNotExist(name)


def find_lecture_report(*, lecture: Lecture) -> Report:
    """The workbook of a lecture over all its recordings, if any; it is written now where there is none yet. Raises
    UserError where nothing is known of any student.
    """
    if report := Report.objects.filter(lecture=lecture, recording=None).first():
        return report
    if not held_lectures().filter(pk=lecture.pk).exists():
        raise UserError("There is no attendance to download yet. Mark the students, or upload a recording, first.")
    return write_lecture_report(lecture=lecture)


def lectures_without_report() -> QuerySet[Lecture]:
    """Recent lectures whose roll was taken without a recording, once they are over, that have no workbook."""
    now = timezone.now()
    over = lectures_without_recording().filter(ends_at__gt=now - ROLL_REPORT_PERIOD, ends_at__lte=now)
    return over.filter(~Exists(Report.objects.filter(lecture=OuterRef("pk"))))


def write_missing_roll_reports() -> None:
    """Write the workbooks of recent lectures whose roll was taken without a recording, once they are over."""
    for lecture in lectures_without_report():
        try:
            write_lecture_report(lecture=lecture)
        except OSError:
            log.exception("lecture %s: its workbook could not be written", lecture.pk)


def refresh_lecture_reports(*, lecture: Lecture) -> None:
    """Bring all workbooks of the lecture up to date."""
    reports = list(Report.objects.filter(lecture=lecture))
    for report in reports:
        refresh_report(report=report)
    if not reports and lectures_without_recording().filter(pk=lecture.pk).exists():
        write_lecture_report(lecture=lecture)


def delete_report(*, report: Report) -> None:
    """Delete a workbook, with what was written beside it. A download writes a new one."""
    name = report.file_name
    report.delete()
    transaction.on_commit(lambda: _delete_files(name), robust=True)


def _delete_files(name: str) -> None:
    for file in (name, f"{name.removesuffix('.xlsx')}_moodle.csv"):
        reports().delete(file)


def refresh_report(*, report: Report) -> Report:
    """The report, up to date: its workbook is written again if the records or the students' excuses have changed
    since, or if the file is missing.
    """
    if report.lecture is None:
        return write_register_report(course=report.course)
    changed = (
        not report.sha256
        or report.lecture.records.filter(updated_at__gt=report.created_at).exists()
        or Excuse.objects.filter(
            Q(created_at__gt=report.created_at) | Q(withdrawn_at__gt=report.created_at),
            student__records__lecture=report.lecture,
        ).exists()
    )
    if not changed and reports().exists(report.file_name):
        return report
    if report.recording:
        return write_recording_report(recording=report.recording)
    return write_lecture_report(lecture=report.lecture)
