"""The institution's name, which pages, files and e-mails bear."""

from django.conf import settings
from django.db import transaction

from campus.accounts.models import Institution


def institution_name() -> str:
    """The name that was given on the pages, or else the server's setting."""
    return Institution.objects.values_list("name", flat=True).first() or settings.INSTITUTION


@transaction.atomic
def set_institution_name(*, name: str) -> None:
    """Name the institution; "" leaves it to the server's setting."""
    Institution.objects.all().delete()
    if name:
        Institution.objects.create(pk=1, name=name)
