"""What "Test it" says of a SAML provider and of a directory."""

from django.http import HttpRequest

from campus.common.messages import localize
from campus.common.outgoing_http import OutgoingError
from campus.common.site_address import site_address
from campus.identity.ldap import count_people
from campus.identity.models import IdentityProvider
from campus.identity.oidc_check import Finding
from campus.identity.saml.metadata import fetch_metadata, idp_metadata
from campus.identity.saml.service_provider import authentication_request
from campus.identity.sign_in import SignInError
from recognition.messages import Message


def check_saml(request: HttpRequest, provider: IdentityProvider) -> list[Finding]:
    """Fetch the metadata and make a request, as a sign-in does. A federation has no member that could be asked for."""
    settings = provider.settings
    if settings.get("mdq_url"):
        return [_ask_federation(provider)]
    try:
        idp = fetch_metadata(provider) if settings.get("metadata_url") else idp_metadata(provider)
        keys = len(idp.certificates)
        good = _good("The metadata of {entity} can be read. They have {n} keys.", entity=idp.entity_id, n=keys)
        authentication_request(provider, site_address(request), idp)
    except (SignInError, OutgoingError) as error:
        return [Finding(False, error.message)]
    return [good, _good("A sign-in can begin there. Whether it knows our metadata, a sign-in shows.")]


def _ask_federation(provider: IdentityProvider) -> Finding:
    """It answers that it does not know us: we are no identity provider."""
    try:
        fetch_metadata(provider, "https://rollcall.invalid/nobody")
    except OutgoingError as error:
        return Finding(False, error.message)
    except SignInError as error:
        if "does not know" not in error.message.template:
            return Finding(False, error.message)
    return _good("The federation's query service answers.")


def check_ldap(_request: HttpRequest, provider: IdentityProvider) -> list[Finding]:
    """Connect, bind and search."""
    try:
        count = count_people(provider)
    except SignInError as error:
        return [Finding(False, error.message)]
    if not count:
        return [Finding(False, localize(Message("There is nobody where people should be. Correct that setting.")))]
    return [_good("The directory answers over TLS, accepts the account in the settings, and there are people.")]


def _good(template: str, **values: object) -> Finding:
    return Finding(True, localize(Message(template, **values)))
