from django.apps import AppConfig
from django.utils.translation import gettext_lazy


class BiometricsConfig(AppConfig):
    name = "campus.biometrics"
    verbose_name = gettext_lazy("Faces")
