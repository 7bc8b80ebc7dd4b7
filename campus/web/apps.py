from django.apps import AppConfig, apps
from django.db.models.signals import post_migrate


class WebConfig(AppConfig):
    name = "campus.web"

    def ready(self) -> None:
        from campus.web.registrar import make_groups

        # Attendance is the last app with tables.
        post_migrate.connect(make_groups, sender=apps.get_app_config("attendance"), dispatch_uid="roles")
