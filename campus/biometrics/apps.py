from django.apps import AppConfig


class BiometricsConfig(AppConfig):
    name = "campus.biometrics"
    default_auto_field = "django.db.models.BigAutoField"
    verbose_name = "Faces"
