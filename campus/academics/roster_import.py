"""Import of rosters, all of a file or nothing."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta

from django.db import transaction
from django.utils import timezone

from campus.academics.file_contents import Table
from campus.academics.models import Course, Enrolment, Student
from campus.academics.roster_plan import ROW_FIELDS, RosterPlan, plan_roster
from campus.academics.services import mark_rosters_changed
from campus.academics.signals import answers_imported
from campus.accounts.history import current_user
from campus.audit.models import Action
from campus.audit.services import record_event
from campus.common.errors import UserError


def import_roster(
    *,
    table: Table,
    columns: Mapping[str, int],
    course: Course | None = None,
    start: date | None = None,
    same_people: Mapping[str, int | None] | None = None,
    complete: bool = False,
    accept_departures: bool = False,
) -> RosterPlan:
    """Do what `plan_roster` says, all of it or nothing; returns what was done.

    `complete`: the table is the whole roster of its classes, so students who are not in it leave; if that is more than
    a tenth of a class, only with `accept_departures`. Raises UserError if a row is wrong, or something is undecided.
    """
    with transaction.atomic():
        plan = plan_roster(table, columns, course, start=start, same_people=same_people)
        if plan.errors:
            raise UserError("Some rows can't be imported. Correct them in the file, then choose it once more.")
        if plan.undecided:
            raise UserError(
                "Some rows may be of existing students, or of others than their numbers say. Choose for each whether "
                "they are the same person."
            )
        if complete and plan.large_departures and not accept_departures:
            raise UserError("More than a tenth of a class would leave. Confirm that, or import without it.")
        Student.objects.bulk_create(plan.students_new.values(), batch_size=1000)
        Student.objects.bulk_update(plan.students_changed.values(), ["number", "guest", *ROW_FIELDS], batch_size=200)
        Enrolment.objects.bulk_create(plan.enrolments_new, batch_size=1000)
        Enrolment.objects.bulk_update(plan.enrolments_changed, ["section", "valid_from", "valid_to"], batch_size=500)
        if complete:
            _end(plan.leaving)
        _note_changes([*plan.enrolments_new, *plan.enrolments_changed, *(plan.leaving if complete else ())])
        if plan.answers:
            answers_imported.send(sender=Student, answers={row.student.pk: row.answer for row in plan.answers})
    return plan


@transaction.atomic
def end_enrolments(enrolments: Sequence[Enrolment]) -> None:
    """Students who are no longer on the roster of another system leave: yesterday was their last day."""
    _end(enrolments)
    _note_changes(enrolments)


def _end(enrolments: Sequence[Enrolment]) -> None:
    yesterday = timezone.localdate() - timedelta(days=1)
    for enrolment in enrolments:
        enrolment.valid_to = max(enrolment.valid_from, yesterday)
    Enrolment.objects.bulk_update(enrolments, ["valid_to"], batch_size=500)


def _note_changes(enrolments: Iterable[Enrolment]) -> None:
    """Bulk writes send no signals."""
    courses = {enrolment.course_id for enrolment in enrolments}
    mark_rosters_changed(courses=Course.objects.filter(pk__in=courses))
    for course_id in courses:
        record_event(current_user(), Action.CHANGED_ROSTER, course=course_id, about="imported from a table")
