"""Sign-in at another system: where its button leads, where the browser comes back to, and how it ends sessions here."""

from collections.abc import Callable
from typing import Final

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from campus.accounts.addresses import client_network
from campus.accounts.signin import AttemptLimit
from campus.identity import oidc
from campus.identity.failures import record_failure
from campus.identity.models import IdentityProvider
from campus.identity.oidc_logout import log_out_by_token
from campus.identity.saml import flow as saml_flow
from campus.identity.saml.logout import saml_logout_address
from campus.identity.selectors import active_providers, provider_of_session
from campus.identity.sign_in import Assertion, SignInError, confirm_sign_in, sign_in
from campus.web.sign_in_cookies import with_cookies

# In a quarter of an hour, from one network: each asks the provider, and is kept for the administrator.
MAX_FAILURES_PER_NETWORK: Final = 100


def _start_oidc(request: HttpRequest, provider: IdentityProvider, next_: str, *, confirm: bool) -> HttpResponseBase:
    return redirect(oidc.authorization_address(request, provider, next_, confirm=confirm))


def _start_saml(request: HttpRequest, provider: IdentityProvider, next_: str, *, confirm: bool) -> HttpResponseBase:
    return redirect(saml_flow.address_to_ask(request, provider, next_, confirm=confirm))


# What the button of each kind does.
STARTS: Final[dict[str, Callable[..., HttpResponseBase]]] = {
    IdentityProvider.Kind.OIDC: _start_oidc,
    IdentityProvider.Kind.SAML: _start_saml,
}


@never_cache
@require_safe
def start(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Send the browser to the provider. With `confirm`, whoever is signed in has to give the password again there."""
    provider = _provider(slug, *STARTS)
    if _limit(request).is_exceeded:
        return _too_many(request)
    try:
        confirm = "confirm" in request.GET and request.user.is_authenticated
        return STARTS[provider.kind](request, provider, request.GET.get("next", ""), confirm=confirm)
    except SignInError as error:
        return refuse(request, provider, error)


@never_cache
@require_safe
def oidc_callback(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Where the provider sends the browser back to."""
    provider = _provider(slug, IdentityProvider.Kind.OIDC)
    if _limit(request).is_exceeded:
        return _too_many(request)
    assertion = None
    try:
        flow = oidc.take_flow(request, provider)
        assertion = oidc.read_answer(request, provider, flow)
        return finish(request, provider, assertion, flow["next"], confirm=flow["confirm"])
    except oidc.UnknownState:
        _limit(request).add_attempt()
        context = {"title": _("The sign-in took too long"), "text": _("Begin again, in this browser.")}
        return render(request, "web/sign_in_failed.html", context, status=400)
    except SignInError as error:
        return refuse(request, provider, error, assertion)


@csrf_exempt  # the provider's server sends it, with its signature
@never_cache
@require_POST
def oidc_logout(request: HttpRequest, slug: str) -> HttpResponse:
    """The provider ends sessions here (back-channel logout)."""
    provider = _provider(slug, IdentityProvider.Kind.OIDC)
    try:
        log_out_by_token(provider, request.POST.get("logout_token", ""))
    except SignInError as error:
        return JsonResponse({"error": "invalid_request", "error_description": str(error)}, status=400)
    return HttpResponse()


def finish(
    request: HttpRequest, provider: IdentityProvider, assertion: Assertion, next_: str, *, confirm: bool = False
) -> HttpResponseBase:
    """Sign the person in, or confirm who is signed in already. Raises SignInError."""
    if confirm and request.user.is_authenticated:
        return confirm_sign_in(request, assertion, next_)
    response = sign_in(request, provider, assertion, next_)
    return with_cookies(response, request.user) if request.user.is_authenticated else response


def refuse(
    request: HttpRequest, provider: IdentityProvider, error: SignInError, assertion: Assertion | None = None
) -> HttpResponse:
    """The page for whoever is refused: a plain sentence, and a code by which an administrator finds the reason."""
    _limit(request).add_attempt()
    context = {
        "title": _("You could not be signed in"),
        "text": _("Ask the person who looks after Rollcall, and give this code:"),
        "code": record_failure(provider, error, assertion),
        "provider": provider,
    }
    return render(request, "web/sign_in_failed.html", context, status=403)


def logout_elsewhere(request: HttpRequest) -> str | None:
    """Where the browser goes after a logout here, so that it is logged out of the provider, too."""
    provider = provider_of_session(request)
    if provider and provider.kind == IdentityProvider.Kind.SAML:
        return saml_logout_address(request, provider)
    is_oidc = provider is not None and provider.kind == IdentityProvider.Kind.OIDC
    return oidc.logout_address(request, provider) if provider and is_oidc else None


def confirmation_address(request: HttpRequest, next_: str) -> str | None:
    """Where somebody confirms who it is who was signed in by a provider with a button."""
    provider = provider_of_session(request)
    if provider is None or provider.kind not in STARTS:
        return None
    return reverse("sign-in", args=[provider.slug], query={"confirm": "yes", "next": next_})


def _provider(slug: str, *kinds: str) -> IdentityProvider:
    provider = get_object_or_404(active_providers(), slug=slug)
    if provider.kind not in kinds:
        raise Http404
    return provider


def _limit(request: HttpRequest) -> AttemptLimit:
    return AttemptLimit("external-sign-in", client_network(request), most=MAX_FAILURES_PER_NETWORK)


def _too_many(request: HttpRequest) -> HttpResponse:
    context = {
        "title": _("You could not be signed in"),
        "text": _("Too much came in a short time. Wait a quarter of an hour, and try again."),
    }
    return render(request, "web/sign_in_failed.html", context, status=429)
