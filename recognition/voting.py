"""Who was there: the tracks of all segments, the gallery and the roster make intervals for each student, and unknown people.

The tracks of one seat are first joined over the segments' borders, since many looks say more than few. Each such person is
then accepted as one student or as nobody, as a whole: people of the same moment are never the same student. What was
decided is a matter of the whole recording; a moment alone decides nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from recognition.calibration import LOOKS, unit
from recognition.errors import GalleryMismatch
from recognition.gallery import DEFAULT, PRESETS, Gallery
from recognition.tracking import MAX_GAP, assign, near, overlap
from recognition.types import (
    Attendance,
    Box,
    Chip,
    Decision,
    Identity,
    Interval,
    Mark,
    Presence,
    SegmentResult,
    Track,
    UnknownPerson,
    VideoInfo,
)

CHIPS = 3
# A portrait, a poster or a face on a screen: the place changes no more than by the sensor's noise (at most 0.004 from 24 px on), where
# a sleeper who moves by a hundredth of the face's height while breathing changes it by twice this.
STILL = 0.005
STILL_SIGHTS = 10
STILL_WAY = 0.03  # sides of the box by which its usual place differs from one track to another
ALIKE = 0.4  # of the way from the threshold to 1: students as near as that to each other are look-alikes
SAME_MOMENT = 3.0  # seconds: as near are the sights of two runs that looked at other frames
SAME_FACE = 0.3  # overlap from which a box of one run and one of another are the same face
TO_CONFIRM = 10  # times the preset's rate of strangers: as far goes the doubt about a face in a photo


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules of a class.

    `preset`: how sure an answer has to be, a name of gallery.PRESETS.
    `gap`: seconds for which somebody who is not seen has not left; of a recording shorter than `gap` / `gap_share` the share.
    `sightings`: how many samples must show somebody before it counts (a photo needs one).
    """

    preset: str = DEFAULT
    gap: float = 300.0
    gap_share: float = 0.15
    sightings: int = 3

    def bridged(self, duration: float) -> float:
        """The longest gap in seconds that is bridged in a recording of this duration."""
        return min(self.gap, self.gap_share * duration)


@dataclass(slots=True)
class Person:
    """Tracks, in the order of time, that are one face."""

    tracks: list[Track]

    @property
    def start(self) -> float:
        return float(self.tracks[0].times[0])

    @property
    def end(self) -> float:
        return float(self.tracks[-1].times[-1])

    @property
    def times(self) -> NDArray[np.float64]:
        return np.concatenate([track.times for track in self.tracks])

    @property
    def looks(self) -> int:
        return sum(len(track.embeddings) for track in self.tracks)

    @property
    def box(self) -> NDArray[np.float32]:
        return np.asarray(np.median(np.concatenate([track.boxes for track in self.tracks]), axis=0), np.float32)

    @property
    def unmoved(self) -> bool:
        """Whether nothing moved where this person was seen, in no track and from none to another."""
        watched = [track.motion for track in self.tracks if len(track.times) > 1]
        boxes = [np.median(track.boxes, axis=0) for track in self.tracks]
        return max(watched, default=0.0) < STILL and not any(apart(self.box, box) for box in boxes)

    @property
    def mark(self) -> Mark:
        """When and where to find this face again: the middle of the longest track."""
        track = max(self.tracks, key=lambda track: len(track.times))
        middle = len(track.times) // 2
        return float(track.times[middle]), _box(track.boxes[middle])

    def was_at(self, marks: Sequence[Mark]) -> bool:
        """Whether this face was seen at one of the marks."""
        return any(
            bool((overlap(track.boxes[np.abs(track.times - time) <= SAME_MOMENT], np.array([box], np.float32)) >= SAME_FACE).any())
            for time, box in marks
            if self.start - SAME_MOMENT <= time <= self.end + SAME_MOMENT
            for track in self.tracks
        )

    def embedding(self) -> NDArray[np.float32]:
        """The mean of all looks weighted by their quality, as a unit vector."""
        return unit(sum((track.qualities @ track.embeddings for track in self.tracks), np.float32(0)))  # type: ignore[arg-type]


def vote(
    results: Sequence[SegmentResult],
    gallery: Gallery,
    roster: Sequence[str],
    info: VideoInfo,
    policy: Policy | None = None,
    decisions: Sequence[Decision] = (),
) -> Attendance:
    """The attendance that the segments' tracks show, for every label of the roster.

    Labels that the gallery doesn't know are absent; students of the gallery who are not on the roster still keep a face from
    being taken for somebody else. Whose face a person settled in `decisions` (the latest last) is no matter of the vote: it comes
    back among the unknown people with the decision's key, and nobody of the same moments is taken for that student.
    Raises GalleryMismatch when the tracks were made by another embedder than the gallery.
    """
    policy = policy or Policy()
    for result in results:
        if result.embedder != gallery.embedder:
            raise GalleryMismatch(
                f"The faces were embedded with {result.embedder} and the gallery with {gallery.embedder}. Take attendance again."
            )
    rate, margin = PRESETS[policy.preset], gallery.points[policy.preset].margin
    sightings = 1 if info.is_photo else policy.sightings
    tracks = [track for result in results for track in result.tracks if len(track.embeddings)]
    people = [person for person in stitched(tracks, gallery) if len(person.times) >= min(sightings, 2)]
    people, settled = _settled(people, decisions)
    people, pictures = (people, []) if info.is_photo else parted(people, gallery)
    barred = _barred(people, settled, decisions, gallery)
    identities = identify(people, gallery, rate, margin, barred)
    sure = {identity.label for identity in identities}
    if info.is_photo:
        # One look can't be made surer by another: whom a stranger resembles more often is asked of a person.
        doubtful = identify(people, gallery, TO_CONFIRM * rate, margin, barred)
        identities = [
            one if one.label is not None or other.label in sure else other for one, other in zip(identities, doubtful, strict=True)
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
                confidence=confidence(best.score, float(gallery.impostors.threshold(sum(people[i].looks for i in mine), rate, 1))),
                chips=best_chips([people[i] for i in mine]),
                unsure=label not in sure,
                marks=tuple(people[i].mark for i in mine),
            )
        )
    nobody = [people[i] for i, identity in enumerate(identities) if identity.label is None and len(people[i].times) >= sightings]
    unknown = []
    for group, is_still, key in [
        *((group, False, "") for group in clustered(nobody, gallery)),
        *((group, True, "") for group in clustered(pictures, gallery)),
        *((group, False, decision.key) for decision, group in settled),
    ]:
        intervals = bridged(np.sort(np.concatenate([person.times for person in group])), every, gap, info.duration)
        seconds, marks = sum(end - start for start, end in intervals), tuple(person.mark for person in group)
        unknown.append(UnknownPerson(intervals, seconds, best_chips(group), is_still, key, marks))
    return Attendance(info.duration, tuple(presences), tuple(unknown))


def _settled(people: Sequence[Person], decisions: Sequence[Decision]) -> tuple[list[Person], list[tuple[Decision, list[Person]]]]:
    """The people of whom nobody said who they are, and those of each decision that did."""
    left: list[Person] = []
    groups: dict[int, list[Person]] = {}
    for person in people:
        said = [i for i, decision in enumerate(decisions) if not decision.denied and person.was_at(decision.marks)]
        (groups.setdefault(said[-1], []) if said else left).append(person)
    return left, [(decisions[i], group) for i, group in sorted(groups.items())]


def _barred(
    people: Sequence[Person], settled: Sequence[tuple[Decision, list[Person]]], decisions: Sequence[Decision], gallery: Gallery
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


def parted(people: Sequence[Person], gallery: Gallery) -> tuple[list[Person], list[Person]]:
    """The living, and the pictures of people: those who never moved, whenever they were seen. Whoever was seen at the same place in
    another posture at another time, and looks the same, is somebody who slept."""
    if not any(person.unmoved for person in people):
        return list(people), []
    boxes, vectors = np.stack([person.box for person in people]), np.stack([person.embedding() for person in people])
    living: list[Person] = []
    pictures: list[Person] = []
    for i, person in enumerate(people):
        here: list[Person] = []
        if person.unmoved:
            same = near(boxes[i : i + 1], boxes)[0] & (vectors @ vectors[i] > unlike(gallery))
            here = [people[j] for j in np.flatnonzero(same).tolist()]
        stayed = all(other.unmoved and not apart(person.box, other.box) for other in here)
        (pictures if stayed and sum(len(other.times) for other in here) >= STILL_SIGHTS else living).append(person)
    return living, pictures


def apart(a: NDArray[np.float32], b: NDArray[np.float32]) -> bool:
    """Whether two boxes (4,) are so far from each other that what is in them moved."""
    return bool(np.abs((a[:2] + a[2:] - b[:2] - b[2:]) / 2).max() > STILL_WAY * (a[2:] - a[:2]).mean())


def stitched(tracks: Sequence[Track], gallery: Gallery) -> list[Person]:
    """Tracks of one place that follow each other closely and don't look like two people, joined."""
    people: list[Person] = []
    for moment in _by_start(tracks):
        start = float(moment[0].times[0])
        live = [person for person in people if person.end < start <= person.end + MAX_GAP]
        joined: dict[int, Person] = {}
        if live:
            before, now = np.stack([person.tracks[-1].boxes[-1] for person in live]), np.stack([track.boxes[0] for track in moment])
            alike = np.stack([person.embedding() for person in live]) @ np.stack([Person([track]).embedding() for track in moment]).T
            pairs = assign(overlap(before, now) + np.maximum(alike, 0), near(before, now) & (alike > unlike(gallery)))
            joined = {j: live[i] for i, j in pairs}
        for j, track in enumerate(moment):
            if j in joined:
                joined[j].tracks.append(track)
            else:
                people.append(Person([track]))
    return people


def _by_start(tracks: Sequence[Track]) -> list[list[Track]]:
    """The tracks in the order in which they begin; those that begin together, together."""
    moments: dict[float, list[Track]] = {}
    for track in tracks:
        moments.setdefault(float(track.times[0]), []).append(track)
    return [moments[start] for start in sorted(moments)]


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


def seen_together(people: Sequence[Person]) -> NDArray[np.bool_]:
    """Which people (n, n) were seen at the same moment, and so can't be one."""
    moments, place = np.unique(np.concatenate([person.times for person in people]), return_inverse=True)
    seen = np.zeros((len(people), len(moments)), np.float32)
    seen[np.repeat(np.arange(len(people)), [len(person.times) for person in people]), place] = 1
    return np.asarray(seen @ seen.T > 0)


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
        here = mine & near(boxes[i : i + 1], boxes[sure])[0] & (vectors[sure] @ vectors[i] > least)
        if here.any() and not (together[i, sure] & mine).any():
            labels[i] = k


def unlike(gallery: Gallery) -> float:
    """The cosine below which two tracks can't be one face."""
    return 2 * gallery.points["lenient"].thresholds[0] - 1


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


def best_chips(people: Sequence[Person]) -> tuple[Chip, ...]:
    """The first pictures of the tracks before their second ones, good looks before poor ones."""
    ranked = [(rank, chip, track) for person in people for track in person.tracks for rank, chip in enumerate(track.chips)]
    best = sorted(ranked, key=lambda entry: (entry[0], -entry[1].quality))[:CHIPS]
    return tuple(replace(chip, box=_box(track.boxes[np.abs(track.times - chip.time).argmin()])) for _, chip, track in best)


def _box(box: NDArray[np.float32]) -> Box:
    x1, y1, x2, y2 = (round(float(side), 1) for side in box)
    return x1, y1, x2, y2


def clustered(people: Sequence[Person], gallery: Gallery) -> list[list[Person]]:
    """People who are nobody on the roster: those who look the same and were never seen together are one. Longest seen first."""
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    if len(people) < 2:
        return [[person] for person in people]
    vectors = np.stack([person.embedding() for person in people])
    apart = np.where(seen_together(people), 2.0, np.clip(1 - vectors @ vectors.T, 0, 2))
    np.fill_diagonal(apart, 0)
    groups = fcluster(linkage(squareform(apart, checks=False), "complete"), 1 - gallery.points["lenient"].thresholds[-1], "distance")
    found = [[person for person, group in zip(people, groups, strict=True) if group == number] for number in np.unique(groups)]
    return sorted(found, key=lambda group: -sum(len(person.times) for person in group))
