from django.apps import AppConfig


class FootageConfig(AppConfig):
    name = "campus.footage"
    default_auto_field = "django.db.models.BigAutoField"
