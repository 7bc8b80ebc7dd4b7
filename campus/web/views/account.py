"""Login, logout, the own account: password, second step, API tokens."""

import tomllib
from typing import Any

import segno
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import LoginView, LogoutView, PasswordChangeView, PasswordResetConfirmView, PasswordResetView
from django.contrib.messages.views import SuccessMessageMixin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse_lazy
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from campus.accounts import services
from campus.accounts.roles import role_of
from campus.accounts.selectors import has_second_step, tokens_for
from campus.errors import UserError
from campus.signin import check_code, half_signed_in, sign_in_half
from campus.web.account_forms import CodeForm, ForgottenForm, SignInForm, TokenForm
from campus.web.views import StaffRequest

VERSION = tomllib.loads((settings.BASE_DIR / "pyproject.toml").read_text())["project"]["version"]
NEW_SECRET = "new-second-step"  # noqa: S105 - the name of a place in the session


class SignIn(LoginView):
    template_name = "web/login.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True

    def form_valid(self, form: Any) -> HttpResponse:
        user = form.get_user()
        if has_second_step(user):
            sign_in_half(self.request, user, self.get_redirect_url())
            return redirect("login-code")
        return super().form_valid(form)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in_code(request: HttpRequest) -> HttpResponse:
    """The second step of a login."""
    half = half_signed_in(request)
    if half is None:
        messages.error(request, _("The login took too long. Begin again."))
        return redirect("login")
    form = CodeForm(request.POST or None)
    if form.is_valid():
        try:
            check_code(user=half.user, code=form.cleaned_data["code"])
        except UserError as error:
            form.add_error("code", str(error))
        else:
            request.session.flush()
            login(request, half.user, half.backend)
            return redirect(half.next or settings.LOGIN_REDIRECT_URL)
    return render(request, "web/login_code.html", {"form": form})


class SignOut(LogoutView):
    def post(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        response = super().post(request, *args, **kwargs)
        messages.success(request, _("You are logged out."))
        return response


class ChangePassword(SuccessMessageMixin, PasswordChangeView):  # type: ignore[type-arg]
    template_name = "web/password.html"
    success_url = reverse_lazy("account")
    success_message = gettext_lazy("The new password is set. You are logged out everywhere else.")


class ForgottenPassword(SuccessMessageMixin, PasswordResetView):  # type: ignore[type-arg]
    template_name = "web/password_forgotten.html"
    form_class = ForgottenForm
    email_template_name = "web/mail/password_forgotten.txt"
    subject_template_name = "web/mail/password_forgotten_subject.txt"
    success_url = reverse_lazy("login")
    success_message = gettext_lazy("If an account has this address, a letter with a link is on its way. The link is good for an hour.")

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "request": self.request}


class NewPassword(SuccessMessageMixin, PasswordResetConfirmView):  # type: ignore[type-arg]
    """Where the letter's link leads. Who has a second step is still asked for it at the login."""

    template_name = "web/password_new.html"
    success_url = reverse_lazy("login")
    success_message = gettext_lazy("The new password is set. Log in with it.")


def _account(request: StaffRequest, form: TokenForm, *, secret: str = "", status: int = 200) -> HttpResponse:
    role = role_of(request.user)
    context = {
        "role": role.label if role else "",
        "tokens": tokens_for(request.user),
        "form": form,
        "secret": secret,
        "second_step": has_second_step(request.user),
    }
    return render(request, "web/account.html", context, status=status)


@never_cache
@require_safe
@login_required
def account(request: StaffRequest) -> HttpResponse:
    return _account(request, TokenForm())


@never_cache
@require_POST
@login_required
def token_new(request: StaffRequest) -> HttpResponse:
    """The secret is in this answer and nowhere else."""
    form = TokenForm(request.POST)
    if form.is_valid():
        try:
            _token, secret = services.token_create(user=request.user, **form.cleaned_data)
        except UserError as error:
            form.add_error(None, str(error))
        else:
            return _account(request, TokenForm(), secret=secret, status=201)
    return _account(request, form, status=400)


@require_POST
@login_required
def token_revoke(request: StaffRequest, pk: int) -> HttpResponse:
    token = get_object_or_404(tokens_for(request.user), pk=pk)
    services.token_revoke(token=token)
    messages.success(request, _("The token “%(name)s” is revoked.") % {"name": token.name})
    return redirect("account")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def second_step(request: StaffRequest) -> HttpResponse:
    """Set up the second step of the login, or end it; each with a code, so that it is the phone's owner who does."""
    on = has_second_step(request.user)
    form = CodeForm(request.POST or None)
    if form.is_valid():
        try:
            if on:
                check_code(user=request.user, code=form.cleaned_data["code"])
                services.second_step_end(user=request.user)
            else:
                secret = str(request.session.get(NEW_SECRET, ""))
                services.second_step_confirm(user=request.user, secret=secret, code=form.cleaned_data["code"])
                del request.session[NEW_SECRET]
        except UserError as error:
            form.add_error("code", str(error))
        else:
            messages.success(request, _("The second step is switched off.") if on else _("From now on a code is asked for at each login."))
            return redirect("account")
    context: dict[str, object] = {"form": form, "on": on}
    if not on:
        secret = request.session.setdefault(NEW_SECRET, services.second_step_begin())
        address = services.second_step_address(user=request.user, secret=secret)
        picture = segno.make(address, error="m").svg_data_uri(scale=5, light="#fff")
        context |= {"secret": secret, "picture": picture, "address": address}
    return render(request, "web/second_step.html", context, status=400 if form.errors else 200)


@require_safe
@login_required
def about(request: HttpRequest) -> HttpResponse:
    return render(request, "web/about.html", {"version": VERSION, "embedder": settings.EMBEDDER})
