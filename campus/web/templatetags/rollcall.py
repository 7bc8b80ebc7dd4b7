"""Formats of times and shares, and the roles that pages ask about."""

import re
from decimal import Decimal
from typing import Any

from django import template
from django.conf import settings
from django.http import HttpRequest
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from campus.accounts import roles
from campus.accounts.roles import AnyUser
from campus.biometrics import sent_photos
from campus.privacy.legal_holds import holds_of
from campus.web.help_topics import HelpTopic, find_topic

register = template.Library()


@register.simple_tag
def languages() -> list[tuple[str, str]]:
    """Each in its own name, whatever the page's language is."""
    return list(settings.LANGUAGES)


@register.filter(is_safe=True)
def collapse_space_between_tags(html: str) -> str:
    """A third of a page of the admin's theme is indentation."""
    return re.sub(r">\s+<", ">\n<", html)


@register.simple_tag
def icon(name: str) -> SafeString:
    """A symbol of icons.svg, beside words that say the same."""
    return format_html(
        '<svg class="icon" aria-hidden="true"><use href="{}#{}"></use></svg>', static("web/icons.svg"), name
    )


@register.filter
def initials(name: object) -> str:
    """Of the first and the last word: Maria da Silva -> MS."""
    words = str(name).split()
    return "".join(word[0] for word in words[:1] + words[1:][-1:]).upper()


@register.simple_tag(takes_context=True)
def waiting_sent_photos(context: dict[str, Any]) -> int:
    """How many photos that students have sent wait for approval."""
    return sent_photos.waiting_sent_photos(context["user"]).count()


@register.inclusion_tag("web/_legal_holds.html")
def legal_holds(**subject: Any) -> dict[str, Any]:
    """A note for each hold that keeps something of this `course`, `lecture` or `student`."""
    return {"holds": holds_of(**subject)}


@register.filter
def clock(seconds: float) -> str:
    """A position in a recording: 65 -> 1:05, 3700 -> 1:01:40."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


@register.filter
def minutes(seconds: float) -> str:
    """A length: whole minutes, or seconds under one minute."""
    return f"{seconds / 60:.0f} min" if seconds >= 60 else f"{seconds:.0f} s"


@register.filter
def percent(share: float) -> str:
    return f"{share:.0%}".replace("%", " %")


@register.filter
def points(number: Decimal) -> str:
    """Without zeros at the end."""
    return f"{float(number):g}"


@register.filter
def is_registrar(user: AnyUser) -> bool:
    return roles.is_registrar(user)


@register.filter
def may_write(user: AnyUser) -> bool:
    """Whether forms are shown; what each may change is the services' to say."""
    return not roles.is_auditor(user)


@register.filter
def opens_admin(user: AnyUser) -> bool:
    return roles.sees_everything(user)


@register.filter
def help_topic(request: HttpRequest | str) -> HelpTopic | None:
    """Of the page that was asked for. Django renders its error pages without a request, which is "" then."""
    match = getattr(request, "resolver_match", None)
    return find_topic(match.view_name) if match else None


@register.filter
def segment_state(segment: dict[str, Any]) -> str:
    """The state of a segment in one word, which is also its CSS class."""
    return "running" if segment["running"] else {"pending": "waiting"}.get(segment["state"], segment["state"])


SEGMENT_STATE_LABELS = {"running": _("in progress"), "waiting": _("waiting"), "done": _("done"), "failed": _("failed")}


@register.filter
def segment_state_label(state: str) -> str:
    return str(SEGMENT_STATE_LABELS[state])
