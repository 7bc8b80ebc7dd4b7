"""Makes terms, classes, rosters and lecturers what a registry says.

What a registry is not about stays: students and classes that it never had, lecturers that people added. A class that it
no longer has is archived. Nothing is deleted.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from dataclasses import replace

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from campus.academics.file_contents import GUESSED_FORMAT, Table
from campus.academics.models import Course, Enrolment, Term
from campus.academics.roster_import import end_enrolments, import_roster
from campus.academics.roster_plan import RosterPlan, plan_roster
from campus.academics.services import validate_and_save
from campus.audit.models import Action
from campus.audit.services import record_event
from campus.common.errors import UserError
from campus.common.keys import match_key
from campus.connections.models import Connection, CourseLink
from campus.connections.oneroster_contents import (
    Registry,
    RegistryClass,
    RegistryEnrolment,
    RegistryPerson,
    RegistryTerm,
)
from campus.connections.sync_outcome import SyncOutcome, note_questions
from recognition.messages import Message

MAX_CODE_CHARACTERS, MAX_NAME_CHARACTERS = 40, 200
MAX_LISTED_PROBLEMS = 50
ROSTER_COLUMNS = ("number", "name", "surname", "email", "class", "from", "to")


class _Undone(Exception):
    """Takes back what was only tried."""


def update_from_registry(*, connection: Connection, registry: Registry, is_trial: bool = False) -> SyncOutcome:
    """Do what the registry says, but for what is more than the connection's limit. `is_trial`: only say what would be
    done.
    """
    update = _Update(connection, registry)
    try:
        with transaction.atomic():
            update.do()
            note_questions(connection=connection, questions=update.outcome.questions)
            if is_trial:
                raise _Undone
    except _Undone:
        pass
    return update.outcome


class _Update:
    def __init__(self, connection: Connection, registry: Registry) -> None:
        self.connection, self.registry = connection, registry
        self.limit = connection.change_limit_percent / 100
        self.outcome = SyncOutcome(problems=list(registry.problems), counts=Counter(failed=len(registry.problems)))
        self.people = {person.sourced_id: person for person in registry.people}
        connection.links.filter(course=None).delete()  # of classes that were deleted
        self.links = {link.remote_id: link for link in connection.links.select_related("course__term")}

    def do(self) -> None:
        today = timezone.localdate()
        sessions = {term.sourced_id: term for term in self.registry.terms if term.last_day >= today}
        terms: dict[str, Term] = {}
        classes: dict[str, Course] = {}
        for row in self.registry.classes:
            session = next((sessions[pk] for pk in row.terms if pk in sessions), None)
            if session is None:
                continue  # of a term that is over
            try:
                with transaction.atomic():
                    if session.sourced_id not in terms:
                        terms[session.sourced_id] = self.term(session)
                    classes[row.sourced_id] = self.course(row, terms[session.sourced_id])
            except (ValidationError, UserError) as error:
                why = " ".join(error.messages) if isinstance(error, ValidationError) else str(error)
                self.problem(Message("{name}: {why}", name=row.title[:100] or row.sourced_id[:60], why=why))
        by_class: defaultdict[str, list[RegistryEnrolment]] = defaultdict(list)
        for enrolment in self.registry.enrolments:
            if enrolment.of_class in classes and enrolment.person in self.people:
                by_class[enrolment.of_class].append(enrolment)
        self.archive()
        self.lecturers(classes, by_class)
        self.roster(classes, by_class)
        for remote_id in classes:
            self.note_whether_empty(self.links[remote_id], any(row.is_student for row in by_class[remote_id]))

    def problem(self, message: Message) -> None:
        self.outcome.counts["failed"] += 1
        if len(self.outcome.problems) < MAX_LISTED_PROBLEMS:
            self.outcome.problems.append(message)

    def term(self, row: RegistryTerm) -> Term:
        name = row.title[:100]
        term = next((term for term in Term.objects.all() if match_key(term.name) == match_key(name)), None)
        days = {"first_day": row.first_day, "last_day": row.last_day}
        if term is None:
            self.outcome.counts["terms_added"] += 1
            return validate_and_save(Term(name=name), **days)
        if any(getattr(term, key) != day for key, day in days.items()):
            self.outcome.counts["terms_changed"] += 1
            validate_and_save(term, **days)
        return term

    def course(self, row: RegistryClass, term: Term) -> Course:
        """The class of a row: the linked one, the one of the code that nothing is linked with, or a new one."""
        link = self.links.get(row.sourced_id)
        if link is not None:
            course = link.linked_course()
            wanted = {"term": term, "name": row.title[:MAX_NAME_CHARACTERS] or course.name}
            if any(getattr(course, key) != value for key, value in wanted.items()):
                self.outcome.counts["classes_changed"] += 1
                validate_and_save(course, **wanted)
            return course
        linked = {link.linked_course().pk for link in self.links.values()}
        code = (row.code or row.title or row.sourced_id)[:MAX_CODE_CHARACTERS]
        found = Course.objects.filter(Q(term=None) | Q(term=term), code_key=match_key(code)).exclude(pk__in=linked)
        first = found.first()
        if first is None:
            if Course.objects.filter(code_key=match_key(code)).exists():  # that of another term
                code = f"{code[: MAX_CODE_CHARACTERS - len(term.name) - 1]} {term.name}"[:MAX_CODE_CHARACTERS]
            name = row.title[:MAX_NAME_CHARACTERS] or code
            course = validate_and_save(Course(code=code, name=name), term=term)
            self.outcome.counts["classes_added"] += 1
        else:
            course = first
            if course.term_id is None:
                self.outcome.counts["classes_changed"] += 1
                validate_and_save(course, term=term)
        self.links[row.sourced_id] = CourseLink.objects.create(
            connection=self.connection,
            course=course,
            remote_id=row.sourced_id,
            remote_name=row.title[:255],
            takes_roster=False,
            sends_marks=False,
        )
        return course

    def archive(self) -> None:
        """Classes that the registry no longer has leave the lists; those of terms that are over stay as they are."""
        known = {row.sourced_id for row in self.registry.classes}
        current = [link for link in self.links.values() if not link.linked_course().is_archived]
        gone = [link for link in current if link.remote_id not in known]
        if len(gone) > self.limit * len(current):
            question = Message(
                "{n} of {total} classes are no longer in the registry. Archive them yourself, if that is right.",
                n=len(gone),
                total=len(current),
            )
            self.outcome.questions |= {link.linked_course().pk: question for link in gone}
            return
        for link in gone:
            self.outcome.counts["classes_archived"] += 1
            validate_and_save(link.linked_course(), archived=True)

    def lecturers(self, classes: dict[str, Course], by_class: dict[str, list[RegistryEnrolment]]) -> None:
        """Who teaches a class and has an account here is a lecturer of it; who came so and no longer does, is not."""
        by_name = self.connection.settings.get("lecturers", "username") == "username"
        accounts = {
            match_key(user.username if by_name else user.email): user
            for user in User.objects.filter(is_active=True).exclude(**{"username" if by_name else "email": ""})
        }
        for remote_id, course in classes.items():
            teachers = [self.people[row.person] for row in by_class[remote_id] if not row.is_student]
            found = {
                user.pk
                for person in teachers
                if (user := accounts.get(match_key(person.username if by_name else person.email)))
            }
            self.outcome.counts["lecturers_without_account"] += len(teachers) - len(found)
            link = self.links[remote_id]
            ours = set(link.settings.get("lecturers", []))
            present = set(course.lecturers.values_list("pk", flat=True))
            added, removed = found - present, (ours - found) & present
            if added or removed:
                record_event(None, Action.CHANGED_CLASS, course=course.pk, about="lecturers by a registry")
                course.lecturers.add(*added)
                course.lecturers.remove(*removed)
                self.outcome.counts["lecturers_added"] += len(added)
                self.outcome.counts["lecturers_removed"] += len(removed)
            if (ours & found) | added != ours:
                link.settings["lecturers"] = sorted((ours & found) | added)
                link.save(update_fields=["settings"])

    def roster(self, classes: dict[str, Course], by_class: dict[str, list[RegistryEnrolment]]) -> None:
        """Bring all rosters up to date, but for students of whom a person has to say who they are."""
        rows: dict[tuple[str, str], list[str]] = {}
        for remote_id, course in classes.items():
            for enrolment in by_class[remote_id]:
                if enrolment.is_student:
                    cells = self.cells(self.people[enrolment.person], course, enrolment)
                    rows.setdefault((cells[0] or enrolment.person, course.code), cells)
        if not rows:
            return
        table = make_table(rows.values())
        columns = {name: index for index, name in enumerate(table.headers)}
        plan = plan_roster(table, columns)
        left_out = {row.line for row in plan.errors} | {row.line for row in plan.undecided}
        doubtful = {student.pk for row in plan.undecided for student in row.existing}
        place, by_code = columns["class"], {course.code: course.pk for course in classes.values()}
        # Whose row is wrong, such as one without a number, may be anybody who is not listed.
        unsure = {by_code[table.rows[row.line - 1][place]] for row in plan.errors}
        leaving = [row for row in plan.leaving if row.student_id not in doubtful and row.course_id not in unsure]
        held = self.exceeded_limits(classes.values(), plan, leaving)
        wrong = Counter(by_code[table.rows[line - 1][place]] for line in left_out)
        self.outcome.questions |= held | {
            course: Message.with_count(
                "{n} student there is wrong or doubtful. Look at the row.",
                "{n} students there are wrong or doubtful. Look at the rows.",
                n=n,
            )
            for course, n in wrong.items()
            if course not in held
        }
        asked = [row for row in table.rows if by_code[row[place]] in {*held, *wrong}]
        if asked:
            self.outcome.table = renumbered(table, asked)
        self.outcome.counts["waiting"] += len(left_out) + sum(row.course_id in held for row in leaving)
        leaving = [row for row in leaving if row.course_id not in held]
        kept = [
            row
            for line, row in zip(table.lines, table.rows, strict=True)
            if line not in left_out and by_code[row[place]] not in held
        ]
        if kept:
            plan = import_roster(table=renumbered(table, kept), columns=columns)
            self.outcome.counts["added"] += len(plan.new)
            self.outcome.counts["changed"] += len(plan.changed)
        end_enrolments(leaving)
        self.outcome.counts["removed"] += len(leaving)

    def note_whether_empty(self, link: CourseLink, has_students: bool) -> None:
        """Where the registry had students and has none any more, a person is asked."""
        if has_students and not link.settings.get("had_students"):
            link.settings["had_students"] = True
            link.save(update_fields=["settings"])
        is_open = Q(valid_to=None) | Q(valid_to__gte=timezone.localdate())
        course = link.linked_course()
        enrolled = course.enrolments.filter(is_open, student__guest=False)
        if link.settings.get("had_students") and not has_students and (n := enrolled.count()):
            self.outcome.questions[course.pk] = Message(
                "{course} has no students in the registry any more, and {n} here. Take them off its roster yourself, "
                "if that is right.",
                course=course.code,
                n=n,
            )

    def cells(self, person: RegistryPerson, course: Course, enrolment: RegistryEnrolment) -> list[str]:
        number = getattr(person, self.connection.settings.get("number", "identifier"))
        name = " ".join(part for part in (person.given_name, person.family_name) if part)
        days = [day.isoformat() if day else "" for day in (enrolment.first_day, enrolment.last_day)]
        return [number, name, person.family_name, person.email, course.code, *days]

    def exceeded_limits(
        self, courses: Iterable[Course], plan: RosterPlan, leaving: Collection[Enrolment]
    ) -> dict[int, Message]:
        """Why a person is asked, by class: more of it would change or leave than the connection's limit."""
        is_open = Q(valid_to=None) | Q(valid_to__gte=timezone.localdate())
        enrolled = Counter(
            Enrolment.objects.filter(is_open, course__in=courses, student__guest=False).values_list("course", flat=True)
        )
        changing = Counter(row.course_id for row in leaving)
        changing.update(row.course.pk for row in plan.changed if row.course)
        return {
            course.pk: Message(
                "In {course}, {n} of {total} students would change or leave.",
                course=course.code,
                n=changing[course.pk],
                total=enrolled[course.pk],
            )
            for course in courses
            if changing[course.pk] > self.limit * enrolled[course.pk]
        }


def renumbered(table: Table, rows: list[list[str]]) -> Table:
    """The table with these of its rows."""
    return replace(table, rows=rows, lines=list(range(1, len(rows) + 1)))


def make_table(rows: Iterable[list[str]]) -> Table:
    """A roster as if a worker had read it; columns without a single value are left out, so that they change nothing."""
    kept_rows = list(rows)
    filled = [index for index in range(len(ROSTER_COLUMNS)) if index < 2 or any(row[index] for row in kept_rows)]
    return Table(
        headers=[ROSTER_COLUMNS[index] for index in filled],
        rows=[[row[index] for index in filled] for row in kept_rows],
        lines=list(range(1, len(kept_rows) + 1)),
        format=GUESSED_FORMAT,
        sheets=[],
        doubtful_texts=[],
    )
