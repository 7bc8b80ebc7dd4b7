"""Import of rosters, all of a file or nothing."""

from collections.abc import Mapping
from datetime import date, timedelta

from django.db import transaction
from django.utils import timezone

from campus.academics.file_contents import Table
from campus.academics.models import Course, Enrolment, Student
from campus.academics.roster_plan import ROW_FIELDS, RosterPlan, plan_roster
from campus.academics.services import mark_rosters_changed
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
        if complete:
            yesterday = timezone.localdate() - timedelta(days=1)
            for enrolment in plan.leaving:
                enrolment.valid_to = max(enrolment.valid_from, yesterday)
            Enrolment.objects.bulk_update(plan.leaving, ["valid_to"], batch_size=500)
        Enrolment.objects.bulk_create(plan.enrolments_new, batch_size=1000)
        Enrolment.objects.bulk_update(plan.enrolments_changed, ["section", "valid_from", "valid_to"], batch_size=500)
        changed = [*plan.enrolments_new, *plan.enrolments_changed, *(plan.leaving if complete else ())]
        courses = {enrolment.course_id for enrolment in changed}
        # Bulk writes send no signals.
        mark_rosters_changed(courses=Course.objects.filter(pk__in=courses))
        for course_id in courses:
            record_event(current_user(), Action.CHANGED_ROSTER, course=course_id, about="imported from a table")
    return plan
