"""E-mails to users about their own accounts."""

from typing import Any
from uuid import uuid4

from django.conf import settings
from django.contrib.auth.models import User
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _

from campus.accounts.institution import institution_name
from campus.accounts.models import Invitation
from campus.accounts.names import display_name
from campus.accounts.selectors import count_recovery_codes, use_language_of
from campus.outbox.invitation import INVITATION
from campus.outbox.password_reset import PASSWORD_RESET
from campus.outbox.services import queue_email


def notify_recovery_code_used(*, user: User, **_signal: Any) -> None:
    """Receiver of `recovery_code_used`: if it was not the user, somebody else has the password and a code."""
    with use_language_of(user):
        _send(user, _("A recovery code of your account was used"), "recovery_code_used")


def notify_recovery_codes_replaced(*, user: User) -> None:
    with use_language_of(user):
        _send(user, _("Your account has new recovery codes"), "recovery_codes_made")


def queue_password_reset(*, email: str) -> None:
    """Have a link for a new password sent to the account with this address. The worker looks for it: here, an
    address takes as long as any other."""
    queue_email(to=email, event=PASSWORD_RESET, key=f"password-reset:{uuid4()}", subject="", body="")


def emails_have_links() -> bool:
    """Whether a mail server is set up, and the address of the pages, without which no e-mail has links."""
    return bool(settings.BASE_URL) and settings.EMAIL_BACKEND != "django.core.mail.backends.console.EmailBackend"


def queue_invitation(*, invitation: Invitation) -> None:
    """Have the link of the invitation sent."""
    queue_email(to=invitation.user.email, event=INVITATION, key=f"invitation:{invitation.key}", subject="", body="")


def _send(user: User, subject: str, template: str) -> None:
    if not user.email:
        return
    context = {
        "name": display_name(user),
        "username": user.get_username(),
        "left": count_recovery_codes(user),
        "address": f"{settings.BASE_URL}{reverse('account')}" if settings.BASE_URL else "",
        "institution": institution_name(),
    }
    body = render_to_string(f"web/email/{template}.txt", context)
    queue_email(to=user.email, event="account.recovery", key=f"recovery:{uuid4()}", subject=subject, body=body)
