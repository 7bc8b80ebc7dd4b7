"""The attendance of a recording: who of the roster was there, and which unknown people.

The tracks of one seat are first linked over the segments' borders, since many observations say more than few. Each such
person is then accepted as one student or as nobody, as a whole, and people of the same moment are never the same
student. So everything is decided over the whole recording, and nothing by a single moment.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recognition.errors import GalleryMismatch
from recognition.identification.gallery import DEFAULT_STRICTNESS, FPIR_BY_STRICTNESS, Gallery
from recognition.identification.open_set import identify
from recognition.tracking.linking import cluster_people, link_tracks
from recognition.tracking.person import Person, best_crops
from recognition.tracking.static_faces import separate_static_faces
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

_Match = tuple[Person, Identity]

# The share of strangers who resemble a student as much. Whoever names an unknown person is warned below it: with dlib's
# model and the 55 people with several photos by whom its tails were set, that was at most 1 % of right names and all
# but 3 to 4 % of wrong ones, with one, three or ten enrolment photos and one or three observations.
RESEMBLANCE_FMR = 0.03
# The rate of strangers up to which a doubtful face is put to a person, for whom a question costs seconds. Above it too
# many proposals have the wrong name.
TO_CONFIRM_FPIR = {"strict": 0.003, "balanced": 0.015, "lenient": 0.1}
# Strangers were measured with faces of 24 pixels and more, whose boxes are a tenth smaller now and then. What smaller
# ones say isn't known, so they make nobody present before a person has looked.
MIN_CERTAIN_FACE_PX = 22


@dataclass(frozen=True, slots=True, kw_only=True)
class VotePolicy:
    """The rules of a class.

    `strictness`: a name of FPIR_BY_STRICTNESS. `max_gap`: seconds for which a student may be out of sight without
    having left; in short recordings it is `max_gap_share` of the duration. `min_samples`: how many samples must show
    somebody who counts (in a photo, one).
    """

    strictness: str = DEFAULT_STRICTNESS
    max_gap: float = 300.0
    max_gap_share: float = 0.15
    min_samples: int = 3

    def longest_bridged_gap(self, duration: float) -> float:
        """The longest gap in seconds that is bridged in a recording of this duration."""
        return min(self.max_gap, self.max_gap_share * duration)


def vote(
    results: Sequence[SegmentResult],
    gallery: Gallery,
    roster: Sequence[str],
    info: VideoInfo,
    policy: VotePolicy | None = None,
    overrides: Sequence[IdentityOverride] = (),
) -> Attendance:
    """The attendance that the segments' tracks show, for every label of the roster.

    The results may come in any order. Labels that the gallery doesn't know are not recognisable. Students of the
    gallery who are not on the roster still keep a face from being taken for somebody else. A face whose identity was
    overridden takes no part: it comes back among the unknown people with the override's key, and nobody of the same
    moments is taken for that student. Of several overrides of one face the last one counts. The strangers of earlier
    votes, whose embeddings are forgotten, come back as they were found then.

    Raises GalleryMismatch when the tracks were made by another embedder than the gallery.
    """
    policy = policy or VotePolicy()
    _check_embedders(results, gallery)
    min_samples = 1 if info.is_photo else policy.min_samples
    tracks = [track for result in results for track in result.tracks if len(track.embeddings)]
    people = [
        person for person in link_tracks(tracks, gallery.linking_threshold) if len(person.times) >= min(min_samples, 2)
    ]
    earlier = _earlier_strangers(results)
    people, overridden = _split_overridden([*people, *earlier], overrides)
    earlier_strangers = [person for person in people if person.tracks[0].stranger]
    people = [person for person in people if not person.tracks[0].stranger]
    static_faces: list[Person] = []
    if not info.is_photo:
        people, static_faces = separate_static_faces(people, gallery.linking_threshold)
    excluded = _excluded_students(people, overridden, overrides, gallery)
    identities, certain_labels = _identify(people, gallery, policy.strictness, excluded)

    matches: dict[str | None, list[_Match]] = {}
    for person, identity in zip(people, identities, strict=True):
        matches.setdefault(identity.label, []).append((person, identity))
    timing = _Timing(
        duration=info.duration,
        sample_interval=median_sample_interval([*tracks, *(track for person in earlier for track in person.tracks)]),
        max_gap=policy.longest_bridged_gap(info.duration),
    )
    presences = []
    for label in roster:
        own = matches.get(label, [])
        if sum(len(person.times) for person, _ in own) < min_samples:
            presences.append(Presence(label=label, present=False, recognisable=label in gallery.labels))
        else:
            is_certain = label in certain_labels
            presences.append(_presence(label, own, timing, gallery, policy.strictness, is_certain=is_certain))

    strangers = [person for person, _ in matches.get(None, []) if len(person.times) >= min_samples]
    stranger_groups = cluster_people(strangers, gallery.clustering_threshold)
    static_groups = cluster_people(static_faces, gallery.clustering_threshold)
    unknown = [
        *(_unknown_person(group, timing, gallery) for group in stranger_groups),
        *(_unknown_person(group, timing, gallery, is_static=True) for group in static_groups),
        *(_unknown_person([person], timing, gallery) for person in earlier_strangers),
        *(_unknown_person(group, timing, gallery, override_key=override.key) for override, group in overridden),
    ]
    return Attendance(info.duration, tuple(presences), tuple(unknown))


@dataclass(frozen=True, slots=True)
class _Timing:
    """What turns the samples that show somebody into intervals; all in seconds."""

    duration: float
    sample_interval: float
    max_gap: float

    def intervals(self, people: Sequence[Person]) -> tuple[Interval, ...]:
        times = np.sort(np.concatenate([person.times for person in people]))
        return bridge_gaps(times, self.sample_interval, self.max_gap, self.duration)


def _presence(
    label: str, matches: Sequence[_Match], timing: _Timing, gallery: Gallery, strictness: str, *, is_certain: bool
) -> Presence:
    people = [person for person, _ in matches]
    intervals = timing.intervals(people)
    seconds = sum(end - start for start, end in intervals)
    observations = sum(person.observation_count for person in people)
    column = gallery.labels.index(label)

    def threshold(person: Person) -> float:
        judge = gallery.deciding(person.face_px, person.observation_count)
        return float(
            judge.impostor_model.threshold(observations, FPIR_BY_STRICTNESS[strictness], 1, judge.photo_counts[column])
        )

    def certainty(match: _Match) -> float:
        person, identity = match
        return confidence(identity.score, threshold(person))

    best = max(matches, key=certainty)
    return Presence(
        label=label,
        present=is_certain,
        intervals=intervals,
        seconds=seconds,
        share=min(seconds / timing.duration, 1.0) if timing.duration else 1.0,
        confidence=certainty(best),
        crops=best_crops(people),
        to_confirm=not is_certain,
        runner_up=None if is_certain else best[1].runner_up,
        lead=best[1].margin / max(1 - threshold(best[0]), 1e-6),
        face_positions=tuple(person.face_position for person in people),
        tracks=tuple(track for person in people for track in person.tracks),
    )


def _earlier_strangers(results: Sequence[SegmentResult]) -> list[Person]:
    """Each stranger of earlier votes as one person, in whatever seats."""
    tracks_of: dict[str, list[Track]] = {}
    for track in sorted((track for result in results for track in result.tracks), key=lambda track: track.times[0]):
        if track.stranger:
            tracks_of.setdefault(track.stranger.key, []).append(track)
    return [Person(tracks) for tracks in tracks_of.values()]


def _unknown_person(
    people: Sequence[Person], timing: _Timing, gallery: Gallery, *, is_static: bool = False, override_key: str = ""
) -> UnknownPerson:
    intervals = timing.intervals(people)
    known = [track.stranger for person in people for track in person.tracks if track.stranger]
    embedded = [person for person in people if person.observation_count]
    forgotten = [person for person in people if not person.observation_count]
    seats = [*embedded, *(Person([track]) for person in forgotten for track in person.tracks)]
    return UnknownPerson(
        intervals=intervals,
        seconds=sum(end - start for start, end in intervals),
        crops=best_crops(people),
        is_static=is_static or any(stranger.is_static for stranger in known),
        override_key=override_key,
        face_positions=tuple(person.face_position for person in seats),
        tracks=tuple(track for person in people for track in person.tracks),
        resembles=_resembled_students(embedded, gallery) if embedded else known[0].resembles,
    )


def _resembled_students(people: Sequence[Person], gallery: Gallery) -> tuple[str, ...]:
    """The labels of the students whom the people resemble, the most similar first."""
    embeddings = np.stack([person.embedding() for person in people])
    counts = np.array([person.observation_count for person in people])
    lead = np.full(len(gallery.labels), -np.inf)
    for judge, rows, vectors in gallery.by_face_size(embeddings, [person.face_px for person in people], counts):
        thresholds = judge.impostor_model.threshold(counts[rows, None], RESEMBLANCE_FMR, 1, judge.photo_counts)
        lead = np.maximum(lead, (judge.scores(vectors) - thresholds).max(axis=0, initial=-np.inf))
    return tuple(gallery.labels[k] for k in np.argsort(-lead) if lead[k] >= 0)


def _check_embedders(results: Sequence[SegmentResult], gallery: Gallery) -> None:
    for result in results:
        if result.embedder != gallery.embedder:
            raise GalleryMismatch(
                "The faces were embedded with {faces} and the gallery with {gallery}. Process the recording again.",
                faces=result.embedder,
                gallery=gallery.embedder,
            )


def _identify(
    people: Sequence[Person], gallery: Gallery, strictness: str, excluded: NDArray[np.bool_]
) -> tuple[list[Identity], set[str | None]]:
    """Who each person is, and the labels of those who are certain. The other labels are to be confirmed.

    Faces of a few pixels lengthen a presence, but make none.
    """
    is_small = np.array([person.face_px < MIN_CERTAIN_FACE_PX for person in people], bool)
    identities = identify(people, gallery, FPIR_BY_STRICTNESS[strictness], strictness, excluded | is_small[:, None])
    certain_labels = {identity.label for identity in identities}
    doubtful = identify(people, gallery, TO_CONFIRM_FPIR[strictness], strictness, excluded)
    merged = [
        other if small or (identity.label is None and other.label not in certain_labels) else identity
        for identity, other, small in zip(identities, doubtful, is_small, strict=True)
    ]
    return merged, certain_labels


def _split_overridden(
    people: Sequence[Person], overrides: Sequence[IdentityOverride]
) -> tuple[list[Person], list[tuple[IdentityOverride, list[Person]]]]:
    """The people without an override that says who they are, and for each such override its people."""
    others: list[Person] = []
    people_of: dict[int, list[Person]] = {}
    for person in people:
        matching = [
            i
            for i, override in enumerate(overrides)
            if not override.denied and person.was_seen_at(override.face_positions)
        ]
        if matching:
            people_of.setdefault(matching[-1], []).append(person)
        else:
            others.append(person)
    return others, [(overrides[i], group) for i, group in sorted(people_of.items())]


def _excluded_students(
    people: Sequence[Person],
    overridden: Sequence[tuple[IdentityOverride, list[Person]]],
    overrides: Sequence[IdentityOverride],
    gallery: Gallery,
) -> NDArray[np.bool_]:
    """Which people can't be which students, as (people, labels).

    They can't where an override denies it, or where another one says that the student was elsewhere at the same moment.
    """
    column = {label: k for k, label in enumerate(gallery.labels)}
    excluded = np.zeros((len(people), len(column)), bool)
    for override in overrides:
        if override.denied and override.label in column:
            is_denied = [person.was_seen_at(override.face_positions) for person in people]
            excluded[is_denied, column[override.label]] = True
    for override, group in overridden:
        if override.label in column:
            times = np.concatenate([person.times for person in group])
            is_elsewhere = [bool(np.isin(person.times, times).any()) for person in people]
            excluded[is_elsewhere, column[override.label]] = True
    return excluded


def median_sample_interval(tracks: Sequence[Track]) -> float:
    """Seconds between samples: the usual step between the times of a track; 0 where no track has two."""
    steps = np.concatenate([np.diff(track.times) for track in tracks]) if tracks else np.empty(0)
    return float(np.median(steps)) if len(steps) else 0.0


def bridge_gaps(
    times: NDArray[np.float64], sample_interval: float, max_gap: float, duration: float
) -> tuple[Interval, ...]:
    """Intervals, within [0, duration], from the ascending times (n,) of the samples that show somebody, all in seconds.

    Each sample stands for half a sample interval to either side. Gaps of at most `max_gap` are no absence.
    """
    if not len(times):
        return ()
    absences = np.flatnonzero(np.diff(times) > max(max_gap, 1.5 * sample_interval)) + 1
    half = sample_interval / 2
    return tuple(
        (max(0.0, float(stretch[0]) - half), min(duration, float(stretch[-1]) + half))
        for stretch in np.split(times, absences)
    )


def confidence(score: float, threshold: float) -> float:
    """0.5 for a score at the threshold, towards 1 for the best possible one."""
    return float(np.clip(1 - 0.5 * np.exp(-5 * (score - threshold) / max(1 - threshold, 1e-6)), 0, 1))
