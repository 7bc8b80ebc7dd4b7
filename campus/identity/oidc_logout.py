"""The provider ends sessions: OpenID Connect Back-Channel Logout 1.0."""

from datetime import UTC, datetime, timedelta
from typing import Final

from django.utils import timezone

from campus.identity.models import IdentityProvider
from campus.identity.oidc_provider import LEEWAY_SECONDS, check_registered_claims, verify_token
from campus.identity.one_time import use_once
from campus.identity.sign_in import SignInError, end_sessions

EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"
MAX_AGE: Final = timedelta(minutes=5)


def log_out_by_token(provider: IdentityProvider, token: str) -> int:
    """End the sessions that the logout token names, and return how many there were. Raises SignInError.

    A token that comes again has done its work, and ends nothing.
    """
    claims = verify_token(provider, token).claims
    check_registered_claims(claims, {"iss": provider.settings["issuer"], "aud": provider.settings["client_id"]})
    events, subject, session_id, jti = (claims.get(name) for name in ("events", "sub", "sid", "jti"))
    issued_at = claims.get("iat")
    if not isinstance(events, dict) or not isinstance(events.get(EVENT), dict) or "nonce" in claims:
        raise SignInError("This is not a logout token: its claim “events” does not say so, or it has a nonce.")
    if not isinstance(issued_at, int | float) or not isinstance(jti, str) or not jti:
        raise SignInError("The logout token lacks a claim: {claim}.", claim="iat, jti")
    issued = datetime.fromtimestamp(issued_at, UTC)
    if timezone.now() - issued > MAX_AGE:
        raise SignInError("The logout token is older than {n} minutes.", n=MAX_AGE.seconds // 60)
    texts = [value for value in (subject, session_id) if value is not None]
    if not texts or not all(isinstance(value, str) and value for value in texts):
        raise SignInError("The logout token names neither a person nor a session.")
    if not use_once("logout", provider.pk, jti, until=issued + MAX_AGE + timedelta(seconds=LEEWAY_SECONDS)):
        return 0
    return end_sessions(provider, subject=str(subject or ""), session_id=str(session_id or ""))
