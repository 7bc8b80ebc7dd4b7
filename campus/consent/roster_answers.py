"""Answers that rosters bring and take along."""

from datetime import datetime, time
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from campus.academics.models import Student
from campus.academics.roster_columns import RosterAnswer
from campus.accounts.history import current_user
from campus.accounts.names import display_name
from campus.audit.models import Action
from campus.audit.services import record_events
from campus.consent.models import CONSENT_LIFETIME, Consent
from campus.consent.selectors import current_text
from campus.consent.services import announce_basis


def roster_answers(students: QuerySet[Student], **_: Any) -> dict[int, RosterAnswer]:
    """The latest word of each of the students who have answered, by their ids."""
    rows = Consent.objects.filter(is_current=True, student__in=students.order_by().values("pk"))
    return {
        row.student_id: RosterAnswer(
            row.given and row.withdrawn_at is None, timezone.localdate(row.withdrawn_at or row.at)
        )
        for row in rows
    }


@transaction.atomic
def record_roster_answers(answers: dict[int, RosterAnswer], **_: Any) -> None:
    """Record what a roster says, as far as no student has answered since."""
    user, text = current_user(), current_text()
    rows = Student.objects.filter(pk__in=answers)
    list(rows.select_for_update().order_by("pk").values_list("pk"))  # one answer at a time
    known = roster_answers(rows)
    latest = {pk: answer for pk, answer in answers.items() if answer.replaces(known.get(pk))}
    Consent.objects.filter(student__in=latest, is_current=True).update(is_current=False)
    consents = []
    for student, answer in latest.items():
        at = timezone.make_aware(datetime.combine(answer.day, time()))
        consents.append(
            Consent(
                student_id=student,
                given=answer.given,
                text=text,
                method=Consent.Method.ROSTER,
                at=at,
                recorded_by=display_name(user) if user else "",
                expires_at=at + CONSENT_LIFETIME if answer.given else None,
            )
        )
    Consent.objects.bulk_create(consents, batch_size=1000)
    for given, word in ((True, "agreed"), (False, "refused")):
        if students := [pk for pk, answer in latest.items() if answer.given == given]:
            about = f"{word}, {Consent.Method.ROSTER}, text {text.pk}"
            record_events(user, Action.CHANGED_CONSENT, students, about=about)
            announce_basis(*students, keep_photos=given)
