"""The tokens by which a provider provisions accounts: made, shown once, and revoked."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

from campus.accounts.roles import is_administrator
from campus.common.site_address import site_address
from campus.identity.models import IdentityProvider
from campus.identity.provisioning import create_scim_token, revoke_scim_token


def scim_page(request: HttpRequest, pk: Any) -> HttpResponseBase:
    """The tokens of a provider, and a new one when it is asked for."""
    if not is_administrator(request.user):
        raise PermissionDenied
    provider = get_object_or_404(IdentityProvider, pk=pk)
    secret = ""
    if request.method == "POST" and request.POST.get("revoke", "").isdecimal():
        for token in provider.scim_tokens.filter(pk=request.POST["revoke"]):
            revoke_scim_token(token=token)
    elif request.method == "POST":
        secret = create_scim_token(provider=provider)[1]
    context = {
        **admin.site.each_context(request),
        "title": _("Provisioning by %(provider)s (SCIM)") % {"provider": provider},
        "provider": provider,
        "tokens": provider.scim_tokens.all(),
        "secret": secret,
        "address": f"{site_address(request)}/scim/v2",
        "people": provider.provisioned_users.count(),
    }
    return TemplateResponse(request, "admin/rollcall/scim.html", context)
