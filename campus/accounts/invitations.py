"""Invitations: an account is made closed and without a password, and opened by whoever has the link of the e-mail.

The link can't be guessed, nor made from what is in the database without the secret key.
"""

import re
import uuid
from datetime import timedelta
from itertools import count

from django.contrib.auth.models import Group, User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from campus.accounts.history import record_event
from campus.accounts.models import AccountEvent, Invitation
from campus.accounts.roles import AnyUser, Role, is_administrator, is_auditor, is_registrar
from campus.accounts.selectors import lecturers
from campus.accounts.services import set_role
from campus.common.errors import UserError
from campus.common.link_tokens import link_token, read_link_token

INVITATION_LIFETIME = timedelta(days=7)
MAX_USERNAME_LENGTH = 100
SALT = "rollcall.invitation"


def invitable_roles(user: AnyUser) -> list[Role]:
    """The roles that the user may give to whom he or she invites, the least powerful first."""
    if is_administrator(user):
        return list(reversed(Role))
    return [Role.LECTURER] if is_registrar(user) else []


def invitations_for(user: AnyUser) -> QuerySet[Invitation]:
    """The open invitations of those whose role the user may give; all of them for auditors, who read them."""
    invitations = Invitation.objects.select_related("user")
    if is_administrator(user) or is_auditor(user):
        return invitations
    return invitations.filter(user__in=lecturers()) if is_registrar(user) else invitations.none()


def email_in_use(email: str, *, other_than: User | None = None) -> bool:
    """Whether another account has this address, by which its owner logs in."""
    others = User.objects.exclude(pk=other_than.pk) if other_than else User.objects.all()
    return others.filter(email__iexact=email).exists()


@transaction.atomic
def invite(*, first_name: str, last_name: str, email: str, role: str, by: User) -> Invitation:
    """A closed account, and the invitation that opens it.

    Raises PermissionDenied where `by` may not give the role, UserError where the address is another account's.
    """
    if role not in invitable_roles(by):
        raise PermissionDenied
    Group.objects.select_for_update().get(name=Role.LECTURER)  # one at a time: no two get the same user name
    if email_in_use(email):
        raise UserError("There is already an account with the address {email}.", email=email)
    user = User.objects.create_user(
        free_username(email.partition("@")[0]), email, None, first_name=first_name, last_name=last_name, is_active=False
    )
    set_role(user=user, role=role)
    record_event(user=user, kind=AccountEvent.Kind.INVITED, about=email)
    return Invitation.objects.create(user=user, invited_by=by, expires_at=timezone.now() + INVITATION_LIFETIME)


def renew_invitation(*, invitation: Invitation) -> Invitation:
    """A new link, valid for another week; the one before stops working."""
    invitation.key, invitation.expires_at = uuid.uuid4(), timezone.now() + INVITATION_LIFETIME
    invitation.save(update_fields=["key", "expires_at"], force_update=True)
    record_event(user=invitation.user, kind=AccountEvent.Kind.INVITED, about=invitation.user.email)
    return invitation


@transaction.atomic
def withdraw_invitation(*, invitation: Invitation) -> None:
    """Delete the account, which nobody has used yet. Raises UserError where it was opened meanwhile."""
    _lock(invitation)
    invitation.user.delete()


@transaction.atomic
def accept_invitation(*, invitation: Invitation, password: str | None) -> User:
    """Open the account with this password; None: the person signs in elsewhere. The link works no more.

    Raises UserError where it was used meanwhile.
    """
    user = _lock(invitation).user
    user.set_password(password)
    user.is_active = True
    user.save()
    invitation.delete()
    record_event(user=user, kind=AccountEvent.Kind.INVITATION_ACCEPTED)
    return user


def invitation_token(invitation: Invitation) -> str:
    """What is secret in the link."""
    return link_token(SALT, invitation.key)


def find_invitation(token: str) -> Invitation | None:
    """The invitation with this link, expired or not. None: it was used, withdrawn or sent again, or never was."""
    key = read_link_token(SALT, token)
    return Invitation.objects.select_related("user", "invited_by").filter(key=key).first() if key else None


def _lock(invitation: Invitation) -> Invitation:
    locked = Invitation.objects.select_for_update(of=("self",)).select_related("user").filter(key=invitation.key)
    found = locked.first()
    if found is None:
        raise UserError("This invitation was used, withdrawn or sent again.")
    return found


def free_username(wish: str) -> str:
    """A user name that nobody has, made of this one, such as the part of an e-mail address before the @."""
    stem = re.sub(r"[^\w.+-]", "", wish.lower())[:MAX_USERNAME_LENGTH] or "staff"
    similar = User.objects.filter(username__istartswith=stem).values_list("username", flat=True)
    taken = {username.lower() for username in similar}
    return next(username for n in count(1) if (username := stem if n == 1 else f"{stem}{n}") not in taken)
