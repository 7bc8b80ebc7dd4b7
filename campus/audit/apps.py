from django.apps import AppConfig
from django.db.models.signals import post_migrate, post_save
from django.utils.translation import gettext_lazy as _


class AuditConfig(AppConfig):
    name = "campus.audit"
    verbose_name = _("Audit log")

    def ready(self) -> None:
        from campus.audit.account_events import record_account_event
        from campus.audit.row_changes import watch_rows
        from campus.audit.triggers import create_triggers

        # After every migration: SQLite loses a table's triggers when it makes the table anew.
        post_migrate.connect(create_triggers, sender=self, dispatch_uid="create_audit_triggers")
        post_save.connect(record_account_event, sender="accounts.AccountEvent", dispatch_uid="record_account_event")
        watch_rows()
