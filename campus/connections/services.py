"""What people change of a connection."""

from django.contrib.auth.models import User
from django.db import transaction

from campus.audit.models import Action
from campus.audit.services import record_event
from campus.common.errors import UserError
from campus.connections.adapters import adapter_for
from campus.connections.models import Connection


@transaction.atomic
def switch(*, connection: Connection, active: bool, user: User) -> None:
    """Switch it on or off: what waits is kept. Raises UserError where its settings are not complete."""
    if active and (errors := adapter_for(connection.kind).settings_form(connection.settings).errors):
        raise UserError("The settings are not complete: {fields}.", fields=", ".join(errors))
    Connection.objects.filter(pk=connection.pk).update(active=active)
    record_event(
        user, Action.CHANGED_SETTINGS, about=f"connection {connection.pk} switched {'on' if active else 'off'}"
    )
