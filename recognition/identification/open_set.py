"""Open-set identification: which student each person is, or nobody."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from recognition.boxes import is_near
from recognition.identification.calibration import MAX_COUNTED_OBSERVATIONS
from recognition.identification.gallery import Gallery
from recognition.tracking.assignment import assign
from recognition.tracking.person import Person, co_occurrence
from recognition.types import Identity
from recognition.vectors import Floats

Mask = NDArray[np.bool_]

UNASSIGNED = -1
LOOK_ALIKE_SHARE = 0.4  # of the way from the threshold to 1: students as near as this to the best one are look-alikes


def identify(
    people: Sequence[Person], gallery: Gallery, fpir: float, strictness: str, excluded: Mask | None = None
) -> list[Identity]:
    """Who each person is, when a stranger may be taken for a student at the rate `fpir` (0..1).

    `strictness` names the margin. `excluded` (people, labels) says which people can't be which students.

    A person is a student where the cosine to the student's template reaches the student's threshold, every other
    student who may still be this person is behind by the margin, and the SVMs put no look-alike first. Students are
    compared by the excess over their thresholds, since a template of many photos is nearer to everybody than that of
    one. Whoever sits elsewhere at the same moment can't sit here: between people of one moment, the assignment of
    greatest total excess decides. It is repeated as long as somebody is identified, for two reasons: one student can be
    several people at different moments, and the fewer students a person may still be, the lower is the threshold that
    strangers reach at the wanted rate.
    """
    if not people:
        return []
    embeddings = np.stack([person.embedding() for person in people])
    observations = np.array([min(person.observation_count, MAX_COUNTED_OBSERVATIONS) for person in people])
    judges = list(gallery.by_face_size(embeddings, [person.face_px for person in people], observations))
    scores, svm_scores = np.empty((2, len(people), len(gallery.labels)), np.float32)
    margins = np.empty(len(people))
    for judge, rows, vectors in judges:
        scores[rows], svm_scores[rows] = judge.scores(vectors), judge.svm_scores(vectors)
        margins[rows] = judge.operating_points[strictness].margin
    together = co_occurrence(people)
    students = np.full(len(people), UNASSIGNED)
    excluded = np.zeros(scores.shape, bool) if excluded is None else excluded
    taken = excluded.copy()
    progress = True
    while progress:
        progress = False
        candidates = (~taken).sum(axis=1)
        threshold = np.empty(scores.shape)
        for judge, rows, _ in judges:
            threshold[rows] = judge.impostor_model.threshold(
                observations[rows, None], fpir, candidates[rows, None], judge.photo_counts
            )
        excess = scores - threshold
        is_candidate = (excess >= 0) & ~taken & (students == UNASSIGNED)[:, None]
        pairs = assign(excess, is_candidate)
        # The widest lead first: only a student who certainly sits elsewhere makes room for a look-alike here.
        pairs.sort(key=lambda pair: _lead(excess[pair[0]], pair[1], ~taken[pair[0]]), reverse=True)
        for i, k in pairs:
            free = ~taken[i]
            look_alikes = free & (excess[i] >= excess[i, k] - LOOK_ALIKE_SHARE * (1 - threshold[i, k]))
            is_ahead = free[k] and _lead(excess[i], k, free) >= margins[i]
            if is_ahead and svm_scores[i, k] >= svm_scores[i, look_alikes].max():
                students[i] = k
                taken[together[i], k] = True
                progress = True
    _extend_presences(people, embeddings, students, np.where(excluded, -np.inf, excess), together, gallery)
    return [_identity(gallery, scores[i], excess[i], k) for i, k in enumerate(students)]


def _identity(gallery: Gallery, scores: Floats, excess: NDArray[np.float64], student: int) -> Identity:
    order = [int(k) for k in np.argsort(-excess)]
    best = order[0] if student == UNASSIGNED else student
    others = [k for k in order if k != best]
    margin = float(scores[best] - scores[others[0]]) if others else float(scores[best]) + 1
    if student == UNASSIGNED:
        return Identity(label=None, score=float(scores[best]), margin=margin)
    runner_up = gallery.labels[others[0]] if others else None
    return Identity(label=gallery.labels[student], score=float(scores[best]), margin=margin, runner_up=runner_up)


def _lead(excess: NDArray[np.float64], student: int, free: Mask) -> float:
    """How far a student's excess is above the best of the other students who are `free` (n,)."""
    others = free & (np.arange(len(free)) != student)
    return float(excess[student] - excess[others].max(initial=-1.0))


def _extend_presences(
    people: Sequence[Person],
    embeddings: Floats,
    students: NDArray[np.int64],
    excess: NDArray[np.float64],
    together: Mask,
    gallery: Gallery,
) -> None:
    """Assign people who are left over to the student whom they resemble most, where they sit on that student's seat.

    That is where somebody who was identified as the student sat in the same place at another time and doesn't look like
    another person: the same face at a poorer moment. This lengthens a presence but never makes one. Changes `students`.
    """
    identified = np.flatnonzero(students != UNASSIGNED)
    if not len(identified):
        return
    boxes = np.stack([person.median_box for person in people])
    for i in np.flatnonzero(students == UNASSIGNED):
        k = int(excess[i].argmax())
        is_student = (students[identified] == k) & np.isfinite(excess[i, k])
        in_same_place = is_near(boxes[i : i + 1], boxes[identified])[0]
        looks_same = embeddings[identified] @ embeddings[i] > gallery.linking_threshold
        is_elsewhere = (together[i, identified] & is_student).any()
        if (is_student & in_same_place & looks_same).any() and not is_elsewhere:
            students[i] = k
