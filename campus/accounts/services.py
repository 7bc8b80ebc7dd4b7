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

from campus.accounts.models import ApiToken, Preferences, RecoveryCode, SecondStep
from campus.accounts.roles import Role
from campus.common.errors import UserError

MARK = "rollcall_"  # by which a scanner of published code knows a secret
MOST_TOKENS = 20
MOST_DAYS = 366
USE_NOTED_EVERY = timedelta(minutes=1)
STEP_SECONDS = 30
STEPS_ASIDE = 1  # that a phone's clock may be wrong by
RECOVERY_CODES = 10
RECOVERY_DIGITS = 20  # so many that a hash of them can't be tried out, and digits, for the field asks phones for those


def _digest(secret: str) -> str:
    # The secret is random, so that nothing slower is needed than for a password.
    return hashlib.sha256(secret.encode()).hexdigest()


@transaction.atomic
def token_create(*, user: User, name: str, scope: str, days: int) -> tuple[ApiToken, str]:
    """A token and its secret, which is nowhere kept. Raises UserError: too many tokens, an odd lifetime."""
    if not 1 <= days <= MOST_DAYS:
        raise UserError("A token lives for 1 to {most} days. Choose a number between them.", most=MOST_DAYS)
    User.objects.select_for_update().get(pk=user.pk)
    if user.api_tokens.filter(expires_at__gt=timezone.now()).count() >= MOST_TOKENS:
        raise UserError("You have {most} tokens already. Revoke one that is not needed.", most=MOST_TOKENS)
    secret = MARK + secrets.token_urlsafe(32)
    token = ApiToken.objects.create(
        user=user,
        name=name.strip()[:100],
        scope=ApiToken.Scope(scope),
        start=secret[: len(MARK) + 4],
        digest=_digest(secret),
        expires_at=timezone.now() + timedelta(days=days),
    )
    return token, secret


def token_use(*, secret: str) -> ApiToken | None:
    """The token of that secret, unless it is expired or its person's account closed; notes that it was used."""
    token = ApiToken.objects.select_related("user").filter(digest=_digest(secret)).first()
    if token is None or token.expired or not token.user.is_active:
        return None
    now = timezone.now()
    if token.last_used_at is None or token.last_used_at < now - USE_NOTED_EVERY:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return token


def token_revoke(*, token: ApiToken) -> None:
    token.delete()


def tokens_revoke(*, user: User) -> None:
    ApiToken.objects.filter(user=user).delete()


def accounts_tidy() -> None:
    """Remove the sessions that are over."""
    import_module(settings.SESSION_ENGINE).SessionStore.clear_expired()


def second_step_begin() -> str:
    """A secret for a phone; it counts once a code made with it is shown to `second_step_confirm`."""
    return pyotp.random_base32()


def second_step_address(*, user: User, secret: str) -> str:
    """What the phone's app reads from a picture."""
    return pyotp.TOTP(secret, interval=STEP_SECONDS).provisioning_uri(
        name=user.get_username(), issuer_name=settings.INSTITUTION
    )


def second_step_confirm(*, user: User, secret: str, code: str) -> None:
    """From now on codes are asked for. Raises UserError where the code does not fit the secret."""
    step = _step_of(secret, code)
    if step is None:
        raise UserError("This code does not fit. Wait for the next one; look also whether the phone's clock is right.")
    SecondStep.objects.update_or_create(user=user, defaults={"secret": secret, "last_step": step})


def second_step_passed(*, user: User, code: str) -> bool:
    """Whether the code is right and new."""
    row = SecondStep.objects.filter(user=user).first()
    step = row and _step_of(row.secret, code)
    # Two logins with one code at once: one of them changes the row.
    return bool(row and step and SecondStep.objects.filter(pk=row.pk, last_step__lt=step).update(last_step=step))


def second_step_end(*, user: User) -> None:
    SecondStep.objects.filter(user=user).delete()


@transaction.atomic
def recovery_codes_renew(*, user: User) -> list[str]:
    """A new set, which is nowhere kept; those of before open nothing more. Raises UserError where there is no second step."""
    step = SecondStep.objects.select_for_update().filter(user=user).first()
    if step is None:
        raise UserError("Recovery codes are for a login with a second step. Set that up first.")
    step.recovery_codes.all().delete()
    codes = [f"{secrets.randbelow(10**RECOVERY_DIGITS):0{RECOVERY_DIGITS}}" for _n in range(RECOVERY_CODES)]
    RecoveryCode.objects.bulk_create(RecoveryCode(step=step, digest=_digest(code)) for code in codes)
    return [" ".join(code[n : n + 5] for n in range(0, RECOVERY_DIGITS, 5)) for code in codes]


def recovery_code_use(*, user: User, code: str) -> bool:
    """Whether it was one of the person's codes; it is none any more."""
    digits = re.sub(r"[\s-]", "", code)
    return bool(RecoveryCode.objects.filter(step__user=user, digest=_digest(digits)).delete()[0])


def _step_of(secret: str, code: str) -> int | None:
    """The time step that a code belongs to, of those near now."""
    code = "".join(code.split())
    if not (len(code) == 6 and code.isascii() and code.isdigit()):
        return None
    totp = pyotp.TOTP(secret, interval=STEP_SECONDS)
    now = int(timezone.now().timestamp()) // STEP_SECONDS
    return next(
        (
            step
            for step in range(now - STEPS_ASIDE, now + STEPS_ASIDE + 1)
            if secrets.compare_digest(totp.generate_otp(step), code)
        ),
        None,
    )


@transaction.atomic
def role_set(*, user: User, role: str) -> None:
    """A person's one role."""
    group = Group.objects.get_or_create(name=Role(role))[0]
    user.groups.remove(*user.groups.filter(name__in=Role.values))
    user.groups.add(group)


def language_set(*, user: User, language: str) -> None:
    """The language of a person's pages and letters, one of settings.LANGUAGES; "": as the browser asks."""
    if language and language not in dict(settings.LANGUAGES):
        raise UserError(
            "There is no such language here. Choose one of: {known}.", known=", ".join(dict(settings.LANGUAGES))
        )
    Preferences.objects.update_or_create(user=user, defaults={"language": language})
