"""By which providers people can sign in, and who has done so."""

from django.db.models import QuerySet
from django.http import HttpRequest

from campus.accounts.roles import AnyUser
from campus.accounts.session_store import LOGIN_KEY
from campus.identity.models import ExternalIdentity, IdentityProvider

BUTTONS = (IdentityProvider.Kind.OIDC, IdentityProvider.Kind.SAML)  # the kinds that begin with a click


def active_providers() -> QuerySet[IdentityProvider]:
    """Those by which people can sign in now."""
    return IdentityProvider.objects.filter(active=True)


def login_buttons() -> QuerySet[IdentityProvider]:
    """Those for which the login page has a button."""
    return active_providers().filter(kind__in=BUTTONS)


def claims_looked_at(provider: IdentityProvider) -> set[str]:
    """The claims that the provider's settings and rules name."""
    rules = provider.access_rules.values_list("claim", flat=True)
    return {provider.match_claim, provider.student_number_claim, *rules} - {""}


def provider_of_session(request: HttpRequest) -> IdentityProvider | None:
    """The provider by which this session began, if it is there still."""
    key = request.session.get(LOGIN_KEY, {}).get("provider")
    return active_providers().filter(pk=key).first() if key else None


def replaces_passwords() -> bool:
    """Whether passwords are for emergencies alone."""
    return active_providers().filter(for_staff=True, replaces_passwords=True).exists()


def identities_for(user: AnyUser) -> QuerySet[ExternalIdentity]:
    """Where the user signs in from; of nobody else."""
    return ExternalIdentity.objects.filter(user=user.pk).select_related("provider")
