"""Static faces: portraits, posters and faces on a screen. They show a student's face, but no student is there."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from recognition.boxes import is_near
from recognition.tracking.person import Person

# What lies behind a static face changes by no more than the sensor's noise (at most 0.004 for faces from 24 px on). A
# sleeper whose breath moves the face by a hundredth of its height changes it by twice this limit.
STATIC_FACE_MAX_MOTION = 0.005
STATIC_FACE_MIN_SAMPLES = 10
STATIC_FACE_MAX_SHIFT = 0.03  # of a track's usual place from another's, in sides of the box
# Cosine of a picture in one cell of a gallery view and in another: at least 0.997 in composed ones.
SAME_PICTURE_MIN_SIMILARITY = 0.99


def separate_static_faces(people: Sequence[Person], min_similarity: float) -> tuple[list[Person], list[Person]]:
    """The living people, and the static faces: those that did not move whenever they were seen.

    Whoever was seen in the same place in another posture at another time, and looks the same by a cosine above
    `min_similarity`, was asleep. A picture that was still in several places, as in the cells of a gallery view, is
    static whoever else was there.
    """
    if not any(is_motionless(person) for person in people):
        return list(people), []
    boxes = np.stack([person.median_box for person in people])
    embeddings = np.stack([person.embedding() for person in people])
    living: list[Person] = []
    static: list[Person] = []
    for i, person in enumerate(people):
        if not is_motionless(person):
            living.append(person)
            continue
        similarity, is_here = embeddings @ embeddings[i], is_near(boxes[i : i + 1], boxes)[0]
        sightings = [people[j] for j in np.flatnonzero(is_here & (similarity > min_similarity)).tolist()]
        never_moved = all(
            is_motionless(other) and not _is_displaced(person.median_box, other.median_box) for other in sightings
        )
        is_elsewhere = ~is_here & (similarity > SAME_PICTURE_MIN_SIMILARITY)
        copies = [people[j] for j in np.flatnonzero(is_elsewhere).tolist() if is_motionless(people[j])]
        sample_count = sum(len(other.times) for other in [*(sightings if never_moved else [person]), *copies])
        is_static = (never_moved or bool(copies)) and sample_count >= STATIC_FACE_MIN_SAMPLES
        (static if is_static else living).append(person)
    return living, static


def is_motionless(person: Person) -> bool:
    """Whether nothing moved where the person was seen, neither within a track nor from one track to another."""
    motions = [track.motion for track in person.tracks if len(track.times) > 1]
    if max(motions, default=0.0) >= STATIC_FACE_MAX_MOTION:
        return False
    usual_box = person.median_box
    return not any(_is_displaced(usual_box, np.median(track.boxes, axis=0)) for track in person.tracks)


def _is_displaced(a: NDArray[np.float32], b: NDArray[np.float32]) -> bool:
    """Whether the centres of two boxes (4,) are too far from each other for something that hangs still."""
    shift = np.abs((a[:2] + a[2:] - b[:2] - b[2:]) / 2).max()
    side = (a[2:] - a[:2]).mean()
    return bool(shift > STATIC_FACE_MAX_SHIFT * side)
