"""Messages to students and their guardians by e-mail and SMS: who wants them, and by which gateway an SMS goes."""

from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator, URLValidator, validate_email
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.crypto import get_random_string
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from campus.academics.models import Student
from campus.common.encrypted_fields import EncryptedTextField

CODE_LENGTH = 16


def new_code() -> str:
    return get_random_string(CODE_LENGTH)


def clean_number(text: str) -> str:
    """A phone number as gateways want it. Raises ValidationError."""
    digits = "".join(character for character in text if character.isdecimal())
    if not (text.strip().startswith("+") and digits.isascii() and 7 <= len(digits) <= 15):
        raise ValidationError(_("Write the number with its country code, like +49 171 5550199."))
    return f"+{digits}"


def _validate_templates(value: Any) -> None:
    """Names and texts: what is sent in place of {to}, {text}, {id} and {secret} is put into the texts alone."""
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise ValidationError(_('Write names and texts, like {"to": "{to}", "text": "{text}"}.'))


class MessageSettings(models.Model):
    """One row: how an SMS is sent, when nobody is disturbed, and how many messages are sent at most."""

    class Gateway(models.TextChoices):
        NONE = "", _("none: no SMS is sent")
        HTTP = "http", _("a web address")
        MAIL = "mail", _("e-mail to the number at a gateway")

    class BodyFormat(models.TextChoices):
        JSON = "json", "JSON"
        FORM = "form", _("form")

    gateway = models.CharField(_("SMS gateway"), max_length=4, choices=Gateway.choices, blank=True)
    url = models.CharField(
        _("address"),
        max_length=500,
        blank=True,
        validators=[URLValidator(schemes=["https", "http"])],
        help_text=_(
            "It is sent a POST. Addresses inside your network have to be allowed by the server's administrator."
        ),
    )
    headers = models.JSONField(
        _("headers"),
        default=dict,
        blank=True,
        validators=[_validate_templates],
        help_text=_('Like {"Authorization": "Bearer {secret}"}.'),
    )
    body_format = models.CharField(_("sent as"), max_length=4, choices=BodyFormat.choices, default=BodyFormat.JSON)
    body = models.JSONField(
        _("content"),
        default=dict,
        blank=True,
        validators=[_validate_templates],
        help_text=_(
            'Like {"to": "{to}", "text": "{text}", "reference": "{id}"}. A message keeps its id in repeated tries.'
        ),
    )
    secret = EncryptedTextField(_("secret"), blank=True, default="", help_text=_("What {secret} stands for."))
    success_statuses = models.CharField(
        _("accepted if the answer is"),
        max_length=40,
        blank=True,
        help_text=_("Status codes, like 200, 202. Empty: all from 200 to 299."),
    )
    mail_address = models.CharField(
        _("e-mail address"), max_length=200, blank=True, help_text=_("Like {number}@sms.example.")
    )
    quiet_from = models.TimeField(
        _("quiet from"), null=True, blank=True, help_text=_("In the institution's time zone.")
    )
    quiet_until = models.TimeField(_("quiet until"), null=True, blank=True)
    daily_limit = models.PositiveIntegerField(
        _("messages a day"), default=500, help_text=_("Any more wait for the next day.")
    )
    daily_limit_per_recipient = models.PositiveSmallIntegerField(
        _("messages a day to one recipient"), default=3, validators=[MinValueValidator(1)]
    )
    price = models.DecimalField(
        _("price of an SMS"),
        max_digits=8,
        decimal_places=4,
        null=True,
        blank=True,
        validators=[MinValueValidator(0)],
        help_text=_("For the estimate of the cost. A long text is several SMS."),
    )
    currency = models.CharField(_("currency"), max_length=3, blank=True, default="EUR")

    class Meta:
        verbose_name = _("message settings")
        verbose_name_plural = _("message settings")

    def __str__(self) -> str:
        return str(capfirst(_("message settings")))

    def clean(self) -> None:
        if self.gateway == self.Gateway.HTTP and not (self.url and self.body):
            raise ValidationError({"url": _("A web address needs the address and the content.")})
        if self.gateway == self.Gateway.MAIL:
            try:
                validate_email(self.mail_address.replace("{number}", "49171"))
            except ValidationError as error:
                raise ValidationError({"mail_address": error.messages}) from error
            if "{number}" not in self.mail_address:
                raise ValidationError({"mail_address": _("Write {number} where the phone number belongs.")})
        if (self.quiet_from is None) != (self.quiet_until is None):
            raise ValidationError({"quiet_until": _("Quiet hours have a beginning and an end.")})
        if any(not code.isdecimal() for code in self.accepted_codes):
            raise ValidationError({"success_statuses": _("Write numbers with commas between them.")})

    @property
    def accepted_codes(self) -> list[str]:
        return [code.strip() for code in self.success_statuses.split(",") if code.strip()]


class MessageOptIn(models.Model):
    """Somebody wants messages about a student's attendance at this address: who, when, and to which text. It is never
    changed but by its confirmation and its end; another address is another one.

    `code` is secret in the link by which the recipient confirms and ends it. `recorded_by` and `withdrawn_by` are
    staff, as they were called then; empty where the student or the recipient did it.
    """

    class Recipient(models.TextChoices):
        STUDENT = "student", _("the student")
        GUARDIAN = "guardian", _("a guardian")

    class Channel(models.TextChoices):
        EMAIL = "email", _("e-mail")
        SMS = "sms", _("SMS")

    class Method(models.TextChoices):
        LINK = "link", _("by link")
        PAPER = "paper", _("on paper")
        STAFF = "staff", _("told to staff")

    student = models.ForeignKey(
        Student, on_delete=models.CASCADE, related_name="message_opt_ins", verbose_name=_("student")
    )
    recipient = models.CharField(_("for"), max_length=10, choices=Recipient.choices)
    channel = models.CharField(_("sent by"), max_length=5, choices=Channel.choices)
    address = models.CharField(_("address"), max_length=254)
    name = models.CharField(_("name"), max_length=200, blank=True)
    language = models.CharField(_("language"), max_length=10, choices=settings.LANGUAGES)
    text = models.TextField(_("text"))
    method = models.CharField(_("how"), max_length=10, choices=Method.choices)
    code = models.CharField(max_length=CODE_LENGTH, unique=True, default=new_code, editable=False)
    given_at = models.DateTimeField(_("given at"), default=timezone.now)
    recorded_by = models.CharField(_("recorded by"), max_length=150, blank=True)
    confirmed_at = models.DateTimeField(_("confirmed at"), null=True, blank=True)
    withdrawn_at = models.DateTimeField(_("withdrawn at"), null=True, blank=True)
    withdrawn_by = models.CharField(_("withdrawn by"), max_length=150, blank=True)

    class Meta:
        verbose_name = _("opt-in to messages")
        verbose_name_plural = _("opt-ins to messages")
        ordering = ["-given_at", "-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["student", "recipient", "address"],
                condition=Q(withdrawn_at=None),
                name="one_opt_in_a_student_and_address",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.student}: {self.recipient} by {self.channel}"

    def clean(self) -> None:
        if self.channel == self.Channel.SMS:
            try:
                self.address = clean_number(self.address)
            except ValidationError as error:
                raise ValidationError({"address": error.messages}) from error
        else:
            try:
                validate_email(self.address)
            except ValidationError as error:
                raise ValidationError({"address": error.messages}) from error

    @property
    def is_active(self) -> bool:
        return self.confirmed_at is not None and self.withdrawn_at is None
