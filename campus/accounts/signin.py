"""Sign-in to pages, admin and API: the password, then the two-factor code, both with a limit on attempts."""

import hashlib
import time
from dataclasses import asdict, dataclass, field
from typing import Any

from django.conf import settings
from django.contrib.auth import login
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import HttpRequest, HttpResponseBase
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _

from campus.accounts.addresses import client_network
from campus.accounts.history import record_event
from campus.accounts.models import AccountEvent
from campus.accounts.services import redeem_recovery_code, verify_two_factor_code
from campus.accounts.session_store import LOGIN_KEY
from campus.accounts.signals import recovery_code_used
from campus.common.errors import UserError

MAX_ATTEMPTS = 10
MAX_ATTEMPTS_PER_NETWORK = 30  # wrong passwords for whatever names
ATTEMPT_WINDOW_SECONDS = 15 * 60
KNOWN_BROWSER_COOKIE = "known_browser"
KNOWN_BROWSER_SECONDS = 180 * 24 * 3600
PENDING_LOGIN_KEY = "pending-login"
PENDING_LOGIN_SECONDS = 5 * 60


def too_many_attempts() -> str:
    return _(
        "Too many wrong passwords. Wait a quarter of an hour and try again, or ask a registrar for a new password."
    )


class AttemptLimit:
    """Counts attempts against a limit. The count ends a quarter of an hour after the first attempt."""

    def __init__(self, kind: str, *subject: object, most: int = MAX_ATTEMPTS) -> None:
        self.most = most
        text = "\n".join(str(part) for part in subject)
        self.key = f"{kind}:{hashlib.sha256(text.encode()).hexdigest()}"

    @property
    def is_exceeded(self) -> bool:
        return int(cache.get(self.key, 0)) >= self.most

    def add_attempt(self) -> None:
        if not cache.add(self.key, 1, ATTEMPT_WINDOW_SECONDS):
            try:
                cache.incr(self.key)
            except ValueError:  # the count expired between the two calls
                cache.add(self.key, 1, ATTEMPT_WINDOW_SECONDS)

    def reset(self) -> None:
        cache.delete(self.key)


def _name_limit(request: HttpRequest, username: str) -> AttemptLimit:
    return AttemptLimit("signin", username.casefold(), client_network(request))


def _network_limit(request: HttpRequest) -> AttemptLimit:
    return AttemptLimit("signin", client_network(request), most=MAX_ATTEMPTS_PER_NETWORK)


def is_login_blocked(request: HttpRequest, username: str) -> bool:
    """Whether there were too many wrong passwords for this name, or for any names, from the client's network.

    A browser in which this name has logged in before is spared the second limit: nobody can lock out all who share
    an address.
    """
    if _name_limit(request, username).is_exceeded:
        return True
    known = request.get_signed_cookie(KNOWN_BROWSER_COOKIE, default="", max_age=KNOWN_BROWSER_SECONDS) or ""
    return username.casefold() not in known.split() and _network_limit(request).is_exceeded


def reset_login_limit(request: HttpRequest, username: str) -> None:
    """Forget wrong passwords for this name: another system has accepted one."""
    _name_limit(request, username).reset()


def remember_browser(response: HttpResponseBase, user: User) -> None:
    """Let `is_login_blocked` know this browser again."""
    response.set_signed_cookie(
        KNOWN_BROWSER_COOKIE,
        f"{user.get_username()} {user.email}".casefold(),
        max_age=KNOWN_BROWSER_SECONDS,
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def _owner_of(login: str) -> User | None:
    """Whose user name this is, or else whose e-mail address, if only one open account has it."""
    found = list(User.objects.filter(Q(username=login) | Q(email__iexact=login, is_active=True) & ~Q(email=""))[:3])
    by_name = [user for user in found if user.get_username() == login]
    return next(iter(by_name), found[0] if len(found) == 1 else None)


class RateLimitedBackend(ModelBackend):
    """Django's password check, of a user name or an e-mail address, with limits on wrong passwords, for a name and
    for all names, from one network.

    Each counts apart: if the two of an account counted together, that would tell whose address it is.
    """

    def authenticate(  # type: ignore[override]
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **kwargs: Any
    ) -> AbstractBaseUser | None:
        if request is None or username is None:
            return super().authenticate(request, username, password, **kwargs)
        if is_login_blocked(request, username):
            raise PermissionDenied
        # For a name that nobody has, the same is done: the time does not tell.
        owner = _owner_of(username)
        user = super().authenticate(request, owner.get_username() if owner else username, password, **kwargs)
        if user is None:
            _name_limit(request, username).add_attempt()
            _network_limit(request).add_attempt()
            record_event(user=owner, kind=AccountEvent.Kind.WRONG_PASSWORD)
        else:
            _name_limit(request, username).reset()
        return user


def verify_login_code(*, user: User, code: str) -> None:
    """Accept a code from the phone or a recovery code. Raises UserError otherwise, and after too many attempts.

    Attempts count for the account, from all addresses: the password is known by then, and a code has only six digits.
    """
    limit = AttemptLimit("code", user.pk)
    if limit.is_exceeded:
        raise UserError("Too many wrong codes. Wait a quarter of an hour and try again, or ask an administrator.")
    if not verify_two_factor_code(user=user, code=code):
        if not redeem_recovery_code(user=user, code=code):
            limit.add_attempt()
            record_event(user=user, kind=AccountEvent.Kind.WRONG_CODE)
            raise UserError("This code is wrong or was used already. Wait for the next one.")
        record_event(user=user, kind=AccountEvent.Kind.RECOVERY_CODE_USED)
        recovery_code_used.send(User, user=user)
    limit.reset()


@dataclass(frozen=True, kw_only=True)
class ExternalLogin:
    """What a session keeps of a sign-in at another system: `details` are fields of its row, `values` is for itself."""

    details: dict[str, str] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class PendingLogin:
    """A user who gave the right password, or was signed in elsewhere, but gave no code yet."""

    user: User
    backend: str
    next: str
    external: ExternalLogin


def start_pending_login(request: HttpRequest, user: User, next_: str, external: ExternalLogin | None = None) -> None:
    """Remember in the session whose password was right. It gives no access yet."""
    external = external or ExternalLogin()
    request.session.flush()
    request.session[LOGIN_KEY] = external.details  # by which the other system can end this, too
    request.session[PENDING_LOGIN_KEY] = {
        "user": user.pk,
        "password": user.get_session_auth_hash(),
        "backend": user.backend,
        "until": time.time() + PENDING_LOGIN_SECONDS,
        "next": next_,
        "external": asdict(external),
    }


def pending_login(request: HttpRequest) -> PendingLogin | None:
    """The pending login; None if there is none, it has expired, or the account or password has changed since."""
    stored = request.session.get(PENDING_LOGIN_KEY)
    if stored is None or stored["until"] < time.time():
        return None
    user = User.objects.filter(pk=stored["user"], is_active=True).first()
    if user is None or not constant_time_compare(user.get_session_auth_hash(), stored["password"]):
        return None
    return PendingLogin(
        user=user, backend=stored["backend"], next=stored["next"], external=ExternalLogin(**stored["external"])
    )


def start_session(request: HttpRequest, user: User, backend: str, external: ExternalLogin | None = None) -> None:
    """Log the user in, in a new session, which keeps what it has to know of the sign-in at another system."""
    request.session.flush()
    login(request, user, backend)
    if external:
        request.session[LOGIN_KEY] |= external.details
        request.session.update(external.values)
