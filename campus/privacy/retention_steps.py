"""Of each kind of data that has a term, which rows are due and how one is deleted: the bytes too, on disk and in S3."""

from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from campus.academics.models import Enrolment, Lecture, Student
from campus.accounts.models import AccountEvent
from campus.attendance.annotated_videos import delete_face_paths
from campus.attendance.models import (
    AnnotatedVideo,
    Excuse,
    FaceOverride,
    Report,
    Sighting,
    Snapshot,
    UnknownPerson,
)
from campus.attendance.proposals import delete_unused_crops
from campus.attendance.reports import delete_report
from campus.attendance.services import delete_recording
from campus.biometrics.gallery_cuts import destroy_gallery
from campus.biometrics.lecture_faces import forget_lecture_faces
from campus.biometrics.models import FacePhoto, Gallery, LectureFace
from campus.biometrics.services import delete_photo
from campus.cctv.models import FootageFile
from campus.common.storage import delete_media_after_commit
from campus.identity.models import FailedSignIn
from campus.outbox.models import Delivery
from campus.privacy.models import RetentionRule
from campus.privacy.retention_terms import Terms
from campus.recordings.models import Recording
from campus.recordings.selectors import OPEN_STATES
from recognition.messages import Message

Kind = RetentionRule.Kind


def delete_row(row: Any, _terms: Terms) -> None:
    """What is kept in files goes with it (`post_delete`)."""
    row.delete()


def _closed(terms: Terms, kind: Kind) -> QuerySet[Lecture]:
    """The lectures that were signed off before the term, or that nobody has signed off for so long."""
    signed = terms.due(kind, "sign_off__signed_at", "course")
    unsigned = Q(sign_off=None) & terms.due(kind, "ends_at", "course", extra=Kind.UNSIGNED)
    return Lecture.objects.filter(signed | unsigned)


def _idle_recordings() -> QuerySet[Recording]:
    return Recording.objects.exclude(state__in=OPEN_STATES)


# What was recorded.


def due_recordings(terms: Terms) -> QuerySet[Recording]:
    return _idle_recordings().filter(footage_deleted_at=None, lecture__in=_closed(terms, Kind.FOOTAGE))


def delete_footage(recording: Recording, _terms: Terms) -> None:
    """The file, or the footage files that no other recording needs, and all frames and videos of it. What was found in
    it stays.
    """
    Recording.objects.filter(pk=recording.pk).update(footage_deleted_at=timezone.now())
    recording.snapshots.all().delete()
    recording.annotated_videos.all().delete()
    delete_face_paths(recording=recording)
    if recording.file.name:
        delete_media_after_commit(recording.file.name)
        return
    needed = Recording.objects.filter(footage_deleted_at=None, clips__footage_file=OuterRef("pk"))
    for footage_file in FootageFile.objects.filter(~Exists(needed), clips__recording=recording).exclude(file=""):
        _discard(footage_file)


def due_footage_files(terms: Terms) -> QuerySet[FootageFile]:
    """Those that are of no recording."""
    unused = FootageFile.objects.filter(clips=None).exclude(file="").exclude(state=FootageFile.State.FETCHING)
    return unused.filter(terms.due(Kind.FOOTAGE, "fetched_at", extra=Kind.UNSIGNED))


def delete_footage_file(footage_file: FootageFile, _terms: Terms) -> None:
    _discard(footage_file)


def _discard(footage_file: FootageFile) -> None:
    footage_file.snapshots.all().delete()
    FootageFile.objects.filter(pk=footage_file.pk).update(
        state=FootageFile.State.DISCARDED, file="", note=Message("Deleted, as the retention rules say.")
    )
    delete_media_after_commit(str(footage_file.file.name))


def due_snapshots(terms: Terms) -> QuerySet[Snapshot]:
    finished = Snapshot.objects.exclude(state=Snapshot.State.QUEUED)
    without_lecture = Q(recording=None) & terms.due(Kind.SNAPSHOTS, "published_at")
    return finished.filter(without_lecture | terms.due(Kind.SNAPSHOTS, "published_at", "recording__lecture__course"))


def due_videos(terms: Terms) -> QuerySet[AnnotatedVideo]:
    return AnnotatedVideo.objects.filter(terms.due(Kind.ANNOTATED_VIDEOS, "created_at", "recording__lecture__course"))


# Faces.


def due_evidence(terms: Terms) -> QuerySet[Recording]:
    return _idle_recordings().filter(crops_deleted_at=None, lecture__in=_closed(terms, Kind.CROPS))


def delete_crops(recording: Recording, _terms: Terms) -> None:
    """All pictures of faces in a recording."""
    Recording.objects.filter(pk=recording.pk).update(crops_deleted_at=timezone.now())
    Sighting.objects.filter(recording=recording).update(crops=[])
    UnknownPerson.objects.filter(recording=recording).update(crops=[])
    delete_unused_crops(recording)


def due_unknown_people(terms: Terms) -> QuerySet[UnknownPerson]:
    found = UnknownPerson.objects.exclude(crops=[]).exclude(override__action=FaceOverride.Action.NAMED)
    idle = found.exclude(recording__state__in=OPEN_STATES).select_related("recording")
    return idle.filter(terms.due(Kind.UNKNOWN_FACES, "recording__finished_at", "recording__lecture__course"))


def delete_unknown_crops(person: UnknownPerson, _terms: Terms) -> None:
    UnknownPerson.objects.filter(pk=person.pk).update(crops=[])
    delete_unused_crops(person.recording)


def due_lecture_faces(terms: Terms) -> QuerySet[LectureFace]:
    faces = LectureFace.objects.select_related("lecture")
    return faces.filter(terms.due(Kind.LECTURE_FACES, "lecture__starts_at", "lecture__course"))


def delete_lecture_face(face: LectureFace, terms: Terms) -> None:
    course = face.lecture.course_id
    before = terms.before(Kind.LECTURE_FACES, course)
    forget_lecture_faces(faces=LectureFace.objects.filter(pk=face.pk), before={course: before or terms.now})


def due_photos(terms: Terms) -> QuerySet[FacePhoto]:
    """Of students none of whose classes has gone on since the term, nor a class that archived it."""
    before = terms.before(Kind.PHOTOS)
    if before is None:
        return FacePhoto.objects.none()
    return FacePhoto.objects.filter(~Exists(_running_enrolments(before)), created_at__lt=before)


def _running_enrolments(since: datetime, student: str = "student") -> QuerySet[Enrolment]:
    """The student's enrolments that lasted until then or last still. Without a last day of its own or of the term, one
    in an archived class ends with the last lecture."""
    day = timezone.localtime(since).date()
    later = Lecture.objects.filter(course=OuterRef("course"), ends_at__gte=since)
    is_open = Q(course__term__last_day__gte=day) | Q(course__term=None, course__archived=False) | Exists(later)
    last_day = Q(valid_to__gte=day) | Q(valid_to=None)
    return Enrolment.objects.filter(last_day & is_open, student=OuterRef(student))


def delete_enrolment_photo(photo: FacePhoto, _terms: Terms) -> None:
    delete_photo(photo=photo)


def due_galleries(terms: Terms) -> QuerySet[Gallery]:
    """Of classes that are over."""
    kept = Gallery.objects.exclude(path="").exclude(state=Gallery.State.QUEUED)
    later = [
        ~Exists(Lecture.objects.filter(~terms.due(Kind.GALLERIES, "ends_at", "course"), course=OuterRef("course")))
    ]
    return kept.filter(*later, terms.due(Kind.GALLERIES, "created_at", "course"))


def delete_gallery(gallery: Gallery, _terms: Terms) -> None:
    destroy_gallery(gallery)


# Texts and tables.


def due_excuses(terms: Terms) -> QuerySet[Excuse]:
    before = terms.before(Kind.EXCUSE_DOCUMENTS)
    if before is None:
        return Excuse.objects.none()
    return Excuse.objects.exclude(document="").filter(last_day__lt=timezone.localtime(before).date())


def delete_document(excuse: Excuse, _terms: Terms) -> None:
    Excuse.objects.filter(pk=excuse.pk).update(document="", document_name="")
    delete_media_after_commit(str(excuse.document.name))


def due_workbooks(terms: Terms) -> QuerySet[Report]:
    return Report.objects.filter(terms.due(Kind.WORKBOOKS, "created_at", "course"))


def delete_workbook(report: Report, _terms: Terms) -> None:
    delete_report(report=report)


def due_messages(terms: Terms) -> QuerySet[Delivery]:
    closed = Delivery.objects.filter(state__in=(Delivery.State.SENT, Delivery.State.FAILED))
    return closed.filter(terms.due(Kind.MESSAGES, "created_at"))


def due_account_events(terms: Terms) -> QuerySet[AccountEvent]:
    return AccountEvent.objects.filter(terms.due(Kind.ACCOUNT_EVENTS, "created_at"))


def due_failed_sign_ins(terms: Terms) -> QuerySet[FailedSignIn]:
    return FailedSignIn.objects.filter(terms.due(Kind.ACCOUNT_EVENTS, "at"))


def due_lectures(terms: Terms) -> QuerySet[Lecture]:
    return Lecture.objects.filter(terms.due(Kind.ATTENDANCE, "ends_at", "course"))


def delete_lecture(lecture: Lecture, _terms: Terms) -> None:
    """The lecture with its recordings, records, corrections and workbooks."""
    for recording in lecture.recordings.all():
        delete_recording(recording=recording)
    for report in lecture.reports.all():
        delete_report(report=report)
    lecture.delete()


def due_students(terms: Terms) -> QuerySet[Student]:
    """Who is on no roster since the term, and was never counted or excused. Rows that an erasure has left are kept by
    their attendance alone.
    """
    before = terms.before(Kind.STUDENTS)
    if before is None:
        return Student.objects.none()
    return Student.objects.filter(
        ~Exists(_running_enrolments(before, "pk")), created_at__lt=before, records=None, excuses=None
    )


def delete_student(student: Student, _terms: Terms) -> None:
    """The row with the photos, the answers and the link."""
    for photo in student.photos.all():
        delete_photo(photo=photo)
    student.delete()
