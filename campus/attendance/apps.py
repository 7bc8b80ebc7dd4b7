from django.apps import AppConfig


class AttendanceConfig(AppConfig):
    name = "campus.attendance"
    default_auto_field = "django.db.models.BigAutoField"
