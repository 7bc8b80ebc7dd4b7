"""Two students of a class whose photos look like one person's: one person under two numbers, or twins.

The training finds them. Neither can be told from the other, so a person says which it is.
"""

from collections.abc import Iterable

from django.contrib.auth.models import User
from django.utils import timezone

from campus.academics.models import Course, Student
from campus.accounts.names import display_name
from campus.biometrics.models import LookAlike


def save_look_alikes(*, course: Course, pairs: Iterable[tuple[int, int, float]]) -> None:
    """Keep the pairs (student, student, cosine) that a training of the class found, in place of what an earlier one
    did. What a person decided about a pair stays.
    """
    found = {(min(a, b), max(a, b)): similarity for a, b, similarity in pairs}
    LookAlike.objects.bulk_create(
        (LookAlike(first_id=a, second_id=b, similarity=similarity) for (a, b), similarity in found.items()),
        update_conflicts=True,
        unique_fields=["first", "second"],
        update_fields=["similarity"],
    )
    of_course = LookAlike.objects.filter(first__enrolments__course=course, second__enrolments__course=course)
    gone = [pk for pk, a, b in of_course.values_list("pk", "first", "second") if (a, b) not in found]
    LookAlike.objects.filter(pk__in=gone, decided_at=None).delete()


def keep_apart(*, pair: LookAlike, user: User) -> None:
    """They are two people, as twins are. They are not asked about again."""
    undecided = LookAlike.objects.filter(pk=pair.pk, decided_at=None)
    undecided.update(decided_at=timezone.now(), decided_by=display_name(user))


def reopen_pair(*, pair: LookAlike) -> None:
    """Take back that they are two people: they are asked about again."""
    LookAlike.objects.filter(pk=pair.pk).update(decided_at=None, decided_by="")


def students_in_doubt(course: Course) -> dict[int, Student]:
    """The students of a class who can't be told from another one until a person decides, by their ids; each with that
    other one.
    """
    pairs = LookAlike.objects.filter(
        first__enrolments__course=course, second__enrolments__course=course, decided_at=None
    ).select_related("first", "second")
    return {pair.first_id: pair.second for pair in pairs} | {pair.second_id: pair.first for pair in pairs}
