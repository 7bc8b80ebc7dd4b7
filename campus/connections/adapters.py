"""What a kind of connection has to offer: its settings, and as far as it has them the roster of a course there, the
marks that go there, terms and timetables, and uploaded zips. What an adapter is an instance of is what the kind has.
"""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Final, Protocol, cast, runtime_checkable

from django import forms

from campus.common.errors import UserError
from campus.connections.models import Connection, ConnectionRun, CourseLink, MarkDelivery
from recognition.messages import Message


class MarkRefused(UserError):
    """The other system does not take this mark, and will not before somebody changes something. Others may go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A student on a roster there. `remote_id` is the person's id there, `number` the student number."""

    remote_id: str
    number: str
    name: str
    surname: str = ""
    email: str = ""
    section: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedMark:
    """What should stand there. `remote_item` tells several marks of one student apart, such as the id of a session."""

    student_id: int
    remote_person: str
    value: str
    remote_item: str = ""
    lecture_id: int | None = None


class MarkSender(Protocol):
    """Sends marks, one after the other. What it does twice has the effect of doing it once.

    Both raise MarkRefused, or OutgoingError where the other system can't be used now.
    """

    def read(self, mark: MarkDelivery) -> str | None:
        """The value that stands there, "" for none; None where that can't be found out."""

    def send(self, mark: MarkDelivery) -> None:
        """Have `mark.value` stand there; "" takes away what does. Returns once that is sure."""


class Adapter(Protocol):
    """One kind of connection. Everything but the form is called in a worker, and may raise UserError (an OutgoingError
    where the network is to blame: it is tried again). So do the other protocols."""

    settings_form: type[forms.Form]

    def check(self, connection: Connection) -> Message:
        """Try it, changing nothing; returns what was found."""


@runtime_checkable
class SyncAdapter(Protocol):
    """Of a kind with something that is not of one class: terms, classes, timetables, what others changed there."""

    def sync(self, connection: Connection, run: ConnectionRun) -> Message:
        """Fetch it; the counts go into `run.counts`. Returns what a person should know of it. Who has asked for it gets
        a preview in `run.file_import` where that needs a person."""


@runtime_checkable
class ZipAdapter(Protocol):
    """Of a kind that is also read from a zip that somebody uploads."""

    def takes_zips(self, connection: Connection) -> bool:
        """Whether this connection's settings say so."""

    def import_zip(self, connection: Connection, run: ConnectionRun, path: Path, *, is_trial: bool) -> Message:
        """As `sync`, from the file; `is_trial`: only say what would be done."""


@runtime_checkable
class RosterAdapter(Protocol):
    """Of a kind that has the roster of each linked class."""

    def fetch_roster(self, link: CourseLink) -> list[Member]:
        """The students of the course there now."""


@runtime_checkable
class MarkAdapter(Protocol):
    """Of a kind to which marks go."""

    def wanted_marks(self, link: CourseLink) -> Iterable[WantedMark]:
        """What should stand there now. Asks the database alone."""

    def open_sender(self, link: CourseLink) -> AbstractContextManager[MarkSender]:
        """For one batch of marks."""


# Module and class of each kind; the modules are imported when they are needed.
ADAPTERS: Final[dict[str, str]] = {
    Connection.Kind.LTI: "campus.connections.lti.adapter:LtiAdapter",
    Connection.Kind.MOODLE: "campus.connections.moodle_adapter:MoodleAdapter",
    Connection.Kind.CANVAS: "campus.connections.canvas_adapter:CanvasAdapter",
    Connection.Kind.ONEROSTER: "campus.connections.oneroster_adapter:OneRosterAdapter",
    Connection.Kind.CALENDAR: "campus.connections.calendar_adapter:CalendarAdapter",
}


def adapter_for(kind: str) -> Adapter:
    """The adapter of a kind of connection."""
    module, _colon, name = ADAPTERS[kind].partition(":")
    return cast("Callable[[], Adapter]", getattr(import_module(module), name))()


def check_settings(connection: Connection) -> None:
    """Raises UserError where the settings are not complete."""
    if errors := adapter_for(connection.kind).settings_form(connection.settings).errors:
        raise UserError("The settings are not complete: {fields}.", fields=", ".join(errors))
