"""The e-mail with a link for a new password. It is written when it is sent: a link in the outbox could be read."""

from django.conf import settings
from django.contrib.auth.forms import PasswordResetForm
from django.contrib.auth.tokens import default_token_generator
from django.core.mail import send_mail
from django.template.loader import render_to_string
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode

from campus.accounts.institution import institution_name
from campus.accounts.selectors import use_language_of

PASSWORD_RESET = "account.password-reset"  # noqa: S105 - the name of an event


def send_password_reset(email: str) -> bool:
    """Send a link to the owner of each open account with this address; whether there is one. Raises as `send_mail`."""
    users = list(PasswordResetForm().get_users(email))
    institution = institution_name()
    for user in users:
        context = {
            "user": user,
            "institution": institution,
            "base_url": settings.BASE_URL,
            "uid": urlsafe_base64_encode(force_bytes(user.pk)),
            "token": default_token_generator.make_token(user),
        }
        with use_language_of(user):
            subject = render_to_string("web/email/password_reset_subject.txt", context)
            body = render_to_string("web/email/password_reset.txt", context)
        send_mail(" ".join(subject.split()), body, settings.DEFAULT_FROM_EMAIL, [user.email])
    return bool(users)
