"""How well students are recognised, measured on lectures that people have signed off: nobody has to label anything.

What the machine said by itself is compared with what counts in the end. A *miss* is somebody who attended and of whom
it said nothing; a *wrong match* is somebody whom it had recognised by itself, and a person took that back. Students of
whom it could know nothing are in no rate.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from statistics import median_low
from typing import Final, NamedTuple
from uuid import UUID

from django.db.models import Count, Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from campus.academics.models import Course, Lecture
from campus.attendance.models import (
    AttendanceChange,
    AttendanceRecord,
    FaceOverride,
    Sighting,
    UnknownPerson,
)
from campus.attendance.register import in_days
from campus.attendance.statuses import ATTENDED, Status, meaning_of
from campus.biometrics.models import FacePhoto
from campus.biometrics.selectors import USABLE_VERDICTS
from campus.cctv.models import FootageFile
from campus.recordings.models import Recording
from campus.recordings.selectors import video_info
from recognition.media.orientation import box_in_frame
from recognition.types import Box

MAX_LECTURES: Final = 200  # the latest; a page can wait for that many
MIN_GROUP_SIZE: Final = 5  # of the students of a group that is shown: fewer are easily guessed
WIDEST_INTERVAL: Final = 0.3  # of a rate that says something
Z: Final = 1.959964  # of a 95 % interval
COLUMNS, ROWS = 6, 4  # of the map
# What a line is called, from which number on.
PHOTO_BANDS = ((1, "1"), (2, "2"), (3, "3-4"), (5, "5-9"), (10, "10+"))
SIZE_BANDS = ((0, "< 30"), (30, "30-39"), (40, "40-59"), (60, "60-89"), (90, "90+"))


@dataclass(slots=True)
class Rate:
    """So many `count` of `total`, with the 95 % interval of Wilson (1927)."""

    count: int = 0
    total: int = 0

    def add(self, *, happened: bool) -> None:
        self.total += 1
        self.count += happened

    @property
    def share(self) -> float:
        return self.count / self.total if self.total else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """(0, 1) where nothing was counted."""
        if not self.total:
            return 0.0, 1.0
        weight = Z * Z / self.total
        centre = (self.share + weight / 2) / (1 + weight)
        spread = math.sqrt(weight * (self.share * (1 - self.share) + weight / 4)) / (1 + weight)
        low = 0.0 if self.count == 0 else centre - spread
        high = 1.0 if self.count == self.total else centre + spread
        return low, high

    @property
    def says_something(self) -> bool:
        low, high = self.interval
        return high - low <= WIDEST_INTERVAL


@dataclass(slots=True)
class Line:
    """Rates of some appearances: who attended and was missed, or put to a person; and which matches were wrong."""

    label: str | Promise
    students: set[int] = field(default_factory=set)
    missed: Rate = field(default_factory=Rate)
    asked: Rate = field(default_factory=Rate)
    wrong: Rate = field(default_factory=Rate)

    def add(self, appearance: "Appearance") -> None:
        self.students.add(appearance.student)
        if appearance.attended:
            self.missed.add(happened=appearance.is_missed)
            self.asked.add(happened=appearance.is_asked)
        if appearance.is_matched:
            self.wrong.add(happened=appearance.is_wrong)


@dataclass(frozen=True, slots=True)
class Table:
    """Lines of one kind."""

    lines: list[Line]

    @property
    def sufficient(self) -> list[Line]:
        return [line for line in self.lines if line.missed.says_something]

    @property
    def contrast(self) -> tuple[Line, Line] | None:
        """The line with the most misses and that with the fewest, where their intervals lie apart."""
        most = max(self.lines, key=lambda line: line.missed.interval[0], default=None)
        fewest = min(self.lines, key=lambda line: line.missed.interval[1], default=None)
        if most is None or fewest is None:
            return None
        return (most, fewest) if most.missed.interval[0] > fewest.missed.interval[1] else None


class Face(NamedTuple):
    """Where a face was: its height in pixels, and its centre in shares of the picture of `view`. Whoever was not found
    has the place and the height of other times.
    """

    view: "View"
    height: float
    x: float
    y: float
    was_found: bool = True


class View(NamedTuple):
    """What shows a room: one camera (None: all that was uploaded)."""

    room: str
    camera: str | None


@dataclass(slots=True, kw_only=True)
class Appearance:
    """A student in a lecture: what the machine said, and what counts."""

    student: int
    attended: bool
    is_certain: bool
    is_asked: bool
    was_rejected: bool
    proposed: bool  # the machine's status was one of those who attend
    faces: list[Face] = field(default_factory=list)

    @property
    def is_matched(self) -> bool:
        return self.is_certain or self.was_rejected

    @property
    def is_missed(self) -> bool:
        return not self.is_certain and not self.is_asked

    @property
    def is_wrong(self) -> bool:
        return self.was_rejected or (self.is_certain and self.proposed and not self.attended)


@dataclass(slots=True)
class Cell:
    """A part of a map: the faces there, and who was missed there."""

    heights: list[float] = field(default_factory=list)
    missed: Rate = field(default_factory=Rate)

    @property
    def height(self) -> float:
        return median_low(self.heights) if self.heights else 0.0


@dataclass(frozen=True, slots=True)
class Map:
    """The picture of a room in ROWS rows of COLUMNS cells, the top left one first."""

    view: View
    cells: list[Cell]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fairness:
    """What signed-off lectures say."""

    lectures: int
    total: Line
    not_recognisable: int
    by_photos: Table
    by_size: Table
    maps: list[Map]
    by_group: Table | None = None
    hidden_groups: int = 0

    @property
    def all_lines(self) -> list[Line]:
        return [self.total]


def measure_fairness(
    courses: QuerySet[Course],
    *,
    since: date | None = None,
    until: date | None = None,
    groups: Mapping[int, str] | None = None,
) -> Fairness:
    """The rates of the latest signed-off lectures of these classes with recordings.

    `groups` has the group of each student, by the ids; it is used for this and kept nowhere.
    """
    signed = Lecture.objects.filter(
        in_days(since, until), course__in=courses, cancelled=False, sign_off__isnull=False, recordings__state="done"
    )
    lectures = list(signed.distinct().order_by("-starts_at", "-pk").values_list("pk", flat=True)[:MAX_LECTURES])
    appearances, not_recognisable = _find_appearances(lectures)
    _place_faces(lectures, appearances)
    everybody = list(appearances.values())
    total = Line(_("All"))
    for appearance in everybody:
        total.add(appearance)
    usable = FacePhoto.objects.filter(state__in=USABLE_VERDICTS, student__in=total.students)
    photos = dict(usable.order_by().values("student").annotate(n=Count("pk")).values_list("student", "n"))
    by_size = [Line(label) for _least, label in SIZE_BANDS]
    for appearance in everybody:
        if appearance.faces:
            by_size[_band(SIZE_BANDS, max(face.height for face in appearance.faces))].add(appearance)
    by_photos = [Line(label) for _least, label in PHOTO_BANDS]
    for appearance in everybody:
        if count := photos.get(appearance.student):
            by_photos[_band(PHOTO_BANDS, count)].add(appearance)
    by_group, hidden = _by_group(everybody, groups) if groups is not None else (None, 0)
    return Fairness(
        lectures=len(lectures),
        total=total,
        not_recognisable=not_recognisable,
        by_photos=_table(by_photos),
        by_size=_table(by_size),
        maps=_draw_maps(everybody),
        by_group=by_group,
        hidden_groups=hidden,
    )


def _table(lines: Iterable[Line]) -> Table:
    return Table([line for line in lines if line.students])


def _band(bands: Sequence[tuple[int, str]], value: float) -> int:
    return max(n for n, (least, _label) in enumerate(bands) if value >= least)


def _by_group(appearances: Iterable[Appearance], groups: Mapping[int, str]) -> tuple[Table, int]:
    """The groups that are large enough, and how many are not."""
    lines: dict[str, Line] = {}
    for appearance in appearances:
        if name := groups.get(appearance.student):
            lines.setdefault(name, Line(name)).add(appearance)
    shown = [line for _name, line in sorted(lines.items()) if len(line.students) >= MIN_GROUP_SIZE]
    return Table(shown), len(lines) - len(shown)


Key = tuple[int, int]  # the ids of the lecture and of the student


def _find_appearances(lectures: Sequence[int]) -> tuple[dict[Key, Appearance], int]:
    """Those of students whom the gallery knew, and of how many others nothing could be said."""
    seen: dict[Key, list[tuple[bool, bool]]] = {}
    sightings = Sighting.objects.filter(recording__lecture__in=lectures, recording__held=False, recognisable=True)
    for lecture, student, certain, asked in sightings.order_by().values_list(
        "recording__lecture", "student", "present", "to_confirm"
    ):
        seen.setdefault((lecture, student), []).append((certain, asked))
    attended = {status.value for status in ATTENDED}
    rejected = set(
        AttendanceChange.objects.filter(kind="rejected", lecture__in=lectures, old_status__in=attended)
        .order_by()
        .values_list("lecture", "record__student")
    )
    found, not_recognisable = {}, 0
    for record in AttendanceRecord.objects.filter(lecture__in=lectures).order_by():
        key = record.lecture_id, record.student_id
        rows = seen.get(key)
        if not rows or record.machine_status in ("", Status.NOT_RECOGNISABLE):
            not_recognisable += 1
            continue
        is_certain = any(certain for certain, _asked in rows)
        found[key] = Appearance(
            student=record.student_id,
            attended=meaning_of(record.status) in attended,
            is_certain=is_certain,
            is_asked=not is_certain and any(asked for _certain, asked in rows),
            was_rejected=key in rejected,
            proposed=record.machine_status in attended,
        )
    return found, not_recognisable


def _place_faces(lectures: Sequence[int], appearances: Mapping[Key, Appearance]) -> None:
    """Add where each face was: of those whom the machine saw, and of those whom a person named or rejected. Whoever
    attended and was not found at all is put where the same student's face was in the same view at another time.
    """
    recordings = Recording.objects.filter(lecture__in=lectures, held=False).select_related("lecture__room", "camera")
    by_id = {row.pk: row for row in recordings.defer("review_reasons", "fitting_courses")}
    views = {
        pk: View(row.lecture.room.name if row.lecture.room else "", row.camera.label if row.camera else None)
        for pk, row in by_id.items()
    }

    def add(recording_id: UUID, student: int, position: tuple[float, Box] | None) -> None:
        recording = by_id.get(recording_id)
        appearance = recording and appearances.get((recording.lecture_id, student))
        if recording and appearance and position:
            x1, y1, x2, y2 = position[1]
            if (width := recording.info.get("width", 0)) and (height := recording.info.get("height", 0)):
                place = (x1 + x2) / 2 / width, (y1 + y2) / 2 / height
                appearance.faces.append(Face(views[recording.pk], y2 - y1, *place))

    # The first place of each is enough: most people keep their seats, and the database finds it quickly.
    seen = Sighting.objects.filter(Q(present=True) | Q(to_confirm=True), recording__in=by_id)
    for recording, student, position in seen.order_by().values_list("recording", "student", "face_positions__0"):
        add(recording, student, position)
    named = UnknownPerson.objects.filter(recording__in=by_id, override__student__isnull=False).order_by()
    for recording, student, position in named.values_list("recording", "override__student", "face_positions__0"):
        add(recording, student, position)
    for rejection, position in _rejected_faces(by_id):
        add(rejection.recording_id, rejection.student_id or 0, position)
    _place_missed(by_id.values(), views, appearances)


def _rejected_faces(recordings: Mapping[UUID, Recording]) -> Iterable[tuple[FaceOverride, tuple[float, Box]]]:
    """Where the faces are that a person said are somebody else's."""
    rejections = FaceOverride.objects.filter(action=FaceOverride.Action.REJECTED, recording__in=recordings)
    placed = [(row, row.face_positions[0]) for row in rejections if row.face_positions]
    files = FootageFile.objects.in_bulk({file for _row, (file, *_rest) in placed if file})
    for rejection, (file, _stream, second, box) in placed:
        recording = recordings[rejection.recording_id]
        if file is None:
            yield rejection, (second, box_in_frame(box, video_info(recording)))
        elif footage := files.get(UUID(file)):
            yield rejection, (second, box_in_frame(box, recording.adjust_picture(video_info(footage))))


def _place_missed(
    recordings: Iterable[Recording], views: Mapping[UUID, View], appearances: Mapping[Key, Appearance]
) -> None:
    usual: dict[tuple[int, View], list[Face]] = {}
    for appearance in appearances.values():
        for face in appearance.faces:
            usual.setdefault((appearance.student, face.view), []).append(face)
    shown: dict[int, set[View]] = {}
    for recording in recordings:
        shown.setdefault(recording.lecture_id, set()).add(views[recording.pk])
    for (lecture, student), appearance in appearances.items():
        if appearance.attended and appearance.is_missed and not appearance.faces:
            for view in shown.get(lecture, ()):
                if faces := usual.get((student, view)):
                    height, x, y = (median_low(values) for values in list(zip(*faces, strict=True))[1:4])
                    appearance.faces.append(Face(view, height, x, y, was_found=False))


def _draw_maps(appearances: Iterable[Appearance]) -> list[Map]:
    cells: dict[View, list[Cell]] = {}
    for appearance in appearances:
        for face in appearance.faces:
            grid = cells.setdefault(face.view, [Cell() for _ in range(ROWS * COLUMNS)])
            column = min(max(int(face.x * COLUMNS), 0), COLUMNS - 1)
            row = min(max(int(face.y * ROWS), 0), ROWS - 1)
            cell = grid[row * COLUMNS + column]
            if face.was_found:
                cell.heights.append(face.height)
            if appearance.attended:
                cell.missed.add(happened=appearance.is_missed)
    return [Map(view, cells[view]) for view in sorted(cells, key=lambda view: (view.room, view.camera or ""))]
