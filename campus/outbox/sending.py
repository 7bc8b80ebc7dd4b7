"""How a message leaves: by Django's e-mail, or as a signed POST to an address that may be called."""

import base64
import hashlib
import hmac
import ipaddress
import socket
from datetime import datetime
from smtplib import SMTPException
from urllib.parse import urlsplit

import urllib3
from django.conf import settings
from django.core.mail import send_mail
from django.utils.translation import gettext as _

from campus.outbox.models import PREFIX, Delivery, Webhook

TIMEOUT = urllib3.Timeout(connect=5.0, read=10.0)
GONE = 410
# Addresses that stand for others, private ones among them: NAT64 and 6to4.
TRANSLATED = [ipaddress.ip_network(net) for net in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16")]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class NotSent(Exception):
    """It did not arrive. The message is a sentence; `final` says that trying again is of no use, `gone` that the receiver wants
    no more messages at all."""

    def __init__(self, sentence: str, *, final: bool = False, gone: bool = False) -> None:
        super().__init__(sentence)
        self.final, self.gone = final, gone


def send(delivery: Delivery, now: datetime) -> None:
    """Raises NotSent."""
    if delivery.webhook:
        _post(delivery.webhook, delivery, now)
        return
    try:
        send_mail(delivery.subject, delivery.body, settings.DEFAULT_FROM_EMAIL, [delivery.to])
    except (SMTPException, OSError) as error:
        raise NotSent(_("The mail server did not take it: %(why)s") % {"why": error}) from error


def signature(secret: str, message_id: str, timestamp: int, body: str) -> str:
    """Of the Standard Webhooks: HMAC-SHA256 over id, seconds and body."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    signed = hmac.digest(key, f"{message_id}.{timestamp}.{body}".encode(), hashlib.sha256)
    return f"v1,{base64.b64encode(signed).decode()}"


def _post(webhook: Webhook, delivery: Delivery, now: datetime) -> None:
    """The name is looked up once and that very address is called, so that it cannot change in between. Redirects are not followed."""
    parts = urlsplit(webhook.url)
    try:
        host, port = (parts.hostname or "").encode("idna").decode(), parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise NotSent(_("The address is no valid one. Correct it."), final=True) from error
    address, inside = allowed_address(host, port)
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
        pool = urllib3.HTTPSConnectionPool(str(address), port, timeout=TIMEOUT, server_hostname=host, assert_hostname=host)
    elif inside:
        pool = urllib3.HTTPConnectionPool(str(address), port, timeout=TIMEOUT)
    else:
        raise NotSent(_("Plain http is for your own network only. Use an address that begins with https."), final=True)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        # What the receiver answers is not read: its status says enough.
        response = pool.urlopen(
            "POST", path, body=delivery.body.encode(), headers=headers, redirect=False, retries=False, preload_content=False
        )
        status = response.status
        response.close()
    except urllib3.exceptions.HTTPError as error:
        raise NotSent(_("The receiver could not be reached (%(why)s).") % {"why": type(error).__name__}) from error
    finally:
        pool.close()
    if not 200 <= status < 300:
        raise NotSent(_("The receiver answered %(status)d.") % {"status": status}, final=status == GONE, gone=status == GONE)


def allowed_address(host: str, port: int) -> tuple[Address, bool]:
    """Where the name leads, and whether that is inside the networks that the administrator allows.

    Raises NotSent where any of its addresses is private and not allowed: nobody reaches our own services through a webhook.
    """
    try:
        found = {info[4][0] for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError) as error:
        raise NotSent(_("The name “%(host)s” leads nowhere.") % {"host": host}) from error
    networks = [ipaddress.ip_network(net) for net in settings.WEBHOOK_NETWORKS]
    addresses = []
    for text in sorted(found, key=lambda text: (":" in str(text), text)):
        address: Address = ipaddress.ip_address(str(text).split("%", 1)[0])
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
            address = address.ipv4_mapped
        inside = any(address in network for network in networks)
        public = address.is_global and not address.is_multicast and not any(address in network for network in TRANSLATED)
        if not (inside or public):
            raise NotSent(
                _("“%(host)s” is inside the server's own network. The administrator can allow it (ROLLCALL_WEBHOOK_NETWORKS).")
                % {"host": host},
                final=True,
            )
        addresses.append((address, inside))
    return addresses[0]
