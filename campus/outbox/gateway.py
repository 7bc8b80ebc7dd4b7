"""Sends a message to whoever has opted in: by e-mail, or as an SMS by the institution's gateway."""

import json
from typing import Final
from urllib.parse import urlencode

from django.conf import settings
from django.core.mail import send_mail

from campus.common.outgoing_http import OutgoingError, request
from campus.outbox.delivery_error import DeliveryError
from campus.outbox.message_models import MessageOptIn, MessageSettings
from campus.outbox.models import Delivery

PASSING_STATUSES: Final = frozenset({408, 425, 429})
# The characters of an SMS of 160 (3GPP TS 23.038); those of the second line count as two.
GSM_CHARACTERS: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_DOUBLE: Final = frozenset("^{}\\[~]|€\f")


def get_message_settings() -> MessageSettings:
    """What was chosen, or else the defaults."""
    return MessageSettings.objects.first() or MessageSettings(pk=1)


def send_opted_in(delivery: Delivery) -> None:
    """Send the message to its opt-in's address. Raises DeliveryError, and what `send_mail` raises."""
    opt_in = delivery.opt_in
    if opt_in is None or opt_in.withdrawn_at:
        raise DeliveryError("The recipient does not want messages any more.", final=True)
    if opt_in.channel == MessageOptIn.Channel.EMAIL:
        send_mail(delivery.subject, delivery.body, settings.DEFAULT_FROM_EMAIL, [opt_in.address])
    else:
        send_sms(number=opt_in.address, text=delivery.body, message_id=str(delivery.pk))


def send_sms(*, number: str, text: str, message_id: str) -> None:
    """Hand an SMS to the gateway. Raises DeliveryError, and what `send_mail` raises."""
    chosen = get_message_settings()
    match MessageSettings.Gateway(chosen.gateway):
        case MessageSettings.Gateway.HTTP:
            _post(chosen, {"{to}": number, "{text}": text, "{id}": message_id, "{secret}": chosen.secret})
        case MessageSettings.Gateway.MAIL:
            address = chosen.mail_address.replace("{number}", number.removeprefix("+"))
            send_mail("", text, settings.DEFAULT_FROM_EMAIL, [address])
        case _:
            raise DeliveryError("No SMS gateway is set up. Choose one under “Message settings”.", final=True)


def _post(chosen: MessageSettings, values: dict[str, str]) -> None:
    """Values are put into texts that were taken apart before, so none can add a field or a header."""
    fields = {name: _fill(template, values) for name, template in chosen.body.items()}
    if chosen.body_format == MessageSettings.BodyFormat.JSON:
        kind, body = "application/json", json.dumps(fields).encode()
    else:
        kind, body = "application/x-www-form-urlencoded", urlencode(fields).encode()
    known = {name: values[name] for name in ("{secret}", "{id}")}
    headers = {name: _fill(template, known) for name, template in chosen.headers.items()}
    try:
        answer = request(
            "POST",
            chosen.url,
            networks_setting="CONNECTION_NETWORKS",
            headers={"Content-Type": kind} | headers,
            body=body,
            max_bytes=0,
        )
    except OutgoingError as error:
        raise DeliveryError(error.message, final=error.final) from error
    codes = chosen.accepted_codes
    is_accepted = str(answer.status) in codes if codes else answer.is_success
    if not is_accepted:
        is_final = 400 <= answer.status < 500 and answer.status not in PASSING_STATUSES
        raise DeliveryError("The SMS gateway answered {status}.", status=answer.status, final=is_final)


def _fill(template: str, values: dict[str, str]) -> str:
    """One pass: what is filled in is not looked at again."""
    parts, rest = [], template
    while rest:
        found = min((name for name in values if name in rest), key=rest.index, default="")
        if not found:
            break
        before, _found, rest = rest.partition(found)
        parts += [before, values[found]]
    return "".join([*parts, rest])


def count_parts(delivery: Delivery) -> int:
    """How many SMS a message is paid as; 0 for an e-mail or webhook."""
    is_sms = delivery.opt_in is not None and delivery.opt_in.channel == MessageOptIn.Channel.SMS
    return count_sms(delivery.body) if is_sms else 0


def count_sms(text: str) -> int:
    """How many SMS a text takes (3GPP TS 23.040)."""
    if set(text) <= GSM_CHARACTERS | GSM_DOUBLE:
        length, alone, joined = len(text) + sum(character in GSM_DOUBLE for character in text), 160, 153
    else:
        length, alone, joined = len(text.encode("utf-16-le")) // 2, 70, 67
    return 1 if length <= alone else -(-length // joined)
