"""One vote over the files of a lecture that were uploaded one by one, as if they were one recording with pauses."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from campus.attendance.face_positions import identity_overrides
from campus.attendance.models import UnknownPerson
from campus.common.intervals import place_intervals, total_length
from campus.common.storage import read_media_or_nothing
from campus.recordings.models import Recording, Segment
from campus.recordings.review import consecutive_uploads
from campus.recordings.selectors import video_info
from recognition.types import Attendance, IdentityOverride, Presence, SegmentResult, Track
from recognition.types import UnknownPerson as UnknownFace

# `recognition.identification.vote.vote`, called with a strictness in place of a policy. The campus does not import it.
Vote = Callable[..., Attendance]

MIN_PAUSE_SECONDS = 60.0  # between two files in the vote, so that no face is followed from one into the other


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A recording with its tracks, the files that they are in, and the second at which it begins in the vote."""

    recording: Recording
    start: float
    files: list[str]
    results: list[SegmentResult] = field(repr=False)
    overrides: list[IdentityOverride]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartAttendance:
    """What the vote over all parts says of one of them. `people` has, for each of the attendance's unknown people, the
    number that this person has in all parts."""

    part: Part
    attendance: Attendance
    people: list[int]


def gather_parts(recording: Recording) -> list[Part]:
    """The recording, among the other uploads of its lecture with which it is voted on, in the order of time."""
    from recognition.tracking.result_file import load_segment_result

    parts: list[Part] = []
    for row in consecutive_uploads(recording):
        start = 0.0
        if parts:
            first, last = parts[0].recording, parts[-1]
            start = max(row.offset - first.offset, last.start + last.recording.duration + MIN_PAUSE_SECONDS)
        files = _track_files(row)
        results = [load_segment_result(read_media_or_nothing(file)) for file in files]
        parts.append(Part(recording=row, start=start, files=files, results=results, overrides=identity_overrides(row)))
    return parts


def _track_files(recording: Recording) -> list[str]:
    """The files with the tracks of the recording's segments, in order."""
    done = [segment for segment in recording.segments.all() if segment.state == Segment.State.DONE]
    return [segment.result for segment in sorted(done, key=lambda segment: (segment.start, segment.index))]


def vote_on_parts(parts: Sequence[Part], vote: Vote, *args: Any, strictness: str) -> list[PartAttendance]:
    """What one vote over all parts says of each. `args` are the gallery and the roster's labels."""
    if len(parts) == 1:
        (part,) = parts
        info = video_info(part.recording)
        attendance = vote(part.results, *args, info, strictness=strictness, overrides=part.overrides)
        return [PartAttendance(part=part, attendance=attendance, people=list(range(len(attendance.unknown))))]
    results, overrides = [], []
    originals: dict[int, tuple[Part, Track]] = {}
    for part in parts:
        for result in part.results:
            moved = result.shift_times(part.start)
            results.append(moved)
            originals |= {id(to): (part, track) for to, track in zip(moved.tracks, result.tracks, strict=True)}
        overrides += [_shift_override(override, part.start) for override in part.overrides]
    info = replace(video_info(parts[-1].recording), duration=parts[-1].start + parts[-1].recording.duration)
    joint = vote(results, *args, info, strictness=strictness, overrides=overrides)
    return [_attendance_of(part, joint, originals) for part in parts]


def _shift_override(override: IdentityOverride, seconds: float) -> IdentityOverride:
    positions = tuple((time + seconds, box) for time, box in override.face_positions)
    return replace(override, face_positions=positions)


def _attendance_of(part: Part, joint: Attendance, originals: dict[int, tuple[Part, Track]]) -> PartAttendance:
    presences = []
    for presence in joint.presences:
        seen = _seen_in(part, presence, originals)
        if seen["tracks"]:
            presences.append(replace(presence, **seen, share=min(seen["seconds"] / part.recording.duration, 1.0)))
        else:
            presences.append(Presence(label=presence.label, present=False, recognisable=presence.recognisable))
    of_unknown = [(number, person, _seen_in(part, person, originals)) for number, person in enumerate(joint.unknown)]
    unknown = {number: replace(person, **seen) for number, person, seen in of_unknown if seen["tracks"]}
    attendance = Attendance(part.recording.duration, tuple(presences), tuple(unknown.values()))
    return PartAttendance(part=part, attendance=attendance, people=list(unknown))


def _seen_in(part: Part, person: Presence | UnknownFace, originals: dict[int, tuple[Part, Track]]) -> dict[str, Any]:
    """What of the person is in this part, in its own seconds."""
    from recognition.tracking.person import Person, best_crops

    length = part.recording.duration
    intervals = tuple(place_intervals(person.intervals, -part.start, length))
    positions = ((time - part.start, box) for time, box in person.face_positions)
    tracks = tuple(track for owner, track in (originals[id(track)] for track in person.tracks) if owner is part)
    return {
        "intervals": intervals,
        "seconds": total_length(intervals),
        "crops": best_crops([Person([track]) for track in tracks]),
        "face_positions": tuple((time, box) for time, box in positions if 0 <= time <= length),
        "tracks": tracks,
    }


def link_unknown_people(attendances: Sequence[PartAttendance]) -> None:
    """Note which unknown people of the parts are one person, once their rows are saved."""
    if len(attendances) == 1:
        return
    first_rows: dict[int, UnknownPerson] = {}
    for voted in attendances:
        for row in voted.part.recording.unknown_people.order_by("index"):
            first = first_rows.setdefault(voted.people[row.index], row)
            if first is not row:
                row.same_as = first
                row.save(update_fields=["same_as"])
