"""Rosters from other systems: compared as an uploaded table is, and applied within the limit, else by a person."""

import csv
import io
from collections.abc import Iterable

from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.db import transaction
from django.db.models import OuterRef, Subquery
from django.utils import timezone

from campus.academics.file_contents import GUESSED_FORMAT, Table
from campus.academics.file_imports import create_roster_import
from campus.academics.models import Course, FileImport, Student
from campus.academics.roster_import import import_roster
from campus.academics.roster_plan import RosterPlan, plan_roster
from campus.academics.selectors import roster
from campus.common.errors import UserError
from campus.common.keys import number_key
from campus.connections.adapters import Member, RosterAdapter
from campus.connections.models import Connection, ConnectionRun, CourseLink, RemotePerson
from recognition.messages import Message

FIELDS = ("number", "name", "surname", "email", "section")


def exchange_roster(*, run: ConnectionRun, link: CourseLink, adapter: RosterAdapter) -> None:
    """Fetch a class's roster. Who has asked for it gets the preview that an uploaded file has. By itself it is applied
    if that changes no more than the connection's limit; else a person is asked, with the reason in `link.question`.

    Raises UserError.
    """
    course = link.linked_course()
    members = adapter.fetch_roster(link)
    if not members:
        raise UserError("The roster of {course} there is empty. Nothing is changed here.", course=course.code)
    numbered = [member for member in members if member.number]
    remember_people(connection=link.connection, members=numbered)
    run.counts["members"] = len(members)
    if missing := len(members) - len(numbered):
        run.counts["without_number"] = missing
    if not numbered:
        raise UserError(
            "None of the {n} people on the roster there has a student number. Have the other system send it, as the "
            "documentation says.",
            n=len(members),
        )
    CourseLink.objects.filter(pk=link.pk, sends_marks=True).update(marks_changed_at=timezone.now())  # of who is new
    table = roster_table(numbered)
    if run.user:
        name = f"{link.connection.name} {link.remote_name or course.code}"
        run.file_import = preview_for(run.user, name, course, table)
        CourseLink.objects.filter(pk=link.pk).update(question="")  # asked again at night if nothing comes of it
        return
    columns = {name: column for column, name in enumerate(table.headers)}
    with transaction.atomic():
        plan = plan_roster(table, columns, course)
        if missing:
            plan.leaving = []  # somebody without a number may be any of them
        run.counts.update(_counts(plan))
        link.question = _question(plan, link)
        if not (link.question or link.connection.dry_run):
            import_roster(table=table, columns=columns, course=course, complete=not missing, accept_departures=True)
        CourseLink.objects.filter(pk=link.pk).update(question=link.question)
    match_people(connection=link.connection)


def roster_table(members: Iterable[Member]) -> Table:
    """The members as an uploaded table would have them. A column that nobody has a value in is left out: it then
    changes nothing.
    """
    cells = [[getattr(member, name).strip() for name in FIELDS] for member in members]
    used = [column for column in range(len(FIELDS)) if any(row[column] for row in cells)]
    rows = [[row[column] for column in used] for row in cells]
    return Table(
        headers=[FIELDS[column] for column in used],
        rows=rows,
        lines=list(range(2, len(rows) + 2)),
        format=GUESSED_FORMAT,
        sheets=[],
        doubtful_texts=[],
    )


def preview_for(user: User, name: str, course: Course | None, table: Table) -> FileImport:
    """Have the known preview of a file show the roster to the user. Without `course`, its rows name their class."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(table.headers)
    writer.writerows(table.rows)
    content = ContentFile(text.getvalue().encode())
    return create_roster_import(file=content, name=f"{name}.csv", course=course, user=user)


@transaction.atomic
def remember_people(*, connection: Connection, members: Iterable[Member]) -> None:
    """Note by which id the other system knows whom."""
    known = {row.remote_id: row for row in RemotePerson.objects.filter(connection=connection)}
    new, changed = {}, []
    for member in members:
        key = number_key(member.number)
        row = known.get(member.remote_id)
        if row is None:
            new[member.remote_id] = RemotePerson(connection=connection, remote_id=member.remote_id, number_key=key)
        elif row.number_key != key:
            row.number_key, row.student = key, None
            changed.append(row)
    RemotePerson.objects.bulk_create(new.values(), batch_size=1000, ignore_conflicts=True)
    RemotePerson.objects.bulk_update(changed, ["number_key", "student"], batch_size=500)
    match_people(connection=connection)


def match_people(*, connection: Connection) -> None:
    """Note which student is whom there, of those who have come to be known here since."""
    student = Student.objects.filter(number_key=OuterRef("number_key"), erased_at=None)
    RemotePerson.objects.filter(connection=connection, student=None).update(student=Subquery(student.values("pk")[:1]))


def _counts(plan: RosterPlan) -> dict[str, int]:
    return {"added": len(plan.new), "changed": len(plan.changed), "removed": len(plan.leaving)}


def _question(plan: RosterPlan, link: CourseLink) -> Message:
    """Why a person has to look at the roster; false where nobody has to."""
    if plan.errors or plan.undecided:
        return Message(
            "{n} rows of the roster there are wrong or doubtful. Look at them.",
            n=len(plan.errors) + len(plan.undecided),
        )
    enrolled = roster(link.linked_course(), timezone.localdate()).count()
    changes = sum(_counts(plan).values())
    if 100 * changes > link.connection.change_limit_percent * enrolled:
        return Message(
            "{added} would join, {removed} leave and {changed} change, of {enrolled}: more than {limit} %. Look at it.",
            **_counts(plan),
            enrolled=enrolled,
            limit=link.connection.change_limit_percent,
        )
    return Message()
