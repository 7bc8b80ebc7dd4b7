"""What people change of a connection, and what exchanges keep in its settings."""

from django.contrib.auth.models import User
from django.db import transaction

from campus.audit.models import Action
from campus.audit.services import record_event
from campus.connections.adapters import check_settings
from campus.connections.models import Connection, CourseLink


@transaction.atomic
def switch(*, connection: Connection, active: bool, user: User) -> None:
    """Switch it on or off: what waits is kept. Raises UserError where its settings are not complete."""
    if active:
        check_settings(connection)
    Connection.objects.filter(pk=connection.pk).update(active=active)
    record_event(
        user, Action.CHANGED_SETTINGS, about=f"connection {connection.pk} switched {'on' if active else 'off'}"
    )


@transaction.atomic
def remember(row: Connection | CourseLink, **values: object) -> None:
    """Keep this among the settings. Where somebody has changed them since the row was read, it is of what they were
    before, and is forgotten.
    """
    stored = type(row).objects.select_for_update().get(pk=row.pk)
    if stored.settings == row.settings and getattr(stored, "secret", "") == getattr(row, "secret", ""):
        stored.settings = {**row.settings, **values}
        stored.save(update_fields=["settings"])
    row.settings = {**row.settings, **values}
