"""Messages to send: e-mails, webhooks, and what goes to those who have opted in. Each is a row until it has arrived."""

import base64
import secrets
import uuid

from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from campus.academics.models import Course
from campus.common import jobs
from campus.common.encrypted_fields import EncryptedTextField
from campus.outbox.message_models import MessageOptIn as MessageOptIn
from campus.outbox.message_models import MessageSettings as MessageSettings

WEBHOOK_PREFIX = "whsec_"


def new_secret() -> str:
    return WEBHOOK_PREFIX + base64.b64encode(secrets.token_bytes(24)).decode()


class Webhook(models.Model):
    """An address that is told what happens to attendance, signed as the Standard Webhooks say."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    url = models.CharField(
        _("address"),
        max_length=500,
        validators=[URLValidator(schemes=["https", "http"])],
        help_text=_(
            "Begins with https. Addresses inside your network have to be allowed by the administrator of the server."
        ),
    )
    course = models.ForeignKey(
        Course,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="webhooks",
        verbose_name=_("class"),
        help_text=_("Empty: all classes."),
    )
    active = models.BooleanField(_("active"), default=True)
    secret = EncryptedTextField(_("secret"), default=new_secret)
    # The secret before, by which messages are signed as well for a day after a renewal.
    previous_secret = EncryptedTextField(default="", editable=False)
    previous_secret_until = models.DateTimeField(null=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("webhook")
        verbose_name_plural = _("webhooks")
        ordering = ["url"]

    def __str__(self) -> str:
        return self.url

    def clean(self) -> None:
        if "@" in self.url.split("://", 1)[-1].split("/", 1)[0]:
            raise ValidationError(
                {"url": _("Leave name and password out of the address; the receiver checks the signature.")}
            )


class Delivery(jobs.LeasedJob):
    """One message to one address. The same topic is sent to an address only once."""

    class State(models.TextChoices):
        QUEUED = "queued", _("to be sent")
        WAITING = "waiting", _("will be tried again")
        SENT = "sent", _("sent")
        FAILED = "failed", _("given up")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    webhook = models.ForeignKey(
        Webhook, null=True, blank=True, on_delete=models.CASCADE, related_name="deliveries", verbose_name=_("webhook")
    )
    to = models.EmailField(_("to"), blank=True)
    opt_in = models.ForeignKey(
        MessageOptIn,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="deliveries",
        verbose_name=_("opt-in"),
    )
    event = models.CharField(_("event"), max_length=40)
    subject = models.CharField(_("subject"), max_length=200, blank=True)
    body = models.TextField(_("text"))
    topic = models.TextField(
        db_index=True, editable=False, help_text="What it is about, the same for all its receivers."
    )
    key = models.CharField(max_length=64, unique=True, editable=False, help_text="SHA-256 of topic and receiver.")
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.QUEUED)
    tries = models.PositiveSmallIntegerField(_("tries"), default=0)
    parts = models.PositiveSmallIntegerField(_("SMS"), default=0, editable=False, help_text="How many were paid for.")
    due_at = models.DateTimeField(_("next try"), null=True, blank=True)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    sent_at = models.DateTimeField(_("sent"), null=True, blank=True)

    class Meta:
        verbose_name = _("message")
        verbose_name_plural = _("sent and waiting")
        ordering = ["-created_at"]
        indexes = [models.Index(fields=["state", "due_at"], name="messages_that_are_due")]
        constraints = [
            models.CheckConstraint(
                condition=(Q(webhook=None, opt_in=None) & ~Q(to=""))
                | Q(webhook__isnull=False, opt_in=None, to="")
                | Q(webhook=None, opt_in__isnull=False, to=""),
                name="a_message_has_one_address",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event} → {self.address}"

    @property
    def address(self) -> str:
        if self.opt_in:
            return self.opt_in.address
        return self.webhook.url if self.webhook else self.to
