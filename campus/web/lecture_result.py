"""The result of a lecture as its page shows it: who is to be confirmed, one card a student, the counts, the times, the unknown people,
the still faces and the log."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.translation import gettext as _

from campus.academics.models import Lecture
from campus.accounts.roles import AnyUser
from campus.attendance import statuses
from campus.attendance.models import (
    AttendanceChange,
    AttendanceRecord,
    FaceOverride,
    Sighting,
    SignOff,
    Status,
    UnknownPerson,
)
from campus.attendance.selectors import (
    can_edit_result,
    changes_for,
    evidence_by_student,
    records_for,
    unknown_people_for,
)
from campus.biometrics.selectors import USABLE_VERDICTS, photos_for
from campus.recordings.models import Recording
from campus.web.timeline import Timeline, timeline

CHANGES_SHOWN = 50
FACES_SHOWN = 3
LOW = 0.65  # confidence below which somebody who counts as present is worth a look

Seen = Sighting | UnknownPerson


@dataclass(frozen=True)
class Picture:
    url: str
    time: float


@dataclass(frozen=True)
class Row:
    record: AttendanceRecord
    picture: Picture | None

    @property
    def kind(self) -> str:
        """Its class in the stylesheet."""
        return statuses.meaning_of(self.record.status).value

    @property
    def doubtful(self) -> bool:
        """Nobody has decided yet, and the machine is not sure."""
        record = self.record
        return not record.override_status and (
            record.machine_status == Status.TO_CONFIRM
            or (record.machine_status != Status.ABSENT and record.confidence < LOW)
        )


@dataclass(frozen=True)
class ToConfirm:
    """Who is to be confirmed: what was seen beside the faces of the enrolment photos."""

    record: AttendanceRecord
    seen: list[Picture]
    enrolled: list[str]


@dataclass(frozen=True)
class Unknown:
    person: UnknownPerson
    pictures: list[Picture]


@dataclass(frozen=True)
class Filter:
    key: str
    label: str
    count: int


@dataclass(frozen=True)
class LectureResult:
    """`rows` are those that pass the filter `show`; everything else is of the whole lecture."""

    rows: list[Row]
    show: str
    filters: list[Filter]
    to_confirm: list[ToConfirm]
    counts: list[tuple[str, str, int]]
    timeline: Timeline | None
    unknown: list[Unknown]
    known: list[Unknown]
    static_faces: list[Unknown]
    changes: list[AttendanceChange]
    changes_left: int
    signed: SignOff | None
    may_decide: bool
    statuses: list[tuple[str, str]]

    @classmethod
    def of(
        cls,
        user: AnyUser,
        lecture: Lecture,
        recording: Recording | None = None,
        show: str = "",
        *,
        whole_log: bool = False,
    ) -> Self:
        """The lecture's records; pictures, times and unknown people of all its recordings, or of the one given."""
        records = list(
            records_for(user)
            .filter(lecture=lecture)
            .select_related("student")
            .order_by("student__name", "student__number")
        )
        shown = evidence_by_student(lecture, recording)
        pictures = {student: best_picture(rows) for student, rows in shown.items()}
        changes = list(
            changes_for(user).filter(lecture=lecture).select_related("record__student").order_by("-at", "-id")
        )
        changed = {change.record_id for change in changes}
        shown_changes = len(changes) if whole_log else CHANGES_SHOWN
        rows = [Row(record, next(iter(pictures.get(record.student_id, [])), None)) for record in records]
        passing = {
            "": rows,
            "check": [row for row in rows if row.doubtful],
            "there": [row for row in rows if statuses.meaning_of(row.record.status) in statuses.ATTENDED],
            "absent": [row for row in rows if statuses.meaning_of(row.record.status) == Status.ABSENT],
            "changed": [row for row in rows if row.record.pk in changed],
        }
        names = {
            "": _("All"),
            "check": _("To check"),
            "there": _("Attended"),
            "absent": _("Absent"),
            "changed": _("Changed"),
        }
        counted = Counter(record.status for record in records)
        to_confirm = [record for record in records if record.status == Status.TO_CONFIRM]
        enrolled = enrolled_faces(user, [record.student_id for record in to_confirm])
        strangers = unknown_people_for(user).filter(recording=recording) if recording else unknown_people_for(user)
        unknown = unknowns(strangers.filter(recording__lecture=lecture))
        open_ones = [one for one in unknown if one.person.decision is None]
        return cls(
            rows=passing.get(show, rows),
            show=show if show in passing else "",
            filters=[Filter(key, label, len(passing[key])) for key, label in names.items()],
            to_confirm=[
                ToConfirm(record, pictures.get(record.student_id, []), enrolled.get(record.student_id, []))
                for record in to_confirm
            ],
            counts=[
                (statuses.meaning_of(code).value, label, counted[code])
                for code, label in statuses.status_choices()
                if counted[code]
            ],
            timeline=timeline(lecture, records, shown),
            unknown=[one for one in open_ones if not one.person.is_static],
            known=[one for one in unknown if one.person.decision is not None],
            static_faces=[one for one in open_ones if one.person.is_static],
            changes=changes[:shown_changes],
            changes_left=len(changes[shown_changes:]),
            signed=SignOff.objects.filter(lecture=lecture).first(),
            may_decide=can_edit_result(user, lecture),
            statuses=statuses.override_choices(),
        )


def unknowns(people: QuerySet[UnknownPerson]) -> list[Unknown]:
    people = people.select_related("recording", "decision__student").order_by("recording__created_at", "index")
    return [Unknown(person, crop_pictures(person)) for person in people]


def best_picture(rows: Sequence[Seen]) -> list[Picture]:
    """The pictures of the row with the best one, best first."""
    with_crops = [row for row in rows if row.crops]
    return crop_pictures(max(with_crops, key=lambda row: row.crops[0]["quality"], default=None))


def enrolled_faces(user: AnyUser, students: list[int]) -> dict[int, list[str]]:
    """Student id → where the faces of the best enrolment photos are, at most FACES_SHOWN."""
    faces: dict[int, list[str]] = {}
    if not students:
        return faces
    photos = photos_for(user).filter(student__in=students, state__in=USABLE_VERDICTS).exclude(crop="")
    for student, photo in photos.order_by("-quality", "pk").values_list("student", "pk"):
        if len(shown := faces.setdefault(student, [])) < FACES_SHOWN:
            shown.append(reverse("photo-face", args=[photo]))
    return faces


def crop_pictures(row: Seen | None) -> list[Picture]:
    """Where the pictures of a row are, best first."""
    if row is None:
        return []
    name = "crop" if isinstance(row, Sighting) else "unknown-person-crop"
    return [Picture(reverse(name, args=[row.pk, n]), float(crop.get("time", 0))) for n, crop in enumerate(row.crops)]


def denied(person: UnknownPerson) -> list[int]:
    """The students of whom a person said that this is not them."""
    rows = person.recording.face_overrides.filter(
        verdict=FaceOverride.Verdict.NOT, face_positions=person.face_positions
    )
    return [pk for pk in rows.values_list("student", flat=True) if pk is not None]
