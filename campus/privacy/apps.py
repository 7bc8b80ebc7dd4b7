from django.apps import AppConfig
from django.db.models.signals import pre_delete
from django.utils.translation import gettext_lazy as _


class PrivacyConfig(AppConfig):
    name = "campus.privacy"
    verbose_name = _("Privacy")

    def ready(self) -> None:
        from campus.attendance.student_merge import students_merging
        from campus.privacy.legal_holds import refuse_deletion, refuse_merge

        for model in ("recordings.Recording", "academics.Lecture", "attendance.Excuse"):
            pre_delete.connect(refuse_deletion, sender=model)
        students_merging.connect(refuse_merge, dispatch_uid="refuse_merge")
