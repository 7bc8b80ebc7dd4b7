"""Sends one message: by Django's e-mail, or as a signed POST to an address that may be called."""

import base64
import hashlib
import hmac
from datetime import datetime
from smtplib import SMTPException
from urllib.parse import urlsplit

import urllib3
from django.conf import settings
from django.core.mail import send_mail

from campus.common.errors import UserError
from campus.common.network_policy import PrivateAddress, UnresolvableHost, resolve_allowed_addresses
from campus.outbox.invitation import INVITATION, send_invitation
from campus.outbox.models import WEBHOOK_PREFIX, Delivery, Webhook
from campus.outbox.own_link import OWN_LINK, send_own_link
from campus.outbox.password_reset import PASSWORD_RESET, send_password_reset
from campus.outbox.photo_refusal import PHOTO_REFUSAL, send_photo_refusal
from campus.outbox.photo_request import PHOTO_REQUEST, send_photo_request
from recognition.messages import Message

TIMEOUT = urllib3.Timeout(connect=5.0, read=10.0)
GONE_STATUS = 410


class DeliveryError(UserError):
    """The message did not arrive. `final`: trying again is of no use; `gone`: the receiver wants no more messages at
    all.
    """

    def __init__(self, message: str | Message, /, *, final: bool = False, gone: bool = False, **values: object) -> None:
        super().__init__(message, **values)
        self.final, self.gone = final, gone


def send(delivery: Delivery, now: datetime) -> None:
    """Send the message. Raises DeliveryError."""
    if delivery.webhook:
        _post(delivery.webhook, delivery, now)
        return
    try:
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
    """The name is looked up once and that very address is called, so that it cannot change in between. Redirects are
    not followed.
    """
    parts = urlsplit(webhook.url)
    try:
        host, port = (
            (parts.hostname or "").encode("idna").decode(),
            parts.port or (443 if parts.scheme == "https" else 80),
        )
    except ValueError as error:
        raise DeliveryError("The address is no valid one. Correct it.", final=True) from error
    try:
        address, inside = resolve_allowed_addresses(host, port, settings.WEBHOOK_NETWORKS, "ROLLCALL_WEBHOOK_NETWORKS")[
            0
        ]
    except (PrivateAddress, UnresolvableHost) as error:
        raise DeliveryError(error.message, final=isinstance(error, PrivateAddress)) from error
    timestamp = int(now.timestamp())
    headers = {
        "Host": host if parts.port is None else f"{host}:{port}",
        "Content-Type": "application/json",
        "User-Agent": "Rollcall",
        "webhook-id": str(delivery.pk),
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(webhook.secret, str(delivery.pk), timestamp, delivery.body),
    }
    pool: urllib3.HTTPConnectionPool
    if parts.scheme == "https":
        pool = urllib3.HTTPSConnectionPool(
            str(address), port, timeout=TIMEOUT, server_hostname=host, assert_hostname=host
        )
    elif inside:
        pool = urllib3.HTTPConnectionPool(str(address), port, timeout=TIMEOUT)
    else:
        raise DeliveryError(
            "Plain http is for your own network only. Use an address that begins with https.", final=True
        )
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        # What the receiver answers is not read: its status says enough.
        response = pool.urlopen(
            "POST",
            path,
            body=delivery.body.encode(),
            headers=headers,
            redirect=False,
            retries=False,
            preload_content=False,
        )
        status = response.status
        response.close()
    except urllib3.exceptions.HTTPError as error:
        raise DeliveryError("The receiver could not be reached ({why}).", why=type(error).__name__) from error
    finally:
        pool.close()
    if not 200 <= status < 300:
        raise DeliveryError(
            "The receiver answered {status}.", status=status, final=status == GONE_STATUS, gone=status == GONE_STATUS
        )
