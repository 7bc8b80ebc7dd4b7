"""What the workbooks say, gathered from the rows."""

from datetime import datetime

from django.core.files.storage import default_storage
from django.utils import timezone
from django.utils.translation import gettext as _

from campus.academics.models import Lecture
from campus.attendance import statuses
from campus.attendance.models import AttendanceChange, AttendanceRecord, UnknownPerson
from campus.attendance.selectors import evidence_by_student
from campus.biometrics.selectors import acceptance_threshold
from campus.common.intervals import merge_intervals
from campus.recordings.models import Recording
from recognition.excel.lecture_workbook import LectureReport, StudentRow, UnknownRow


def build_lecture_report(lecture: Lecture, recording: Recording | None = None) -> LectureReport:
    """One recording, or all that were counted: the statuses are the lecture's, times and pictures are the recordings'."""
    counted = (
        lecture.recordings.filter(state=Recording.State.DONE).select_related("gallery").order_by("original_name", "pk")
    )
    recordings = [recording] if recording else list(counted)
    duration = max(one.duration for one in recordings)
    shown = evidence_by_student(lecture, recording)
    lines = []
    for record in lecture.records.select_related("student").order_by("student__name", "student__number"):
        rows = shown.get(record.student_id, [])
        intervals = merge_intervals((start, end) for row in rows for start, end in row.intervals)
        seconds = sum(end - start for start, end in intervals)
        lines.append(
            StudentRow(
                number=record.student.number,
                name=record.student.name,
                status=record.get_status_display(),
                intervals=tuple(intervals),
                seconds=seconds,
                share=min(seconds / duration, 1.0) if duration else max((row.share for row in rows), default=0.0),
                confidence=max((row.confidence for row in rows), default=0.0),
                source=_source(record),
                picture=next(iter(_pictures([crop for row in rows for crop in row.crops])), None),
                status_code=statuses.meaning_of(record.status),
            )
        )
    first = recordings[0]
    gallery = first.gallery
    details = [(_("Strictness"), first.get_strictness_display())] if first.strictness else []
    several = len(recordings) > 1
    details += [
        (_("Gaps"), f"{one.original_name}: {one.error}" if several else str(one.error))
        for one in recordings
        if one.error
    ]
    without = lecture.course.students.filter(pk__in=gallery.report.get("without_photos", [])) if gallery else []
    if names := [student.name for student in without]:
        details.append((_("No usable photos of"), ", ".join(names)))
    unknown = UnknownPerson.objects.filter(recording__in=recordings).exclude(decision__student__isnull=False)
    return LectureReport(
        course=str(lecture.course),
        lecture=str(lecture),
        recording=", ".join(one.original_name for one in recordings),
        duration=duration,
        started_at=_local_naive(lecture.starts_at),
        embedder=gallery.embedder if gallery else "",
        threshold=acceptance_threshold(gallery, first.strictness) if gallery else None,
        margin=gallery.margin if gallery else None,
        coverage=max(one.coverage for one in recordings),
        students=tuple(lines),
        unknown=tuple(
            UnknownRow(
                tuple((start, end) for start, end in person.intervals),
                person.seconds,
                tuple(_pictures(person.crops)),
                person.is_static,
            )
            for person in unknown.order_by("recording__original_name", "recording", "index")
        ),
        details=tuple(details),
        statuses=tuple(label for _code, label in statuses.status_choices()),
    )


def _source(record: AttendanceRecord) -> str:
    change = record.changes.filter(kind=AttendanceChange.Kind.STATUS).first() if record.override_status else None
    return change.user_name if change else _("machine")


def _pictures(crops: list[dict[str, str]]) -> list[bytes]:
    pictures = []
    for crop in crops:
        if default_storage.exists(crop["file"]):
            with default_storage.open(crop["file"]) as file:
                pictures.append(file.read())
    return pictures


def _local_naive(when: datetime) -> datetime:
    return timezone.localtime(when).replace(tzinfo=None)
