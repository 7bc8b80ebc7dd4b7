"""What a registry says in OneRoster 1.2, by CSV or by REST, and how the sandbox is asked for the files
(`campus.connections.oneroster_reader` answers).
"""

from datetime import date

import msgspec

from recognition.messages import Message
from recognition.sandbox.client import Sandbox
from recognition.sandbox.protocol import Request

READERS = Sandbox("campus.connections.oneroster_reader")

MAX_ZIP_BYTES = 64 * 2**20
MAX_READING_SECONDS = 120  # of the processor
MAX_READING_BYTES = 512 * 2**20  # of memory
MAX_ENTRIES = 500_000  # of one kind
MAX_PROBLEMS = 100

STUDENT_ROLES = {"student"}
TEACHER_ROLES = {"teacher", "aide", "ta", "instructor"}


class RegistryTerm(msgspec.Struct):
    """An academic session, both days included."""

    sourced_id: str
    title: str
    first_day: date
    last_day: date


class RegistryClass(msgspec.Struct):
    """A class. `terms` has the ids of its academic sessions, `location` its room."""

    sourced_id: str
    code: str
    title: str
    terms: list[str]
    location: str


class RegistryPerson(msgspec.Struct):
    """A user. What of it is the student number, the connection's settings say."""

    sourced_id: str
    username: str
    identifier: str
    email: str
    given_name: str
    family_name: str


class RegistryEnrolment(msgspec.Struct):
    """Somebody is in a class, from one day to another where they are known."""

    person: str
    of_class: str
    is_student: bool
    first_day: date | None
    last_day: date | None


class Registry(msgspec.Struct):
    """All that the registry has, without what it says is to be deleted. `problems` has rows that could not be read."""

    terms: list[RegistryTerm] = []
    classes: list[RegistryClass] = []
    people: list[RegistryPerson] = []
    enrolments: list[RegistryEnrolment] = []
    problems: list[Message] = []

    def add(self, part: "Registry") -> None:
        """The rows of `part` are in it too."""
        for name in self.__struct_fields__:
            getattr(self, name).extend(getattr(part, name))


class RegistryRequest(Request, kw_only=True, tag=True):
    """For parts of the `Registry` in a zip of OneRoster's CSV files."""

    seconds: int = MAX_READING_SECONDS
    max_bytes: int = MAX_READING_BYTES
