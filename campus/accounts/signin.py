"""Who may sign in: the password check of every door (pages, admin, API) and the code after it, with a limit on guesses."""

import hashlib
import time
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _

from campus.accounts.emails import recovery_code_used
from campus.accounts.services import recovery_code_use, second_step_passed
from campus.common.errors import UserError

TRIES = 10
SECONDS = 15 * 60
HALF = "half-signed-in"
HALF_SECONDS = 5 * 60


def too_many() -> str:
    return _(
        "Too many wrong passwords for this name. Wait a quarter of an hour and try again, or ask a registrar for a new password."
    )


def client_address(request: HttpRequest) -> str:
    """The address of whoever asks: what the last of our own proxies saw, never what the client claims about itself."""
    proxies: int = settings.TRUSTED_PROXIES
    forwarded = [part.strip() for part in request.headers.get("X-Forwarded-For", "").split(",") if part.strip()]
    if proxies and len(forwarded) >= proxies:
        return forwarded[-proxies]
    return str(request.META.get("REMOTE_ADDR", ""))


class Guesses:
    """Tries that count against a limit, forgotten a quarter of an hour after the first."""

    def __init__(self, kind: str, *who: object) -> None:
        about = "\n".join(str(part) for part in who)
        self.key = f"{kind}:{hashlib.sha256(about.encode()).hexdigest()}"

    @property
    def too_many(self) -> bool:
        return int(cache.get(self.key, 0)) >= TRIES

    def count(self) -> None:
        if not cache.add(self.key, 1, SECONDS):
            try:
                cache.incr(self.key)
            except ValueError:  # it ended between the two
                cache.add(self.key, 1, SECONDS)

    def forget(self) -> None:
        cache.delete(self.key)


def _passwords(request: HttpRequest, username: str) -> Guesses:
    return Guesses("signin", username.casefold(), client_address(request))


def is_blocked(request: HttpRequest, username: str) -> bool:
    return _passwords(request, username).too_many


class LimitedBackend(ModelBackend):
    """Django's own check of name and password, at most ten wrong ones a quarter of an hour for one name from one address."""

    def authenticate(  # type: ignore[override]
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **kwargs: Any
    ) -> AbstractBaseUser | None:
        if request is None or username is None:
            return super().authenticate(request, username, password, **kwargs)
        guesses = _passwords(request, username)
        if guesses.too_many:
            raise PermissionDenied
        user = super().authenticate(request, username, password, **kwargs)
        if user is None:
            guesses.count()
        else:
            guesses.forget()
        return user


def check_code(*, user: User, code: str) -> None:
    """The second step: a code from the phone, or a recovery code. Raises UserError for a wrong or used one, and for all after ten.

    Counted for the account, from wherever: who gets here knows the password, and a code has six digits only.
    """
    guesses = Guesses("code", user.pk)
    if guesses.too_many:
        raise UserError("Too many wrong codes. Wait a quarter of an hour and try again, or ask an administrator.")
    if not second_step_passed(user=user, code=code):
        if not recovery_code_use(user=user, code=code):
            guesses.count()
            raise UserError("This code is wrong or was used already. Wait for the next one.")
        recovery_code_used(user=user)
    guesses.forget()


@dataclass(frozen=True)
class Half:
    """Who has given the right password, and owes a code."""

    user: User
    backend: str
    next: str


def sign_in_half(request: HttpRequest, user: User, next_: str) -> None:
    """Remember in the session whose password was right. It opens nothing yet."""
    request.session.flush()
    request.session[HALF] = {
        "user": user.pk,
        "password": user.get_session_auth_hash(),
        "backend": user.backend,
        "until": time.time() + HALF_SECONDS,
        "next": next_,
    }


def half_signed_in(request: HttpRequest) -> Half | None:
    """None where nobody gave a password, it was too long ago, or account or password have changed since."""
    half = request.session.get(HALF)
    if half is None or half["until"] < time.time():
        return None
    user = User.objects.filter(pk=half["user"], is_active=True).first()
    if user is None or not constant_time_compare(user.get_session_auth_hash(), half["password"]):
        return None
    return Half(user, half["backend"], half["next"])
