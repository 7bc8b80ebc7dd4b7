"""Everything that writes tokens, second steps, roles and preferences."""

import hashlib
import re
import secrets
from datetime import timedelta
from importlib import import_module

import pyotp
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.utils import timezone

from campus.accounts.models import ApiToken, Preferences, RecoveryCode, TwoFactorDevice
from campus.accounts.roles import Role
from campus.common.errors import UserError

# Scanners of published code recognise a secret by it.
TOKEN_PREFIX = "rollcall_"  # noqa: S105
MAX_TOKENS_PER_USER = 20
MAX_TOKEN_DAYS = 366
LAST_USED_INTERVAL = timedelta(minutes=1)
TOTP_STEP_SECONDS = 30
TOTP_TOLERANCE_STEPS = 1  # that a phone's clock may be wrong by
RECOVERY_CODE_COUNT = 10
RECOVERY_CODE_DIGITS = (
    20  # so many that a hash of them can't be tried out, and digits, for the field asks phones for those
)


def _digest(secret: str) -> str:
    # The secret is random, so that nothing slower is needed than for a password.
    return hashlib.sha256(secret.encode()).hexdigest()


@transaction.atomic
def create_token(*, user: User, name: str, scope: str, days: int) -> tuple[ApiToken, str]:
    """A token and its secret, which is nowhere kept. Raises UserError: too many tokens, an odd lifetime."""
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
    return token, secret


def authenticate_token(*, secret: str) -> ApiToken | None:
    """The token of that secret, unless it is expired or its person's account closed; notes that it was used."""
    token = ApiToken.objects.select_related("user").filter(digest=_digest(secret)).first()
    if token is None or token.is_expired or not token.user.is_active:
        return None
    now = timezone.now()
    if token.last_used_at is None or token.last_used_at < now - LAST_USED_INTERVAL:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return token


def revoke_token(*, token: ApiToken) -> None:
    token.delete()


def revoke_all_tokens(*, user: User) -> None:
    ApiToken.objects.filter(user=user).delete()


def delete_expired_sessions() -> None:
    """Remove the sessions that are over."""
    import_module(settings.SESSION_ENGINE).SessionStore.clear_expired()


def generate_two_factor_secret() -> str:
    """A secret for a phone; it counts once a code made with it is shown to `enable_two_factor`."""
    return pyotp.random_base32()


def two_factor_uri(*, user: User, secret: str) -> str:
    """What the phone's app reads from a picture."""
    return pyotp.TOTP(secret, interval=TOTP_STEP_SECONDS).provisioning_uri(
        name=user.get_username(), issuer_name=settings.INSTITUTION
    )


def enable_two_factor(*, user: User, secret: str, code: str) -> None:
    """From now on codes are asked for. Raises UserError where the code does not fit the secret."""
    step = _find_time_step(secret, code)
    if step is None:
        raise UserError("This code does not fit. Wait for the next one; look also whether the phone's clock is right.")
    TwoFactorDevice.objects.update_or_create(user=user, defaults={"secret": secret, "last_time_step": step})


def verify_two_factor_code(*, user: User, code: str) -> bool:
    """Whether the code is right and new."""
    row = TwoFactorDevice.objects.filter(user=user).first()
    step = row and _find_time_step(row.secret, code)
    # Two logins with one code at once: one of them changes the row.
    return bool(
        row and step and TwoFactorDevice.objects.filter(pk=row.pk, last_time_step__lt=step).update(last_time_step=step)
    )


def disable_two_factor(*, user: User) -> None:
    TwoFactorDevice.objects.filter(user=user).delete()


@transaction.atomic
def replace_recovery_codes(*, user: User) -> list[str]:
    """A new set, which is nowhere kept.

    Those of before open nothing more. Raises UserError where there is no second step.
    """
    device = TwoFactorDevice.objects.select_for_update().filter(user=user).first()
    if device is None:
        raise UserError("Recovery codes are for a login with a second step. Set that up first.")
    device.recovery_codes.all().delete()
    codes = [
        f"{secrets.randbelow(10**RECOVERY_CODE_DIGITS):0{RECOVERY_CODE_DIGITS}}" for _n in range(RECOVERY_CODE_COUNT)
    ]
    RecoveryCode.objects.bulk_create(RecoveryCode(device=device, digest=_digest(code)) for code in codes)
    return [" ".join(code[n : n + 5] for n in range(0, RECOVERY_CODE_DIGITS, 5)) for code in codes]


def redeem_recovery_code(*, user: User, code: str) -> bool:
    """Whether it was one of the person's codes; it is none any more."""
    digits = re.sub(r"[\s-]", "", code)
    return bool(RecoveryCode.objects.filter(device__user=user, digest=_digest(digits)).delete()[0])


def _find_time_step(secret: str, code: str) -> int | None:
    """The time step that a code belongs to, of those near now."""
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
    """A person's one role."""
    group = Group.objects.get_or_create(name=Role(role))[0]
    user.groups.remove(*user.groups.filter(name__in=Role.values))
    user.groups.add(group)


def set_language(*, user: User, language: str) -> None:
    """The language of a person's pages and letters, one of settings.LANGUAGES; "": as the browser asks."""
    if language and language not in dict(settings.LANGUAGES):
        raise UserError(
            "There is no such language here. Choose one of: {known}.", known=", ".join(dict(settings.LANGUAGES))
        )
    Preferences.objects.update_or_create(user=user, defaults={"language": language})
