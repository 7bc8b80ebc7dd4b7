"""A backup brings back who was erased after it was made, and consents that were withdrawn since. Restoring does both
again.

What was erased or withdrawn is noted by the row's id alone, which is the same in all backups of one database.
"""

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from campus.academics.models import Course, Student
from campus.consent.selectors import refusals
from campus.consent.services import withdraw_consent
from campus.outbox.models import MessageOptIn
from campus.outbox.opt_ins import withdraw_opt_in
from campus.privacy.erasure import request_course_erasure, request_student_erasure
from campus.privacy.legal_holds import end_hold, holds_of
from campus.privacy.models import Erasure


class Ended(StrEnum):
    """What came to an end: the first two are kinds of erasures."""

    STUDENT = "student"
    COURSE = "course"
    CONSENT = "consent"
    MESSAGES = "messages"


class Ending(NamedTuple):
    """Of a consent, `subject` is the student's id; of messages, that of the opt-in."""

    what: Ended
    subject: int
    at: datetime


def find_endings() -> set[Ending]:
    """All erasures, the consents that are withdrawn or refused now, and the opt-ins to messages that have ended."""
    erasures = Erasure.objects.values_list("kind", "subject", "created_at")
    return (
        {Ending(Ended(kind), subject, at) for kind, subject, at in erasures}
        | {Ending(Ended.CONSENT, answer.student_id, answer.withdrawn_at or answer.at) for answer in refusals()}
        | {
            Ending(Ended.MESSAGES, pk, at)
            for pk, at in MessageOptIn.objects.exclude(withdrawn_at=None).values_list("pk", "withdrawn_at")
            if at
        }
    )


def repeat_endings(endings: Iterable[Ending], *, since: datetime) -> int:
    """Erase and withdraw again what was after `since`, the time of the backup; returns how much there was to do.

    What came into being after the backup is not there, and an id may be somebody else's by the next backup: hence the
    time.
    """
    later = {(ending.what, ending.subject) for ending in endings if ending.at > since}
    return sum(_repeat(what, subject) for what, subject in sorted(later))


def _repeat(what: Ended, subject: int) -> bool:
    if what == Ended.COURSE:
        course = Course.objects.filter(pk=subject).first()
        if course:
            _end_holds(course=course)
            request_course_erasure(course=course, user=None)
        return course is not None
    if what == Ended.MESSAGES:
        opt_in = MessageOptIn.objects.filter(pk=subject).first()
        return opt_in is not None and withdraw_opt_in(opt_in=opt_in)
    student = Student.objects.filter(pk=subject, erased_at=None).first()
    if student is None:
        return False
    if what == Ended.CONSENT:
        return withdraw_consent(student=student)
    _end_holds(student=student)
    request_student_erasure(student=student, user=None)
    return True


def _end_holds(*, course: Course | None = None, student: Student | None = None) -> None:
    """Those that the backup has of what was erased later: they had been lifted by then."""
    for hold in holds_of(course=course, student=student):
        end_hold(hold=hold, user=None)
