"""Who may log in with a password where a provider is there instead."""

from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import User
from django.http import HttpRequest

from campus.accounts.signin import RateLimitedBackend
from campus.identity.models import PasswordLogin
from campus.identity.selectors import replaces_passwords


class PasswordBackend(RateLimitedBackend):
    """The password check, for those alone who may have one."""

    def authenticate(  # type: ignore[override]
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **kwargs: Any
    ) -> AbstractBaseUser | None:
        user = super().authenticate(request, username, password, **kwargs)
        return user if isinstance(user, User) and may_use_password(user) else None


def may_use_password(user: User) -> bool:
    """Superusers always may, so that nobody is locked out by a provider that is down or set wrong."""
    return user.is_superuser or not replaces_passwords() or PasswordLogin.objects.filter(user=user).exists()


def set_password_login(*, user: User, allowed: bool) -> None:
    """Whether the account may log in with a password for emergencies."""
    if allowed:
        PasswordLogin.objects.get_or_create(user=user)
    else:
        for row in PasswordLogin.objects.filter(user=user):
            row.delete()
