"""The permission groups of the roles. They are created and updated after each migration."""

from typing import Any

from django.apps import apps
from django.contrib.auth.management import create_permissions

from campus.accounts.roles import Role

# What a registrar may. An auditor may view the same; an administrator may delete accounts besides; a lecturer has the
# pages.
PERMISSIONS = {
    "accounts": {"apitoken": "view"},
    "academics": {
        "course": "view add change delete",
        "student": "view add change delete",
        "enrolment": "view add change delete",
        "lecture": "view add change delete",
        "lectureseries": "view add change delete",
        "room": "view add change delete",
        "holiday": "view add change delete",
        "term": "view add change delete",
    },
    "biometrics": {
        "facephoto": "view add change delete",
        "gallery": "view add",
        "sentphoto": "view change",
    },
    "connections": {"connection": "view change"},
    "consent": {"consent": "view add", "studentlink": "view add delete"},
    "recordings": {"recording": "view add change", "segment": "view", "clip": "view"},
    "cctv": {
        "source": "view add change delete",
        "camera": "view add change delete",
        "footagefile": "view change",
        "collection": "view change",
        "alarm": "view",
    },
    "attendance": {
        "attendancerecord": "view change",
        "attendancechange": "view",
        "report": "view add",
        "attendancestatus": "view add change delete",
        "registerpolicy": "view add change",
    },
    "django_celery_beat": {"periodictask": "view change"},
    "outbox": {
        "webhook": "view add change delete",
        "delivery": "view change",
        "messageoptin": "view add change",
        "messagesettings": "view add change",
    },
    "privacy": {"erasure": "view add"},
    "auth": {"user": "view add change"},
}


def sync_role_permissions(using: str, **kwargs: Any) -> None:
    """Handles `post_migrate`. Extra permissions that an administrator gave a group are kept, except auditors' to
    write."""
    groups, permissions = (
        apps.get_model("auth.Group").objects.using(using),
        apps.get_model("auth.Permission").objects.using(using),
    )
    by_role = {role: groups.get_or_create(name=role.value)[0] for role in Role}
    for app, models in PERMISSIONS.items():
        create_permissions(apps.get_app_config(app), verbosity=0, using=using)
        of_app = permissions.filter(content_type__app_label=app)
        codenames = [f"{verb}_{model}" for model, verbs in models.items() for verb in verbs.split()]
        by_role[Role.REGISTRAR].permissions.add(*of_app.filter(codename__in=codenames))
        by_role[Role.ADMINISTRATOR].permissions.add(*of_app.filter(codename__in=[*codenames, "delete_user"]))
        by_role[Role.AUDITOR].permissions.add(*of_app.filter(codename__in=[f"view_{model}" for model in models]))
    auditors = by_role[Role.AUDITOR].permissions
    auditors.remove(*auditors.exclude(codename__startswith="view_"))
