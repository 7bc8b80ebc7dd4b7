"""The group `Registrar`: who runs the admin. Made, and brought up to date, each time that the database is migrated."""

from typing import Any

from django.apps import apps
from django.contrib.auth.management import create_permissions

PERMISSIONS = {
    "academics": {
        "course": "view add change delete",
        "student": "view add change delete",
        "enrolment": "view add change delete",
        "lecture": "view add change delete",
    },
    "biometrics": {"facephoto": "view add change delete", "gallery": "view add"},
    "footage": {"recording": "view add change", "segment": "view"},
    "attendance": {"attendancerecord": "view change", "attendancechange": "view", "report": "view add"},
    "auth": {"user": "view add change"},
}


def make_registrar_group(using: str, **kwargs: Any) -> None:
    """A handler of `post_migrate`. Permissions that an administrator gave the group besides are kept."""
    group_model, permission_model = apps.get_model("auth.Group"), apps.get_model("auth.Permission")
    group, _ = group_model.objects.using(using).get_or_create(name="Registrar")
    for app, models in PERMISSIONS.items():
        create_permissions(apps.get_app_config(app), verbosity=0, using=using)
        codenames = [f"{verb}_{model}" for model, verbs in models.items() for verb in verbs.split()]
        group.permissions.add(*permission_model.objects.using(using).filter(content_type__app_label=app, codename__in=codenames))
