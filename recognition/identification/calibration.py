"""From which similarity on a face is believed to be a student's: a model of the scores that impostors reach.

A *genuine* score is the cosine of a face to its own student's template, an *impostor* score that to another's. The
inverse hyperbolic tangent of a cosine (Fisher's z) of impostors has a tail like that of a normal distribution. A
stranger compared with n students is taken for one of them at the false-positive identification rate FPIR = 1 - (1 -
FMR(T))^n, where FMR(T) is the false-match rate of one comparison with threshold T (open-set identification; Grother et
al., NIST FRVT part 2). So the threshold grows with the number of candidates. The mean of several observations of a face
is nearer to everybody's template than a single observation is, so there is a tail for one, for two, and for three or
more observations.

No photographs of strangers come with the library, but the tail that was measured for an embedder does. It is shifted by
people who are known to be different: the class's own students, and a cohort of strangers where one is given. The more
of them there are, the more they weigh. The tail's width stays the embedder's, because a class has too few people to
measure it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recognition.vectors import Floats, normalise

MAX_COUNTED_OBSERVATIONS = 3  # more of them count as three
TAIL_SHARE = 0.01  # of the impostor scores, which are the tail
TAIL_START = NormalDist().inv_cdf(1 - TAIL_SHARE)  # where the tail begins, in standard deviations from the mean
PRIOR_PEOPLE = 135  # that the embedder's own tail counts for, beside the people of a class

SCORED_ROWS = 2000  # at once, so that a gallery of thousands doesn't fill the memory
MAX_VECTORS = 20_000  # means of several photos, drawn from the photos of all students
MAX_PAIRS = 2_000_000  # which are enough to find their tail
DRAWS_PER_STUDENT = 20
HISTOGRAM_BINS = 60

Tail = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Measured:
    """What `tools/measure_tails.py` says of an embedder, for 1, 2, and 3 or more observations.

    `tails` are those of impostors. `photo_shift` is the Fisher's z by which enrolment photos, embedded from near and
    far, are nearer to other people than observations are.
    """

    tails: tuple[Tail, Tail, Tail]
    photo_shift: tuple[float, float, float]


# On 135 people of one set of press photographs for 1 observation, and the 55 of them with several photos for more.
MEASURED = {
    "dlib-resnet-v1": Measured(((1.320, 0.161), (1.435, 0.169), (1.461, 0.175)), (0.156, 0.094, 0.077)),
    # A normal tail, which stands until it is fitted with few photos; it is too careful with one.
    "dlib-facenet-v1": Measured(((1.098, 0.156), (1.178, 0.202), (1.179, 0.217)), (0.146, 0.048, 0.032)),
    "facenet-20180408": Measured(((-0.016, 0.230), (0.096, 0.215), (0.101, 0.218)), (0.135, 0.119, 0.119)),
    # Its weights can't be had here. These are the tails of facenet-20180408, wider by a fifth.
    "facenet-20180402": Measured(((-0.016, 0.276), (0.096, 0.258), (0.101, 0.262)), (0.135, 0.119, 0.119)),
}


@dataclass(frozen=True, slots=True)
class ImpostorModel:
    """The tail of impostor scores for 1, 2, and 3 or more observations: mean and standard deviation of Fisher's z."""

    tails: tuple[Tail, Tail, Tail]

    def threshold(self, observations: ArrayLike, fpir: float, candidates: ArrayLike) -> NDArray[np.float64]:
        """The cosine that a stranger reaches to any of `candidates` students at the rate `fpir` (0..1).

        `observations` is the number of the stranger's observations. It and `candidates` may be arrays, and are
        broadcast.
        """
        from scipy.special import ndtri  # takes a quarter of a second

        mean, deviation = np.array(self.tails)[np.clip(observations, 1, MAX_COUNTED_OBSERVATIONS) - 1].T
        fmr = -np.expm1(np.log1p(-fpir) / np.maximum(candidates, 1))
        return np.asarray(np.tanh(mean - deviation * ndtri(fmr)))

    def adapt(
        self,
        scores: Sequence["ClassScores"],
        templates: Floats,
        strangers: Floats | None,
        photo_shift: tuple[float, float, float],
    ) -> "ImpostorModel":
        """This model with its tails shifted by people who are known to be different.

        `scores` are those of the class for 1, 2 and 3 observations, `templates` (n, d) its templates, and `strangers`
        (m, d) a cohort, one vector a person. `photo_shift` is the embedder's.
        """
        tail_starts = [mean + deviation * TAIL_START for mean, deviation in self.tails]
        cohort_start = None if strangers is None else tail_start([strangers @ templates.T])
        tails = []
        for (_, deviation), prior_start, of_class, shift in zip(
            self.tails, tail_starts, scores, photo_shift, strict=True
        ):
            weight, total = float(PRIOR_PEOPLE), PRIOR_PEOPLE * prior_start
            if of_class.tail_start is not None:
                weight += len(templates)
                total += len(templates) * (of_class.tail_start - shift)
            if strangers is not None and cohort_start is not None:
                # There is one photo of each; more observations would come nearer by as much as the embedder's own do.
                weight += len(strangers)
                total += len(strangers) * (cohort_start - photo_shift[0] + prior_start - tail_starts[0])
            tails.append((total / weight - deviation * TAIL_START, deviation))
        one, two, three = tails
        return ImpostorModel((one, two, three))


def prior_impostor_model(embedder: str) -> ImpostorModel:
    """The model that was measured for an embedder, before anything is known of a class."""
    return ImpostorModel(MEASURED[embedder].tails)


@dataclass(frozen=True, slots=True)
class ClassScores:
    """Scores of the class's enrolment photos, for one number of photos whose mean is scored.

    `genuine` (p,) are the cosines to the mean of the same student's other photos, NaN where there are none. `impostor`
    (p,) are those to the nearest other student's template, -1 where there is none. `tail_start` is the Fisher's z that
    the share TAIL_SHARE of all cosines to other students' templates exceeds, None where there are too few of them.
    """

    genuine: Floats
    impostor: Floats
    tail_start: float | None


def score_class(groups: Sequence[Floats], templates: Floats, observations: int, kinship: float) -> ClassScores:
    """Score each student's photos, the mean of `observations` of them at a time, against all templates.

    `groups` has the embeddings (p, d) of each student's photos, `templates` (n, d) the students' templates. Pairs of
    students whose templates have a cosine of `kinship` or more, as twins and families do, say nothing of strangers and
    are left out of the tail.
    """
    rng = np.random.default_rng(0)
    draws = max(1, min(DRAWS_PER_STUDENT, MAX_VECTORS // len(groups)))
    probes = [_draw_probes(group, observations, draws, rng) for group in groups]
    vectors = np.concatenate([means for means, _ in probes])
    student = np.repeat(np.arange(len(groups)), [len(means) for means, _ in probes])
    impostor = np.full(len(vectors), -1, np.float32)
    is_kin = templates @ templates.T >= kinship
    np.fill_diagonal(is_kin, val=True)
    step = 1 + len(vectors) * len(templates) // MAX_PAIRS
    samples = []
    for start in range(0, len(vectors), SCORED_ROWS):
        rows = slice(start, start + SCORED_ROWS)
        scores = vectors[rows] @ templates.T
        samples.append(scores[~is_kin[student[rows]]][::step])
        scores[np.arange(len(scores)), student[rows]] = -1
        impostor[rows] = scores.max(axis=1)
    return ClassScores(np.concatenate([genuine for _, genuine in probes]), impostor, tail_start(samples))


def _draw_probes(group: Floats, observations: int, draws: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Means of `observations` photos of a student, drawn from the embeddings (p, d) of all of them.

    The means are unit vectors (m, d). With each comes its cosine to the mean of the student's other photos, (m,), NaN
    where there are none.
    """
    count = min(observations, len(group))
    if count == 1:
        picks = [[j] for j in range(len(group))]
    else:
        picks = [rng.permutation(len(group))[:count].tolist() for _ in range(draws)]
    picked = np.stack([group[pick].sum(axis=0) for pick in picks])
    means = normalise(picked)
    if count == len(group):
        return means, np.full(len(means), np.nan, np.float32)
    others = normalise(group.sum(axis=0) - picked)
    return means, (means * others).sum(axis=1)


def tail_start(samples: Sequence[Floats]) -> float | None:
    """The Fisher's z that the share TAIL_SHARE of the cosines exceeds; None where there are too few to have a tail."""
    cosines = np.concatenate([sample.ravel() for sample in samples])
    return float(np.arctanh(np.quantile(cosines, 1 - TAIL_SHARE))) if len(cosines) > 1 / TAIL_SHARE else None


def score_histograms(scores: ClassScores) -> dict[str, list[float]]:
    """Histograms of the genuine and the impostor scores over the same edges, for a plot."""
    genuine, impostor = scores.genuine[np.isfinite(scores.genuine)], scores.impostor[scores.impostor > -1]
    edges = np.linspace(float(np.concatenate([genuine, impostor]).min(initial=0.99)), 1.0, HISTOGRAM_BINS + 1)
    counts = {"genuine": np.histogram(genuine, edges)[0], "impostor": np.histogram(impostor, edges)[0]}
    return {name: count.tolist() for name, count in counts.items()} | {"edges": edges.round(4).tolist()}
