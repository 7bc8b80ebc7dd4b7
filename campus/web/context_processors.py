"""What the template of every page may use."""

from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from campus.accounts.institution import institution_name


def institution(request: HttpRequest) -> dict[str, object]:
    """The institution's name, read once a page and only where it is shown."""
    return {"institution": SimpleLazyObject(institution_name)}
