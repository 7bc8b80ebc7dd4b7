"""What happened to an account: logins, wrong passwords and changes, for its owner to read."""

import uuid
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone

from campus.accounts.addresses import client_address
from campus.accounts.models import AccountEvent
from campus.accounts.names import display_name
from campus.accounts.recent_login import confirm_login
from campus.accounts.session_store import LOGIN_KEY

_current_request: ContextVar[HttpRequest | None] = ContextVar("current_request", default=None)
# What a browser calls itself, and what people call it. The first that fits counts: most claim to be others, too.
BROWSERS = {
    "Edg": "Edge",
    "OPR/": "Opera",
    "Firefox/": "Firefox",
    "FxiOS/": "Firefox",
    "CriOS/": "Chrome",
    "Chrome/": "Chrome",
    "Safari/": "Safari",
}
SYSTEMS = {
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Android": "Android",
    "Windows": "Windows",
    "Mac OS X": "macOS",
    "Linux": "Linux",
}


def describe_device(user_agent: str) -> str:
    """The browser and the system that a User-Agent header claims, as "Firefox, Linux"; "" where it names neither."""
    found = (next((name for mark, name in known.items() if mark in user_agent), "") for known in (BROWSERS, SYSTEMS))
    return ", ".join(name for name in found if name)


def remember_request(get_response: Callable[[HttpRequest], HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Middleware: what happens to accounts during a request is recorded with where it comes from, and whose it is."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        token = _current_request.set(request)
        try:
            return get_response(request)
        finally:
            _current_request.reset(token)

    return middleware


def current_user() -> User | None:
    """Who sent the request that is being answered; None where there is none, or nobody is logged in."""
    request = _current_request.get()
    user = request.user if request else None
    return user if isinstance(user, User) else None


def record_event(*, user: User | None, kind: AccountEvent.Kind, about: str = "") -> None:
    """Note an event of the account; without a user, of a name that nobody has."""
    request = _current_request.get()
    actor = current_user()
    AccountEvent.objects.create(
        user=user,
        kind=kind,
        about=about[:100],
        done_by=display_name(actor) if actor and actor != user else "",
        address=client_address(request)[:45] if request else "",
        device=describe_device(request.headers.get("User-Agent", "")) if request else "",
    )


def note_login(*, request: HttpRequest, user: User, **_signal: Any) -> None:
    """Receiver of `user_logged_in`."""
    request.session[LOGIN_KEY] = {
        "login_id": uuid.uuid4().hex,
        "logged_in_at": timezone.now().isoformat(),
        "address": client_address(request)[:45],
        "device": describe_device(request.headers.get("User-Agent", "")),
    }
    confirm_login(request)
    record_event(user=user, kind=AccountEvent.Kind.LOGGED_IN)
