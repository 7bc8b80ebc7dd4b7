"""Sends one message: by Django's e-mail, as a signed POST to an address that may be called, or as an SMS."""

import base64
import hashlib
import hmac
from datetime import datetime
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import send_mail

from campus.common.outgoing_http import OutgoingError, request
from campus.outbox.delivery_error import DeliveryError
from campus.outbox.gateway import send_opted_in
from campus.outbox.invitation import INVITATION, send_invitation
from campus.outbox.models import WEBHOOK_PREFIX, Delivery, Webhook
from campus.outbox.own_link import OWN_LINK, send_own_link
from campus.outbox.password_reset import PASSWORD_RESET, send_password_reset
from campus.outbox.photo_refusal import PHOTO_REFUSAL, send_photo_refusal
from campus.outbox.photo_request import PHOTO_REQUEST, send_photo_request

GONE_STATUS = 410


def send(delivery: Delivery, now: datetime) -> None:
    """Send the message. Raises DeliveryError."""
    if delivery.webhook:
        _post(delivery.webhook, delivery, now)
        return
    try:
        if delivery.opt_in:
            send_opted_in(delivery)
            return
        if delivery.event == PASSWORD_RESET:
            if not send_password_reset(delivery.to):
                raise DeliveryError("No open account has this address.", final=True)
            return
        if delivery.event == INVITATION:
            if not send_invitation(delivery.to):
                raise DeliveryError("The invitation was used or withdrawn, or has expired.", final=True)
            return
        if delivery.event == PHOTO_REQUEST:
            if not send_photo_request(delivery.topic):
                raise DeliveryError("The link for photos was withdrawn or replaced, or has expired.", final=True)
            return
        if delivery.event == OWN_LINK:
            if not send_own_link(delivery.topic):
                raise DeliveryError("The link was withdrawn or replaced, or has expired.", final=True)
            return
        if delivery.event == PHOTO_REFUSAL:
            if not send_photo_refusal(delivery.topic):
                raise DeliveryError("The refused photo was replaced or deleted meanwhile.", final=True)
            return
        send_mail(delivery.subject, delivery.body, settings.DEFAULT_FROM_EMAIL, [delivery.to])
    except (SMTPException, OSError) as error:
        raise DeliveryError("The mail server did not take it: {why}", why=error) from error


def signature(secret: str, message_id: str, timestamp: int, body: str) -> str:
    """Of the Standard Webhooks: HMAC-SHA256 over id, seconds and body."""
    key = base64.b64decode(secret.removeprefix(WEBHOOK_PREFIX))
    signed = hmac.digest(key, f"{message_id}.{timestamp}.{body}".encode(), hashlib.sha256)
    return f"v1,{base64.b64encode(signed).decode()}"


def _post(webhook: Webhook, delivery: Delivery, now: datetime) -> None:
    timestamp = int(now.timestamp())
    secrets = [webhook.secret]
    if webhook.previous_secret_until and webhook.previous_secret_until > now:
        secrets.append(webhook.previous_secret)
    headers = {
        "Content-Type": "application/json",
        "webhook-id": str(delivery.pk),
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(
            signature(secret, str(delivery.pk), timestamp, delivery.body) for secret in secrets
        ),
    }
    try:
        # What the receiver answers is not read: its status says enough.
        answer = request(
            "POST",
            webhook.url,
            networks_setting="WEBHOOK_NETWORKS",
            headers=headers,
            body=delivery.body.encode(),
            max_bytes=0,
        )
    except OutgoingError as error:
        raise DeliveryError(error.message, final=error.final) from error
    if not answer.is_success:
        is_gone = answer.status == GONE_STATUS
        raise DeliveryError("The receiver answered {status}.", status=answer.status, final=is_gone, gone=is_gone)
