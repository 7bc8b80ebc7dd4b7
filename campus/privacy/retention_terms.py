"""After how many days what is deleted: as Rollcall comes, as the institution has chosen, and as a class differs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from campus.academics.models import Course
from campus.audit.models import Action
from campus.audit.services import record_event
from campus.privacy.models import RetentionRule

Kind = RetentionRule.Kind


@dataclass(frozen=True, kw_only=True)
class Term:
    """How long one kind is kept unless somebody has chosen, and the words around the number of days on the page.

    `min_days`: what is deleted sooner would be made again at once. `is_per_class`: a class may differ.
    """

    days: int | None
    before: str | Promise
    after: str | Promise
    is_per_class: bool = False
    min_days: int = 1


TERMS: Final[dict[Kind, Term]] = {
    Kind.UNSIGNED: Term(
        days=30,
        before=_("A lecture that nobody signs off counts here as signed off"),
        after=_("days after its end"),
        is_per_class=True,
    ),
    Kind.FOOTAGE: Term(
        days=7,
        before=_("Recordings and footage are deleted"),
        after=_("days after the lecture was signed off"),
        is_per_class=True,
    ),
    Kind.CROPS: Term(
        days=30,
        before=_("Pictures of students' faces in lectures are deleted"),
        after=_("days after the lecture was signed off"),
        is_per_class=True,
    ),
    Kind.UNKNOWN_FACES: Term(
        days=3,
        before=_("Pictures of people whom nobody has named are deleted"),
        after=_("days after they were found"),
        is_per_class=True,
    ),
    Kind.LECTURE_FACES: Term(
        days=365,
        before=_("Faces from lectures that a class has learnt are deleted"),
        after=_("days after the lecture"),
        is_per_class=True,
    ),
    Kind.SNAPSHOTS: Term(
        days=7,
        before=_("Whole frames that somebody has looked at are deleted"),
        after=_("days later"),
        is_per_class=True,
    ),
    Kind.ANNOTATED_VIDEOS: Term(
        days=1,
        before=_("Clips and annotated videos are deleted"),
        after=_("days after they were drawn"),
        is_per_class=True,
    ),
    Kind.PHOTOS: Term(
        days=30,
        before=_("Enrolment photos and what was computed of them are deleted"),
        after=_("days after the student's last class has ended"),
    ),
    Kind.GALLERIES: Term(
        days=30,
        before=_("A class's galleries are deleted"),
        after=_("days after its last lecture"),
        is_per_class=True,
    ),
    Kind.EXCUSE_DOCUMENTS: Term(
        days=90,
        before=_("Documents of excuses are deleted"),
        after=_("days after the last day that is excused"),
    ),
    Kind.WORKBOOKS: Term(
        days=365,
        before=_("Workbooks on the server's disk are deleted"),
        after=_("days after they were written; a download writes a new one"),
        is_per_class=True,
        min_days=14,
    ),
    Kind.MESSAGES: Term(
        days=30,
        before=_("Messages are deleted"),
        after=_("days after they were sent or given up"),
        min_days=7,
    ),
    Kind.ACCOUNT_EVENTS: Term(
        days=180,
        before=_("Logins and changes of accounts are deleted"),
        after=_("days later"),
    ),
    Kind.AUDIT_LOG: Term(
        days=1095,
        before=_("Entries of the audit log are deleted"),
        after=_("days later"),
        min_days=90,
    ),
    Kind.ATTENDANCE: Term(
        days=None,
        before=_("Lectures are deleted with all of their attendance"),
        after=_("days after they took place"),
        is_per_class=True,
        min_days=30,
    ),
    Kind.STUDENTS: Term(
        days=365,
        before=_("Students of whom there is no attendance are deleted"),
        after=_("days after their last class has ended; others stay as long as their attendance"),
        min_days=30,
    ),
}


class Terms:
    """All terms at one moment; read in one query."""

    def __init__(self, now: datetime | None = None) -> None:
        self.now = now or timezone.now()
        self._rules: dict[tuple[Kind, int | None], int | None] = {
            (Kind(kind), course): days
            for kind, course, days in RetentionRule.objects.values_list("kind", "course", "days")
        }

    def days(self, kind: Kind, course: int | None = None) -> int | None:
        """Of a class, or of those that don't differ; None: kept."""
        if (kind, course) in self._rules:
            return self._rules[kind, course]
        return self._rules.get((kind, None), TERMS[kind].days)

    def differs(self, kind: Kind, course: int) -> bool:
        """Whether the class has a term of its own."""
        return (kind, course) in self._rules

    def own_days(self, course: int) -> dict[Kind, int | None]:
        """In which terms a class differs."""
        return {kind: days for (kind, pk), days in self._rules.items() if pk == course}

    def before(self, kind: Kind, course: int | None = None, *, extra: Kind | None = None) -> datetime | None:
        """What happened before this moment is due; None: nothing is. `extra`: a term that goes before this one."""
        days, more = self.days(kind, course), self.days(extra, course) if extra else 0
        return None if days is None or more is None else self.now - timedelta(days=days + more)

    def due(self, kind: Kind, moment: str, course: str = "", *, extra: Kind | None = None) -> Q:
        """The rows whose time (the field `moment`) is before the term of their class (the field `course`)."""
        kinds = {kind, extra}
        different = {pk for of, pk in self._rules if of in kinds and pk is not None} if course else set()
        found = _before(moment, self.before(kind, extra=extra))
        if different:
            found &= ~Q(**{f"{course}__in": different})
        for pk in different:
            found |= Q(**{course: pk}) & _before(moment, self.before(kind, pk, extra=extra))
        return found


def _before(field: str, moment: datetime | None) -> Q:
    return Q(pk__in=()) if moment is None else Q(**{f"{field}__lt": moment})


@transaction.atomic
def set_rules(*, course: Course | None, days: Mapping[Kind, int | None], user: User) -> None:
    """Set the institution's terms, or a class's own; None: kept. What a class leaves out follows the institution."""
    rules = RetentionRule.objects.filter(course=course)
    rules.delete()
    RetentionRule.objects.bulk_create(
        RetentionRule(kind=kind, course=course, days=number)
        for kind, number in days.items()
        if course or number != TERMS[kind].days
    )
    about = ", ".join(f"{kind.value} {number or '-'}" for kind, number in sorted(days.items()))
    record_event(user, Action.CHANGED_RETENTION, course=course.pk if course else None, about=about)
