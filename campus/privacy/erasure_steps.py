"""The steps of an erasure. Each may be repeated, and returns how much it has removed."""

import json
import logging
import re
from collections.abc import Collection, Iterable, Iterator
from typing import Any, TypeVar

from django.apps import apps
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.db import DatabaseError, connection, models, transaction
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Cast
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from campus.academics.import_models import FileImport
from campus.academics.models import Course, Enrolment, Student
from campus.attendance.models import (
    AnnotatedVideo,
    AttendanceChange,
    AttendanceRecord,
    Excuse,
    FaceOverride,
    Objection,
    Report,
    Sighting,
    Snapshot,
    UnknownPerson,
)
from campus.attendance.proposals import delete_unused_crops
from campus.attendance.reports import refresh_report, request_again
from campus.attendance.services import delete_recording
from campus.biometrics.gallery_cuts import destroy_gallery, forget_in_galleries
from campus.biometrics.models import (
    Embedding,
    FacePhoto,
    Gallery,
    LectureFace,
    LookAlike,
    PhotoImport,
    SentPhoto,
    WaitingPhoto,
)
from campus.biometrics.services import delete_photo
from campus.common.keys import match_key
from campus.common.storage import delete_media, delete_media_after_commit, reports
from campus.connections.marks import withdraw_class_marks, withdraw_marks
from campus.connections.models import ConnectionRun, CourseLink, MarkDelivery, RemotePerson
from campus.connections.uploaded_zips import forget_zips
from campus.consent.models import StudentLink
from campus.identity.models import ExternalIdentity, FailedSignIn
from campus.outbox.models import Delivery, MessageOptIn
from campus.privacy.texts import Terms
from campus.recordings.models import Recording
from campus.recordings.selectors import OPEN_STATES
from campus.recordings.services import delete_tracks

log = logging.getLogger(__name__)

WRITTEN: tuple[type[models.Model], ...] = (
    AttendanceChange,
    AttendanceRecord,
    Delivery,
    Embedding,
    Enrolment,
    Excuse,
    ExternalIdentity,
    FacePhoto,
    FailedSignIn,
    FileImport,
    LectureFace,
    LogEntry,
    MarkDelivery,
    MessageOptIn,
    Objection,
    PhotoImport,
    RemotePerson,
    SentPhoto,
    Sighting,
    Student,
    UnknownPerson,
)
Row = TypeVar("Row", bound=models.Model)
NO_REASON = "-"
LOG_TEXTS, MESSAGE_TEXTS = ("object_repr", "change_message"), ("subject", "body", "topic")
CORRECTION_TEXTS, PHOTO_IMPORT_TEXTS = ("about", "reason"), ("skipped", "original_name")
ROSTER_TEXTS = ("original_name", "content")
WORKBOOK_NAME = re.compile(r"(.*/)?(Report_for|Register_of)_[^/]*(\.xlsx|_moodle\.csv)")


def erased_name(kind: str, subject: int) -> str:
    """What stands in the place of a name."""
    with translation.override(settings.LANGUAGE_CODE):
        return (_("Erased student {n}") if kind == "student" else _("Erased class {n}")).format(n=subject)


def erase_templates(student: int, _terms: Terms) -> int:
    """The templates in galleries. Those of other students were trained against this one, until their next training."""
    return forget_in_galleries([student])


def erase_photos(student: int, terms: Terms) -> int:
    """Photos with all that was made of them, those that the student sent, and those that wait for a name."""
    photos = FacePhoto.objects.filter(student=student)
    count = photos.count()
    for photo in photos:
        delete_photo(photo=photo)
    StudentLink.objects.filter(student=student).delete()
    LectureFace.objects.filter(student=student).delete()
    LookAlike.objects.filter(Q(first=student) | Q(second=student)).delete()
    keys = {match_key(word) for word in terms.words}
    for waiting in WaitingPhoto.objects.all():
        names = {match_key(part) for part in waiting.folder.split("/")}
        if keys & names or terms.is_in(waiting.folder) or terms.is_in(waiting.original_name):
            for file in filter(None, (waiting.file.name, waiting.thumbnail.name)):
                delete_media(file)
            waiting.delete()
            count += 1
    return count


def erase_evidence(student: int, _terms: Terms) -> int:
    """Where the student was seen: faces, places in the picture, and pictures and clips of these recordings."""
    named = FaceOverride.objects.filter(student=student)
    people = UnknownPerson.objects.filter(override__in=named)
    sightings = Sighting.objects.filter(student=student)
    recordings = Recording.objects.filter(Q(sightings__in=sightings) | Q(unknown_people__in=people)).distinct()
    seen = list(recordings)
    with transaction.atomic():
        Snapshot.objects.filter(recording__in=seen).delete()
        AnnotatedVideo.objects.filter(recording__in=seen).delete()
        people.delete()
        named.delete()
        Sighting.objects.filter(runner_up=student).update(runner_up=None)
        count: int = sightings.delete()[0]
    for recording in seen:
        delete_unused_crops(recording)
    return count


def erase_tracks(student: int, _terms: Terms) -> int:
    """Tracks that are kept for another vote: they hold what the machine has seen of everybody."""
    kept = Recording.objects.filter(lecture__course__in=_courses(student)).exclude(state__in=OPEN_STATES)
    count = 0
    for recording in kept.filter(segments__result__gt="").distinct():
        delete_tracks(recording_id=recording.pk)
        count += 1
    return count


def erase_imports(_student: int, terms: Terms) -> int:
    """Rosters that were read and not imported yet, zips of a registry, lists of skipped photos, and answers kept for
    repeated requests.
    """
    count = 0
    for table in FileImport.objects.all():
        if terms.is_in(_whole_text(table, ROSTER_TEXTS)):
            table.delete()
            count += 1
    count += forget_zips(rows=ConnectionRun.objects.all())  # packed, so that nobody knows whose names they have
    count += _take_out(PhotoImport.objects.all(), terms, *PHOTO_IMPORT_TEXTS)
    for answer in apps.get_model("api.IdempotencyKey").objects.iterator():
        if terms.is_in(answer.body):
            answer.delete()
            count += 1
    return count


def erase_messages(student: int, terms: Terms) -> int:
    """Messages to the person and about it to guardians, with the opt-ins; in those to others the name is taken out."""
    MessageOptIn.objects.filter(student=student).delete()
    own = [row.pk for row in _rows_with(Delivery.objects.all(), terms, "to")]
    deleted: int = Delivery.objects.filter(pk__in=own).delete()[0]
    return deleted + _take_out(Delivery.objects.all(), terms, *MESSAGE_TEXTS)


def erase_log_texts(subject: int, terms: Terms) -> int:
    """Names in the log of the administration, whose entries stay."""
    own = Q(content_type=ContentType.objects.get_for_model(Student), object_id=str(subject))
    return _take_out(LogEntry.objects.all(), terms, *LOG_TEXTS, own=own)


def erase_corrections(student: int, terms: Terms) -> int:
    """What people wrote about the student's marks, and the name in the corrections of these lectures. The log is
    append-only for people; what was done stays in it.
    """
    changes = AttendanceChange._base_manager
    reasons: int = changes.filter(record__student=student).exclude(reason="").update(reason="")
    return reasons + _take_out(_corrections(student), terms, *CORRECTION_TEXTS, own=Q(record__student=student))


def _corrections(student: int) -> models.QuerySet[AttendanceChange]:
    """In the student's lectures."""
    lectures = AttendanceRecord.objects.filter(student=student).values("lecture")
    return AttendanceChange._base_manager.filter(lecture__in=lectures)


def erase_objections(student: int, _terms: Terms) -> int:
    """What the student wrote, and what was answered. Whether the student was right stays."""
    texts = {"text": NO_REASON, "answer": NO_REASON}
    return Objection.objects.filter(record__student=student).exclude(**texts).update(**texts)


def erase_excuses(student: int, _terms: Terms) -> int:
    """Reasons and documents. That the days are excused stays."""
    count = 0
    for excuse in Excuse.objects.filter(student=student).exclude(reason=NO_REASON, document=""):
        with transaction.atomic():
            Excuse.objects.filter(pk=excuse.pk).update(reason=NO_REASON, document="", document_name="")
            if excuse.document.name:
                delete_media_after_commit(excuse.document.name)
        count += 1
    return count


def erase_identity(student: int, terms: Terms) -> int:
    """How the student signs in and is known elsewhere, the marks that stand there, the number, the names and the
    addresses; all of the student where there is no attendance of anybody to keep.
    """
    withdraw_marks(student=student)
    ExternalIdentity.objects.filter(student=student).delete()
    for failure in FailedSignIn.objects.all():
        if terms.is_in(failure.claims) or terms.is_in(str(failure.error)):
            failure.delete()
    row = Student.objects.filter(pk=student).first()
    if row is None:
        return 0
    if not row.records.exists() and not row.excuses.exists():
        row.delete()
        return 1
    row.number, row.name, row.surname = f"erased-{student}", erased_name("student", student), ""
    row.email = row.guardian_phone = ""
    row.guest = False
    row.erased_at = row.erased_at or timezone.now()
    row.save()
    return 1


def request_workbooks(student: int, _terms: Terms) -> int:
    """Have the workbooks of the student's lectures and classes written again, and delete those that no row knows any
    more. `write_workbooks` writes them.
    """
    in_lecture = AttendanceRecord.objects.filter(lecture=OuterRef("lecture"), student=student)
    written = Report.objects.filter(Q(Exists(in_lecture)) | Q(lecture=None, course__in=_courses(student)))
    return request_again(reports=written) + _delete_unknown_workbooks()


def write_workbooks(student: int) -> None:
    """Write the workbooks that were requested. Those that are written stay so when this is killed."""
    requested = Report.objects.filter(sha256="", course__in=_courses(student))
    for report in requested.select_related("lecture__course", "recording", "course"):
        refresh_report(report=report)


def _delete_unknown_workbooks() -> int:
    """Those of a lecture's earlier time, or of a class's earlier code."""
    known = set(Report.objects.values_list("file_name", flat=True))
    count = 0
    for file in list(reports().walk()):
        name = file.name.removesuffix("_moodle.csv") + ".xlsx" if file.name.endswith("_moodle.csv") else file.name
        if WORKBOOK_NAME.fullmatch(file.name) and name not in known:
            reports().delete(file.name)
            count += 1
    return count


def erase_recordings(course: int, _terms: Terms) -> int:
    """The recordings of a class, with all that was seen in them."""
    count = 0
    for recording in Recording.objects.filter(lecture__course=course):
        delete_recording(recording=recording)
        count += 1
    return count


def erase_course(course: int, _terms: Terms) -> int:
    """The class with its lectures, records, corrections, galleries and workbooks. Its marks elsewhere are taken away,
    which nobody waits for.
    """
    row = Course.objects.filter(pk=course).first()
    if row is None:
        return _delete_unknown_workbooks()
    for gallery in Gallery.objects.filter(course=row):
        destroy_gallery(gallery)
    for link in CourseLink.objects.filter(course=row):
        CourseLink.objects.filter(pk=link.pk).update(remote_name="")
        withdraw_class_marks(link=link)
    row.delete()
    return 1 + _delete_unknown_workbooks()


def is_in_work(student: int) -> bool:
    """Whether something that began before may bring the student back, or has not forgotten the student yet."""
    courses = _courses(student)
    with_photos = courses.filter(
        students__in=FacePhoto.objects.exclude(state=FacePhoto.Verdict.REJECTED).values("student")
    )
    return any(
        rows.exists()
        for rows in (
            Recording.objects.filter(state__in=OPEN_STATES, lecture__course__in=courses),
            Gallery.objects.filter(course__in=courses, state=Gallery.State.QUEUED),
            Gallery.objects.filter(course__in=with_photos, photos_deleted=True, active=True),  # to be trained again
            PhotoImport.objects.filter(state=PhotoImport.State.QUEUED),
            FileImport.objects.filter(state=FileImport.State.QUEUED, kind=FileImport.Kind.ROSTER),
            ConnectionRun.objects.filter(state=ConnectionRun.State.QUEUED, task=ConnectionRun.Task.ZIP),
        )
    )


def has_come_back(student: int) -> bool:
    """Whether something was written of the student since the steps were done."""
    return any(
        rows.exists()
        for rows in (
            Gallery.objects.filter(members=student),
            FacePhoto.objects.filter(student=student),
            LectureFace.objects.filter(student=student),
            RemotePerson.objects.filter(student=student),
            Sighting.objects.filter(student=student),
        )
    )


def clean_database() -> None:
    """Overwrite what the database has deleted, as far as it can be asked to. SQLite overwrites deleted rows at once
    (`secure_delete`), and here what its log still has of them.
    """
    if connection.in_atomic_block:
        return
    tables = ", ".join(connection.ops.quote_name(model._meta.db_table) for model in WRITTEN)
    try:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)" if connection.vendor == "sqlite" else f"VACUUM {tables}")
    except DatabaseError:
        log.exception("The database could not be cleaned of what was deleted; it does so by itself in time")


def _courses(student: int) -> models.QuerySet[Course]:
    enrolled = Enrolment.objects.filter(student=student).values("course")
    counted = AttendanceRecord.objects.filter(student=student).values("lecture__course")
    return Course.objects.filter(Q(pk__in=enrolled) | Q(pk__in=counted))


def _take_out(rows: models.QuerySet[Row], terms: Terms, *fields: str, own: Q | None = None) -> int:
    """Take the person's name out of these fields of the rows, of which `own` are the person's; returns of how many. One
    at a time, locked: two people may be erased from one text at once.
    """
    own_rows = set(rows.filter(own).values_list("pk", flat=True)) if own is not None and terms.shared else set()
    count = 0
    for found in list(_rows_with(rows, terms.with_shared, *fields)):
        with transaction.atomic():
            row = rows.select_for_update(of=("self",)).filter(pk=found.pk).first()
            if row is None:
                continue
            words = terms.for_text(_whole_text(row, fields), is_own=row.pk in own_rows)
            texts = {name: words.take_out_of_json(getattr(row, name)) for name in fields}
            changed = {name: _cut(row, name, text) for name, text in texts.items() if text != getattr(row, name)}
            count += rows.filter(pk=row.pk).update(**changed) if changed else 0
    return count


def find_doubtful_texts(student: int, terms: Terms) -> dict[str, list[str]]:
    """By step, the numbers of the rows which still have a name that others have too: only a person can tell whose."""
    if not terms.shared:
        return {}
    answers, changes = apps.get_model("api.IdempotencyKey").objects.all(), _corrections(student)
    shared = terms.with_shared
    places: dict[str, list[tuple[Iterable[models.Model], tuple[str, ...]]]] = {
        "photos": [(WaitingPhoto.objects.all(), ("folder", "original_name"))],
        "imports": [
            (FileImport.objects.all(), ROSTER_TEXTS),
            (PhotoImport.objects.all(), PHOTO_IMPORT_TEXTS),
            (answers.iterator(), ("body",)),
        ],
        "messages": [(_rows_with(Delivery.objects.all(), shared, *MESSAGE_TEXTS), MESSAGE_TEXTS)],
        "log": [(_rows_with(LogEntry.objects.all(), shared, *LOG_TEXTS), LOG_TEXTS)],
        "corrections": [(_rows_with(changes, shared, *CORRECTION_TEXTS), CORRECTION_TEXTS)],
    }
    found = {
        step: [str(row.pk) for rows, fields in tables for row in rows if terms.may_be_in(_whole_text(row, fields))]
        for step, tables in places.items()
    }
    return {step: keys for step, keys in found.items() if keys}


def _whole_text(row: models.Model, fields: Collection[str]) -> str:
    return "\n".join(_as_text(getattr(row, name)) for name in fields)


def _as_text(value: Any) -> str:
    if isinstance(value, bytes | memoryview):
        return bytes(value).decode(errors="replace")
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _cut(row: models.Model, name: str, text: Any) -> Any:
    length = getattr(row._meta.get_field(name), "max_length", None)
    return text[:length] if length and isinstance(text, str) else text


def _rows_with(rows: models.QuerySet[Row], terms: Terms, *fields: str) -> Iterator[Row]:
    """The rows in one of whose fields, texts or JSON, the person is named."""
    texts = rows.annotate(**{f"{name}_text": Cast(name, models.TextField()) for name in fields})
    found = Q()
    for name in fields:
        for spelling in terms.spellings:
            found |= Q(**{f"{name}_text__icontains": spelling})
    if found:
        yield from (row for row in texts.filter(found) if any(_is_in(terms, getattr(row, name)) for name in fields))


def _is_in(terms: Terms, value: Any) -> bool:
    return terms.is_in(_as_text(value))
