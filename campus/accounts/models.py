"""API tokens, two-factor login, sessions, invitations, history and preferences of users, and the institution."""

import uuid

from django.conf import settings
from django.contrib.sessions.base_session import AbstractBaseSession
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from campus.accounts.session_store import SessionStore
from campus.common.encrypted_fields import EncryptedTextField


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
        settings.AUTH_USER_MODEL,
        primary_key=True,
        on_delete=models.CASCADE,
        related_name="two_factor_device",
        verbose_name=_("person"),
    )
    secret = EncryptedTextField()
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


class LoginSession(AbstractBaseSession):
    """A browser that is logged in, or may be. `login_id` names it on pages, since the key opens it."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="sessions")
    login_id = models.UUIDField(null=True)
    logged_in_at = models.DateTimeField(null=True)
    address = models.CharField(max_length=45, blank=True)
    device = models.CharField(max_length=50, blank=True, help_text="Browser and system, as the browser says.")
    # Of a sign-in at another system (`campus/identity`), which may end the session: which one, who and which session
    # the person is there.
    provider = models.UUIDField(null=True)
    external_subject = models.CharField(max_length=255, blank=True)
    external_session = models.CharField(max_length=255, blank=True)

    class Meta:
        ordering = ["-logged_in_at"]
        indexes = [
            models.Index(
                fields=["provider", "external_subject"],
                condition=models.Q(provider__isnull=False),
                name="session_by_external_subject",
            )
        ]

    def __str__(self) -> str:
        return f"{self.device or '-'}, {self.logged_in_at}"

    @classmethod
    def get_session_store_class(cls) -> type[SessionStore]:
        return SessionStore


class Invitation(models.Model):
    """Lets somebody open an account that was made for them, by a link. Its end, used or withdrawn, is its deletion."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="invitation")
    # Names the valid link: each sending makes a new one.
    key = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    invited_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.user}, until {self.expires_at}"

    @property
    def is_expired(self) -> bool:
        return self.expires_at <= timezone.now()


class AccountEvent(models.Model):
    """A login, a failed one, or a change of an account, for its owner to read. Without a user: a name of nobody."""

    class Kind(models.TextChoices):
        LOGGED_IN = "logged-in", _("logged in")
        WRONG_PASSWORD = "wrong-password", _("wrong password")
        WRONG_CODE = "wrong-code", _("wrong code")
        PASSWORD_CHANGED = "password-changed", _("password changed")
        EMAIL_CHANGED = "email-changed", _("e-mail address changed")
        ROLE_CHANGED = "role-changed", _("role changed")
        TWO_FACTOR_ON = "two-factor-on", _("two-factor login turned on")
        TWO_FACTOR_OFF = "two-factor-off", _("two-factor login turned off")
        RECOVERY_CODES_CREATED = "recovery-codes-created", _("recovery codes created")
        RECOVERY_CODE_USED = "recovery-code-used", _("recovery code used")
        TOKEN_CREATED = "token-created", _("API token created")
        TOKEN_REVOKED = "token-revoked", _("API token revoked")
        CALENDAR_LINK_CREATED = "calendar-link-created", _("calendar link created")
        SESSIONS_ENDED = "sessions-ended", _("logged out elsewhere")
        ATTENDANCE_EXPORTED = "attendance-exported", _("attendance exported")
        IDENTITY_LINKED = "identity-linked", _("linked to a sign-in elsewhere")
        INVITED = "invited", _("invited")
        INVITATION_ACCEPTED = "invitation-accepted", _("invitation accepted")
        DEACTIVATED = "deactivated", _("account deactivated")
        REACTIVATED = "reactivated", _("account reactivated")

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.CASCADE, related_name="account_events"
    )
    kind = models.CharField(max_length=30, choices=Kind.choices)
    about = models.CharField(max_length=100, blank=True)
    done_by = models.CharField(max_length=150, blank=True, help_text="The name of whoever did it for the owner.")
    address = models.CharField(max_length=45, blank=True)
    device = models.CharField(max_length=50, blank=True)
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        ordering = ["-created_at", "-pk"]

    def __str__(self) -> str:
        return f"{self.user}: {self.get_kind_display()}"

    @property
    def is_failure(self) -> bool:
        return self.kind in (self.Kind.WRONG_PASSWORD, self.Kind.WRONG_CODE)


class Institution(models.Model):
    """What the institution is called, and by what right it recognises faces. There is one row at most, and none until
    somebody has changed something: the defaults count then.
    """

    class LegalBasis(models.TextChoices):
        CONSENT = "consent", _("The consent of each student")
        OTHER = "other", _("Another legal basis")

    name = models.CharField(_("name"), max_length=100, blank=True)
    legal_basis = models.CharField(
        _("legal basis for recognising faces"),
        max_length=10,
        choices=LegalBasis.choices,
        default=LegalBasis.CONSENT,
    )
    basis_text = models.TextField(_("the other legal basis"), max_length=5000, blank=True)
    basis_chosen = models.BooleanField(default=False, editable=False, help_text="Whether somebody has looked at it.")
    basis_since = models.DateTimeField(null=True, editable=False, help_text="Since when it is as it is.")
    automatic_marking = models.BooleanField(_("Faces are recognised"), default=True)
    objection_days = models.PositiveSmallIntegerField(
        _("working days to answer an objection"),
        default=10,
        validators=[MinValueValidator(1), MaxValueValidator(60)],
    )

    def __str__(self) -> str:
        return self.name


class Preferences(models.Model):
    """A user's choices for the own account."""

    user = models.OneToOneField(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="preferences")
    language = models.CharField(
        max_length=10, blank=True, help_text=_("Of the pages and the e-mails; empty: as the browser asks.")
    )
    tour_ended = models.BooleanField(default=False, help_text="The tour of the first page was ended or skipped.")

    def __str__(self) -> str:
        return f"{self.user}: {self.language or '-'}"
