"""Two pages of a provider: what is wrong with its settings, and what somebody would get by its rules."""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from campus.accounts.roles import is_administrator
from campus.identity.checks import check_ldap, check_past_sign_ins, check_saml
from campus.identity.models import ExternalIdentity, FailedSignIn, IdentityProvider, load_claims
from campus.identity.oidc import flatten_claims
from campus.identity.oidc_check import Finding, check_oidc
from campus.identity.sign_in import MAX_CLAIMS_LENGTH, Assertion, SignInError, decide
from campus.web.admin.base import format_moment

CHECKS: Final[dict[str, Callable[[HttpRequest, IdentityProvider], list[Finding]]]] = {
    IdentityProvider.Kind.OIDC: check_oidc,
    IdentityProvider.Kind.SAML: check_saml,
    IdentityProvider.Kind.LDAP: check_ldap,
}
MAX_PAST: Final = 50


class TryForm(forms.Form):
    """Claims, typed in or of a past sign-in."""

    past = forms.ChoiceField(label=gettext_lazy("A past sign-in"), required=False, widget=UnfoldAdminSelectWidget())
    claims = forms.CharField(
        label=gettext_lazy("Or claims"),
        required=False,
        max_length=MAX_CLAIMS_LENGTH,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 8, "spellcheck": "false"}),
        help_text=gettext_lazy('As JSON: {"sub": "4711", "email": "a@example.org", "groups": ["staff"]}'),
    )

    def __init__(self, *args: Any, provider: IdentityProvider, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.provider = provider
        people = provider.identities.select_related("user", "student").exclude(last_sign_in_at=None)
        past_ones: list[ExternalIdentity | FailedSignIn] = [*people.order_by("-last_sign_in_at")[:MAX_PAST]]
        past_ones += provider.failures.all()[:MAX_PAST]
        self.rows = {str(row.pk): row for row in past_ones}
        past: Any = self.fields["past"]
        past.choices = [("", "-"), *((key, self.describe(row)) for key, row in self.rows.items() if row.claims)]

    def describe(self, row: ExternalIdentity | FailedSignIn) -> str:
        if isinstance(row, FailedSignIn):
            return f"{row.code}, {format_moment(row.at)}"
        return f"{row}, {format_moment(row.last_sign_in_at)}" if row.last_sign_in_at else str(row)

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        issuer = str(self.provider.settings.get("issuer", ""))
        if row := self.rows.get(given.get("past", "")):
            stored = load_claims(row.claims)
            given["assertion"] = Assertion(issuer=stored["issuer"], subject=stored["sub"], claims=stored["claims"])
            return given
        try:
            claims = json.loads(given.get("claims", ""))
        except (ValueError, RecursionError):
            claims = None
        if not isinstance(claims, Mapping):
            raise forms.ValidationError(_("Choose a past sign-in, or write claims as a JSON object."))
        subject = str(claims.get("sub", "-"))
        given["assertion"] = Assertion(issuer=issuer, subject=subject, claims=flatten_claims(claims))
        return given


def test_page(request: HttpRequest, pk: Any) -> HttpResponseBase:
    """Tries all that a sign-in needs but the person, when it is asked to."""
    provider = _provider(request, pk)
    check = CHECKS.get(provider.kind)
    context = {
        **admin.site.each_context(request),
        "title": _("Test of %(provider)s") % {"provider": provider},
        "provider": provider,
        "findings": [*check(request, provider), *check_past_sign_ins(provider)]
        if check and request.method == "POST"
        else None,
    }
    return TemplateResponse(request, "admin/rollcall/sign_in_test.html", context)


def try_page(request: HttpRequest, pk: Any) -> HttpResponseBase:
    """Says who would be signed in with these claims, and with what. Changes nothing."""
    provider = _provider(request, pk)
    form = TryForm(request.POST or None, provider=provider)
    context = {
        **admin.site.each_context(request),
        "title": _("What would this person get?"),
        "provider": provider,
        "form": form,
    }
    if form.is_valid():
        try:
            context["decision"] = decide(provider, form.cleaned_data["assertion"])
        except SignInError as error:
            context["refusal"] = error.message
    status = 400 if form.errors else 200
    return TemplateResponse(request, "admin/rollcall/sign_in_try.html", context, status=status)


def _provider(request: HttpRequest, pk: Any) -> IdentityProvider:
    if not is_administrator(request.user):
        raise PermissionDenied
    return get_object_or_404(IdentityProvider, pk=pk)
