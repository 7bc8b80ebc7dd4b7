"""Which erasures and legal holds a user may see."""

from django.db.models import QuerySet

from campus.accounts.roles import AnyUser, sees_everything
from campus.privacy.legal_holds import active_holds
from campus.privacy.models import Erasure, LegalHold


def erasures_for(user: AnyUser) -> QuerySet[Erasure]:
    return Erasure.objects.all() if sees_everything(user) else Erasure.objects.none()


def legal_holds_for(user: AnyUser) -> QuerySet[LegalHold]:
    return active_holds() if sees_everything(user) else LegalHold.objects.none()
