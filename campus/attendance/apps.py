from typing import Any

from django.apps import AppConfig, apps
from django.db.models.signals import post_migrate


class AttendanceConfig(AppConfig):
    name = "campus.attendance"

    def ready(self) -> None:
        from campus.academics.signals import lecture_moved
        from campus.attendance.feed_triggers import create_feed_triggers
        from campus.attendance.proposals import forget_pictures
        from campus.attendance.recording_review import follow_lecture
        from campus.consent.signals import basis_changed

        lecture_moved.connect(follow_lecture)
        basis_changed.connect(forget_pictures, dispatch_uid="forget_pictures")
        # After every migration: SQLite loses a table's triggers when it makes the table anew.
        post_migrate.connect(create_feed_triggers, sender=self, dispatch_uid="create_feed_triggers")
        post_migrate.connect(create_default_statuses, sender=self, dispatch_uid="create_default_statuses")


def create_default_statuses(using: str, **_: Any) -> None:
    """Give a new institution the statuses that most institutions use."""
    from campus.attendance.statuses import BUILT_IN_STATUSES, MACHINE_ONLY

    rows = apps.get_model("attendance", "AttendanceStatus").objects.using(using)
    if rows.exists():
        return
    settable = {code: values for code, values in BUILT_IN_STATUSES.items() if code not in MACHINE_ONLY}
    for position, (code, (letter, points, is_counted, moodle_acronym)) in enumerate(settable.items(), start=1):
        rows.create(
            code=code,
            letter=letter,
            points=points,
            is_counted=is_counted,
            meaning=code,
            moodle_acronym=moodle_acronym,
            position=10 * position,
        )
