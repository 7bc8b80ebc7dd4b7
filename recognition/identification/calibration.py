"""From which similarity on a face is believed to be a student's: a model of the scores that impostors reach.

A *genuine* score is the cosine of a face to its own student's template, an *impostor* score that to another's. A
stranger compared with n students is taken for one of them at the false-positive identification rate FPIR = 1 - (1 -
FMR(T))^n, where FMR(T) is the false-match rate of one comparison with threshold T (open-set identification; Grother et
al., NIST FRVT part 2). So the threshold grows with the number of candidates.

FMR is read from the tail of the impostor scores, in Fisher's z (the inverse hyperbolic tangent of the cosine): what
lies above a high quantile has a generalised Pareto distribution (peaks over threshold; Balkema and de Haan 1974,
Pickands 1975). The mean of several vectors is nearer to everybody than a single one is. So the tail begins elsewhere
for each number of the student's enrolment photos and of the face's observations.

No photographs of strangers come with the library, but the tails that were measured for an embedder do. They are shifted
by people who are known to be different: the class's own students, and a cohort of strangers where one is given. The
more of them there are, the more they weigh. Width and shape of the tails stay the embedder's, because a class has too
few people to measure them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recognition.vectors import Floats, normalise

MAX_COUNTED_OBSERVATIONS = 3  # more of them count as three
PHOTO_GROUPS = (1, 2, 3, 6)  # the least number of photos of each group of students who share their tails
MANY_PHOTOS = PHOTO_GROUPS[-1]
TAIL_SHARE = 0.01  # of the impostor scores, which are the tail
PRIOR_PEOPLE = 135  # that the embedder's own tail counts for, beside the people of a class

SCORED_ROWS = 2000  # at once, so that a gallery of thousands doesn't fill the memory
MAX_VECTORS = 20_000  # means of several photos, drawn from the photos of all students
MAX_PAIRS = 2_000_000  # which are enough to find their tail
DRAWS_PER_STUDENT = 20
HISTOGRAM_BINS = 60

PerObservations = tuple[float, float, float]  # for 1, 2, and 3 or more observations


@dataclass(frozen=True, slots=True)
class ImpostorModel:
    """The tails of impostor scores, in Fisher's z.

    `starts`, a row for each of PHOTO_GROUPS, are what the share TAIL_SHARE of the scores exceeds. The excess has a
    generalised Pareto distribution with one of the `scales` and a `shape` below 0: it is bounded.
    """

    starts: tuple[PerObservations, ...]
    scales: PerObservations
    shape: float

    def threshold(
        self, observations: ArrayLike, fpir: float, candidates: ArrayLike, photos: ArrayLike = MANY_PHOTOS
    ) -> NDArray[np.float64]:
        """The cosine that a stranger reaches to any of `candidates` students at the rate `fpir` (0..1).

        `observations` is the number of the stranger's observations, `photos` that of a student's enrolment photos. They
        and `candidates` may be arrays, and are broadcast. Rates per student above TAIL_SHARE continue the tail's
        formula into the body of the scores, and are rough.
        """
        columns = np.clip(observations, 1, MAX_COUNTED_OBSERVATIONS) - 1
        fmr = -np.expm1(np.log1p(-fpir) / np.maximum(candidates, 1))
        excess = np.array(self.scales)[columns] / self.shape * ((fmr / TAIL_SHARE) ** -self.shape - 1)
        return np.asarray(np.tanh(np.array(self.starts)[_photo_group(photos), columns] + excess))

    def adapt(
        self,
        scores: Sequence["ClassScores"],
        templates: Floats,
        photos: NDArray[np.int64],
        strangers: Floats | None,
        photo_shift: PerObservations,
    ) -> "ImpostorModel":
        """This model with its tails shifted by people who are known to be different.

        `scores` are those of the class for 1, 2 and 3 observations, `templates` (n, d) its templates, each made of so
        many `photos` (n,), and `strangers` (m, d) a cohort, one vector a person. `photo_shift` is the embedder's.
        """
        prior_starts = np.array(self.starts)[_photo_group(photos)].mean(axis=0)
        cohort_start = None if strangers is None else tail_start([strangers @ templates.T])
        shifts = []
        for of_class, prior_start, shift in zip(scores, prior_starts, photo_shift, strict=True):
            weight, total = float(PRIOR_PEOPLE), 0.0
            if of_class.tail_start is not None:
                weight += len(templates)
                total += len(templates) * (of_class.tail_start - shift - float(prior_start))
            if strangers is not None and cohort_start is not None:
                # There is one photo of each; more observations would come nearer by as much as the embedder's own do.
                weight += len(strangers)
                total += len(strangers) * (cohort_start - photo_shift[0] - float(prior_starts[0]))
            shifts.append(total / weight)
        return ImpostorModel(rows_of_three(np.array(self.starts) + shifts), self.scales, self.shape)


def _photo_group(photos: ArrayLike) -> NDArray[np.int64]:
    return np.searchsorted(PHOTO_GROUPS, np.maximum(photos, 1), side="right") - 1


def rows_of_three(values: ArrayLike) -> tuple[PerObservations, ...]:
    """The rows of an array (n, 3) or of a nested list."""
    return tuple((one, two, three) for one, two, three in np.asarray(values, np.float64).tolist())


@dataclass(frozen=True, slots=True)
class Measured:
    """What `tools/measure_tails.py` says of an embedder.

    `photo_shift` is the Fisher's z by which enrolment photos, embedded from near and far, are nearer to other people
    than 1, 2 and 3 observations are.
    """

    model: ImpostorModel
    photo_shift: PerObservations


# On 135 people of one set of press photographs, 55 of them with several photos.
MEASURED = {
    "dlib-resnet-v1": Measured(
        ImpostorModel(
            starts=((1.635, 1.704, 1.729), (1.680, 1.765, 1.788), (1.704, 1.792, 1.821), (1.708, 1.802, 1.829)),
            scales=(0.057, 0.073, 0.073),
            shape=-0.011,
        ),
        photo_shift=(0.152, 0.148, 0.143),
    ),
    "dlib-facenet-v1": Measured(
        ImpostorModel(
            starts=((1.359, 1.427, 1.448), (1.409, 1.495, 1.517), (1.437, 1.524, 1.550), (1.445, 1.535, 1.564)),
            scales=(0.050, 0.064, 0.066),
            shape=-0.010,
        ),
        photo_shift=(0.116, 0.120, 0.114),
    ),
    "facenet-20180408": Measured(
        ImpostorModel(
            starts=((0.458, 0.528, 0.534), (0.498, 0.570, 0.580), (0.510, 0.587, 0.600), (0.514, 0.595, 0.605)),
            scales=(0.082, 0.079, 0.081),
            shape=-0.079,
        ),
        photo_shift=(0.131, 0.120, 0.127),
    ),
    # Its weights can't be had here. These are the tails of facenet-20180408, a tenth later and a fifth wider.
    "facenet-20180402": Measured(
        ImpostorModel(
            starts=((0.558, 0.628, 0.634), (0.598, 0.670, 0.680), (0.610, 0.687, 0.700), (0.614, 0.695, 0.705)),
            scales=(0.098, 0.095, 0.097),
            shape=-0.079,
        ),
        photo_shift=(0.131, 0.120, 0.127),
    ),
}


def prior_impostor_model(embedder: str) -> ImpostorModel:
    """The model that was measured for an embedder, before anything is known of a class."""
    return MEASURED[embedder].model


@dataclass(frozen=True, slots=True)
class ClassScores:
    """Scores of the class's enrolment photos, for one number of photos whose mean is scored.

    `genuine` (p,) are the cosines to the mean of the same student's other photos, NaN where there are none. `impostor`
    (p,) are those to the nearest other student's template, -1 where there is none. `tail_start` is the Fisher's z that
    the share TAIL_SHARE of the cosines to other students' templates exceeds, of students with so many photos; None
    where there are too few of them.
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
    says_nothing = templates @ templates.T >= kinship
    np.fill_diagonal(says_nothing, val=True)
    says_nothing[[len(group) < observations for group in groups]] = True
    step = 1 + len(vectors) * len(templates) // MAX_PAIRS
    samples = []
    for start in range(0, len(vectors), SCORED_ROWS):
        rows = slice(start, start + SCORED_ROWS)
        scores = vectors[rows] @ templates.T
        samples.append(scores[~says_nothing[student[rows]]][::step])
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
