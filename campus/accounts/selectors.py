"""A user's tokens, two-factor login, sessions, history and language, and who gets e-mails about all classes."""

from contextlib import AbstractContextManager

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import Q, QuerySet
from django.utils import timezone, translation

from campus.accounts.models import AccountEvent, ApiToken, LoginSession, Preferences, RecoveryCode, TwoFactorDevice
from campus.accounts.roles import AnyUser, Role, is_registrar


def tokens_for(user: AnyUser) -> QuerySet[ApiToken]:
    """The user's own tokens. No role sees those of others."""
    return ApiToken.objects.filter(user=user.pk) if user.is_active else ApiToken.objects.none()


def sessions_for(user: AnyUser) -> QuerySet[LoginSession]:
    """Where the user is logged in."""
    return LoginSession.objects.filter(user=user.pk, expire_date__gt=timezone.now())


def events_for(user: AnyUser) -> QuerySet[AccountEvent]:
    """What happened to the user's own account, the latest first."""
    return AccountEvent.objects.filter(user=user.pk)


def has_two_factor(user: AnyUser) -> bool:
    return TwoFactorDevice.objects.filter(user=user.pk).exists()


def count_recovery_codes(user: AnyUser) -> int:
    return RecoveryCode.objects.filter(device__user=user.pk).count()


def language_of(user: AnyUser) -> str:
    """The code of the language that the user chose; "" if the browser decides."""
    return Preferences.objects.filter(user=user.pk).values_list("language", flat=True).first() or ""


def has_ended_tour(user: AnyUser) -> bool:
    return Preferences.objects.filter(user=user.pk, tour_ended=True).exists()


def use_language_of(user: AnyUser | None = None) -> AbstractContextManager[None]:
    """A context whose texts are in the user's language, or in the institution's if there is no user or no choice."""
    return translation.override((user and language_of(user)) or settings.LANGUAGE_CODE)


def lecturers() -> QuerySet[User]:
    """Who can be chosen to teach a class: whose role is lecturer, in service or invited."""
    others = User.objects.filter(Q(is_superuser=True) | Q(groups__name__in=set(Role) - {Role.LECTURER}))
    return users_in_service().exclude(pk__in=others.values("pk"))


def users_in_service() -> QuerySet[User]:
    """All but those whose account is closed."""
    return User.objects.filter(Q(is_active=True) | Q(invitation__isnull=False))


def registrars_with_email() -> list[User]:
    """Registrars and administrators who have an e-mail address."""
    chosen = Q(is_superuser=True) | Q(groups__name__in=(Role.ADMINISTRATOR, Role.REGISTRAR))
    return [
        user
        for user in User.objects.filter(chosen, is_active=True).exclude(email="").distinct().order_by("pk")
        if is_registrar(user)
    ]
