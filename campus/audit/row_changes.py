"""Changes that people make to classes, rosters, photos, excuses and settings: a row that is saved or deleted while a
request of somebody is answered. What Rollcall does by itself, and what is written in bulk, says so where it is done.
"""

from typing import Any, Final

from django.apps import apps
from django.db.models import Model
from django.db.models.signals import m2m_changed, post_delete, post_save

from campus.accounts.history import current_user
from campus.audit.models import Action
from campus.audit.services import record_event

ACTIONS: Final = {
    "academics.Student": Action.CHANGED_STUDENT,
    "academics.Enrolment": Action.CHANGED_ROSTER,
    "academics.Course": Action.CHANGED_CLASS,
    "academics.Lecture": Action.CHANGED_CLASS,
    "academics.LectureSeries": Action.CHANGED_CLASS,
    "attendance.RegisterPolicy": Action.CHANGED_CLASS,
    "attendance.Excuse": Action.EXCUSED,
    "biometrics.FacePhoto": Action.CHANGED_PHOTOS,
    "recordings.Recording": Action.UPLOADED,
    "accounts.Institution": Action.CHANGED_SETTINGS,
    "academics.Term": Action.CHANGED_SETTINGS,
    "academics.Holiday": Action.CHANGED_SETTINGS,
    "attendance.AttendanceStatus": Action.CHANGED_SETTINGS,
    "cctv.Source": Action.CHANGED_SETTINGS,
    "cctv.Camera": Action.CHANGED_SETTINGS,
    "django_celery_beat.PeriodicTask": Action.CHANGED_SETTINGS,
    "outbox.Webhook": Action.CHANGED_SETTINGS,
    "connections.Connection": Action.CHANGED_SETTINGS,
    "connections.CourseLink": Action.CHANGED_CLASS,
    "outbox.MessageSettings": Action.CHANGED_SETTINGS,
    "auth.Group": Action.CHANGED_SETTINGS,
    "identity.IdentityProvider": Action.CHANGED_SETTINGS,
    "identity.AccessRule": Action.CHANGED_SETTINGS,
    "identity.ExternalIdentity": Action.CHANGED_ACCOUNT,
    "identity.PasswordLogin": Action.CHANGED_ACCOUNT,
}


def watch_rows() -> None:
    """Connect the signals."""
    for label in ACTIONS:
        post_save.connect(_record_save, sender=label, dispatch_uid=f"audit {label}")
        post_delete.connect(_record_deletion, sender=label, dispatch_uid=f"audit {label}")
    post_delete.connect(_record_deletion, sender="auth.User", dispatch_uid="audit auth.User")
    lecturers = apps.get_model("academics.Course")._meta.get_field("lecturers").remote_field.through
    m2m_changed.connect(_record_lecturers, sender=lecturers, dispatch_uid="audit lecturers")


def _record_save(*, instance: Model, created: bool, raw: bool, **_: Any) -> None:
    if not raw:
        _record(instance, ACTIONS[instance._meta.label], "created" if created else "changed")


def _record_deletion(*, instance: Model, origin: Any, **_: Any) -> None:
    if getattr(origin, "model", type(origin)) is type(instance):  # and did not go with something else
        _record(instance, Action.DELETED, "deleted")


def _record(row: Model, action: Action, verb: str) -> None:
    if user := current_user():
        name = row._meta.model_name
        student, lecture, course = (
            row.pk if name == kind else getattr(row, f"{kind}_id", None) for kind in ("student", "lecture", "course")
        )
        record_event(user, action, student=student, lecture=lecture, course=course, about=f"{name} {row.pk} {verb}")


def _record_lecturers(*, instance: Model, action: str, reverse: bool, pk_set: set[int] | None, **_: Any) -> None:
    if action.startswith("post_") and (user := current_user()):
        for course in (pk_set or ()) if reverse else [instance.pk]:
            record_event(user, Action.CHANGED_CLASS, course=course, about=f"lecturers, {action[5:]}")
