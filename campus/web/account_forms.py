"""The forms of the login and of the own account."""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth import authenticate
from django.contrib.auth.forms import AuthenticationForm, UsernameField
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from campus.accounts.addresses import client_network
from campus.accounts.models import ApiToken
from campus.accounts.selectors import has_two_factor
from campus.accounts.signin import AttemptLimit, is_login_blocked, too_many_attempts, verify_login_code
from campus.common.errors import UserError
from campus.identity.ldap import confirm_by_directory
from campus.outbox.account_emails import queue_password_reset
from campus.web.views import StaffRequest

MAX_EMAIL_LENGTH = 254


class SignInForm(AuthenticationForm):
    error_messages = {
        "invalid_login": _("Wrong e-mail address, username or password. Check capital letters, or set a new password."),
        "inactive": _("This account is closed. Ask a registrar to open it again."),
    }

    username = UsernameField(
        label=_("E-mail address or username"),
        max_length=MAX_EMAIL_LENGTH,
        widget=forms.TextInput(attrs={"autofocus": True}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Django takes the length of a user name.
        self.fields["username"].widget.attrs["maxlength"] = MAX_EMAIL_LENGTH

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


class ConfirmForm(forms.Form):
    """The password once more, and a code where the account has two-factor login."""

    password = forms.CharField(
        label=_("Password"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password", "autofocus": True}),
    )
    code = CodeForm.base_fields["code"]

    def __init__(self, *args: Any, request: StaffRequest, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.request = request
        self.fields["code"].widget.attrs.pop("autofocus", None)
        if not has_two_factor(request.user):
            del self.fields["code"]

    def clean(self) -> dict[str, Any]:
        given, user = self.cleaned_data, self.request.user
        if self.errors:
            return given
        if not confirm_by_directory(self.request, given["password"]) and (
            authenticate(self.request, username=user.get_username(), password=given["password"]) != user
        ):
            blocked = is_login_blocked(self.request, user.get_username())
            self.add_error("password", too_many_attempts() if blocked else _("Wrong password."))
        elif "code" in self.fields:
            try:
                verify_login_code(user=user, code=given["code"])
            except UserError as error:
                self.add_error("code", str(error))
        return given


class ForgottenForm(forms.Form):
    """Does and says the same whether there is an account with that address or not, and floods nobody's mailbox."""

    email = forms.EmailField(
        label=_("E-mail"),
        max_length=MAX_EMAIL_LENGTH,
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
