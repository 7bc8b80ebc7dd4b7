"""Sign-in and logout by SAML: the pages between which the browser goes, and our metadata."""

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from campus.common.site_address import site_address
from campus.identity.failures import record_failure
from campus.identity.models import IdentityProvider
from campus.identity.saml import flow
from campus.identity.saml.logout import log_out_by_redirect, log_out_by_soap
from campus.identity.saml.service_provider import own_metadata
from campus.identity.selectors import active_providers
from campus.identity.sign_in import SignInError
from campus.web.views.external_sign_in import finish, refuse


def _provider(slug: str) -> IdentityProvider:
    return get_object_or_404(active_providers(), slug=slug, kind=IdentityProvider.Kind.SAML)


@never_cache
@require_safe
def discovery(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Back from the page where people choose their university."""
    provider = _provider(slug)
    try:
        return redirect(flow.address_of_chosen(request, provider, request.GET.get("entityID", "")))
    except SignInError as error:
        return refuse(request, provider, error)


@csrf_exempt  # the identity provider's page posts here; what it says is signed, and answers a question of this browser
@never_cache
@require_POST
def consumer(request: HttpRequest, slug: str) -> HttpResponseBase:
    """The identity provider's answer.

    The browser leaves our cookie out of a form of another site (SameSite), so a page of ours sends the form once more.
    """
    provider = _provider(slug)
    message = request.POST.get("SAMLResponse", "")
    if flow.QUESTIONS_KEY not in request.session and "sent_on" not in request.POST:
        return render(request, "web/send_on.html", {"message": message})
    assertion = None
    try:
        assertion, question = flow.read_answer(request, provider, message)
        return finish(request, provider, assertion, question.next, confirm=question.confirm)
    except SignInError as error:
        return refuse(request, provider, error, assertion)


@never_cache
@require_safe
def metadata(request: HttpRequest, slug: str) -> HttpResponse:
    """What the identity provider, or the federation, has to know of us. It is there before the sign-in is active."""
    provider = get_object_or_404(IdentityProvider, slug=slug, kind=IdentityProvider.Kind.SAML)
    return HttpResponse(
        own_metadata(provider, site_address(request)), content_type="application/samlmetadata+xml; charset=utf-8"
    )


@never_cache
@require_safe
def logout(request: HttpRequest, slug: str) -> HttpResponseBase:
    """A logout that began at the identity provider, or the end of one that began here."""
    provider = _provider(slug)
    if "SAMLRequest" not in request.GET:
        messages.success(request, _("You are logged out."))
        return redirect(settings.LOGOUT_REDIRECT_URL)
    try:
        query = request.META.get("QUERY_STRING", "")
        return redirect(log_out_by_redirect(provider, site_address(request), query))
    except SignInError as error:
        return refuse(request, provider, error)


@csrf_exempt  # the identity provider's server sends it, with its signature
@require_POST
def logout_soap(request: HttpRequest, slug: str) -> HttpResponse:
    """A logout from server to server."""
    provider = _provider(slug)
    try:
        answer = log_out_by_soap(provider, site_address(request), request.body)
    except SignInError as error:
        record_failure(provider, error)
        return HttpResponseBadRequest(str(error), content_type="text/plain; charset=utf-8")
    return HttpResponse(answer, content_type="text/xml; charset=utf-8")
