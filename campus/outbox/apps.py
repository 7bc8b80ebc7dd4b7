from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class OutboxConfig(AppConfig):
    name = "campus.outbox"
    verbose_name = _("Messages")

    def ready(self) -> None:
        from campus.accounts.signals import recovery_code_used
        from campus.outbox.account_emails import notify_recovery_code_used

        recovery_code_used.connect(notify_recovery_code_used, dispatch_uid="notify_recovery_code_used")
