"""Who was there: the tracks of all segments, the gallery and the roster make intervals for each student, and unknown people.

The tracks of one seat are first joined over the segments' borders, since many looks say more than few. Each such person is
then accepted as one student or as nobody, as a whole: people of the same moment are never the same student. What was
decided is a matter of the whole recording; a moment alone decides nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recognition.boxes import is_near
from recognition.errors import GalleryMismatch
from recognition.identification.calibration import LOOKS
from recognition.identification.gallery import DEFAULT_STRICTNESS, FPIR_BY_STRICTNESS, Gallery
from recognition.tracking.assignment import assign
from recognition.tracking.linking import Person, best_crops, clustered, parted, seen_together, stitched, unlike
from recognition.types import (
    Attendance,
    Identity,
    IdentityOverride,
    Interval,
    Presence,
    SegmentResult,
    Track,
    UnknownPerson,
    VideoInfo,
)

ALIKE = 0.4  # of the way from the threshold to 1: students as near as that to each other are look-alikes
TO_CONFIRM = 10  # times the strictness's rate of strangers: as far goes the doubt about a face in a photo


@dataclass(frozen=True, slots=True)
class VotePolicy:
    """The rules of a class.

    `strictness`: how sure an answer has to be, a name of gallery.PRESETS.
    `gap`: seconds for which somebody who is not seen has not left; of a recording shorter than `gap` / `gap_share` the share.
    `sightings`: how many samples must show somebody before it counts (a photo needs one).
    """

    strictness: str = DEFAULT_STRICTNESS
    gap: float = 300.0
    gap_share: float = 0.15
    sightings: int = 3

    def bridged(self, duration: float) -> float:
        """The longest gap in seconds that is bridged in a recording of this duration."""
        return min(self.gap, self.gap_share * duration)


def vote(
    results: Sequence[SegmentResult],
    gallery: Gallery,
    roster: Sequence[str],
    info: VideoInfo,
    policy: VotePolicy | None = None,
    overrides: Sequence[IdentityOverride] = (),
) -> Attendance:
    """The attendance that the segments' tracks show, for every label of the roster.

    Labels that the gallery doesn't know are absent; students of the gallery who are not on the roster still keep a face from
    being taken for somebody else. Whose face a person settled in `overrides` (the latest last) is no matter of the vote: it comes
    back among the unknown people with the override's key, and nobody of the same moments is taken for that student.
    Raises GalleryMismatch when the tracks were made by another embedder than the gallery.
    """
    policy = policy or VotePolicy()
    for result in results:
        if result.embedder != gallery.embedder:
            raise GalleryMismatch(
                "The faces were embedded with {faces} and the gallery with {gallery}. Take attendance again.",
                faces=result.embedder,
                gallery=gallery.embedder,
            )
    rate, margin = FPIR_BY_STRICTNESS[policy.strictness], gallery.points[policy.strictness].margin
    sightings = 1 if info.is_photo else policy.sightings
    tracks = [track for result in results for track in result.tracks if len(track.embeddings)]
    people = [person for person in stitched(tracks, gallery) if len(person.times) >= min(sightings, 2)]
    people, settled = _settled(people, overrides)
    people, pictures = (people, []) if info.is_photo else parted(people, gallery)
    barred = _barred(people, settled, overrides, gallery)
    identities = identify(people, gallery, rate, margin, barred)
    sure = {identity.label for identity in identities}
    if info.is_photo:
        # One look can't be made surer by another: whom a stranger resembles more often is asked of a person.
        doubtful = identify(people, gallery, TO_CONFIRM * rate, margin, barred)
        identities = [
            one if one.label is not None or other.label in sure else other
            for one, other in zip(identities, doubtful, strict=True)
        ]
    every = sampling(tracks)
    gap = policy.bridged(info.duration)
    groups: dict[str, list[int]] = {}
    for i, identity in enumerate(identities):
        if identity.label is not None:
            groups.setdefault(identity.label, []).append(i)

    presences = []
    for label in roster:
        mine = groups.get(label, [])
        times = np.sort(np.concatenate([people[i].times for i in mine])) if mine else np.empty(0)
        if len(times) < sightings:
            presences.append(Presence(label, present=False))
            continue
        intervals = bridged(times, every, gap, info.duration)
        seconds = sum(end - start for start, end in intervals)
        best = max((identities[i] for i in mine), key=lambda identity: identity.score)
        presences.append(
            Presence(
                label,
                present=label in sure,
                intervals=intervals,
                seconds=seconds,
                share=min(seconds / info.duration, 1.0) if info.duration else 1.0,
                confidence=confidence(
                    best.score, float(gallery.impostors.threshold(sum(people[i].looks for i in mine), rate, 1))
                ),
                crops=best_crops([people[i] for i in mine]),
                to_confirm=label not in sure,
                marks=tuple(people[i].mark for i in mine),
            )
        )
    nobody = [
        people[i]
        for i, identity in enumerate(identities)
        if identity.label is None and len(people[i].times) >= sightings
    ]
    unknown = []
    for group, is_still, key in [
        *((group, False, "") for group in clustered(nobody, gallery)),
        *((group, True, "") for group in clustered(pictures, gallery)),
        *((group, False, decision.key) for decision, group in settled),
    ]:
        intervals = bridged(np.sort(np.concatenate([person.times for person in group])), every, gap, info.duration)
        seconds, marks = sum(end - start for start, end in intervals), tuple(person.mark for person in group)
        unknown.append(UnknownPerson(intervals, seconds, best_crops(group), is_still, key, marks))
    return Attendance(info.duration, tuple(presences), tuple(unknown))


def _settled(
    people: Sequence[Person], decisions: Sequence[IdentityOverride]
) -> tuple[list[Person], list[tuple[IdentityOverride, list[Person]]]]:
    """The people of whom nobody said who they are, and those of each decision that did."""
    left: list[Person] = []
    groups: dict[int, list[Person]] = {}
    for person in people:
        said = [i for i, decision in enumerate(decisions) if not decision.denied and person.was_at(decision.marks)]
        (groups.setdefault(said[-1], []) if said else left).append(person)
    return left, [(decisions[i], group) for i, group in sorted(groups.items())]


def _barred(
    people: Sequence[Person],
    settled: Sequence[tuple[IdentityOverride, list[Person]]],
    decisions: Sequence[IdentityOverride],
    gallery: Gallery,
) -> NDArray[np.bool_]:
    """Which people can't be which students (n, labels): a person said so, or said that the student was elsewhere at the moment."""
    column = {label: k for k, label in enumerate(gallery.labels)}
    barred = np.zeros((len(people), len(column)), bool)
    for decision in decisions:
        if decision.denied and decision.label in column:
            barred[[person.was_at(decision.marks) for person in people], column[decision.label]] = True
    for decision, group in settled:
        if decision.label in column:
            elsewhere = np.concatenate([person.times for person in group])
            barred[[bool(np.isin(person.times, elsewhere).any()) for person in people], column[decision.label]] = True
    return barred


def identify(
    people: Sequence[Person], gallery: Gallery, rate: float, margin: float, barred: NDArray[np.bool_] | None = None
) -> list[Identity]:
    """Who each person is, when a stranger may be taken for a student at this rate; `barred` (n, labels) are who can't be whom.

    A person is a student when the cosine to the student's template reaches the threshold, the student is ahead of every other
    student who could sit there by the margin, and the SVMs don't put a look-alike first. Who sits elsewhere at the same moment
    can't sit here: an assignment of greatest total similarity decides between people of one moment. It is repeated as long as it
    finds somebody, since one student can be several people at different moments, and since the fewer students a person can still
    be, the lower is the threshold at which a stranger is taken for one of them at the rate.
    """
    if not people:
        return []
    vectors = np.stack([person.embedding() for person in people])
    scores, decisions = gallery.scores(vectors), gallery.decisions(vectors)
    looks = np.array([min(person.looks, LOOKS) for person in people])
    together = seen_together(people)
    labels = np.full(len(people), -1)
    barred = np.zeros(scores.shape, bool) if barred is None else barred
    taken = barred.copy()
    found = True
    while found:
        found = False
        least = gallery.impostors.threshold(looks, rate, (~taken).sum(axis=1))
        pairs = assign(scores - least[:, None], (scores >= least[:, None]) & ~taken & (labels < 0)[:, None])
        # The surest first: only a student who is certain to sit elsewhere leaves a place to a look-alike.
        for i, k in sorted(pairs, key=lambda pair: _ahead(scores[pair[0]], pair[1], ~taken[pair[0]]), reverse=True):
            free = ~taken[i]
            alike = free & (scores[i] >= scores[i, k] - ALIKE * (1 - least[i]))
            if free[k] and _ahead(scores[i], k, free) >= margin and decisions[i, k] >= decisions[i, alike].max():
                labels[i] = k
                taken[together[i], k] = True
                found = True
    _adopt(people, vectors, labels, np.where(barred, -np.inf, scores), together, unlike(gallery))
    result = []
    for i, k in enumerate(labels):
        best, second = np.sort(np.append(scores[i], [-1.0, -1.0]))[[-1, -2]]
        result.append(Identity(gallery.labels[k] if k >= 0 else None, float(best), float(best - second)))
    return result


def _ahead(scores: NDArray[np.float32], own: int, free: NDArray[np.bool_]) -> float:
    """How far student `own` is ahead of the best of the other students who are `free` (n,)."""
    others = free & (np.arange(len(free)) != own)
    return float(scores[own] - scores[others].max(initial=-1.0))


def _adopt(
    people: Sequence[Person],
    vectors: NDArray[np.float32],
    labels: NDArray[np.int64],
    scores: NDArray[np.float32],
    together: NDArray[np.bool_],
    least: float,
) -> None:
    """Give people who were left over to the student whom they resemble most, if somebody who was accepted as that student sat
    at the same place at another time and doesn't look like somebody else: the same face in a poorer moment. This lengthens a
    presence but never makes one."""
    sure = np.flatnonzero(labels >= 0)
    if not len(sure):
        return
    boxes = np.stack([person.box for person in people])
    for i in np.flatnonzero(labels < 0):
        k = int(scores[i].argmax())
        mine = (labels[sure] == k) & np.isfinite(scores[i, k])
        here = mine & is_near(boxes[i : i + 1], boxes[sure])[0] & (vectors[sure] @ vectors[i] > least)
        if here.any() and not (together[i, sure] & mine).any():
            labels[i] = k


def sampling(tracks: Sequence[Track]) -> float:
    """Seconds between samples: the usual step between the sights of a track."""
    steps = np.concatenate([np.diff(track.times) for track in tracks]) if tracks else np.empty(0)
    return float(np.median(steps)) if len(steps) else 0.0


def bridged(times: NDArray[np.float64], every: float, gap: float, duration: float) -> tuple[Interval, ...]:
    """Intervals from sights at `times` (ascending, seconds): each stands for half a sample to either side; gaps of at most
    `gap` seconds are no absence."""
    if not len(times):
        return ()
    cuts = np.flatnonzero(np.diff(times) > max(gap, 1.5 * every)) + 1
    parts = np.split(times, cuts)
    return tuple((max(0.0, float(part[0]) - every / 2), min(duration, float(part[-1]) + every / 2)) for part in parts)


def confidence(score: float, threshold: float) -> float:
    """0.5 at the threshold, towards 1 for the best possible similarity."""
    return float(np.clip(1 - 0.5 * np.exp(-5 * (score - threshold) / max(1 - threshold, 1e-6)), 0, 1))
