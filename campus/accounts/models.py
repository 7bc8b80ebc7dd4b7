"""API tokens, two-factor login and preferences of users."""

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class ApiToken(models.Model):
    """Lets a program use the API in a user's name. Only the hash of the secret is stored."""

    class Scope(models.TextChoices):
        READ = "read", _("may read")
        WRITE = "write", _("may read and write")

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens", verbose_name=_("person")
    )
    name = models.CharField(_("what it is for"), max_length=100)
    scope = models.CharField(_("what it may do"), max_length=5, choices=Scope.choices, default=Scope.READ)
    prefix = models.CharField(_("starts with"), max_length=16, editable=False)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(_("made"), auto_now_add=True)
    expires_at = models.DateTimeField(_("ends"))
    last_used_at = models.DateTimeField(_("last used"), null=True, editable=False)

    class Meta:
        verbose_name = _("API token")
        verbose_name_plural = _("API tokens")
        ordering = ["-created_at", "-pk"]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @property
    def is_expired(self) -> bool:
        return self.expires_at <= timezone.now()


class TwoFactorDevice(models.Model):
    """A code from an app on the person's phone (TOTP, RFC 6238), asked for after the password."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="two_factor_device", verbose_name=_("person")
    )
    secret = models.CharField(max_length=64, editable=False)
    # The time step of the last accepted code: no code is accepted twice.
    last_time_step = models.BigIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(_("since"), auto_now_add=True)

    class Meta:
        verbose_name = _("second step of the login")
        verbose_name_plural = _("second steps of the login")

    def __str__(self) -> str:
        return f"{self.user}"


class RecoveryCode(models.Model):
    """Accepted once in place of a code from the phone. Only its hash is stored; a used code is deleted."""

    device = models.ForeignKey(TwoFactorDevice, on_delete=models.CASCADE, related_name="recovery_codes")
    digest = models.CharField(max_length=64, unique=True, editable=False)

    def __str__(self) -> str:
        return f"a recovery code of {self.device}"


class Preferences(models.Model):
    """A user's choices for the own account."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="preferences")
    language = models.CharField(
        max_length=10, blank=True, help_text=_("Of the pages and the e-mails; empty: as the browser asks.")
    )

    def __str__(self) -> str:
        return f"{self.user}: {self.language or '-'}"
