"""The roll on the page of a lecture: one row a student, what is known of each and from whom, and the buttons."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from campus.academics.models import Lecture
from campus.academics.selectors import student_sections
from campus.accounts.roles import AnyUser
from campus.attendance import statuses
from campus.attendance.models import AttendanceChange, AttendanceRecord, SignOff, Status
from campus.attendance.roll import is_unmarked, last_change, lecture_roll, marked_by
from campus.attendance.selectors import can_edit_result, evidence_by_student, staff_who_named
from campus.attendance.statuses import StatusDefinition
from campus.web.faces import Appearance, Picture, best_pictures, enrolment_face_urls

FILTERS = ("to-check", "unmarked", "attended", "absent", "changed")
# The statuses with a button in each row; the student's page has all.
BUTTONS = (Status.PRESENT, Status.LATE, Status.ABSENT, Status.EXCUSED)
LOW_CONFIDENCE = 0.65  # below it, a student who counts as present is worth a check


@dataclass(frozen=True, kw_only=True)
class RollRow:
    """One student. `face` is from the recording, `enrolment_face` stands in for it where there is none."""

    record: AttendanceRecord
    is_signed_off: bool
    face: Picture | None = None
    enrolment_face: str = ""
    source: str = ""
    section: str = ""

    @property
    def is_not_seen(self) -> bool:
        """Whether only the machine says that the student was absent, and nobody has signed that yet."""
        record = self.record
        return not self.is_signed_off and not record.override_status and record.status == Status.ABSENT

    @property
    def label(self) -> str:
        if self.is_not_seen:
            return _("Not seen")
        return self.record.get_status_display() or _("No status yet")

    @property
    def css_class(self) -> str:
        return "not-seen" if self.is_not_seen else statuses.meaning_of(self.record.status) or "unmarked"

    @property
    def needs_check(self) -> bool:
        """Whether the status is uncertain, and nobody has decided yet."""
        record = self.record
        if record.override_status:
            return False
        return record.status in statuses.MACHINE_ONLY or (0 < record.confidence < LOW_CONFIDENCE and self.is_attended)

    @property
    def is_by_hand(self) -> bool:
        """Whether no recording says anything about the student, so that a person takes the roll, one tap each."""
        return not self.record.machine_status

    @property
    def is_absent(self) -> bool:
        return statuses.meaning_of(self.record.status) == Status.ABSENT

    @property
    def is_attended(self) -> bool:
        return statuses.meaning_of(self.record.status) in statuses.ATTENDED


@dataclass(frozen=True)
class RollFilter:
    key: str
    label: str
    count: int


@dataclass(frozen=True, kw_only=True)
class RollTable:
    """`rows` are those of `all_rows` that pass the filter `show`; everything else is about all rows: those of the
    chosen `section`, or of the whole lecture.

    `counts` has a CSS class, a label and a number of students of each status; `undo` says what would be taken back, and
    `undo_batch` which change that is. `choices` are the statuses that a person may set.
    """

    rows: list[RollRow]
    all_rows: list[RollRow]
    show: str
    sections: list[str]
    section: str
    filters: list[RollFilter]
    counts: list[tuple[str, str, int]]
    buttons: list[StatusDefinition]
    unmarked_count: int
    undo: str
    undo_batch: str
    sign_off: SignOff | None
    can_edit: bool
    choices: list[StatusDefinition]

    @property
    def is_by_hand(self) -> bool:
        """Whether no recording says anything about anybody."""
        return all(row.is_by_hand for row in self.all_rows)


def build_roll_table(
    user: AnyUser,
    lecture: Lecture,
    evidence: Mapping[int, Sequence[Appearance]] | None = None,
    *,
    show: str = "",
    section: str = "",
) -> RollTable:
    """The roll, with pictures from all recordings of the lecture or from `evidence`. The caller has checked that the
    user may see the lecture.
    """
    if evidence is None:
        evidence = evidence_by_student(lecture)
    sign_off = SignOff.objects.filter(lecture=lecture).first()
    can_edit = can_edit_result(user, lecture) and not lecture.cancelled
    sections = student_sections(lecture.course)
    section = section if section in sections.values() else ""
    roll = [record for record in lecture_roll(lecture) if section in ("", sections.get(record.student_id))]
    faces = {student: next(iter(best_pictures(seen)), None) for student, seen in evidence.items()}
    enrolment_faces = enrolment_face_urls(user, [row.student_id for row in roll if not faces.get(row.student_id)])
    marked, named = marked_by(lecture), staff_who_named(lecture)
    rows = [
        RollRow(
            record=record,
            face=faces.get(record.student_id),
            enrolment_face=next(iter(enrolment_faces.get(record.student_id, [])), ""),
            source=_source(record, marked, named),
            section=sections.get(record.student_id, ""),
            is_signed_off=sign_off is not None,
        )
        for record in roll
    ]
    changed = set(lecture.changes.values_list("record", flat=True))
    by_filter = {
        "": rows,
        "to-check": [row for row in rows if row.needs_check],
        "unmarked": [row for row in rows if not row.record.status],
        "attended": [row for row in rows if row.is_attended],
        "absent": [row for row in rows if row.is_absent],
        "changed": [row for row in rows if row.record.pk in changed],
    }
    definitions = statuses.status_definitions()
    undoable = last_change(lecture) if can_edit else []
    return RollTable(
        rows=by_filter.get(show, rows),
        all_rows=rows,
        show=show if show in by_filter else "",
        sections=sorted(set(sections.values())),
        section=section,
        filters=[
            RollFilter(key, label, len(by_filter[key]))
            for key, label in _filter_labels().items()
            if by_filter[key] or key in ("", "attended", "absent", show)
        ],
        counts=_count(rows, list(definitions)),
        buttons=[definitions[code] for code in BUTTONS],
        unmarked_count=sum(is_unmarked(record) for record in roll),
        undo=_describe(undoable),
        undo_batch=str(undoable[0].batch) if undoable else "",
        sign_off=sign_off,
        can_edit=can_edit,
        choices=[definitions[code] for code, _label in statuses.override_choices()],
    )


def _source(record: AttendanceRecord, marked: Mapping[int, str], named: Mapping[int, str]) -> str:
    """Who says so, in words: a person, an excuse; empty for the machine."""
    if record.override_status:
        return _("marked by {name}").format(name=marked.get(record.pk) or _("a person"))
    if record.status == Status.EXCUSED:
        return record.excuse_reason
    if record.student_id in named:
        return _("found in the recording by {name}").format(name=named[record.student_id])
    return ""


def _filter_labels() -> dict[str, str]:
    return {
        "": _("All"),
        "to-check": _("To check"),
        "unmarked": _("No status yet"),
        "attended": _("Attended"),
        "absent": _("Absent"),
        "changed": _("Changed"),
    }


def _count(rows: list[RollRow], order: list[str]) -> list[tuple[str, str, int]]:
    ordered = sorted(rows, key=lambda row: order.index(row.record.status) if row.record.status in order else len(order))
    counts = Counter((row.css_class, row.label) for row in ordered)
    return [(css_class, label, n) for (css_class, label), n in counts.items()]


def _describe(changes: list[AttendanceChange]) -> str:
    """A change in a few words, for the button that takes it back."""
    if not changes:
        return ""
    change, n = changes[0], len(changes)
    if n == 1 and change.record:
        return f"{change.record.student.name}: {change.get_new_status_display() or _('no status')}"
    return ngettext("{n} status", "{n} statuses", n).format(n=n)
