"""Who may sign in: the password check of every door (pages, admin, API), with a limit on guesses."""

import hashlib
from typing import Any

from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.base_user import AbstractBaseUser
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest

TRIES = 10
SECONDS = 15 * 60
TOO_MANY = "Too many wrong passwords for this name. Wait a quarter of an hour and try again, or ask a registrar for a new password."


def client_address(request: HttpRequest) -> str:
    """The address of whoever asks: what the last of our own proxies saw, never what the client claims about itself."""
    proxies: int = settings.TRUSTED_PROXIES
    forwarded = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",") if part.strip()]
    if proxies and len(forwarded) >= proxies:
        return forwarded[-proxies]
    return str(request.META.get("REMOTE_ADDR", ""))


def _key(request: HttpRequest, username: str) -> str:
    who = f"{username.casefold()}\n{client_address(request)}"
    return f"signin:{hashlib.sha256(who.encode()).hexdigest()}"


def is_blocked(request: HttpRequest, username: str) -> bool:
    return int(cache.get(_key(request, username), 0)) >= TRIES


class LimitedBackend(ModelBackend):
    """Django's own check of name and password, at most ten wrong ones a quarter of an hour for one name from one address."""

    def authenticate(  # type: ignore[override]
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **kwargs: Any
    ) -> AbstractBaseUser | None:
        if request is None or username is None:
            return super().authenticate(request, username, password, **kwargs)
        if is_blocked(request, username):
            raise PermissionDenied
        user = super().authenticate(request, username, password, **kwargs)
        key = _key(request, username)
        if user is None:
            cache.add(key, 0, SECONDS)
            cache.incr(key)
        else:
            cache.delete(key)
        return user
