"""The institution: its name, which pages, files and e-mails bear, and by what right it recognises faces."""

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from campus.accounts.models import Institution


def institution_name() -> str:
    """The name that was given on the pages, or else the server's setting."""
    return Institution.objects.values_list("name", flat=True).first() or settings.INSTITUTION


def get_institution() -> Institution:
    """What was chosen for the institution, or else the defaults."""
    return Institution.objects.first() or Institution(pk=1)


@transaction.atomic
def save_institution(**changes: object) -> Institution:
    """Change what is said of the institution; a name of "" leaves it to the server's setting."""
    institution = Institution.objects.select_for_update().first() or Institution(pk=1)
    before = (institution.legal_basis, institution.basis_text)
    for name, value in changes.items():
        setattr(institution, name, value)
    if (institution.legal_basis, institution.basis_text) != before:
        institution.basis_since = timezone.now()
    institution.save()
    return institution
