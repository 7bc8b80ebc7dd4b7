from typing import Any

from django.apps import AppConfig, apps
from django.db.models.signals import post_migrate


class AttendanceConfig(AppConfig):
    name = "campus.attendance"

    def ready(self) -> None:
        post_migrate.connect(make_default_statuses, sender=self, dispatch_uid="default_statuses")


def make_default_statuses(using: str, **_: Any) -> None:
    """A new institution begins with the statuses that most have."""
    from campus.attendance.statuses import BUILT_IN_STATUSES, Status

    rows = apps.get_model("attendance", "AttendanceStatus").objects.using(using)
    if rows.exists():
        return
    decided = {code: values for code, values in BUILT_IN_STATUSES.items() if code != Status.TO_CONFIRM}
    for position, (code, (letter, points, counts, moodle)) in enumerate(decided.items(), start=1):
        rows.create(
            code=code, letter=letter, points=points, counts=counts, like=code, moodle=moodle, position=10 * position
        )
