"""What may be used once: ids of logout tokens, assertions and launches."""

import hashlib
from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils import timezone

from campus.identity.models import UsedToken


def use_once(*parts: object, until: datetime) -> bool:
    """Whether this was not used before. Of several who ask at once, one hears that it was not.

    `until`: when it would be refused by its age; it is forgotten then.
    """
    UsedToken.objects.filter(expires_at__lt=timezone.now()).delete()
    digest = hashlib.sha256("\n".join(str(part) for part in parts).encode()).hexdigest()
    try:
        with transaction.atomic():
            UsedToken(digest=digest, expires_at=until).save(force_insert=True)
    except IntegrityError:
        return False
    return True
