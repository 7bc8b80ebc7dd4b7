from django.apps import AppConfig, apps
from django.contrib.auth.signals import user_logged_in
from django.db.models.signals import post_init, post_save
from django.utils.translation import gettext_lazy as _


class AccountsConfig(AppConfig):
    name = "campus.accounts"
    verbose_name = _("Accounts")

    def ready(self) -> None:
        from django.contrib.auth.models import User

        from campus.accounts.history import note_login
        from campus.accounts.names import display_name
        from campus.accounts.services import end_access_of_old_password, remember_password

        user_logged_in.connect(note_login, dispatch_uid="note_login")
        post_init.connect(remember_password, sender="auth.User", dispatch_uid="remember_password")
        post_save.connect(end_access_of_old_password, sender="auth.User", dispatch_uid="end_access_of_old_password")
        # Django's own model and the admin of it speak as people do.
        User.add_to_class("__str__", display_name)
        User._meta.verbose_name, User._meta.verbose_name_plural = _("staff member"), _("staff")
        # Headings above the title in the admin are those of its menu.
        apps.get_app_config("auth").verbose_name = _("Institution")
        apps.get_app_config("django_celery_beat").verbose_name = _("Cameras")
