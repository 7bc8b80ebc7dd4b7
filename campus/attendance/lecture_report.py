"""What a lecture's workbook says, gathered from the database."""

from collections.abc import Iterator
from itertools import chain

from django.core.files.storage import default_storage
from django.utils import timezone
from django.utils.translation import gettext as _

from campus.academics.models import Lecture
from campus.academics.selectors import student_sections
from campus.accounts.institution import institution_name
from campus.attendance.models import AttendanceRecord, Sighting, UnknownPerson
from campus.attendance.roll import lecture_roll, status_sources
from campus.attendance.selectors import evidence_by_student, intervals_in_lecture, watched_recordings
from campus.attendance.statuses import meaning_of, status_choices
from campus.biometrics.selectors import acceptance_threshold
from campus.common.intervals import merge_intervals, total_length
from campus.recordings.models import Recording
from recognition.excel.lecture_workbook import LectureReport, StudentRow, UnknownRow


def build_lecture_report(lecture: Lecture, recording: Recording | None = None) -> LectureReport:
    """The contents of the workbook of one recording, or of all recordings that were counted, if any.

    The statuses are the lecture's; times and pictures are those of the recordings.
    """
    done = lecture.recordings.filter(state=Recording.State.DONE)
    recordings = [recording] if recording else list(done.select_related("gallery").order_by("original_name", "pk"))
    duration = lecture.length if any(recording.duration for recording in recordings) else 0.0
    watched = [row for row in watched_recordings(lecture) if row.recording in recordings]
    watched_seconds = total_length(merge_intervals(chain.from_iterable(row.intervals for row in watched)))
    evidence = evidence_by_student(lecture, recording)
    roll = lecture_roll(lecture)
    sections = student_sections(lecture.course)
    sources = status_sources(lecture, roll)
    # The first recording stands for all in what they share: the strictness, and the gallery they were compared with.
    gallery = recordings[0].gallery if recordings else None
    strictness = recordings[0].strictness if recordings else ""
    unknown = UnknownPerson.objects.filter(recording__in=recordings).exclude(override__student__isnull=False)
    appearances = [
        [person] if recording else [person, *person.appearances.all()]
        for person in (unknown if recording else unknown.filter(same_as=None))
        .select_related("recording")
        .prefetch_related("appearances__recording")
        .order_by("recording__original_name", "recording", "index")
    ]
    return LectureReport(
        course=str(lecture.course),
        lecture=str(lecture),
        recording=", ".join(recording.original_name for recording in recordings),
        duration=duration,
        started_at=timezone.localtime(lecture.starts_at).replace(tzinfo=None),
        embedder=gallery.embedder if gallery else "",
        threshold=acceptance_threshold(gallery, strictness) if gallery else None,
        margin=gallery.margin if gallery else None,
        coverage=max((recording.coverage for recording in recordings), default=0.0),
        students=tuple(
            _student_row(
                record,
                sections.get(record.student_id, ""),
                sources[record.student_id],
                evidence.get(record.student_id, []),
                watched_seconds,
            )
            for record in roll
        ),
        unknown=tuple(
            UnknownRow(
                intervals=tuple(intervals_in_lecture(lecture, rows)),
                seconds=sum(row.seconds for row in rows),
                pictures=tuple(_read_pictures(rows[0].crops)),
                is_static=rows[0].is_static,
            )
            for rows in appearances
        ),
        details=tuple(_details(lecture, recordings)),
        statuses=tuple(label for _code, label in status_choices()),
    )


def _student_row(
    record: AttendanceRecord,
    section: str,
    source: str,
    evidence: list[Sighting | UnknownPerson],
    watched_seconds: float,
) -> StudentRow:
    intervals = intervals_in_lecture(record.lecture, evidence)
    seconds = total_length(intervals)
    pictures = _read_pictures([crop for row in evidence for crop in row.crops])
    return StudentRow(
        number=record.student.number,
        name=record.student.name,
        status=record.get_status_display(),
        section=section,
        intervals=tuple(intervals),
        seconds=seconds,
        # A photo has no duration; its sightings say how much of it they cover.
        share=min(seconds / watched_seconds, 1.0)
        if watched_seconds
        else max((row.share for row in evidence), default=0.0),
        # What a person set is that person's word, not the machine's.
        confidence=0.0 if record.override_status else max((row.confidence for row in evidence), default=0.0),
        source=source,
        picture=next(pictures, None),
        status_code=meaning_of(record.status),
    )


def _details(lecture: Lecture, recordings: list[Recording]) -> list[tuple[str, str]]:
    details = [(_("Institution"), institution_name())]
    if not recordings:
        return details
    first = recordings[0]
    if first.strictness:
        details.append((_("Strictness"), first.get_strictness_display()))
    for recording in recordings:
        if recording.error:
            gaps = f"{recording.original_name}: {recording.error}" if len(recordings) > 1 else str(recording.error)
            details.append((_("Gaps"), gaps))
    without_photos = first.gallery.report.get("without_photos", []) if first.gallery else []
    if without_photos:
        names = [student.name for student in lecture.course.students.filter(pk__in=without_photos)]
        if names:
            details.append((_("No usable photos of"), ", ".join(names)))
    return details


def _read_pictures(crops: list[dict[str, str]]) -> Iterator[bytes]:
    for crop in crops:
        if default_storage.exists(crop["file"]):
            with default_storage.open(crop["file"]) as file:
                yield file.read()
