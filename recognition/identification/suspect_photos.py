"""Enrolment photos that probably show somebody else."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from recognition.identification.networks import split_by_network
from recognition.vectors import Floats, normalise


def drop_suspect_photos(
    groups: Sequence[Floats], confirmed: Sequence[Collection[int]]
) -> tuple[list[Floats], dict[int, list[int]]]:
    """The groups without photos that are probably mislabelled, and the indices of these photos by group.

    Suspect is a photo that looks more like another student than like the other photos of its own student. Where half of
    a student's photos are, none is dropped, and none of those that are `confirmed` (indices by group).
    """
    templates = normalise(np.stack([group.mean(axis=0) for group in groups]))
    kept, suspects = list(groups), {}
    for i, group in enumerate(groups):
        if len(group) < 3 or len(groups) < 2:
            continue
        own_scores = (group * normalise(group.sum(axis=0) - group)).sum(axis=1)
        scores = group @ templates.T
        scores[:, i] = -1
        looks_wrong = own_scores < scores.max(axis=1)
        looks_wrong[list(confirmed[i])] = False
        indices = np.flatnonzero(looks_wrong)
        if len(indices) and len(indices) < len(group) / 2:
            suspects[i] = [int(j) for j in indices]
            kept[i] = np.delete(group, indices, axis=0)
    return kept, suspects


def describe_suspects(
    groups: Sequence[Floats],
    suspects: Mapping[int, Sequence[int]],
    labels: Sequence[str],
    templates: Floats,
    embedder: str,
) -> dict[str, list[dict[str, Any]]]:
    """By student, each suspect photo's index, its cosine to the student, and the nearest other student with the cosine
    to that one; and both cosines by each network alone, where the embedder has several.
    """
    templates_by_network = split_by_network(templates, embedder)
    described: dict[str, list[dict[str, Any]]] = {}
    for i, indices in suspects.items():
        for j in indices:
            photo = groups[i][j : j + 1]
            scores = templates @ photo[0]
            nearest = int(np.where(np.arange(len(labels)) == i, -1, scores).argmax())
            by_network = {
                network: (templates_by_network[network][[i, nearest]] @ vectors[0]).round(4).tolist()
                for network, vectors in split_by_network(photo, embedder).items()
            }
            suspect = {
                "photo": j,
                "similarity": round(float(scores[i]), 4),
                "nearest": labels[nearest],
                "nearest_similarity": round(float(scores[nearest]), 4),
                "by_network": by_network,
            }
            described.setdefault(labels[i], []).append(suspect)
    return described
