from django.apps import AppConfig
from django.db.models.signals import post_migrate

from campus.common.storage import mark_storage


class MonitoringConfig(AppConfig):
    name = "campus.monitoring"

    def ready(self) -> None:
        post_migrate.connect(mark_storage, sender=self, dispatch_uid="mark_storage")
