"""Accounts of staff that a provider makes, changes and closes (SCIM 2.0), and what its groups give."""

import hashlib
import secrets
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from django.contrib.auth.models import Group, User
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from campus.accounts.history import record_event as record_account_event
from campus.accounts.invitations import email_in_use, free_username
from campus.accounts.models import AccountEvent
from campus.accounts.roles import Role
from campus.accounts.services import deactivate, reactivate
from campus.audit.models import Action
from campus.audit.services import record_event
from campus.common.errors import UserError
from campus.identity.failures import record_failure
from campus.identity.models import ExternalIdentity, IdentityProvider, ProvisionedGroup, ProvisionedUser, ScimToken
from campus.identity.sign_in import SignInError, reapply

TOKEN_PREFIX: Final = "rollcall_scim_"  # noqa: S105 - secret scanners recognise leaked tokens by it
LAST_USED_INTERVAL: Final = timedelta(minutes=1)


class Conflict(UserError):
    """Somebody else has this name or address."""


@dataclass(frozen=True, kw_only=True)
class Person:
    """What a provider says of somebody. `active` is None where it does not say. `attributes` is kept as it is, for its
    next question.
    """

    user_name: str
    external_id: str = ""
    given_name: str = ""
    family_name: str = ""
    email: str = ""
    active: bool | None = None
    attributes: dict[str, Any] = field(default_factory=dict)


def create_scim_token(*, provider: IdentityProvider) -> tuple[ScimToken, str]:
    """A new token and its secret, which is not stored."""
    secret = TOKEN_PREFIX + secrets.token_urlsafe(32)
    token = ScimToken.objects.create(provider=provider, prefix=secret[: len(TOKEN_PREFIX) + 2], digest=_digest(secret))
    record_event(None, Action.CHANGED_SETTINGS, about=f"SCIM token of {provider.slug}")
    return token, secret


def authenticate_scim_token(*, secret: str) -> ScimToken | None:
    """The token with this secret, of a provider that is active. Records that it was used."""
    token = ScimToken.objects.select_related("provider").filter(digest=_digest(secret), provider__active=True).first()
    now = timezone.now()
    if token and (token.last_used_at is None or token.last_used_at < now - LAST_USED_INTERVAL):
        ScimToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return token


def revoke_scim_token(*, token: ScimToken) -> None:
    """End a token: what it has provisioned stays."""
    token.delete()
    record_event(None, Action.CHANGED_SETTINGS, about=f"SCIM token of {token.provider.slug} revoked")


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


@transaction.atomic
def provision_user(*, provider: IdentityProvider, person: Person) -> ProvisionedUser:
    """Link the account that the provider's rule finds, or make one. Raises UserError; Conflict for a name in use."""
    Group.objects.select_for_update().get_or_create(name=Role.LECTURER)  # no two new accounts get the same user name
    _check_user_name(provider, person)
    user = _find_account(provider, person)
    is_new = user is None
    if user is None:
        if person.email and email_in_use(person.email):
            raise Conflict("There is already an account with the address {email}.", email=person.email)
        user = User.objects.create_user(free_username(person.user_name.partition("@")[0]), "", None, is_active=True)
    row = ProvisionedUser(provider=provider, user=user)
    _write(row, person)
    kind = AccountEvent.Kind.IDENTITY_LINKED
    record_account_event(user=user, kind=kind, about=f"SCIM: {provider.name}" + (" (new account)" if is_new else ""))
    if person.active is False:
        deactivate(user=user, by=None)
    elif not (user.is_active or hasattr(user, "invitation")):
        reactivate(user=user)  # who was removed is back
    return row


@transaction.atomic
def change_user(*, row: ProvisionedUser, person: Person) -> None:
    """Write what the provider says now. Raises UserError for the last administrator; Conflict for a name in use."""
    _check_user_name(row.provider, person, row)
    if person.email.lower() != row.user.email.lower() and person.email and email_in_use(person.email):
        raise Conflict("There is already an account with the address {email}.", email=person.email)
    was_active = row.active
    if was_active and person.active is False:
        _deactivate(row)
    row.version += 1
    _write(row, person)
    if person.active and not was_active:
        reactivate(user=row.user)


@transaction.atomic
def remove_user(*, row: ProvisionedUser) -> None:
    """Close the account and forget what the provider said. What the person has done stays, and so does the link to the
    closed account: a sign-in would else make another one for as long as the provider lets the person in.

    Raises UserError for the last administrator.
    """
    _deactivate(row)
    ExternalIdentity.objects.filter(provider=row.provider, user=row.user).update(claims="")
    row.delete()


def _deactivate(row: ProvisionedUser) -> None:
    deactivate(user=row.user, by=None)


def note_refusal(provider: IdentityProvider, row: ProvisionedUser, error: UserError) -> None:
    """Show administrators that the provider wanted to close an account that stays open."""
    record_event(None, Action.CHANGED_ACCOUNT, about=f"SCIM of {provider.slug} refused, account {row.user_id}")
    record_failure(provider, SignInError(error.message))


def _check_user_name(provider: IdentityProvider, person: Person, row: ProvisionedUser | None = None) -> None:
    others = ProvisionedUser.objects.filter(provider=provider, user_name_key=person.user_name.casefold())
    if (others.exclude(pk=row.pk) if row else others).exists():
        raise Conflict("The user name “{name}” is in use.", name=person.user_name)


def _find_account(provider: IdentityProvider, person: Person) -> User | None:
    """The account of somebody who has signed in before, or whom the provider's rule finds. Superusers are not found:
    what a provider says does not close their accounts.
    """
    identities = ExternalIdentity.objects.filter(provider=provider, subject=person.external_id, user__isnull=False)
    identity = identities.select_related("user").first() if person.external_id else None
    if identity and identity.user:
        found = [identity.user]
    else:
        users = User.objects.filter(is_superuser=False)
        by_name = provider.matching == IdentityProvider.Matching.USER_NAME
        by_email = provider.matching == IdentityProvider.Matching.VERIFIED_EMAIL and person.email
        found = list(
            users.filter(username=person.user_name)
            if by_name
            else users.filter(email__iexact=person.email)
            if by_email
            else users.none()
        )[:2]
    user = found[0] if len(found) == 1 else None
    if user is None or user.is_superuser:
        return None
    if hasattr(user, "provisioned"):
        raise Conflict("The account “{user}” is provisioned already.", user=user.get_username())
    return user


def _write(row: ProvisionedUser, person: Person) -> None:
    user = row.user
    user.first_name, user.last_name, user.email = person.given_name[:150], person.family_name[:150], person.email[:254]
    user.save(update_fields=["first_name", "last_name", "email"])
    row.user_name, row.user_name_key = person.user_name, person.user_name.casefold()
    row.external_id, row.attributes = person.external_id, person.attributes
    row.active = row.active if person.active is None else person.active
    row.save()


@transaction.atomic
def write_group(
    *,
    provider: IdentityProvider,
    display_name: str,
    external_id: str,
    members: Collection[str],
    group: ProvisionedGroup | None = None,
) -> ProvisionedGroup:
    """Make or change a group, with the ids of all its members, and give and take what rules say of it.

    Raises Conflict for a name in use, and UserError for a member that does not exist.
    """
    others = ProvisionedGroup.objects.filter(provider=provider, display_name=display_name)
    if (others.exclude(pk=group.pk) if group else others).exists():
        raise Conflict("The group “{name}” exists already.", name=display_name)
    found = set(ProvisionedUser.objects.filter(provider=provider, pk__in=members).values_list("pk", flat=True))
    if len(found) != len(set(members)):
        raise UserError("A member of the group “{name}” does not exist.", name=display_name)
    if group is None:
        group, before = ProvisionedGroup(provider=provider), set()
    else:
        before = set(group.members.values_list("pk", flat=True))
        group.version += 1
    is_renamed = group.display_name != display_name
    group.display_name, group.external_id = display_name, external_id
    group.save()
    group.members.set(ProvisionedUser.objects.filter(pk__in=found))
    changed = found | before if is_renamed else found ^ before
    ProvisionedUser.objects.filter(pk__in=found ^ before).update(version=F("version") + 1)
    _apply_rules(provider, changed)
    return group


@transaction.atomic
def remove_group(*, group: ProvisionedGroup) -> None:
    """Delete a group, and take what rules gave by it."""
    members = set(group.members.values_list("pk", flat=True))
    group.delete()
    _apply_rules(group.provider, members)


def _apply_rules(provider: IdentityProvider, members: Iterable[Any]) -> None:
    """To those who have signed in; the others get what is theirs when they do."""
    identities = ExternalIdentity.objects.filter(provider=provider, user__provisioned__in=list(members))
    for identity in identities.select_related("user", "provider"):
        reapply(identity)
