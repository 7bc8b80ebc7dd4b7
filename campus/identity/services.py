"""Changes of providers by administrators."""

from django.db import transaction

from campus.accounts.models import LoginSession
from campus.identity.models import IdentityProvider


@transaction.atomic
def save_provider(*, provider: IdentityProvider, secret: str | None = None) -> None:
    """Store the provider; None keeps the secret, as SAML does, whose secret is our own key. Where it is switched off,
    the sessions end that began with it.
    """
    if secret is not None and provider.kind != IdentityProvider.Kind.SAML:
        provider.secret = secret
    provider.save()
    provider.saml_metadata.all().delete()  # their address may be another now
    if not provider.active:
        _end_all_sessions(provider)


@transaction.atomic
def delete_provider(*, provider: IdentityProvider) -> None:
    """Delete the provider with who signs in by it. The accounts stay, and the sessions end."""
    _end_all_sessions(provider)
    provider.delete()


def _end_all_sessions(provider: IdentityProvider) -> None:
    LoginSession.objects.filter(provider=provider.pk).delete()
