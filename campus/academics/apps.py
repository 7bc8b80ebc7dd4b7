from django.apps import AppConfig


class AcademicsConfig(AppConfig):
    name = "campus.academics"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "Teaching"
