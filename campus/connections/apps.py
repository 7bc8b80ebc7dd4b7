from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ConnectionsConfig(AppConfig):
    name = "campus.connections"
    verbose_name = _("Connections")

    def ready(self) -> None:
        from campus.connections.changes import watch_changes

        watch_changes()
