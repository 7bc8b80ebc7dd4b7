"""What came of bringing something up to date with another system."""

from collections import Counter
from dataclasses import dataclass, field

from campus.academics.file_contents import Table
from recognition.messages import Message


@dataclass(kw_only=True)
class SyncOutcome:
    """What was done, or would be. `problems` has what was left out.

    `question` says what a person is to decide, which was not done: `table` is the roster then, `calendar` the file.
    """

    counts: Counter[str] = field(default_factory=Counter)
    problems: list[Message] = field(default_factory=list)
    question: Message = field(default_factory=Message)
    table: Table | None = None
    calendar: bytes = b""

    @property
    def remark(self) -> Message:
        """What a person should know of it; false where nothing."""
        if self.question or not self.problems:
            return self.question
        return Message("{n} entries were left out, such as: {first}", n=self.counts["failed"], first=self.problems[0])
