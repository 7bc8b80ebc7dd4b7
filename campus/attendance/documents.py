"""What the workbooks say, gathered from the rows."""

from datetime import datetime

from django.core.files.storage import default_storage
from django.utils import timezone
from django.utils.translation import gettext as _

from campus.attendance import statuses
from campus.attendance.intervals import merged
from campus.attendance.models import AttendanceChange, AttendanceRecord
from campus.attendance.selectors import seen
from campus.biometrics.selectors import threshold
from campus.footage.models import Recording
from recognition.workbook import LectureReport, StudentLine, UnknownLine


def lecture_report(recording: Recording) -> LectureReport:
    """One recording: the statuses are the lecture's, times and pictures are the recording's."""
    lecture = recording.lecture
    gallery = recording.gallery
    shown = seen(lecture, recording)
    lines = []
    for record in lecture.records.select_related("student").order_by("student__name", "student__number"):
        rows = shown.get(record.student_id, [])
        intervals = merged((start, end) for row in rows for start, end in row.intervals)
        seconds = sum(end - start for start, end in intervals)
        lines.append(
            StudentLine(
                number=record.student.number,
                name=record.student.name,
                status=record.get_status_display(),
                intervals=tuple(intervals),
                seconds=seconds,
                share=min(seconds / recording.duration, 1.0) if recording.duration else max((row.share for row in rows), default=0.0),
                confidence=max((row.confidence for row in rows), default=0.0),
                source=_source(record),
                picture=next(iter(_pictures([chip for row in rows for chip in row.chips])), None),
                kind=statuses.like(record.status),
            )
        )
    details = [(_("Sureness"), recording.get_sureness_display())] if recording.sureness else []
    if recording.error:
        details.append((_("Gaps"), recording.error))
    without = lecture.course.students.filter(pk__in=gallery.report.get("without_photos", [])) if gallery else []
    if names := [student.name for student in without]:
        details.append((_("No usable photos of"), ", ".join(names)))
    return LectureReport(
        course=str(lecture.course),
        lecture=str(lecture),
        recording=recording.original_name,
        duration=recording.duration,
        started_at=local(lecture.starts_at),
        embedder=gallery.embedder if gallery else "",
        threshold=threshold(gallery, recording.sureness) if gallery else None,
        margin=gallery.margin if gallery else None,
        coverage=recording.coverage,
        students=tuple(lines),
        unknown=tuple(
            UnknownLine(
                tuple((start, end) for start, end in person.intervals), person.seconds, tuple(_pictures(person.chips)), person.still
            )
            for person in recording.unknown_people.exclude(decision__student__isnull=False).order_by("index")
        ),
        details=tuple(details),
        statuses=tuple(label for _code, label in statuses.every_status()),
    )


def _source(record: AttendanceRecord) -> str:
    change = record.changes.filter(kind=AttendanceChange.Kind.STATUS).first() if record.override_status else None
    return change.user_name if change else _("machine")


def _pictures(chips: list[dict[str, str]]) -> list[bytes]:
    pictures = []
    for chip in chips:
        if default_storage.exists(chip["file"]):
            with default_storage.open(chip["file"]) as file:
                pictures.append(file.read())
    return pictures


def local(when: datetime) -> datetime:
    return timezone.localtime(when).replace(tzinfo=None)
