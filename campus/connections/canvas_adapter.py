"""Canvas by its REST API: a course's students, and one assignment in per cent. Where there is LTI, it does the same."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from django import forms
from django.utils.translation import gettext_lazy as _

from campus.connections.adapters import MarkRefused, Member, WantedMark
from campus.connections.canvas_client import Canvas, CanvasAssignment
from campus.connections.json_requests import RefusedError
from campus.connections.marks import signed_off_tallies
from campus.connections.models import Connection, ConnectionRun, CourseLink, MarkDelivery
from campus.connections.moodle_adapter import compare_there, course_id
from campus.connections.services import remember
from recognition.messages import Message

ASSIGNMENT_NAME: Final = "Attendance"


class CanvasForm(forms.Form):
    """The settings of a Canvas. The connection's secret is the access token."""

    address = forms.URLField(label=_("address"), assume_scheme="https", help_text=_("Of Canvas's first page."))
    number = forms.ChoiceField(
        label=_("student number"),
        choices=[("sis_user_id", _("SIS ID")), ("login_id", _("login")), ("email", _("e-mail"))],
        help_text=_("The field in Canvas that is the student number here."),
    )
    assignment = forms.CharField(label=_("assignment"), max_length=100, initial=ASSIGNMENT_NAME)


class CanvasAdapter:
    settings_form: type[forms.Form] = CanvasForm

    def check(self, connection: Connection) -> Message:
        """Try the token, and each linked course."""
        client = _client(connection)
        name = client.user_name()
        courses = [client.course(course_id(link)).name for link in connection.links.all()]
        return Message(
            "Canvas answers “{name}”. Courses: {courses}.", name=name[:100], courses=", ".join(courses)[:300] or "-"
        )

    def sync(self, connection: Connection, run: ConnectionRun) -> Message:
        """Compare what stands in Canvas with what was confirmed there: somebody may have changed it."""
        return compare_there(self, connection, run, _Sender)

    def fetch_roster(self, link: CourseLink) -> list[Member]:
        """The students of all sections, each once."""
        field = link.connection.settings["number"]
        users = {row.user.id: row.user for row in _client(link.connection).students(course_id(link))}
        return [
            Member(
                remote_id=str(user.id),
                number=getattr(user, field) or "",
                name=user.name,
                surname=user.sortable_name.partition(",")[0] if "," in user.sortable_name else "",
                email=user.email or "",
            )
            for user in users.values()
        ]

    def wanted_marks(self, link: CourseLink) -> Iterable[WantedMark]:
        """Each student's percentage over the lectures that are signed off."""
        return [
            WantedMark(student_id=student, remote_person=person, value=f"{100 * tally.share:.1f}")
            for student, person, tally in signed_off_tallies(link)
            if tally.share is not None
        ]

    @contextmanager
    def open_sender(self, link: CourseLink) -> Iterator["_Sender"]:
        """For one batch; the assignment is found by its name, or made with the first mark."""
        yield _Sender(link)


def _client(connection: Connection) -> Canvas:
    return Canvas(connection.settings["address"], connection.secret)


class _Sender:
    """Reads and writes the marks of one class."""

    def __init__(self, link: CourseLink) -> None:
        self.link, self.client, self.course = link, _client(link.connection), course_id(link)
        self._assignment: CanvasAssignment | None = None
        self.scores: dict[int, float | None] | None = None

    def read(self, mark: MarkDelivery) -> str | None:
        """The percentage that stands there."""
        assignment = self.assignment(make=False)
        if assignment is None:
            return ""
        if self.scores is None:
            self.scores = self.client.scores(self.course, assignment.id)
        return _percent(self.scores.get(int(mark.remote_person)), assignment)

    def send(self, mark: MarkDelivery) -> None:
        """Write the percentage; Canvas answers with what it has stored."""
        assignment = self.assignment(make=bool(mark.value))
        if assignment is None:
            return
        try:
            stored = self.client.set_percent(self.course, assignment.id, int(mark.remote_person), mark.value)
        except RefusedError as error:
            if error.status == 404:
                raise MarkRefused("The student is not in the course in Canvas any more.") from error
            raise
        if _percent(stored.score, assignment) != mark.value:
            raise MarkRefused(
                "Canvas stored “{there}” in place of “{wanted}”. See how the assignment is graded.",
                there=_percent(stored.score, assignment) or "-",
                wanted=mark.value or "-",
            )

    def assignment(self, *, make: bool) -> CanvasAssignment | None:
        if self._assignment is None:
            known: int | None = self.link.settings.get("assignment")
            name = self.link.connection.settings.get("assignment") or ASSIGNMENT_NAME
            if known is not None:
                try:
                    self._assignment = self.client.assignment(self.course, known)
                except RefusedError as error:
                    if error.status != 404:  # else it was deleted there
                        raise
            self._assignment = self._assignment or self.client.find_assignment(self.course, name)
            if self._assignment is None and make:
                self._assignment = self.client.add_assignment(self.course, name)
            if self._assignment is not None and self._assignment.id != known:
                remember(self.link, assignment=self._assignment.id)
        return self._assignment


def _percent(score: float | None, assignment: CanvasAssignment) -> str:
    if score is None or not assignment.points_possible:
        return ""
    return f"{100 * score / assignment.points_possible:.1f}"
