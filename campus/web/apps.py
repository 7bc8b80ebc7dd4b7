from django.apps import AppConfig, apps
from django.db.models.signals import post_migrate


class WebConfig(AppConfig):
    name = "campus.web"

    def ready(self) -> None:
        from unfold.templatetags import unfold_list

        from campus.web.role_permissions import sync_role_permissions

        # The theme repeats 600 bytes of classes in each cell of a list; admin.css says the same once.
        unfold_list.ROW_CLASSES.clear()
        unfold_list.CHECKBOX_CLASSES[:] = ["action-checkbox"]
        # Attendance is the last app with tables.
        post_migrate.connect(sync_role_permissions, sender=apps.get_app_config("attendance"), dispatch_uid="roles")
