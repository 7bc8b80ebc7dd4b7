"""Unknown people who come to several lectures of a class: who they are is asked, and said, once for all."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID, uuid4

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from campus.academics.models import Course, Student
from campus.academics.selectors import courses_for
from campus.accounts.roles import AnyUser
from campus.attendance.comparison_models import UnknownComparison
from campus.attendance.face_overrides import mark_as_visitor, name_unknown_person
from campus.attendance.models import UnknownPerson
from campus.attendance.selectors import held_lectures, unknown_people_for
from campus.common import jobs
from campus.common.errors import UserError
from campus.consent.selectors import students_with_basis

MAX_COMPARED_PEOPLE = 300  # the latest ones
RETRY_INTERVAL = timedelta(days=1)  # after a comparison that failed
MAX_RESEMBLED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class RecurringPerson:
    """Somebody unknown in several lectures, once for each, the latest first; and whom he or she resembles most."""

    appearances: Sequence[UnknownPerson]
    resembles: Sequence[Student]


def people_to_compare(course: Course) -> list[UnknownPerson]:
    """The latest people in the class's lectures of whom nobody has said who they are, once for each lecture."""
    unknown = UnknownPerson.objects.filter(
        recording__lecture__course=course,
        recording__lecture__cancelled=False,
        recording__held=False,
        is_static=False,
        override=None,
        same_as=None,
    )
    rows = unknown.select_related("recording__lecture").defer("face_positions")
    return list(rows.order_by("-recording__lecture__starts_at", "pk")[:MAX_COMPARED_PEOPLE])


def courses_to_compare() -> QuerySet[Course]:
    """The classes in which there are people who have not been compared, several times each."""
    new = UnknownPerson.objects.filter(group=None, is_static=False, override=None, same_as=None, recording__held=False)
    return Course.objects.filter(galleries__active=True, lectures__recordings__unknown_people__in=new)


def request_due_comparisons() -> None:
    """Request a comparison of each class in which there are people who have not been compared."""
    now = timezone.now()
    for course in courses_to_compare().distinct():
        row = UnknownComparison.objects.filter(course=course).first()
        if row and row.state == UnknownComparison.State.QUEUED:
            continue
        if row and row.state == UnknownComparison.State.FAILED and row.requested_at > now - RETRY_INTERVAL:
            continue
        if all(person.group for person in people_to_compare(course)):
            continue
        queued = jobs.RESET_FIELDS | {"state": UnknownComparison.State.QUEUED, "requested_at": now}
        row, _ = UnknownComparison.objects.update_or_create(course=course, defaults=queued)
        jobs.COMPARE_UNKNOWN.request(row)


@transaction.atomic
def finish_comparison(*, comparison: UnknownComparison, numbers: Mapping[int, int]) -> None:
    """Store which people, by their ids, are one person: those of one number."""
    if not jobs.finish(comparison, UnknownComparison.State.DONE):
        return
    groups = {number: uuid4() for number in set(numbers.values())}
    for number, group in groups.items():
        members = [pk for pk, own in numbers.items() if own == number]
        UnknownPerson.objects.filter(pk__in=members).update(group=group)


def recurring_people(user: AnyUser, course: Course) -> list[RecurringPerson]:
    """The unknown people of several lectures of the class, those of most lectures first."""
    if not courses_for(user).filter(pk=course.pk).exists():
        return []
    groups: dict[UUID, list[UnknownPerson]] = {}
    for person in people_to_compare(course):
        if person.group:
            groups.setdefault(person.group, []).append(person)
    several = [people for people in groups.values() if len({person.recording.lecture_id for person in people}) > 1]
    students = students_with_basis(course.students.all(), course).in_bulk()
    return [
        RecurringPerson(appearances=people, resembles=_resembled_students(people, students))
        for people in sorted(several, key=len, reverse=True)
    ]


def _resembled_students(people: Sequence[UnknownPerson], students: Mapping[int, Student]) -> list[Student]:
    """Those whom the faces resemble in most lectures."""
    counts = Counter(pk for person in people for pk in person.resembles or [] if pk in students)
    return [students[pk] for pk, _ in counts.most_common(MAX_RESEMBLED)]


def other_appearances(user: AnyUser, person: UnknownPerson) -> list[UnknownPerson]:
    """The same unknown person in other lectures, of whom nobody has said who it is; the latest first."""
    if person.group is None:
        return []
    others = unknown_people_for(user).filter(group=person.group, override=None, same_as=None)
    elsewhere = others.exclude(recording__lecture=person.recording.lecture_id).filter(recording__held=False)
    return list(elsewhere.select_related("recording__lecture").order_by("-recording__lecture__starts_at", "pk"))


def count_held_lectures(course: Course) -> int:
    """How many lectures of the class have a recording that counts."""
    return held_lectures().filter(course=course, recordings__sightings__isnull=False).distinct().count()


def identify_in_lectures(
    *, people: Iterable[UnknownPerson], student: Student | None, user: User, reason: str = ""
) -> list[UnknownPerson]:
    """Say which student an unknown person is in each of several lectures, or that it is a visitor where that is None.

    Returns those whom it can't be said of: their lecture is signed off, or the student was not enrolled then.
    """
    refused = []
    for person in people:
        try:
            if student is None:
                mark_as_visitor(person=person, user=user, reason=reason)
            else:
                name_unknown_person(person=person, student=student, user=user, reason=reason)
        except UserError:
            refused.append(person)
    return refused
