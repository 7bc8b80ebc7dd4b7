"""Who signs in from outside: by which system, as whom here, and with which rights."""

import json
import uuid
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from campus.academics.models import Course, Student
from campus.accounts.roles import Role
from campus.common.encrypted_fields import EncryptedTextField
from campus.common.messages import MessageField
from campus.identity.provider_settings import settings_form
from campus.identity.provisioning_models import ProvisionedGroup as ProvisionedGroup
from campus.identity.provisioning_models import ProvisionedUser as ProvisionedUser
from campus.identity.provisioning_models import ScimToken as ScimToken
from campus.identity.saml_models import SamlMetadata as SamlMetadata

MAX_SUBJECT_LENGTH = 255  # OpenID Connect Core, section 2


class IdentityProvider(models.Model):
    """A system at which people sign in. `settings` are those of its kind, as `provider_settings` says."""

    class Kind(models.TextChoices):
        OIDC = "oidc", "OpenID Connect"
        SAML = "saml", "SAML"
        LDAP = "ldap", "LDAP"
        LTI = "lti", "LTI"

    class Matching(models.TextChoices):
        """How somebody who signs in for the first time is found among the accounts here."""

        SUBJECT = "subject", _("Not at all: an administrator links them, or a new account is made")
        VERIFIED_EMAIL = "verified-email", _("By the e-mail address, which the provider has verified")
        USER_NAME = "user-name", _("By the user name")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices, default=Kind.OIDC)
    slug = models.SlugField(_("name in addresses"), max_length=40, unique=True)
    name = models.CharField(_("name"), max_length=100, help_text=_("It is on the button of the login page."))
    active = models.BooleanField(_("active"), default=False, help_text=_("Whether people can sign in with it."))
    for_staff = models.BooleanField(_("for staff"), default=True)
    for_students = models.BooleanField(
        _("for students"), default=False, help_text=_("They see their own page, and nothing else.")
    )
    settings = models.JSONField(default=dict, blank=True)
    secret = EncryptedTextField(blank=True, default="")
    matching = models.CharField(
        _("first sign-in of staff"), max_length=20, choices=Matching.choices, default=Matching.SUBJECT
    )
    match_claim = models.CharField(
        _("claim with the user name"),
        max_length=200,
        blank=True,
        help_text=_("Where staff are found by it. Empty: preferred_username."),
    )
    student_number_claim = models.CharField(
        _("claim with the student number"),
        max_length=200,
        blank=True,
        help_text=_("By it, students are found. Empty: the subject itself is the number."),
    )
    creates_accounts = models.BooleanField(
        _("makes accounts"),
        default=False,
        help_text=_("For staff who have none yet, where a rule below gives them a role or a class."),
    )
    replaces_passwords = models.BooleanField(
        _("instead of passwords"),
        default=False,
        help_text=_(
            "Passwords then open only the accounts of superusers and those that may keep a password for emergencies."
        ),
    )
    second_factor_values = models.JSONField(
        _("signs of a second factor"),
        default=list,
        blank=True,
        help_text=_(
            "Values of acr or amr, one a line, such as mfa. Who signs in with one of them is not asked for a code here."
        ),
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = _("provider")
        verbose_name_plural = _("providers")
        ordering = ["name", "slug"]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        form = settings_form(self.kind, self.settings)
        if form.errors:
            name, errors = next(iter(form.errors.items()))
            raise ValidationError(f"{form.fields[name].label}: {errors[0]}" if name in form.fields else str(errors[0]))
        self.settings = form.cleaned_data


class ExternalIdentity(models.Model):
    """One person at a provider, and who that is here: an account of staff, or a student."""

    class Rule(models.TextChoices):
        """By what the identity was linked when it was first seen."""

        VERIFIED_EMAIL = "verified-email", _("by the e-mail address")
        USER_NAME = "user-name", _("by the user name")
        STUDENT_NUMBER = "student-number", _("by the student number")
        PROVISIONED = "provisioned", _("as its directory had provisioned them (SCIM)")
        NEW_ACCOUNT = "new-account", _("with a new account")
        BY_HAND = "by-hand", _("by an administrator")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    provider = models.ForeignKey(
        IdentityProvider, on_delete=models.CASCADE, related_name="identities", verbose_name=_("provider")
    )
    issuer = models.CharField(_("issuer"), max_length=255)
    subject = models.CharField(_("subject identifier"), max_length=MAX_SUBJECT_LENGTH)
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="external_identities",
        verbose_name=_("staff member"),
    )
    student = models.ForeignKey(
        Student,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="external_identities",
        verbose_name=_("student"),
    )
    linked_at = models.DateTimeField(_("linked"), auto_now_add=True)
    linked_by_rule = models.CharField(_("how"), max_length=20, choices=Rule.choices, default=Rule.BY_HAND)
    last_sign_in_at = models.DateTimeField(_("last sign-in"), null=True, editable=False)
    # What the provider said of the person at the last sign-in, as JSON: for trying rules.
    claims = EncryptedTextField(blank=True, default="")
    granted_courses = models.ManyToManyField(
        Course, blank=True, related_name="+", editable=False, help_text="Classes that rules gave, and may take away."
    )

    class Meta:
        verbose_name = _("person who signs in")
        verbose_name_plural = _("people who sign in")
        ordering = ["-last_sign_in_at", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["issuer", "subject"], name="one_identity_an_issuer_and_subject"),
            models.CheckConstraint(
                condition=models.Q(user__isnull=False) ^ models.Q(student__isnull=False),
                name="identity_is_of_staff_or_of_a_student",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user or self.student}: {self.subject}"


class AccessRule(models.Model):
    """Who has this value in this claim gets the role, the class, or both. It is looked at with each sign-in.

    `{code}` in the value stands for the code of a class: `teaches-{code}` gives each class whose code is there.
    """

    provider = models.ForeignKey(IdentityProvider, on_delete=models.CASCADE, related_name="access_rules")
    claim = models.CharField(_("claim"), max_length=200, default="groups")
    value = models.CharField(
        _("value"), max_length=500, help_text=_("{code} stands for the code of a class: teaches-{code}")
    )
    role = models.CharField(_("role"), max_length=15, choices=Role.choices, blank=True)
    course = models.ForeignKey(Course, null=True, blank=True, on_delete=models.CASCADE, verbose_name=_("class"))
    order = models.PositiveSmallIntegerField(
        _("order"), default=0, help_text=_("Of several rules that give a role, the first one counts.")
    )

    class Meta:
        verbose_name = _("rule")
        verbose_name_plural = _("rules: who gets which role and classes")
        ordering = ["order", "pk"]

    def __str__(self) -> str:
        return f"{self.claim} = {self.value}"

    def clean(self) -> None:
        if not (self.role or self.course_id or "{code}" in self.value):
            raise ValidationError(_("Choose a role or a class, or write {code} into the value."))


class PasswordLogin(models.Model):
    """An account that may log in with a password where a provider replaces passwords: for emergencies."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, primary_key=True, on_delete=models.CASCADE, related_name="password_login"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.user}"


class FailedSignIn(models.Model):
    """A sign-in that was refused, for administrators. The person saw the code alone."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    provider = models.ForeignKey(IdentityProvider, on_delete=models.CASCADE, related_name="failures")
    code = models.CharField(_("code"), max_length=8)
    at = models.DateTimeField(_("when"), auto_now_add=True, db_index=True)
    error = MessageField(verbose_name=_("why"))
    claims = EncryptedTextField(blank=True, default="")

    class Meta:
        verbose_name = _("refused sign-in")
        verbose_name_plural = _("refused sign-ins")
        ordering = ["-at"]

    def __str__(self) -> str:
        return f"{self.code}: {self.error}"


class UsedToken(models.Model):
    """What may be used once, such as the id of a logout token or of an assertion, until it is too old anyway."""

    digest = models.CharField(max_length=64, primary_key=True)
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return self.digest


def load_claims(text: str) -> dict[str, Any]:
    """The claims as they were stored; none where nothing was."""
    return dict(json.loads(text)) if text else {}
