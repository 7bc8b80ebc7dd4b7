"""The result of a lecture as its page shows it: who is to be confirmed, one row a student, the counts, the unknown people, the still
faces and the changes."""

from collections import Counter
from dataclasses import dataclass
from typing import Self

from django.urls import reverse

from campus.academics.models import Lecture
from campus.academics.selectors import AnyUser
from campus.attendance.models import AttendanceChange, AttendanceRecord, Sighting, Status, UnknownPerson
from campus.attendance.selectors import records_for, sightings_for, unknown_people_for
from campus.biometrics.selectors import USABLE, photos_for
from campus.footage.models import Recording

CHANGES_SHOWN = 50
FACES_SHOWN = 3


@dataclass(frozen=True)
class Picture:
    url: str
    time: float


@dataclass(frozen=True)
class Row:
    record: AttendanceRecord
    picture: Picture | None


@dataclass(frozen=True)
class Unsure:
    """Who is to be confirmed: what was seen beside the faces of the enrolment photos."""

    record: AttendanceRecord
    seen: list[Picture]
    enrolled: list[str]


@dataclass(frozen=True)
class Unknown:
    person: UnknownPerson
    pictures: list[Picture]


@dataclass(frozen=True)
class LectureResult:
    rows: list[Row]
    unsure: list[Unsure]
    counts: list[tuple[str, str, int]]
    unknown: list[Unknown]
    still: list[Unknown]
    changes: list[AttendanceChange]

    @classmethod
    def of(cls, user: AnyUser, lecture: Lecture, recording: Recording | None = None) -> Self:
        """The lecture's records; pictures and unknown people of all its recordings, or of the one given."""
        records = list(records_for(user).filter(lecture=lecture).select_related("student").order_by("student__name", "student__number"))
        seen, strangers = sightings_for(user), unknown_people_for(user)
        only = {"recording": recording} if recording else {"recording__lecture": lecture}
        best: dict[int, Sighting] = {}
        for sighting in seen.filter(**only).order_by("pk"):
            if sighting.chips and (
                sighting.student_id not in best or sighting.chips[0]["quality"] > best[sighting.student_id].chips[0]["quality"]
            ):
                best[sighting.student_id] = sighting
        counted = Counter(record.status for record in records)
        unsure = [record for record in records if record.status == Status.UNSURE]
        enrolled = enrolled_faces(user, [record.student_id for record in unsure])
        unknown = [Unknown(person, chip_pictures(person)) for person in strangers.filter(**only).order_by("recording", "index")]
        return cls(
            rows=[Row(record, next(iter(chip_pictures(best.get(record.student_id))), None)) for record in records],
            unsure=[Unsure(record, chip_pictures(best.get(record.student_id)), enrolled.get(record.student_id, [])) for record in unsure],
            counts=[(status.value, str(status.label), counted[status]) for status in Status if counted[status]],
            unknown=[one for one in unknown if not one.person.still],
            still=[one for one in unknown if one.person.still],
            changes=list(
                AttendanceChange.objects.filter(record__in=records).select_related("record__student").order_by("-at", "-id")[:CHANGES_SHOWN]
            ),
        )


def enrolled_faces(user: AnyUser, students: list[int]) -> dict[int, list[str]]:
    """Student id → where the faces of the best enrolment photos are, at most FACES_SHOWN."""
    faces: dict[int, list[str]] = {}
    if not students:
        return faces
    photos = photos_for(user).filter(student__in=students, state__in=USABLE).exclude(chip="")
    for student, photo in photos.order_by("-quality", "pk").values_list("student", "pk"):
        if len(shown := faces.setdefault(student, [])) < FACES_SHOWN:
            shown.append(reverse("photo-face", args=[photo]))
    return faces


def chip_pictures(row: Sighting | UnknownPerson | None) -> list[Picture]:
    """Where the pictures of a row are, best first."""
    if row is None:
        return []
    name = "chip" if isinstance(row, Sighting) else "unknown-chip"
    return [Picture(reverse(name, args=[row.pk, n]), float(chip.get("time", 0))) for n, chip in enumerate(row.chips)]


def sightings_of(user: AnyUser, record: AttendanceRecord) -> list[tuple[Sighting, list[Picture]]]:
    """What each recording of the lecture says of the record's student."""
    sightings = sightings_for(user).filter(recording__lecture=record.lecture_id, student=record.student_id).select_related("recording")
    return [(sighting, chip_pictures(sighting)) for sighting in sightings.order_by("recording__created_at", "pk")]
