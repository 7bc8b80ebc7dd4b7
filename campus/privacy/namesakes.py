"""Who else has a student's name: a text that has no more than the name may be about either."""

from collections.abc import Iterable

from django.contrib.auth.models import User
from django.db.models import F, Value
from django.db.models.functions import Concat

from campus.academics.models import Student
from campus.privacy.texts import Terms


def namesakes_words(student: Student, names: Iterable[str]) -> set[str] | None:
    """By what the people are known who have one of these names, or a longer one with it; None: nobody has."""
    terms = Terms.of(set(names), "")
    others = [
        row
        for row in Student.objects.filter(erased_at=None)
        .exclude(pk=student.pk)
        .filter(name_key__contains=student.name_key)
        if terms.is_in(row.name)
    ]
    staff = User.objects.annotate(name=Concat(F("first_name"), Value(" "), F("last_name"))).filter(
        name__icontains=student.name
    )
    if not others and not any(terms.is_in(user.get_full_name()) for user in staff):
        return None
    return {word for row in others for word in (str(row), row.number, row.email)} | {user.email for user in staff}
