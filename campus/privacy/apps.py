from django.apps import AppConfig
from django.db.models.signals import pre_delete
from django.utils.translation import gettext_lazy as _


class PrivacyConfig(AppConfig):
    name = "campus.privacy"
    verbose_name = _("Privacy")

    def ready(self) -> None:
        from campus.privacy.legal_holds import refuse_deletion

        for model in ("recordings.Recording", "academics.Lecture", "attendance.Excuse"):
            pre_delete.connect(refuse_deletion, sender=model)
