"""Everything that writes tokens, two-factor logins, roles and preferences, closes accounts and ends sessions."""

import hashlib
import re
import secrets
from datetime import timedelta
from importlib import import_module
from typing import Any

import pyotp
from django.conf import settings
from django.contrib.auth.hashers import is_password_usable
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from campus.accounts.history import record_event
from campus.accounts.institution import institution_name
from campus.accounts.models import AccountEvent, ApiToken, LoginSession, Preferences, RecoveryCode, TwoFactorDevice
from campus.accounts.roles import Role, assigned_role
from campus.accounts.signals import access_ended
from campus.common.errors import UserError

# Secret scanners recognise leaked tokens by this prefix.
TOKEN_PREFIX = "rollcall_"  # noqa: S105
MAX_TOKENS_PER_USER = 20
MAX_TOKEN_DAYS = 366
LAST_USED_INTERVAL = timedelta(minutes=1)
TOTP_STEP_SECONDS = 30
TOTP_TOLERANCE_STEPS = 1  # how far a phone's clock may be off
RECOVERY_CODE_COUNT = 10
# Long enough that its hash can't be brute-forced; digits, because the form makes phones show the number pad.
RECOVERY_CODE_DIGITS = 20


def _digest(secret: str) -> str:
    # The secret is long and random, so it needs no slow hash as passwords do.
    return hashlib.sha256(secret.encode()).hexdigest()


@transaction.atomic
def create_token(*, user: User, name: str, scope: str, days: int) -> tuple[ApiToken, str]:
    """A new token and its secret, which is not stored. Raises UserError for too many tokens or a wrong lifetime."""
    if not 1 <= days <= MAX_TOKEN_DAYS:
        raise UserError("A token lives for 1 to {most} days. Choose a number between them.", most=MAX_TOKEN_DAYS)
    User.objects.select_for_update().get(pk=user.pk)
    if user.api_tokens.filter(expires_at__gt=timezone.now()).count() >= MAX_TOKENS_PER_USER:
        raise UserError("You have {most} tokens already. Revoke one that is not needed.", most=MAX_TOKENS_PER_USER)
    secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
    token = ApiToken.objects.create(
        user=user,
        name=name.strip()[:100],
        scope=ApiToken.Scope(scope),
        prefix=secret[: len(TOKEN_PREFIX) + 4],
        digest=_digest(secret),
        expires_at=timezone.now() + timedelta(days=days),
    )
    record_event(user=user, kind=AccountEvent.Kind.TOKEN_CREATED, about=token.name)
    return token, secret


def authenticate_token(*, secret: str) -> ApiToken | None:
    """The token with this secret, unless it has expired or its user is inactive. Records that it was used."""
    token = ApiToken.objects.select_related("user").filter(digest=_digest(secret)).first()
    if token is None or token.is_expired or not token.user.is_active:
        return None
    now = timezone.now()
    if token.last_used_at is None or token.last_used_at < now - LAST_USED_INTERVAL:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return token


def revoke_token(*, token: ApiToken) -> None:
    token.delete()
    record_event(user=token.user, kind=AccountEvent.Kind.TOKEN_REVOKED, about=token.name)


def revoke_all_tokens(*, user: User) -> None:
    for token in ApiToken.objects.filter(user=user).select_related("user"):
        revoke_token(token=token)


def end_sessions(*, user: User, sessions: QuerySet[LoginSession]) -> int:
    """Log the user out of these sessions; returns how many there were."""
    ended = sessions.filter(user=user).delete()[0]
    if ended:
        record_event(user=user, kind=AccountEvent.Kind.SESSIONS_ENDED)
    return ended


def remember_password(*, instance: User, **_signal: Any) -> None:
    """Receiver of `post_init`: who never had a password, such as those who sign in elsewhere, does not lose one."""
    instance._password_before = vars(instance).get("password", "")  # type: ignore[attr-defined]


def end_access_of_old_password(*, instance: User, created: bool, **_signal: Any) -> None:
    """Receiver of `post_save`: with a new password, or none, everything ends that was opened with the one before."""
    was_taken = not instance.has_usable_password() and is_password_usable(instance._password_before)  # type: ignore[attr-defined]
    instance._password_before = instance.password  # type: ignore[attr-defined]
    # Django keeps the new password here until the row is saved; not where a password is only hashed anew.
    if created or not (was_taken or instance._password is not None):  # type: ignore[attr-defined]
        return
    _end_access(instance)
    record_event(user=instance, kind=AccountEvent.Kind.PASSWORD_CHANGED)


def _end_access(user: User) -> None:
    LoginSession.objects.filter(user=user).delete()
    revoke_all_tokens(user=user)
    access_ended.send(User, user=user)


def delete_expired_sessions() -> None:
    """Delete expired sessions."""
    import_module(settings.SESSION_ENGINE).SessionStore.clear_expired()


def generate_two_factor_secret() -> str:
    """A new secret for a phone. It takes effect when `enable_two_factor` gets a code made with it."""
    return pyotp.random_base32()


def two_factor_uri(*, user: User, secret: str) -> str:
    """The URI that the phone's app reads from the QR code."""
    return pyotp.TOTP(secret, interval=TOTP_STEP_SECONDS).provisioning_uri(
        name=user.get_username(), issuer_name=institution_name()
    )


def enable_two_factor(*, user: User, secret: str, code: str) -> None:
    """Ask the user for a code at each login. Raises UserError if the code does not match the secret."""
    step = _find_time_step(secret, code)
    if step is None:
        raise UserError("This code does not fit. Wait for the next one; look also whether the phone's clock is right.")
    TwoFactorDevice.objects.update_or_create(user=user, defaults={"secret": secret, "last_time_step": step})
    record_event(user=user, kind=AccountEvent.Kind.TWO_FACTOR_ON)


def verify_two_factor_code(*, user: User, code: str) -> bool:
    """Whether the code is right and was not used before; it can't be used again."""
    device = TwoFactorDevice.objects.filter(user=user).first()
    step = _find_time_step(device.secret, code) if device else None
    if device is None or step is None:
        return False
    # Of two concurrent logins with the same code, only one changes the row.
    unused = TwoFactorDevice.objects.filter(pk=device.pk, last_time_step__lt=step)
    return bool(unused.update(last_time_step=step))


def disable_two_factor(*, user: User) -> None:
    if TwoFactorDevice.objects.filter(user=user).delete()[0]:
        record_event(user=user, kind=AccountEvent.Kind.TWO_FACTOR_OFF)


@transaction.atomic
def replace_recovery_codes(*, user: User) -> list[str]:
    """New recovery codes, of which only hashes are stored. Earlier ones become invalid.

    Raises UserError if the user has no two-factor login.
    """
    device = TwoFactorDevice.objects.select_for_update().filter(user=user).first()
    if device is None:
        raise UserError("Recovery codes are for a login with a second step. Set that up first.")
    device.recovery_codes.all().delete()
    codes = [
        f"{secrets.randbelow(10**RECOVERY_CODE_DIGITS):0{RECOVERY_CODE_DIGITS}}" for _n in range(RECOVERY_CODE_COUNT)
    ]
    RecoveryCode.objects.bulk_create(RecoveryCode(device=device, digest=_digest(code)) for code in codes)
    record_event(user=user, kind=AccountEvent.Kind.RECOVERY_CODES_CREATED)
    return [" ".join(code[n : n + 5] for n in range(0, RECOVERY_CODE_DIGITS, 5)) for code in codes]


def redeem_recovery_code(*, user: User, code: str) -> bool:
    """Whether the code is one of the user's recovery codes. It can't be used again."""
    digits = re.sub(r"[\s-]", "", code)
    return bool(RecoveryCode.objects.filter(device__user=user, digest=_digest(digits)).delete()[0])


def _find_time_step(secret: str, code: str) -> int | None:
    """The time step of a code, if it is close to now; else None."""
    code = "".join(code.split())
    if not (len(code) == 6 and code.isascii() and code.isdigit()):
        return None
    totp = pyotp.TOTP(secret, interval=TOTP_STEP_SECONDS)
    now = int(timezone.now().timestamp()) // TOTP_STEP_SECONDS
    return next(
        (
            step
            for step in range(now - TOTP_TOLERANCE_STEPS, now + TOTP_TOLERANCE_STEPS + 1)
            if secrets.compare_digest(totp.generate_otp(step), code)
        ),
        None,
    )


@transaction.atomic
def set_role(*, user: User, role: str) -> None:
    """Give a user this role in place of the earlier one. Raises UserError for the last administrator."""
    if role != Role.ADMINISTRATOR and not user.is_superuser:
        check_administrator_remains(without=user)
    group = Group.objects.get_or_create(name=Role(role))[0]
    if user.groups.filter(pk=group.pk).exists() and user.groups.filter(name__in=Role.values).count() == 1:
        return
    user.groups.remove(*user.groups.filter(name__in=Role.values))
    user.groups.add(group)
    vars(user).pop("_role", None)  # what `assigned_role` remembers
    record_event(user=user, kind=AccountEvent.Kind.ROLE_CHANGED, about=str(Role(role).label))


def check_administrator_remains(*, without: User) -> None:
    """Raise UserError if this is the last administrator. For the transaction that takes the rights away."""
    if without.pk is None or assigned_role(without) != Role.ADMINISTRATOR:
        return
    # Locked first, so that of two administrators who take each other's rights away the second one is refused.
    Group.objects.select_for_update().get_or_create(name=Role.ADMINISTRATOR)
    administrators = User.objects.filter(Q(is_superuser=True) | Q(groups__name=Role.ADMINISTRATOR), is_active=True)
    if without.is_active and not administrators.exclude(pk=without.pk).exists():
        raise UserError("This is the last administrator. Make somebody else an administrator first.")


@transaction.atomic
def deactivate(*, user: User, by: User | None) -> None:
    """Close the account of somebody who leaves, and end the sessions, API tokens and calendar links. What the user has
    done stays. Without `by`, a directory does it. Raises UserError for the own account and the last administrator.
    """
    if user == by:
        raise UserError("You can't deactivate your own account. Ask another administrator.")
    check_administrator_remains(without=user)
    if User.objects.filter(pk=user.pk, is_active=True).update(is_active=False):
        _end_access(user)
        record_event(user=user, kind=AccountEvent.Kind.DEACTIVATED)


def reactivate(*, user: User) -> None:
    """Open a closed account again, with the password from before. An invited person does this by the link."""
    if User.objects.filter(pk=user.pk, is_active=False, invitation=None).update(is_active=True):
        record_event(user=user, kind=AccountEvent.Kind.REACTIVATED)


def set_language(*, user: User, language: str) -> None:
    """Set the language of a user's pages and e-mails, one of settings.LANGUAGES; "" leaves it to the browser."""
    if language and language not in dict(settings.LANGUAGES):
        raise UserError(
            "There is no such language here. Choose one of: {known}.", known=", ".join(dict(settings.LANGUAGES))
        )
    Preferences.objects.update_or_create(user=user, defaults={"language": language})


def set_tour_ended(*, user: User, ended: bool) -> None:
    """Whether the tour of the first page is over for the user."""
    Preferences.objects.update_or_create(user=user, defaults={"tour_ended": ended})
