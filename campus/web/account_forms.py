"""The forms of the login and of the own account."""

from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm, PasswordResetForm
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from campus.accounts.models import ApiToken
from campus.accounts.selectors import use_language_of
from campus.accounts.signin import AttemptLimit, client_address, is_login_blocked, too_many_attempts


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


class ForgottenForm(PasswordResetForm):
    """Says the same whether there is an account with that address or not, and floods nobody's mailbox."""

    def __init__(self, *args: Any, request: HttpRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request
        self.fields["email"].help_text = _("The address of your account.")

    def clean(self) -> dict[str, Any] | None:
        limit = AttemptLimit("password-reset", client_address(self.request))
        if limit.is_exceeded:
            raise ValidationError(
                _("Too many e-mails were requested from here. Wait 15 minutes and try again."),
                code="too_many",
            )
        limit.add_attempt()
        return super().clean()

    def send_mail(
        self,
        subject_template_name: str,
        email_template_name: str,
        context: dict[str, Any],
        from_email: str | None,
        to_email: str,
        html_email_template_name: str | None = None,
    ) -> None:
        limit = AttemptLimit("password-reset-email", self.cleaned_data["email"].casefold())
        if not limit.is_exceeded:
            limit.add_attempt()
            with use_language_of(context["user"]):
                super().send_mail(
                    subject_template_name, email_template_name, context, from_email, to_email, html_email_template_name
                )


class TokenForm(forms.Form):
    name = forms.CharField(label=_("Purpose"), max_length=100, help_text=_("For example “timetable script”."))
    scope = forms.ChoiceField(label=_("Permissions"), choices=ApiToken.Scope.choices, initial=ApiToken.Scope.READ)
    days = forms.TypedChoiceField(
        label=_("Valid for"),
        coerce=int,
        choices=[(30, _("30 days")), (90, _("90 days")), (365, _("1 year"))],
        initial=90,
    )
