"""All that is held of a student, for the student (GDPR, Articles 15 and 20): a zip with JSON for programs, a page to
read, and the pictures.
"""

import json
import tempfile
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import IO, Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Model, Q, QuerySet
from django.http import FileResponse
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from campus.academics.models import Student
from campus.attendance.models import AttendanceChange, AttendanceRecord, Excuse, Objection, Sighting
from campus.audit.models import AuditEntry
from campus.biometrics.models import FacePhoto, LectureFace, SentPhoto
from campus.common.storage import read_media_or_nothing
from campus.outbox.models import Delivery, MessageOptIn

# The names in data.json, in words for the page.
WORDS = {
    "student": _("Student"),
    "classes": _("Classes"),
    "photos": _("Photos"),
    "photos sent by the student": _("Photos that you have sent"),
    "faces learnt from lectures": _("Faces learnt from lectures"),
    "attendance": _("Attendance"),
    "corrections": _("Corrections"),
    "seen in recordings": _("Where you were seen"),
    "consents": _("Your answers about recognising your face"),
    "given": _("agreed"),
    "method": _("how"),
    "at": _("when"),
    "expires_at": _("holds until"),
    "withdrawn_at": _("withdrawn at"),
    "text": _("text"),
    "opt-ins to messages": _("Who gets messages about your attendance"),
    "recipient": _("for"),
    "channel": _("sent by"),
    "address": _("address"),
    "given_at": _("given at"),
    "objections": _("Your objections"),
    "upheld": _("the student is right"),
    "answer": _("answer"),
    "answered_at": _("answered at"),
    "excuses": _("Excuses"),
    "messages": _("Messages to you"),
    "sign-ins elsewhere": _("How you sign in"),
    "issuer": _("issuer"),
    "subject_there": _("you there"),
    "linked_at": _("linked"),
    "last_sign_in_at": _("last sign-in"),
    "claims": _("what was said of you there"),
    "known elsewhere": _("Other systems that know you"),
    "where": _("system"),
    "id_there": _("your number there"),
    "marks elsewhere": _("Your marks in other systems"),
    "changed_at": _("since"),
    "value": _("mark"),
    "confirmed_at": _("confirmed"),
    "confirmed_value": _("mark there"),
    "who looked and changed": _("Who looked, and who changed something"),
    "number": _("student number"),
    "name": _("name"),
    "surname": _("surname"),
    "email": _("e-mail"),
    "guardian_phone": _("guardian's phone"),
    "class": _("class"),
    "section": _("section"),
    "valid_from": _("from"),
    "valid_to": _("to"),
    "original_name": _("file name"),
    "created_at": _("when"),
    "state": _("state"),
    "refusal": _("reason"),
    "lecture": _("lecture"),
    "status": _("status"),
    "machine_status": _("proposed by the machine"),
    "override_status": _("set by a person"),
    "first_seen": _("first seen"),
    "last_seen": _("last seen"),
    "seconds": _("seconds seen"),
    "share": _("share of the lecture"),
    "confidence": _("confidence"),
    "kind": _("kind"),
    "old_status": _("before"),
    "new_status": _("after"),
    "about": _("about"),
    "reason": _("reason"),
    "by": _("by"),
    "present": _("recognised"),
    "to_confirm": _("to be confirmed"),
    "intervals": _("seconds of the recording"),
    "first_day": _("from"),
    "last_day": _("to"),
    "document_name": _("document"),
    "sent_at": _("sent"),
    "subject": _("subject"),
    "body": _("text"),
    "what": _("what"),
    "actor_name": _("who"),
    "actor_role": _("role"),
}


@dataclass(frozen=True, slots=True)
class Table:
    """A part of the data, as the page shows it."""

    heading: Any
    columns: list[Any]
    rows: list[list[Any]]


def export_response(student: Student) -> FileResponse:
    """The zip as a download."""
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the response closes it
    write_export(student, file)
    file.seek(0)
    response = FileResponse(file, as_attachment=True, filename=f"rollcall-{student.number}.zip")
    response["Cache-Control"] = "no-store"
    return response


def write_export(student: Student, file: IO[bytes]) -> None:
    """Write the zip. Pictures that are gone or damaged are left out."""
    data = collect_data(student)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data.json", json.dumps(data, cls=DjangoJSONEncoder, ensure_ascii=False, indent=1))
        pictures = []
        for folder, name in _pictures(student):
            if content := read_media_or_nothing(name):
                place = f"{folder}/{PurePosixPath(name).name}"
                archive.writestr(place, content, zipfile.ZIP_STORED)
                pictures.append((folder, place))
        tables = [_table(name, value) for name, value in data.items()]
        context = {"student": student, "tables": tables, "pictures": pictures, "now": timezone.now()}
        archive.writestr("index.html", render_to_string("web/student_export.html", context))


def collect_data(student: Student) -> dict[str, Any]:
    """The rows that are held of the student, as plain values."""
    records = AttendanceRecord.objects.filter(student=student).select_related("lecture__course")
    changes = AttendanceChange.objects.filter(record__student=student).select_related("lecture__course")
    sightings = Sighting.objects.filter(student=student).select_related("recording__lecture__course")
    return {
        "student": _values(student, "number", "name", "surname", "email", "guardian_phone"),
        "classes": [
            _values(row, "section", "valid_from", "valid_to") | {"class": str(row.course)}
            for row in student.enrolments.select_related("course")
        ],
        "photos": _rows(FacePhoto.objects.filter(student=student), "original_name", "created_at", "state", "sha256"),
        "photos sent by the student": _rows(
            SentPhoto.objects.filter(link__student=student), "original_name", "created_at", "state", "refusal"
        ),
        "faces learnt from lectures": [
            _values(row, "created_at", "state") | {"lecture": str(row.lecture)}
            for row in LectureFace.objects.filter(student=student).select_related("lecture__course")
        ],
        "attendance": [
            _values(row, "machine_status", "override_status", "first_seen", "last_seen", "seconds", "share")
            | {"lecture": str(row.lecture), "status": str(row.get_status_display()), "confidence": row.confidence}
            for row in records
        ],
        "corrections": [
            _values(row, "created_at", "kind", "old_status", "new_status", "about", "reason")
            | {"lecture": str(row.lecture), "by": row.user_name}
            for row in changes
        ],
        "seen in recordings": [
            _values(row, "present", "to_confirm", "intervals", "seconds", "confidence", "face_positions")
            | {"lecture": str(row.recording.lecture)}
            for row in sightings
        ],
        "consents": [
            _values(row, "given", "method", "at", "expires_at", "withdrawn_at") | {"text": row.text.text}
            for row in student.consents.select_related("text")
        ],
        "opt-ins to messages": _rows(
            MessageOptIn.objects.filter(student=student),
            *("recipient", "channel", "address", "name", "method", "given_at", "confirmed_at", "withdrawn_at", "text"),
        ),
        "objections": [
            _values(row, "at", "text", "upheld", "answer", "answered_at") | {"lecture": str(row.record.lecture)}
            for row in Objection.objects.filter(record__student=student).select_related("record__lecture__course")
        ],
        "excuses": _rows(Excuse.objects.filter(student=student), "first_day", "last_day", "reason", "document_name"),
        "messages": _rows(
            Delivery.objects.filter(Q(to__iexact=student.email, to__gt="") | Q(opt_in__student=student)),
            *("created_at", "sent_at", "subject", "body"),
        ),
        "sign-ins elsewhere": [
            _values(row, "issuer", "linked_at", "last_sign_in_at", "claims") | {"subject_there": row.subject}
            for row in student.external_identities.all()
        ],
        "known elsewhere": [
            {"where": row.connection.name, "id_there": row.remote_id}
            for row in student.remote_people.select_related("connection")
        ],
        "marks elsewhere": [
            _values(row, "changed_at", "value", "confirmed_at", "confirmed_value", "state")
            | {
                "where": row.link.connection.name,
                "class": row.link.course.code if row.link.course else row.link.remote_name,
            }
            for row in student.mark_deliveries.select_related("link__connection", "link__course")
        ],
        "who looked and changed": [
            {
                "when": entry.at,
                "what": str(entry.get_action_display()),
                "who": entry.actor_name,
                "role": entry.actor_role,
            }
            for entry in AuditEntry.objects.filter(student_id=student.pk).order_by("at")
        ],
    }


def _table(name: str, value: Any) -> Table:
    rows = value if isinstance(value, list) else [value]
    names = [name for name in (rows[0] if rows else ()) if name in WORDS]
    return Table(WORDS[name], [WORDS[name] for name in names], [[row[name] for name in names] for row in rows])


def _rows(rows: "QuerySet[Any]", *names: str) -> list[dict[str, Any]]:
    return [_values(row, *names) for row in rows]


def _values(row: Model, *names: str) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}


def _pictures(student: Student) -> Iterator[tuple[str, str]]:
    """Folders of the zip, and the media files that go into them."""
    for photo in FacePhoto.objects.filter(student=student):
        yield "photos", str(photo.file.name)
    for name in _names(row.picture.name for row in SentPhoto.objects.filter(link__student=student)):
        yield "sent", name
    for row in Sighting.objects.filter(student=student):
        yield from (("lectures", str(crop["file"])) for crop in row.crops)
    for face in LectureFace.objects.filter(student=student):
        yield "learnt", face.crop
    for name in _names(row.document.name for row in Excuse.objects.filter(student=student)):
        yield "excuses", name


def _names(names: Iterable[str | None]) -> Iterator[str]:
    return (name for name in names if name)
