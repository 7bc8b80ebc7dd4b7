"""What came of bringing something up to date with another system."""

from collections import Counter
from dataclasses import dataclass, field

from campus.academics.file_contents import Table
from campus.connections.models import Connection
from recognition.messages import Message


@dataclass(kw_only=True)
class SyncOutcome:
    """What was done, or would be. `problems` has what was left out.

    `questions` says what a person is to decide, which was not done, by the id of the class: `table` is the roster then,
    `calendar` the file.
    """

    counts: Counter[str] = field(default_factory=Counter)
    problems: list[Message] = field(default_factory=list)
    questions: dict[int, Message] = field(default_factory=dict)
    table: Table | None = None
    calendar: bytes = b""

    @property
    def remark(self) -> Message:
        """What a person should know of it; false where nothing."""
        if self.questions:
            return next(iter(self.questions.values()))
        if not self.problems:
            return Message()
        return Message("{n} entries were left out, such as: {first}", n=self.counts["failed"], first=self.problems[0])


def note_questions(*, connection: Connection, questions: dict[int, Message]) -> None:
    """Ask these of the linked classes, and no others any more."""
    connection.links.exclude(question="").exclude(course__in=questions).update(question="")
    for course, question in questions.items():
        connection.links.filter(course=course).update(question=question)
