"""Which pages, pictures and files show personal data. Who looked at one, or took it away, is in the audit log."""

from collections.abc import Callable
from typing import Final, NamedTuple

from django.apps import apps
from django.http import HttpRequest, HttpResponseBase

from campus.audit.models import Action
from campus.audit.services import record_event, record_read


class Subject(NamedTuple):
    """What the key in an address belongs to, and where that says which rows the entry is about."""

    model: str
    student: str = ""
    lecture: str = ""
    course: str = ""


STUDENT: Final = Subject("academics.Student", student="pk")
LECTURE: Final = Subject("academics.Lecture", lecture="pk")
COURSE: Final = Subject("academics.Course", course="pk")
ENROLMENT: Final = Subject("academics.Enrolment", student="student_id", course="course_id")
PHOTO: Final = Subject("biometrics.FacePhoto", student="student_id")
SENT_PHOTO: Final = Subject("biometrics.SentPhoto", student="link__student_id")
LECTURE_FACE: Final = Subject("biometrics.LectureFace", lecture="lecture_id", course="lecture__course_id")
RECORDING: Final = Subject("recordings.Recording", lecture="lecture_id", course="lecture__course_id")
RECORD: Final = Subject("attendance.AttendanceRecord", "student_id", "lecture_id", "lecture__course_id")
REPORT: Final = Subject("attendance.Report", lecture="lecture_id", course="course_id")
CONSENT: Final = Subject("consent.Consent", student="student_id")
EXCUSE: Final = Subject("attendance.Excuse", student="student_id")
# Not of each student: a lecture's page has a picture of everybody.
SIGHTING, UNKNOWN, SNAPSHOT = (
    Subject(f"attendance.{model}", lecture="recording__lecture_id", course="recording__lecture__course_id")
    for model in ("Sighting", "UnknownPerson", "Snapshot")
)

READS: Final[dict[str, tuple[Action, Subject | None]]] = {
    "crop": (Action.SAW_FACES, SIGHTING),
    "unknown-person-crop": (Action.SAW_FACES, UNKNOWN),
    "unknown-person": (Action.SAW_FACES, UNKNOWN),
    "recurring-people": (Action.SAW_FACES, COURSE),
    "snapshot": (Action.SAW_FACES, SNAPSHOT),
    "lecture-face": (Action.SAW_FACES, LECTURE_FACE),
    "recording": (Action.SAW_LECTURE, RECORDING),
    "recording-picture": (Action.SAW_FACES, RECORDING),
    "photo": (Action.SAW_PHOTOS, PHOTO),
    "photo-face": (Action.SAW_PHOTOS, None),  # the pages that show it say whose
    "course-photos": (Action.SAW_PHOTOS, COURSE),
    "course-photo-import": (Action.SAW_PHOTOS, COURSE),
    "sent-photos": (Action.SAW_PHOTOS, None),
    "sent-photo-file": (Action.SAW_PHOTOS, SENT_PHOTO),
    "sent-photo-picture": (Action.SAW_PHOTOS, SENT_PHOTO),
    "lecture": (Action.SAW_LECTURE, LECTURE),
    "lecture-compare": (Action.SAW_LECTURE, LECTURE),
    "confirm": (Action.SAW_LECTURE, LECTURE),
    "record": (Action.SAW_LECTURE, RECORD),
    "register": (Action.SAW_REGISTER, COURSE),
    "course-students": (Action.SAW_STUDENT, COURSE),
    "enrolment": (Action.SAW_STUDENT, ENROLMENT),
    "class-consents": (Action.SAW_STUDENT, COURSE),
    "objections": (Action.SAW_STUDENT, None),
    "objection": (Action.SAW_STUDENT, None),
    "student-links": (Action.SAW_STUDENT, COURSE),
    "student-link": (Action.SAW_STUDENT, STUDENT),
    "student-messages": (Action.SAW_STUDENT, STUDENT),
    "student": (Action.SAW_STUDENT, STUDENT),
    "students": (Action.SAW_STUDENT, None),
    "connections": (Action.SAW_STUDENT, None),
    "linked-class": (Action.SAW_STUDENT, None),
    "excuses": (Action.SAW_STUDENT, None),
    "excuse-document": (Action.SAW_DOCUMENT, EXCUSE),
    "register-file": (Action.EXPORTED, COURSE),
    "lecture-file": (Action.EXPORTED, LECTURE),
    "report": (Action.EXPORTED, REPORT),
    "audit-log": (Action.SAW_AUDIT_LOG, None),
    "audit-log-file": (Action.EXPORTED_AUDIT_LOG, None),
    "admin:academics_student_changelist": (Action.SAW_STUDENT, None),
    "admin:academics_student_change": (Action.SAW_STUDENT, STUDENT),
    "admin:academics_student_photos": (Action.SAW_PHOTOS, STUDENT),
    "admin:academics_enrolment_changelist": (Action.SAW_STUDENT, None),
    "admin:attendance_attendancerecord_changelist": (Action.SAW_REGISTER, None),
    "admin:attendance_attendancerecord_change": (Action.SAW_LECTURE, RECORD),
    "admin:attendance_attendancechange_changelist": (Action.SAW_REGISTER, None),
    "admin:attendance_report_download": (Action.EXPORTED, REPORT),
    "admin:biometrics_facephoto_changelist": (Action.SAW_PHOTOS, None),
    "admin:biometrics_facephoto_change": (Action.SAW_PHOTOS, PHOTO),
    "admin:biometrics_facephoto_picture": (Action.SAW_PHOTOS, PHOTO),
    "admin:biometrics_facephoto_thumbnail": (Action.SAW_PHOTOS, None),
    "admin:biometrics_facephoto_same_person": (Action.SAW_PHOTOS, None),
    "admin:biometrics_facephoto_waiting": (Action.SAW_PHOTOS, None),
    "api-sighting-list": (Action.SAW_LECTURE, None),
    "api-sighting-detail": (Action.SAW_LECTURE, SIGHTING),
    "api-sighting-picture": (Action.SAW_FACES, SIGHTING),
    "api-unknown-picture": (Action.SAW_FACES, UNKNOWN),
    "api-snapshot-picture": (Action.SAW_FACES, SNAPSHOT),
    "api-lecture-face-picture": (Action.SAW_FACES, LECTURE_FACE),
    "api-photo-list": (Action.SAW_PHOTOS, None),
    "api-photo-picture": (Action.SAW_PHOTOS, PHOTO),
    "api-photo-face": (Action.SAW_PHOTOS, PHOTO),
    "api-photoimport-waiting-picture": (Action.SAW_PHOTOS, None),
    "api-student-list": (Action.SAW_STUDENT, None),
    "api-student-detail": (Action.SAW_STUDENT, STUDENT),
    "api-student-history": (Action.SAW_STUDENT, STUDENT),
    "api-consent-list": (Action.SAW_STUDENT, None),
    "api-consent-detail": (Action.SAW_STUDENT, CONSENT),
    "api-enrolment-list": (Action.SAW_STUDENT, None),
    "api-enrolment-detail": (Action.SAW_STUDENT, ENROLMENT),
    "api-attendance-list": (Action.SAW_REGISTER, None),
    "api-attendance-detail": (Action.SAW_LECTURE, RECORD),
    "api-attendance-changes": (Action.SAW_LECTURE, RECORD),
    "api-change-list": (Action.SAW_REGISTER, None),
    "api-excuse-list": (Action.SAW_STUDENT, None),
    "api-excuse-detail": (Action.SAW_STUDENT, EXCUSE),
    "api-excuse-document": (Action.SAW_DOCUMENT, EXCUSE),
    "api-course-export": (Action.EXPORTED, COURSE),
    "api-course-roster-file": (Action.EXPORTED, COURSE),
    "api-lecture-export": (Action.EXPORTED, LECTURE),
    "api-report-download": (Action.EXPORTED, REPORT),
    "api-change-feed": (Action.SAW_REGISTER, None),
}
# They note it themselves: a player asks for a video in parts, and an export of all classes is read on the account, too.
NOTED_ELSEWHERE: Final = {
    "annotated-video-file",
    "api-annotated-video-file",
    "attendance-export-file",
    "api-attendance-export",
    "student-data",
}
DOWNLOADS: Final = {Action.EXPORTED, Action.EXPORTED_AUDIT_LOG}
# Faces of people whom nobody was matched with: each look at one is in the log.
EACH_LOOK: Final = {"unknown-person-crop", "api-unknown-picture"}


def record_reads(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Middleware: a page is in the log once an hour for each person, a download or a stranger's face each time."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        if (
            response.status_code in (200, 206)
            and request.method in ("GET", "POST")
            and (read := _find_read(request, response))
        ):
            _record(request, *read)
        return response

    return middleware


def _find_read(request: HttpRequest, response: HttpResponseBase) -> tuple[Action, Subject | None] | None:
    route = request.resolver_match.view_name if request.resolver_match else ""
    if route in NOTED_ELSEWHERE:
        return None
    # A file that nobody has listed, such as one that a form answers with, is an export.
    is_download = response.headers.get("Content-Disposition", "").startswith("attachment")
    return READS.get(route, (Action.EXPORTED, None) if is_download else None)


def _record(request: HttpRequest, action: Action, subject: Subject | None) -> None:
    if not request.resolver_match or not request.user.is_authenticated:
        return
    arguments = request.resolver_match.kwargs
    rows = _find_rows(subject, arguments.get("pk") or arguments.get("object_id")) if subject else {}
    route = request.resolver_match.view_name
    is_each = action in DOWNLOADS or route in EACH_LOOK
    about = f"{route} {arguments['pk'] if route in EACH_LOOK else arguments.get('kind', '')}".strip()
    record = record_event if is_each else record_read
    record(request.user, action, about=about, **rows)


def _find_rows(subject: Subject, key: object) -> dict[str, int | None]:
    paths = {kind: path for kind, path in subject._asdict().items() if kind != "model" and path}
    if set(paths.values()) == {"pk"}:  # no need to look
        return dict.fromkeys(paths, int(str(key)))
    rows = apps.get_model(subject.model)._base_manager.filter(pk=key)
    return dict(zip(paths, rows.values_list(*paths.values()).first() or [None] * len(paths), strict=True))
