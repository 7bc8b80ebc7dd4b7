from django.apps import AppConfig, apps
from django.db.models.signals import post_migrate


class WebConfig(AppConfig):
    name = "campus.web"

    def ready(self) -> None:
        from campus.web.role_permissions import sync_role_permissions

        # Attendance is the last app with tables.
        post_migrate.connect(sync_role_permissions, sender=apps.get_app_config("attendance"), dispatch_uid="roles")
