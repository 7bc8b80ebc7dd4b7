"""The role of a user, stored as a group. Users without one are lecturers, who see only their own classes."""

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser, PermissionsMixin
from django.db import models
from django.utils.translation import gettext_lazy as _

AnyUser = AbstractBaseUser | AnonymousUser


class Role(models.TextChoices):
    """The values are the groups' names. If a user is in several, the first counts: auditors change nothing."""

    ADMINISTRATOR = "Administrator", _("administrator")
    AUDITOR = "Auditor", _("auditor")
    REGISTRAR = "Registrar", _("registrar")
    LECTURER = "Lecturer", _("lecturer")


# What each can do, after "can" or "you can".
ROLE_DESCRIPTIONS = {
    Role.LECTURER: _("upload recordings, correct attendance and sign it off, for assigned classes only"),
    Role.REGISTRAR: _("manage all classes: students, photos, timetable, cameras and lecturers' accounts"),
    Role.AUDITOR: _("read everything, including the log of corrections, and change nothing"),
    Role.ADMINISTRATOR: _("do all that a registrar can, give roles and delete accounts"),
}


def role_of(user: AnyUser) -> Role | None:
    """The user's role; None without a login or with a closed account."""
    return assigned_role(user) if user.is_active and isinstance(user, PermissionsMixin) else None


def assigned_role(user: PermissionsMixin) -> Role:
    """The role that the user has, or would have if the account were open. Superusers are administrators.

    It is needed many times a page, so it is cached on the user object, as Django does with permissions.
    """
    if user.is_superuser:
        return Role.ADMINISTRATOR
    if not hasattr(user, "_role"):
        groups = {group.name for group in user.groups.all()}
        user._role = next((role for role in Role if role in groups), Role.LECTURER)  # type: ignore[attr-defined]
    return user._role  # type: ignore[attr-defined]


def is_administrator(user: AnyUser) -> bool:
    return role_of(user) == Role.ADMINISTRATOR


def is_registrar(user: AnyUser) -> bool:
    """Whether the user looks after all classes."""
    return role_of(user) in (Role.ADMINISTRATOR, Role.REGISTRAR)


def is_auditor(user: AnyUser) -> bool:
    """Whether the user reads everything and changes nothing."""
    return role_of(user) == Role.AUDITOR


def sees_everything(user: AnyUser) -> bool:
    """Whether the user sees all classes, and the admin."""
    return role_of(user) in (Role.ADMINISTRATOR, Role.AUDITOR, Role.REGISTRAR)
