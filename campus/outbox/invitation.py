"""The e-mail of an invitation. It is written when it is sent: a link in the outbox could be read."""

from django.conf import settings
from django.core.mail import send_mail
from django.template.loader import render_to_string
from django.utils import timezone

from campus.accounts.institution import institution_name
from campus.accounts.invitations import invitation_token
from campus.accounts.models import Invitation
from campus.accounts.names import display_name
from campus.accounts.roles import ROLE_DESCRIPTIONS, assigned_role
from campus.accounts.selectors import use_language_of

INVITATION = "account.invitation"


def send_invitation(email: str) -> bool:
    """Send the link to who is invited with this address; whether there is one. Raises as `send_mail`."""
    invitations = Invitation.objects.filter(user__email=email, expires_at__gt=timezone.now())
    invitation = invitations.select_related("user", "invited_by").first()
    if invitation is None:
        return False
    user, role = invitation.user, assigned_role(invitation.user)
    with use_language_of(user):
        context = {
            "name": display_name(user),
            "inviter": invitation.invited_by and display_name(invitation.invited_by),
            "role": role.label,
            "role_description": ROLE_DESCRIPTIONS[role],
            "address": user.email,
            "expires_at": invitation.expires_at,
            "base_url": settings.BASE_URL,
            "institution": institution_name(),
            "token": invitation_token(invitation),
        }
        subject = render_to_string("web/email/invitation_subject.txt", context)
        body = render_to_string("web/email/invitation.txt", context)
    send_mail(" ".join(subject.split()), body, settings.DEFAULT_FROM_EMAIL, [user.email])
    return True
