"""What the registry of personal data says of each place."""

from dataclasses import dataclass
from typing import Final

from campus.common.jobs import LeasedJob
from campus.privacy.models import RetentionRule

Kind = RetentionRule.Kind

STUDENTS, STAFF, BYSTANDERS, GUARDIANS, SENDERS = (
    "students",
    "staff",
    "bystanders",
    "guardians",
    "others who are written to",
)
EVERYBODY_SEEN = (STUDENTS, STAFF, BYSTANDERS)

# Of all jobs (`LeasedJob`): who holds the row, and what went wrong.
JOB_FIELDS: Final = frozenset(field.name for field in LeasedJob._meta.get_fields())

# Why somebody is in the data, and on what it rests.
ATTENDANCE = "to know who was in a lecture"
RECOGNITION = "to recognise students who may be recognised"
EVIDENCE = "so that a person can check what the machine proposes"
TEACHING = "to plan lectures and tell who is enrolled"
ACCOUNTS = "so that staff can log in, and only they"
PROOF = "so that it can be shown who did what"
DELIVERY = "to reach people"
OPERATION = "to run the service"

# Terms that no institution chooses.
WHILE_ENROLLED = "as long as the attendance that it is about"
WITH_ACCOUNT = "as long as the account"
WITH_PARENT = "as long as what it belongs to"
HOURS = "hours: it goes when the work is done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What a model or folder holds of whom, for what, how long (a retention rule or a sentence), and what erases it:
    the steps of a student's erasure (`campus/privacy/erasure.py`), or why they leave it.

    `personal` and `plain` are the names of fields; a folder has none.
    """

    personal: str = ""
    plain: str = ""
    whose: tuple[str, ...] = ()
    purpose: str = ""
    term: Kind | str = ""
    steps: str = ""
    kept: str = ""

    @property
    def fields(self) -> set[str]:
        return {*self.personal.split(), *self.plain.split()}
