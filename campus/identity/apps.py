from django.apps import AppConfig
from django.utils.translation import gettext_lazy


class IdentityConfig(AppConfig):
    name = "campus.identity"
    verbose_name = gettext_lazy("Sign-in")
