from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in
from django.db.models.signals import post_save
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    name = "campus.accounts"
    verbose_name = _("Accounts")

    def ready(self) -> None:
        from campus.accounts.history import note_login
        from campus.accounts.services import end_access_of_old_password

        user_logged_in.connect(note_login, dispatch_uid="note_login")
        post_save.connect(end_access_of_old_password, sender="auth.User", dispatch_uid="end_access_of_old_password")
