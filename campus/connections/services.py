"""What people change of a connection."""

from django.contrib.auth.models import User
from django.db import transaction

from campus.audit.models import Action
from campus.audit.services import record_event
from campus.connections.adapters import check_settings
from campus.connections.models import Connection


@transaction.atomic
def switch(*, connection: Connection, active: bool, user: User) -> None:
    """Switch it on or off: what waits is kept. Raises UserError where its settings are not complete."""
    if active:
        check_settings(connection)
    Connection.objects.filter(pk=connection.pk).update(active=active)
    record_event(
        user, Action.CHANGED_SETTINGS, about=f"connection {connection.pk} switched {'on' if active else 'off'}"
    )
