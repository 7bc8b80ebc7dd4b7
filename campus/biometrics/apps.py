from django.apps import AppConfig
from django.utils.translation import gettext_lazy


class BiometricsConfig(AppConfig):
    name = "campus.biometrics"
    verbose_name = gettext_lazy("Faces")

    def ready(self) -> None:
        from campus.biometrics.basis import follow_basis
        from campus.consent.signals import basis_changed

        basis_changed.connect(follow_basis, dispatch_uid="follow_basis")
