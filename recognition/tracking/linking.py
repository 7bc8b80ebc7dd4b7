"""Which tracks are one person: linking of tracks in one seat, and clustering of unknown people over the recording."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from recognition.boxes import iou, is_near
from recognition.tracking.assignment import assign
from recognition.tracking.person import Person, co_occurrence
from recognition.tracking.tracker import MAX_HIDDEN_SECONDS
from recognition.types import Track
from recognition.vectors import Floats


def link_tracks(tracks: Sequence[Track], min_similarity: float) -> list[Person]:
    """Join tracks that follow each other closely in one place and don't look like two people.

    `tracks` may come from several segments, in any order. `min_similarity` is the cosine that two tracks must exceed to
    be one face. Where several tracks could go on as several
    others, the one-to-one assignment of greatest total IoU and similarity decides (tracklet linking, as in Huang et
    al., "Robust object tracking by hierarchical association of detection responses", 2008).
    """
    people: list[Person] = []
    for starting in _tracks_by_start(tracks):
        start = float(starting[0].times[0])
        live = [person for person in people if person.end < start <= person.end + MAX_HIDDEN_SECONDS]
        continued = {j: live[i] for i, j in _match(live, starting, min_similarity)} if live else {}
        for j, track in enumerate(starting):
            if j in continued:
                continued[j].tracks.append(track)
            else:
                people.append(Person([track]))
    return people


def _match(live: Sequence[Person], starting: Sequence[Track], min_similarity: float) -> list[tuple[int, int]]:
    """Which people go on with which of the tracks that start at one moment, as pairs of their indices."""
    last_boxes = np.stack([person.tracks[-1].boxes[-1] for person in live])
    first_boxes = np.stack([track.boxes[0] for track in starting])
    known = np.stack([person.embedding() for person in live])
    new = np.stack([Person([track]).embedding() for track in starting])
    similarity = known @ new.T
    profit = iou(last_boxes, first_boxes) + np.maximum(similarity, 0)
    return assign(profit, is_near(last_boxes, first_boxes) & (similarity > min_similarity))


def _tracks_by_start(tracks: Sequence[Track]) -> list[list[Track]]:
    """The tracks in the order in which they start; those that start at the same moment form one list."""
    by_start: dict[float, list[Track]] = {}
    for track in tracks:
        by_start.setdefault(float(track.times[0]), []).append(track)
    return [by_start[start] for start in sorted(by_start)]


def cluster_people(people: Sequence[Person], min_similarity: float) -> list[list[Person]]:
    """Group people who are the same stranger: they look alike and were never seen together. Longest seen first.

    `min_similarity` is as in `cluster_faces`.
    """
    if not people:
        return []
    embeddings = np.stack([person.embedding() for person in people])
    cluster_of = cluster_faces(embeddings, co_occurrence(people), min_similarity)
    clusters = [
        [person for person, cluster in zip(people, cluster_of, strict=True) if cluster == number]
        for number in np.unique(cluster_of)
    ]
    return sorted(clusters, key=lambda cluster: -sum(len(person.times) for person in cluster))


def cluster_faces(embeddings: Floats, are_different: NDArray[np.bool_], min_similarity: float) -> NDArray[np.int64]:
    """The numbers (n,) of the people whose faces these are, given as unit vectors (n, d); n may be 0.

    Agglomerative clustering with complete linkage: any two faces of a person have a cosine of `min_similarity` or more,
    and none two are known to be different people's, as `are_different` (n, n) says.
    """
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform

    if len(embeddings) < 2:
        return np.arange(len(embeddings))
    distance = np.where(are_different, 2.0, np.clip(1 - embeddings @ embeddings.T, 0, 2))
    np.fill_diagonal(distance, 0)
    tree = linkage(squareform(distance, checks=False), "complete")
    return np.asarray(fcluster(tree, 1 - min_similarity, "distance"))
