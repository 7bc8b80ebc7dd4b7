"""Sign-ins that were refused: the person reads a code, and an administrator finds by it what was wrong."""

import secrets
from typing import Final

from campus.identity.models import FailedSignIn, IdentityProvider
from campus.identity.sign_in import Assertion, SignInError, dump_claims

MAX_FAILURES: Final = 100  # of each provider, the latest
ALPHABET: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # without what looks alike


def record_failure(provider: IdentityProvider, error: SignInError, assertion: Assertion | None = None) -> str:
    """Keep why the sign-in was refused; returns its code."""
    code = "".join(secrets.choice(ALPHABET) for _n in range(8))
    FailedSignIn.objects.create(
        provider=provider, code=code, error=error.message, claims=dump_claims(assertion) if assertion else ""
    )
    old = FailedSignIn.objects.filter(provider=provider).order_by("-at").values("pk")[MAX_FAILURES:]
    FailedSignIn.objects.filter(pk__in=[row["pk"] for row in old]).delete()
    return code
