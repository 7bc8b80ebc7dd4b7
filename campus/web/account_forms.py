"""The forms of the login and of the own account."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth.forms import AuthenticationForm
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from campus.accounts.models import ApiToken
from campus.accounts.signin import AttemptLimit, client_network, is_login_blocked, too_many_attempts
from campus.outbox.account_emails import queue_password_reset


class SignInForm(AuthenticationForm):
    error_messages = {
        "invalid_login": _("Wrong user name or password. Check capital letters, or set a new password."),
        "inactive": _("This account is closed. Ask a registrar to open it again."),
    }

    def get_invalid_login_error(self) -> ValidationError:
        if self.request is not None and is_login_blocked(self.request, self.cleaned_data.get("username", "")):
            return ValidationError(too_many_attempts(), code="too_many")
        return super().get_invalid_login_error()


class CodeForm(forms.Form):
    code = forms.CharField(
        label=_("Six-digit code"),
        max_length=40,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric", "autofocus": True}),
    )


class ForgottenForm(forms.Form):
    """Does and says the same whether there is an account with that address or not, and floods nobody's mailbox."""

    email = forms.EmailField(
        label=_("E-mail"),
        max_length=254,
        help_text=_("The address of your account."),
        widget=forms.EmailInput(attrs={"autocomplete": "email"}),
    )

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request

    def clean(self) -> dict[str, Any] | None:
        if not settings.BASE_URL:
            raise ValidationError(_("This site cannot send links yet. Ask a registrar for a new password."))
        limit = AttemptLimit("password-reset", client_network(self.request))
        if limit.is_exceeded:
            raise ValidationError(
                _("Too many e-mails were requested from here. Wait 15 minutes and try again."),
                code="too_many",
            )
        limit.add_attempt()
        return super().clean()

    def save(self) -> None:
        email = self.cleaned_data["email"]
        limit = AttemptLimit("password-reset-email", email.casefold())
        if not limit.is_exceeded:
            limit.add_attempt()
            queue_password_reset(email=email)


class TokenForm(forms.Form):
    name = forms.CharField(label=_("Purpose"), max_length=100, help_text=_("For example “timetable script”."))
    scope = forms.ChoiceField(label=_("Permissions"), choices=ApiToken.Scope.choices, initial=ApiToken.Scope.READ)
    days = forms.TypedChoiceField(
        label=_("Valid for"),
        coerce=int,
        choices=[(30, _("30 days")), (90, _("90 days")), (365, _("1 year"))],
        initial=90,
    )
