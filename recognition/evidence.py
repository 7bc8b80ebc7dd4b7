"""Which observations of a face are embedded: few where the gallery knows the face for certain, all where it doesn't.

Testing one observation after the other until the answer is sure is Wald's idea ("Sequential Tests of Statistical
Hypotheses", 1945); here there are two rounds, because networks want batches.
"""

from collections.abc import Callable, Sequence

import numpy as np

from recognition.embedding import Embedder
from recognition.embedding.averaging import add_mirrored, embed_single_crops
from recognition.embedding.base import RGB
from recognition.identification.gallery import FPIR_BY_STRICTNESS, Gallery
from recognition.tracking.tracker import Observation
from recognition.types import VideoInfo
from recognition.vectors import Floats, normalise

FIRST_ROUND_OBSERVATIONS = 20  # about so many of a face in a whole recording
FIRST_ROUND_SECONDS = (4.0, 15.0)  # shortest and longest time of which one observation is of the first round
SLOW_OBSERVATIONS = (2, 12)  # of a track that an embedder's slow network sees in the first round, and in both

Evidence = tuple[list[Observation], Floats]


def embed_observations(
    tracks: Sequence[Sequence[Observation]], info: VideoInfo, embedder: Embedder, gallery: Gallery | None = None
) -> list[Evidence]:
    """Those observations of each track that were embedded, with their unit vectors (n, d) float32.

    `tracks` has the observations of each track of a segment of the recording, in the order of time. Without a gallery
    there is only the first round.
    """
    if info.is_photo:
        embeddings = embed_single_crops([observation.embedder_crop for [observation] in tracks], embedder)
        return [(list(track), embeddings[i : i + 1]) for i, track in enumerate(tracks)]
    interval = float(np.clip(info.duration / FIRST_ROUND_OBSERVATIONS, *FIRST_ROUND_SECONDS))
    rounds = [_split(track, interval) for track in tracks]
    best = [_best_first(track)[: SLOW_OBSERVATIONS[1]] for track in tracks]
    first_fast = _embed(embedder.embed_fast, embedder, [first for first, _ in rounds])
    first_slow = _embed_slow(embedder, [track[: SLOW_OBSERVATIONS[0]] for track in best])
    vectors = [_join(embedder, fast, slow) for fast, slow in zip(first_fast, first_slow, strict=True)]
    if gallery is None:
        return [(first, own) for (first, _), own in zip(rounds, vectors, strict=True)]
    is_open = [not _is_certain(first, own, gallery) for (first, _), own in zip(rounds, vectors, strict=True)]
    more = [rest if left else [] for (_, rest), left in zip(rounds, is_open, strict=True)]
    more_best = [track[SLOW_OBSERVATIONS[0] :] if left else [] for track, left in zip(best, is_open, strict=True)]
    more_fast = _embed(embedder.embed_fast, embedder, more)
    more_slow = _embed_slow(embedder, more_best)
    return [
        ([*first, *rest], _join(embedder, np.concatenate([fast, fast_too]), np.concatenate([slow, slow_too])))
        for (first, _), rest, fast, fast_too, slow, slow_too in zip(
            rounds, more, first_fast, more_fast, first_slow, more_slow, strict=True
        )
    ]


def _split(track: Sequence[Observation], interval: float) -> tuple[list[Observation], list[Observation]]:
    """The best observation of each `interval` seconds, and the others."""
    best: dict[int, int] = {}
    for i, observation in enumerate(track):
        slot = int(observation.time // interval)
        if slot not in best or observation.quality > track[best[slot]].quality:
            best[slot] = i
    first = set(best.values())
    return [track[i] for i in sorted(first)], [track[i] for i in range(len(track)) if i not in first]


def _best_first(track: Sequence[Observation]) -> list[Observation]:
    return sorted(track, key=lambda observation: observation.quality, reverse=True)


def _join(embedder: Embedder, fast: Floats, slow: Floats) -> Floats:
    """The vectors of a track's observations; what the slow network says of the best of them stands for all.

    The more its vectors of one face differ, the shorter is their mean, and the less it weighs.
    """
    return normalise(embedder.join(fast, slow.mean(axis=0, keepdims=True).repeat(len(fast), axis=0)))


def _embed(embed: Callable[[RGB], Floats], embedder: Embedder, tracks: Sequence[Sequence[Observation]]) -> list[Floats]:
    """The mean vector of each observation and its mirror image, (n, d) for each track; all are one batch."""
    crops = [observation.embedder_crop for track in tracks for observation in track]
    vectors = add_mirrored(crops, embedder.crop_size, embed) / 2
    return np.split(vectors, np.cumsum([len(track) for track in tracks[:-1]])) if tracks else []


def _embed_slow(embedder: Embedder, tracks: Sequence[Sequence[Observation]]) -> list[Floats]:
    """As `_embed`, by the slow network; vectors of no numbers where there is none."""
    if embedder.slow_network is None:
        return [np.empty((1, 0), np.float32)] * len(tracks)
    return _embed(embedder.embed_slow, embedder, tracks)


def _is_certain(observations: Sequence[Observation], vectors: Floats, gallery: Gallery) -> bool:
    """Whether these observations alone say who of the class it is, at the strict rate of strangers."""
    qualities = np.array([observation.quality for observation in observations], np.float32)
    heights = [observation.face.box[3] - observation.face.box[1] for observation in observations]
    mean = normalise(qualities @ vectors)[None]
    judges = gallery.by_face_size(mean, [np.median(heights)], [len(vectors)])
    [(judge, mean)] = [(judge, own) for judge, rows, own in judges if len(rows)]
    scores = judge.scores(mean)[0]
    student = int(scores.argmax())
    threshold = judge.impostor_model.threshold(
        len(vectors), FPIR_BY_STRICTNESS["strict"], len(scores), judge.photo_counts[student]
    )
    lead = scores[student] - np.delete(scores, student).max(initial=-1.0)
    return bool(scores[student] >= threshold and lead >= judge.operating_points["strict"].margin)
