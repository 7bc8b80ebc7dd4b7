"""Moodle's activity Attendance (mod_attendance) by web services: its course's students, and a mark a lecture and
student.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Final
from uuid import UUID

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from campus.academics.models import Lecture
from campus.attendance.models import AttendanceRecord
from campus.attendance.statuses import status_definitions
from campus.common.errors import UserError
from campus.common.outgoing_http import OutgoingError
from campus.connections.adapters import MarkRefused, MarkSender, Member, RosterAdapter, WantedMark
from campus.connections.marks import MAX_REFUSED
from campus.connections.models import (
    CURRENT_LINKS,
    Connection,
    ConnectionRun,
    CourseLink,
    MarkDelivery,
    RemotePerson,
)
from campus.connections.moodle_client import Moodle, MoodleSession, MoodleStatus
from campus.connections.rosters import remember_people
from campus.connections.services import remember
from recognition.messages import Message

ACTIVITY_NAME: Final = "Attendance"
# Where a session begins with its lecture. By a clock or time zone that is an hour off, it would be of the one before.
MAX_SECONDS_APART: Final = 30 * 60


class MoodleForm(forms.Form):
    """The settings of a Moodle. The connection's secret is the token."""

    address = forms.URLField(label=_("address"), assume_scheme="https", help_text=_("Of Moodle's first page."))
    number = forms.ChoiceField(
        label=_("student number"),
        choices=[("idnumber", _("ID number")), ("username", _("user name")), ("email", _("e-mail"))],
        help_text=_("The field in Moodle that is the student number here."),
    )
    statuses = forms.CharField(
        label=_("other acronyms"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text=_(
            "A line each where a status set of Moodle has another acronym than the status here: set, status, acronym, "
            "such as “0 late T”. “Test it” shows what is sent without that."
        ),
    )

    def clean_statuses(self) -> str:
        text: str = self.cleaned_data["statuses"]
        try:
            parse_statuses(text)
        except ValueError as error:
            raise ValidationError(
                _("“%(line)s” is not three words: set, status, acronym. The statuses are: %(codes)s.")
                % {"line": error, "codes": ", ".join(status_definitions())}
            ) from error
        return text


def parse_statuses(text: str) -> dict[tuple[int, str], str]:
    """The acronym by status set and status. Raises ValueError with the line that is wrong."""
    found: dict[tuple[int, str], str] = {}
    for line in filter(str.strip, text.splitlines()):
        words = line.split()
        if len(words) != 3 or not words[0].isdecimal() or len(words[0]) > 4 or words[1] not in status_definitions():
            raise ValueError(line)
        found[int(words[0]), words[1]] = words[2]
    return found


class MoodleAdapter:
    settings_form: type[forms.Form] = MoodleForm

    def check(self, connection: Connection) -> Message:
        """Try the token, and say what is sent for which status."""
        site = _client(connection).site()
        if missing := site.missing_functions:
            raise UserError(
                "The token works, but the external service in Moodle lacks: {functions}. Add them there.",
                functions=", ".join(missing),
            )
        statuses = [
            f"{row.label} → {row.moodle_acronym}" for row in status_definitions().values() if row.moodle_acronym
        ]
        return Message(
            "“{site}” answers (Moodle {release}). Marks: {statuses}.",
            site=site.sitename[:100],
            release=site.release[:20],
            statuses=", ".join(statuses),
        )

    def sync(self, connection: Connection, run: ConnectionRun) -> Message:
        """Compare what stands in Moodle with what was confirmed there: somebody may have changed it."""
        return compare_there(self, connection, run, _Sender)

    def fetch_roster(self, link: CourseLink) -> list[Member]:
        """Who has the role of a student in the course."""
        field = link.connection.settings["number"]
        return [
            Member(
                remote_id=str(user.id),
                number=getattr(user, field),
                name=f"{user.firstname} {user.lastname}".strip() or user.fullname,
                surname=user.lastname,
                email=user.email,
            )
            for user in _client(link.connection).enrolled_users(course_id(link))
            if user.is_student
        ]

    def wanted_marks(self, link: CourseLink) -> Iterable[WantedMark]:
        """The status of each student who is known there, of each lecture that is signed off. A lecture that was
        reopened keeps what stands there until it is signed off again."""
        people = dict(
            RemotePerson.objects.filter(connection=link.connection_id, student__isnull=False).values_list(
                "student", "remote_id"
            )
        )
        known = {code for code, status in status_definitions().items() if status.moodle_acronym}
        records = AttendanceRecord.objects.filter(
            lecture__course=link.course_id, lecture__sign_off__isnull=False, student__in=people
        )
        for record in records:
            if record.status in known:
                yield _wanted(people[record.student_id], record.student_id, record.lecture_id, record.status)
        reopened = link.marks.filter(lecture__sign_off=None, lecture__course=link.course_id, student__in=people)
        for mark in reopened:
            if mark.student_id and mark.lecture_id and mark.value:
                yield _wanted(mark.remote_person, mark.student_id, mark.lecture_id, mark.value)

    @contextmanager
    def open_sender(self, link: CourseLink) -> Iterator["_Sender"]:
        """For one batch; what was sent is read back at its end."""
        sender = _Sender(link)
        yield sender
        if sender.sent:
            reader = _Sender(link)
            note_differences(link.marks.filter(pk__in=sender.sent, state=MarkDelivery.State.SENT), reader.read)


def _wanted(person: str, student: int, lecture: int, status: str) -> WantedMark:
    return WantedMark(
        student_id=student, remote_person=person, value=status, remote_item=f"lecture-{lecture}", lecture_id=lecture
    )


def compare_there(
    adapter: RosterAdapter, connection: Connection, run: ConnectionRun, open_sender: Callable[[CourseLink], MarkSender]
) -> Message:
    """Learn who is whom where the roster comes from elsewhere, and note marks that others have changed there.

    A class for which that can't be done, such as one whose course was deleted there, keeps no other from it.
    """
    failures = []
    run.counts["differing"] = 0
    for link in connection.links.filter(CURRENT_LINKS, sends_marks=True).select_related("connection", "course"):
        try:
            if not link.takes_roster:
                members = [member for member in adapter.fetch_roster(link) if member.number]
                remember_people(connection=connection, members=members)
            sent = list(link.marks.filter(state=MarkDelivery.State.SENT).exclude(value=""))
            if sent:
                run.counts["differing"] += note_differences(sent, open_sender(link).read)
        except UserError as error:
            if isinstance(error, OutgoingError) and not error.final:
                raise  # the whole site can't be asked now
            failures.append(Message("{course}: {why}", course=link.linked_course().code, why=error.message))
            if len(failures) == MAX_REFUSED:
                break
    if failures:
        raise UserError("{n} classes could not be compared, such as: {first}", n=len(failures), first=failures[0])
    return Message()


def note_differences(marks: Iterable[MarkDelivery], read: Callable[[MarkDelivery], str | None]) -> int:
    """Mark those as failed in whose place something else stands, for a person to look at; returns how many."""
    count = 0
    for mark in marks:
        there = read(mark)
        if there is not None and there != mark.value:
            count += MarkDelivery.objects.filter(
                pk=mark.pk, version=mark.version, state=MarkDelivery.State.SENT
            ).update(
                state=MarkDelivery.State.FAILED,
                confirmed_version=0,  # what was read may be older than what was sent
                confirmed_value=there[:40],
                confirmed_at=timezone.now(),
                error=Message(
                    "Update needed: “{there}” stands there in place of “{wanted}”. Send it again to overwrite that.",
                    there=there or "-",
                    wanted=mark.value,
                ),
            )
    return count


def _client(connection: Connection) -> Moodle:
    return Moodle(connection.settings["address"], connection.secret)


def course_id(link: CourseLink) -> int:
    """The number of the course there. Raises UserError where it is none."""
    if not (link.remote_id.isdecimal() and len(link.remote_id) < 19):
        raise UserError(
            "“{id}” is not the number of a course. It is in the address of the course's page.", id=link.remote_id[:60]
        )
    return int(link.remote_id)


class _Sender:
    """Reads and writes the marks of one class. Sessions are read once, and found by the lecture's time."""

    def __init__(self, link: CourseLink) -> None:
        self.link, self.moodle = link, _client(link.connection)
        self.sent: list[UUID] = []
        self.acronyms = parse_statuses(link.connection.settings.get("statuses", ""))
        self.sessions: dict[int, MoodleSession] = {}
        self.logs: dict[int, dict[int, int]] = {}
        self.listed: dict[int, set[int]] = {}
        self.all_sessions: list[MoodleSession] | None = None
        self.user: int | None = None

    def read(self, mark: MarkDelivery) -> str | None:
        """The status that stands there: `mark.value` where it is that one, else the acronym there."""
        session = self.session_of(mark)
        if session is None:
            return ""
        status_id = self.logs[session.id].get(int(mark.remote_person))
        if status_id is None:
            return ""
        wanted = self.status_for(session, mark.value)
        if wanted and wanted.id == status_id:
            return mark.value
        return next((status.acronym for status in session.statuses if status.id == status_id), "?")

    def send(self, mark: MarkDelivery) -> None:
        """Write the status; the session is made where there is none at the lecture's time."""
        if not mark.value:
            if self.read(mark):
                raise MarkRefused("Moodle's web services can't take a mark away. Remove it there by hand.")
            return
        session = self.session_of(mark) or self.add_session(mark)
        status = self.status_for(session, mark.value)
        if status is None:
            raise MarkRefused(
                "Status set {set} in Moodle has no “{acronym}” for “{status}”. It has: {known}. Add it there, or say "
                "in the connection which one it is.",
                set=session.statusset,
                acronym=self.acronym(session, mark.value),
                status=mark.value,
                known=", ".join(row.acronym for row in session.statuses if not row.deleted),
            )
        if int(mark.remote_person) not in self.listed[session.id]:
            raise MarkRefused("The student is not on the list of the session in Moodle.")
        if self.user is None:
            self.user = self.moodle.site().userid
        self.moodle.set_status(session, int(mark.remote_person), status, self.user)
        self.logs[session.id][int(mark.remote_person)] = status.id
        self.sent.append(mark.pk)

    def acronym(self, session: MoodleSession, status: str) -> str:
        definition = status_definitions().get(status)
        return self.acronyms.get((session.statusset, status), definition.moodle_acronym if definition else "")

    def status_for(self, session: MoodleSession, status: str) -> MoodleStatus | None:
        acronym = self.acronym(session, status)
        return session.status_of(acronym) if acronym else None

    def session_of(self, mark: MarkDelivery) -> MoodleSession | None:
        """The session of the mark's lecture: the one that was used before, or the nearest that begins with it and that
        no other lecture has. None without one, and of a lecture that is deleted."""
        lecture = _lecture_of(mark)
        if lecture in self.sessions:
            return self.sessions[lecture]
        attendance = self.activity(make=False)
        if attendance is None or lecture is None:
            return None
        if self.all_sessions is None:
            self.all_sessions = self.moodle.sessions(attendance)
        taken = self.link.settings.get("sessions", {})
        found = next((row for row in self.all_sessions if row.id == taken.get(str(lecture))), None)
        if found is None and (row := Lecture.objects.filter(pk=lecture).first()):
            starts = row.starts_at.timestamp()
            group = self.link.settings.get("group", 0)
            fitting = [
                session
                for session in self.all_sessions
                if session.groupid == group
                and abs(session.sessdate - starts) < MAX_SECONDS_APART
                and session.id not in taken.values()
            ]
            found = min(fitting, key=lambda session: abs(session.sessdate - starts), default=None)
        if found is not None:
            self.use(lecture, found)
        return found

    def add_session(self, mark: MarkDelivery) -> MoodleSession:
        lecture = Lecture.objects.filter(pk=_lecture_of(mark) or 0).first()
        attendance = self.activity(make=True)
        if lecture is None or attendance is None:
            raise MarkRefused("The lecture was deleted here, so it has no session there.")
        pk = self.moodle.add_session(
            attendance,
            starts_at=int(lecture.starts_at.timestamp()),
            seconds=int(lecture.length),
            description=lecture.title,
        )
        session = self.moodle.session(pk)
        self.use(lecture.pk, session)
        return session

    def use(self, lecture: int, session: MoodleSession) -> None:
        self.sessions[lecture] = session
        self.logs[session.id] = {log.studentid: log.statusid for log in session.attendance_log}
        self.listed[session.id] = {user.id for user in session.users}
        sessions = self.link.settings.get("sessions", {})
        if sessions.get(str(lecture)) != session.id:
            remember(self.link, sessions={**sessions, str(lecture): session.id})

    def activity(self, *, make: bool) -> int | None:
        """The id of the attendance activity: the chosen one or the first of the course; made if it is to be."""
        attendance: int | None = self.link.settings.get("attendance")
        if attendance is None:
            attendance = self.moodle.first_activity(course_id(self.link))
            if attendance is None and make:
                attendance = self.moodle.add_activity(course_id(self.link), ACTIVITY_NAME)
            if attendance is not None:
                remember(self.link, attendance=attendance)
        return attendance


def _lecture_of(mark: MarkDelivery) -> int | None:
    """Also of one whose student, and so the lecture, was taken out of the row."""
    number = mark.remote_item.removeprefix("lecture-")
    return int(number) if number.isdecimal() else None
