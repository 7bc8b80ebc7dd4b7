"""Who else has a student's name: a text that has no more than the name may be about either."""

from collections.abc import Iterable
from functools import reduce
from operator import or_

from django.contrib.auth.models import User
from django.db.models import Q

from campus.academics.models import Student
from campus.common.keys import match_key
from campus.privacy.texts import Terms


def namesakes_words(student: Student, names: Iterable[str]) -> set[str] | None:
    """By what the people are known who have one of these names, or a longer one with it; None: nobody has."""
    names = set(names)
    terms = Terms.of(names, "")
    may_have_one = reduce(or_, (Q(name_key__contains=match_key(name)) for name in names))
    students = Student.objects.filter(may_have_one, erased_at=None).exclude(pk=student.pk)
    others = [row for row in students if terms.is_in(row.name)]
    # A database folds no more than ASCII; of staff there are few.
    staff = [
        user for user in User.objects.only("first_name", "last_name", "email") if terms.is_in(user.get_full_name())
    ]
    if not others and not staff:
        return None
    return {word for row in others for word in (str(row), row.number, row.email)} | {user.email for user in staff}
