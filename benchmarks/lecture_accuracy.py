"""Lectures with known attendance: whose status is right, at once and after a person answered what was asked."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.composing import Sitting, read_sittings
from benchmarks.peer_rules import Floats, majority_label, train_peer_rules
from benchmarks.photo_accuracy import EnrolledPerson, process_recording, raw_vectors, train_class
from recognition import Detector, Embedder, Gallery, VotePolicy, probe, train_gallery, vote
from recognition.identification.gallery import DEFAULT_STRICTNESS, FPIR_BY_STRICTNESS
from recognition.identification.lecture_faces import fit_students
from recognition.tracking.linking import link_tracks
from recognition.tracking.person import Person
from recognition.types import FacePosition, Presence, SegmentResult, Track, VideoInfo

SECOND_LECTURE = "balanced, second lectures"
SECOND_LECTURE_CONFIRMED = "balanced, once the first was confirmed"
OWNER_MAX_SECONDS = 5.0  # between a face and the time on the seat


@dataclass(frozen=True, slots=True, kw_only=True)
class Lecture:
    """A processed lecture and its truth.

    `follows` is the name of the class's lecture before, "" for none. `raw` has the vectors of each track for the peers'
    rules, by id.
    """

    name: str
    follows: str
    minutes: float
    roster: Sequence[str]
    present: Mapping[str, Sequence[tuple[float, float]]]
    strangers: Sequence[str]
    sittings: Sequence[Sitting]
    info: VideoInfo
    results: Sequence[SegmentResult]
    raw: Mapping[int, Floats]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What one rule says of one person of one lecture.

    `face_px` and `seconds` say how large the face is and how long it is there, both 0 for the absent. `at_once` and
    `answered`: whether the status is right; of a stranger, whether nobody took this face for a student. `asked`:
    whether a person was asked.
    """

    rule: str
    lecture: str
    minutes: float
    person: str
    is_stranger: bool
    face_px: float
    seconds: float
    at_once: bool
    answered: bool
    asked: bool


def process_lecture(path: Path, known: Mapping[str, EnrolledPerson], embedder: Embedder) -> Lecture:
    """The lecture, processed with the gallery of its class, of these enrolment photos."""
    truth, info = json.loads(path.with_suffix(".json").read_text()), probe(path)
    gallery = train_class(_on_roster(known, truth["roster"]), embedder)
    results = process_recording(path, info, embedder, Detector(), gallery)
    return Lecture(
        name=path.stem,
        follows=truth.get("follows", ""),
        minutes=round(info.duration / 60, 1),
        roster=truth["roster"],
        present=truth["present"],
        strangers=[Path(name).stem for name in truth["strangers"]],
        sittings=read_sittings(truth),
        info=info,
        results=results,
        raw={id(track): raw_vectors(track, embedder) for result in results for track in result.tracks},
    )


def _on_roster(known: Mapping[str, EnrolledPerson], roster: Sequence[str]) -> dict[str, EnrolledPerson]:
    return {name: known[name] for name in roster if name in known}


def find_owners(positions: Sequence[FacePosition], sittings: Sequence[Sitting]) -> set[str]:
    """Whose seats were nearest to where the faces were seen."""
    owners = set()
    for time, (left, top, right, bottom) in positions:
        x, y = (left + right) / 2, (top + bottom) / 2
        there = [
            sitting
            for sitting in sittings
            if any(start - OWNER_MAX_SECONDS <= time <= end + OWNER_MAX_SECONDS for start, end in sitting.spans)
        ]
        if there:
            owners.add(min(there, key=lambda sitting: (sitting.x - x) ** 2 + (sitting.y - y) ** 2).name)
    return owners


def answer_truthfully(presences: Sequence[Presence], sittings: Sequence[Sitting]) -> set[str]:
    """Who is present after somebody answered truthfully about each doubtful face: yes, the next likeliest, or no."""
    present = {presence.label for presence in presences if presence.present}
    for presence in presences:
        if presence.to_confirm:
            present |= find_owners(presence.face_positions, sittings) & {presence.label, presence.runner_up}
    return present


def judge_lecture(
    lecture: Lecture, known: Mapping[str, EnrolledPerson], embedder: Embedder, before: Lecture | None = None
) -> Iterator[Case]:
    """What each rule says of everybody in a lecture, with these enrolment photos; and, where the class had another
    lecture before, what is said after that was confirmed.

    The peers' rules name each observation of a person, and the majority decides.
    """
    enrolled = _on_roster(known, lecture.roster)
    gallery = train_class(enrolled, embedder)
    for strictness in FPIR_BY_STRICTNESS:
        yield from _judge_by_vote(lecture, strictness, gallery, strictness)
    if before:
        learnt = learn_lecture(before, gallery)
        photos = {name: person.embeddings for name, person in enrolled.items()}
        with_lecture = train_gallery(photos, embedder.id, lectures={name: [mean] for name, mean in learnt.items()})
        yield from _judge_by_vote(lecture, SECOND_LECTURE, gallery, DEFAULT_STRICTNESS)
        yield from _judge_by_vote(lecture, SECOND_LECTURE_CONFIRMED, with_lecture, DEFAULT_STRICTNESS)
    yield from _judge_by_peers(lecture, enrolled, gallery)


def learn_lecture(lecture: Lecture, gallery: Gallery) -> dict[str, Floats]:
    """The mean vector (d,) of each student whom a person confirmed truthfully, where the face fits the photos."""
    presences = vote(lecture.results, gallery, lecture.roster, lecture.info).presences
    tracks: dict[str, list[Track]] = {}
    for presence in presences:
        for track in presence.tracks:
            if find_owners([Person([track]).face_position], lecture.sittings) == {presence.label}:
                tracks.setdefault(presence.label, []).append(track)
    if not tracks:
        return {}
    means = np.stack([Person(own).embedding() for own in tracks.values()])
    rows = np.array([gallery.labels.index(name) for name in tracks])
    fits = fit_students(means, rows, gallery.templates, gallery.embedder)
    return {name: mean for name, mean, is_fit in zip(tracks, means, fits, strict=True) if is_fit}


def _judge_by_vote(lecture: Lecture, rule: str, gallery: Gallery, strictness: str) -> Iterator[Case]:
    policy = VotePolicy(strictness=strictness)
    presences = vote(lecture.results, gallery, lecture.roster, lecture.info, policy).presences
    certain = [presence for presence in presences if presence.present]
    asked = [presence for presence in presences if presence.to_confirm]
    yield from _cases(
        lecture,
        rule,
        at_once={presence.label for presence in certain},
        answered=answer_truthfully(presences, lecture.sittings),
        taken={owner for presence in certain for owner in find_owners(presence.face_positions, lecture.sittings)},
        asked={presence.label for presence in asked}
        | {owner for presence in asked for owner in find_owners(presence.face_positions, lecture.sittings)},
    )


def _judge_by_peers(lecture: Lecture, enrolled: Mapping[str, EnrolledPerson], gallery: Gallery) -> Iterator[Case]:
    tracks = [track for result in lecture.results for track in result.tracks if len(track.embeddings)]
    people = [
        person
        for person in link_tracks(tracks, gallery.linking_threshold)
        if len(person.times) >= VotePolicy().min_samples
    ]
    owners = [find_owners([person.face_position], lecture.sittings) for person in people]
    photos = {name: person.raw for name, person in enrolled.items()}
    for rule, decide in train_peer_rules(photos, gallery.embedder).items():
        names = [
            majority_label([label for track in person.tracks for label in decide(lecture.raw[id(track)])])
            for person in people
        ]
        present = {name for name in names if name}
        taken = {owner for name, own in zip(names, owners, strict=True) if name for owner in own}
        yield from _cases(lecture, rule, at_once=present, answered=present, taken=taken, asked=set())


def _cases(
    lecture: Lecture, rule: str, *, at_once: set[str], answered: set[str], taken: set[str], asked: set[str]
) -> Iterator[Case]:
    face_px = {sitting.name: sitting.face_px for sitting in lecture.sittings}
    for person in (*lecture.roster, *lecture.strangers):
        is_stranger = person in lecture.strangers
        is_present = is_stranger or person in lecture.present
        yield Case(
            rule=rule,
            lecture=lecture.name,
            minutes=lecture.minutes,
            person=person,
            is_stranger=is_stranger,
            face_px=face_px[person] if is_present else 0.0,
            seconds=sum(end - start for start, end in lecture.present.get(person, ())),
            at_once=person not in taken if is_stranger else (person in at_once) == is_present,
            answered=person not in taken if is_stranger else (person in answered) == is_present,
            asked=person in asked,
        )
