"""What a person may see of the own account, and whether a second step is asked for."""

from django.db.models import QuerySet

from campus.accounts.models import ApiToken, SecondStep
from campus.accounts.roles import AnyUser


def tokens_for(user: AnyUser) -> QuerySet[ApiToken]:
    """Each sees the own tokens only, whatever the role."""
    return ApiToken.objects.filter(user=user.pk) if user.is_active else ApiToken.objects.none()


def has_second_step(user: AnyUser) -> bool:
    return SecondStep.objects.filter(user=user.pk).exists()
