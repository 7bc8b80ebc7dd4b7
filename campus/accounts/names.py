"""What people are called on pages and in logs."""

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AbstractUser

MAX_NAME_LENGTH = 150  # of a name in a log


def display_name(user: AbstractBaseUser) -> str:
    """The user's name; the user name where none is set. Pages have it as `{{ user }}`."""
    full_name = user.get_full_name() if isinstance(user, AbstractUser) else ""
    return (full_name or user.get_username())[:MAX_NAME_LENGTH]
