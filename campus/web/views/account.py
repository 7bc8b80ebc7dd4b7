"""Login, logout, the own account: language, password, second step and its recovery codes, API tokens, sessions."""

from http import HTTPStatus
from typing import Any
from uuid import UUID

import segno
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.contrib.auth.views import (
    LoginView,
    LogoutView,
    PasswordChangeView,
    PasswordResetConfirmView,
)
from django.contrib.messages.views import SuccessMessageMixin
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse_lazy
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django.views.generic import FormView
from django.views.i18n import set_language

from campus.accounts import recent_login, services
from campus.accounts.roles import role_of
from campus.accounts.selectors import (
    count_recovery_codes,
    events_for,
    has_two_factor,
    language_of,
    sessions_for,
    tokens_for,
)
from campus.accounts.signin import (
    pending_login,
    start_pending_login,
    start_session,
    verify_login_code,
)
from campus.common.errors import UserError
from campus.identity.ldap import DirectoryError, has_password_to_confirm, sign_in_by_directory
from campus.identity.selectors import identities_for, login_buttons, provider_of_session, replaces_passwords
from campus.outbox.account_emails import notify_recovery_codes_replaced
from campus.web.account_forms import CodeForm, ConfirmForm, ForgottenForm, SignInForm, TokenForm
from campus.web.sign_in_cookies import with_cookies
from campus.web.views import StaffRequest
from campus.web.views.external_sign_in import confirmation_address, logout_elsewhere, refuse

EVENTS_SHOWN = 20
PENDING_SECRET_KEY = "new-second-step"  # noqa: S105 - the name of a place in the session


class StaffLoginView(LoginView):
    template_name = "web/login.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        own = {"providers": login_buttons(), "replaces_passwords": replaces_passwords()}
        return super().get_context_data(**kwargs, **own)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """A directory is asked first: it does not count wrong passwords, which the form does where nobody knows one."""
        name, password = request.POST.get("username", ""), request.POST.get("password", "")
        try:
            response = sign_in_by_directory(request, name, password, self.get_redirect_url())
        except DirectoryError as error:
            refused = super().post(request, *args, **kwargs)
            # An account for emergencies logs in while the directory is down.
            signed_in = refused.status_code == HTTPStatus.FOUND
            return refused if signed_in else refuse(request, error.provider, error)
        if response is None:
            return super().post(request, *args, **kwargs)
        return with_cookies(response, request.user) if isinstance(request.user, User) else response

    def form_valid(self, form: Any) -> HttpResponse:
        user = form.get_user()
        if has_two_factor(user):
            start_pending_login(self.request, user, self.get_redirect_url())
            return redirect("login-code")
        return with_cookies(super().form_valid(form), user)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def login_code(request: HttpRequest) -> HttpResponse:
    """The second step of a login."""
    half = pending_login(request)
    if half is None:
        messages.error(request, _("The login took too long. Start again."))
        return redirect("login")
    form = CodeForm(request.POST or None)
    if form.is_valid():
        try:
            verify_login_code(user=half.user, code=form.cleaned_data["code"])
        except UserError as error:
            form.add_error("code", str(error))
        else:
            start_session(request, half.user, half.backend, half.external)
            return with_cookies(redirect(half.next or settings.LOGIN_REDIRECT_URL), half.user)
    form.fields["code"].help_text = _("Lost your phone? Enter one of your recovery codes instead; each works once.")
    return render(request, "web/login_code.html", {"form": form})


def set_own_language(request: HttpRequest) -> HttpResponseBase:
    """Choose a language, as Django has it: for this browser. Who is signed in keeps it with the account; none is
    browser default."""
    response = set_language(request)
    wish = request.POST.get("language")
    if request.user.is_authenticated and wish is not None and wish in ("", *dict(settings.LANGUAGES)):
        services.set_language(user=request.user, language=wish)
        if not wish:
            response.delete_cookie(
                settings.LANGUAGE_COOKIE_NAME, settings.LANGUAGE_COOKIE_PATH, settings.LANGUAGE_COOKIE_DOMAIN
            )
    return response


class StaffLogoutView(LogoutView):
    def post(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        provider, elsewhere = provider_of_session(request), logout_elsewhere(request)
        response = super().post(request, *args, **kwargs)
        if elsewhere:
            return render(request, "web/logged_out.html", {"elsewhere": elsewhere, "provider": provider})
        messages.success(request, _("You are logged out."))
        return response


class StaffPasswordChangeView(SuccessMessageMixin, PasswordChangeView):  # type: ignore[type-arg]
    template_name = "web/password_change.html"
    success_url = reverse_lazy("account")
    success_message = gettext_lazy("Password changed. You are logged out everywhere else.")


class StaffPasswordResetView(SuccessMessageMixin, FormView):  # type: ignore[type-arg]
    template_name = "web/password_reset.html"
    form_class = ForgottenForm
    success_url = reverse_lazy("login")
    success_message = gettext_lazy(
        "If an account has this address, an e-mail with a link is on its way. The link is valid for one hour."
    )

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "request": self.request}

    def form_valid(self, form: ForgottenForm) -> HttpResponse:
        form.save()
        return super().form_valid(form)


class StaffPasswordResetConfirmView(SuccessMessageMixin, PasswordResetConfirmView):  # type: ignore[type-arg]
    """Where the e-mail's link leads. Who has a second step is still asked for it at the login."""

    template_name = "web/password_reset_confirm.html"
    success_url = reverse_lazy("login")
    success_message = gettext_lazy("Password changed. Log in with the new one.")


def _account_page(request: StaffRequest, form: TokenForm, *, secret: str = "", status: int = 200) -> HttpResponse:
    role = role_of(request.user)
    context = {
        "role": role.label if role else "",
        "tokens": tokens_for(request.user),
        "form": form,
        "secret": secret,
        "second_step": has_two_factor(request.user),
        "codes_left": count_recovery_codes(request.user),
        "chosen": language_of(request.user),
        "sessions": sessions_for(request.user),
        "identities": identities_for(request.user),
        "events": events_for(request.user)[:EVENTS_SHOWN],
    }
    return render(request, "web/account.html", context, status=status)


@never_cache
@require_safe
@login_required
def account(request: StaffRequest) -> HttpResponse:
    return _account_page(request, TokenForm())


@never_cache
@require_POST
@login_required
def create_token(request: StaffRequest) -> HttpResponse:
    """The secret is in this answer and nowhere else."""
    form = TokenForm(request.POST)
    if form.is_valid():
        try:
            _token, secret = services.create_token(user=request.user, **form.cleaned_data)
        except UserError as error:
            form.add_error(None, str(error))
        else:
            return _account_page(request, TokenForm(), secret=secret, status=201)
    return _account_page(request, form, status=400)


@require_POST
@login_required
def revoke_token(request: StaffRequest, pk: int) -> HttpResponse:
    token = get_object_or_404(tokens_for(request.user), pk=pk)
    services.revoke_token(token=token)
    messages.success(request, _("Token “%(name)s” revoked.") % {"name": token.name})
    return redirect("account")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def confirm_login(request: StaffRequest) -> HttpResponse:
    """The password once more, before something that wants a recent login."""
    form = ConfirmForm(request.POST or None, request=request)
    if form.is_valid():
        request.session.cycle_key()  # a copy of the session is not confirmed with it
        recent_login.confirm_login(request)
        back = request.GET.get("next", "")
        allowed = url_has_allowed_host_and_scheme(back, {request.get_host()}, require_https=request.is_secure())
        return redirect(back if allowed else "account")
    context = {
        "form": form if has_password_to_confirm(request) else None,
        "elsewhere": confirmation_address(request, request.GET.get("next", "")),
        "provider": provider_of_session(request),
    }
    return render(request, "web/confirm_login.html", context, status=400 if form.errors else 200)


@require_POST
@login_required
def end_sessions(request: StaffRequest) -> HttpResponse:
    """End one of the user's sessions, or all but this one."""
    sessions = sessions_for(request.user).exclude(pk=request.session.session_key)
    if wanted := request.POST.get("session"):
        try:
            sessions = sessions.filter(login_id=UUID(wanted))
        except ValueError:
            raise Http404 from None
    if services.end_sessions(user=request.user, sessions=sessions):
        messages.success(request, _("Logged out there."))
    return redirect("account")


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def two_factor(request: StaffRequest) -> HttpResponse:
    """Set up the second step of the login, or end it; each with a code, so that it is the phone's owner who does. Who
    sets it up is
    given recovery codes."""
    on = has_two_factor(request.user)
    form = CodeForm(request.POST or None)
    if form.is_valid():
        try:
            if on:
                verify_login_code(user=request.user, code=form.cleaned_data["code"])
                services.disable_two_factor(user=request.user)
            else:
                secret = str(request.session.get(PENDING_SECRET_KEY, ""))
                services.enable_two_factor(user=request.user, secret=secret, code=form.cleaned_data["code"])
                del request.session[PENDING_SECRET_KEY]
                messages.success(request, _("Two-factor login is on."))
                return _new_recovery_codes(request)
        except UserError as error:
            form.add_error("code", str(error))
        else:
            messages.success(request, _("Two-factor login is off."))
            return redirect("account")
    context: dict[str, object] = {"form": form, "on": on}
    if not on:
        secret = request.session.setdefault(PENDING_SECRET_KEY, services.generate_two_factor_secret())
        address = services.two_factor_uri(user=request.user, secret=secret)
        picture = segno.make(address, error="m").svg_data_uri(scale=5, light="#fff")
        context |= {"secret": secret, "picture": picture, "address": address}
    return render(request, "web/two_factor.html", context, status=400 if form.errors else 200)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def recovery_codes(request: StaffRequest) -> HttpResponse:
    """A new set of recovery codes, for a code from the phone or the last one of before."""
    if not has_two_factor(request.user):
        return redirect("two-factor")
    form = CodeForm(request.POST or None)
    if form.is_valid():
        try:
            verify_login_code(user=request.user, code=form.cleaned_data["code"])
            return _new_recovery_codes(request)
        except UserError as error:
            form.add_error("code", str(error))
    context = {"form": form, "left": count_recovery_codes(request.user)}
    return render(request, "web/recovery_codes.html", context, status=400 if form.errors else 200)


def _new_recovery_codes(request: StaffRequest) -> HttpResponse:
    """The codes are in this answer and nowhere else."""
    codes = services.replace_recovery_codes(user=request.user)
    notify_recovery_codes_replaced(user=request.user)
    return render(request, "web/recovery_codes.html", {"codes": codes}, status=201)


@require_safe
@login_required
def about(request: HttpRequest) -> HttpResponse:
    return render(request, "web/about.html", {"version": settings.VERSION, "embedder": settings.EMBEDDER})
