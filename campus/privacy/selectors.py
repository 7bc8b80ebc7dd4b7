"""Which erasures a user may see."""

from django.db.models import QuerySet

from campus.accounts.roles import AnyUser, sees_everything
from campus.privacy.models import Erasure


def erasures_for(user: AnyUser) -> QuerySet[Erasure]:
    return Erasure.objects.all() if sees_everything(user) else Erasure.objects.none()
