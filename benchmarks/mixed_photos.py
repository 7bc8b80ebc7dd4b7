"""Folders of photos that don't show one person: who is measured by them is right and wrong at once."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from benchmarks.peer_rules import Floats
from recognition.identification.calibration import MAX_COUNTED_OBSERVATIONS, prior_impostor_model
from recognition.vectors import normalise

MIN_PHOTOS = 4
ONE_PERSON_FMR = 0.01  # of pairs of people, who are as alike as the two halves of a person's photos
MAX_ROUNDS = 20


def find_mixed_folders(photos: Mapping[str, Sequence[Floats]], embedder: str) -> Iterator[tuple[str, str]]:
    """The names of those whose photos may show two people, and why.

    Each person's embeddings (d,) are divided into the two groups that differ most; of one person, these are still
    nearer to each other than different people are. On 55 people of press photographs this warns of none with ten photos
    each, and of nearly all folders into which a quarter or more of another's photos was mixed.
    """
    threshold = float(prior_impostor_model(embedder).threshold(MAX_COUNTED_OBSERVATIONS, ONE_PERSON_FMR, 1))
    for name, vectors in photos.items():
        if len(vectors) < MIN_PHOTOS:
            continue
        is_first, similarity = split_in_two(np.stack(list(vectors)))
        if similarity < threshold:
            few, many = sorted((int(is_first.sum()), int((~is_first).sum())))
            yield (
                name,
                f"{few} of the {few + many} photos look as if they showed somebody else (similarity {similarity:.3f}, "
                f"of one person mostly above {threshold:.3f}). Look at them, and take out those that don't belong.",
            )


def split_in_two(vectors: Floats) -> tuple[np.ndarray, float]:
    """Which of the unit vectors (n, d) are in the first of two groups (k-means), and the cosine of their means."""
    centred = vectors - vectors.mean(axis=0)
    is_first = centred @ np.linalg.svd(centred, full_matrices=False)[2][0] > 0
    for _ in range(MAX_ROUNDS):
        first, second = (normalise(vectors[chosen].mean(axis=0)) for chosen in (is_first, ~is_first))
        nearer = vectors @ first > vectors @ second
        if nearer.all() or not nearer.any() or (nearer == is_first).all():
            break
        is_first = nearer
    return is_first, float(first @ second)
