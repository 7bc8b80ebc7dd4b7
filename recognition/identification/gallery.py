"""What is known of the faces of a class, and from when on a face is believed to be a student's. A stranger is nobody.

A classifier that was trained on the class alone can't reject strangers: its half-spaces have no end, so somebody always
wins. So acceptance is decided on the cosine to the student's template, with the threshold of `calibration.py` for a
wanted rate of error. The same cosine ranks the students. Where two of them look alike, their linear SVMs must agree
with it; each of these was trained to tell one student from those of the class who look most like this student.
"""

import hashlib
import io
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from recognition.errors import GalleryMismatch, NoEnrolment
from recognition.files import READ_ERRORS, atomic_write
from recognition.identification.calibration import (
    MAX_COUNTED_OBSERVATIONS,
    MEASURED,
    ClassScores,
    ImpostorModel,
    prior_impostor_model,
    rows_of_three,
    score_class,
    score_histograms,
)
from recognition.identification.learning_curve import measure_learning_curve
from recognition.identification.networks import FAR_FACE_PX, FAR_NETWORK, split_by_network
from recognition.identification.suspect_photos import describe_suspects, drop_suspect_photos
from recognition.vectors import Floats, normalise

FORMAT = 9
# Match strictness -> the rate at which one stranger, followed through a recording, may be taken for anybody of the
# class (FPIR).
FPIR_BY_STRICTNESS = {"strict": 0.0001, "balanced": 0.001, "lenient": 0.01}
DEFAULT_STRICTNESS = "balanced"
ENOUGH_PHOTOS = 5
MIN_TEMPLATE_PHOTOS = 3
TRIMMED_SHARE = 0.2  # of a student's photos, the least typical ones, which don't go into the template
LECTURE_WEIGHT = 0.5  # of the faces of one lecture, in photos: they have one seat and one light
MAX_LOOK_ALIKE_PAIRS = 50  # in the report
SVM_RIVALS = 10  # a student's SVM is trained against so many of those who look most like this student
SVM_C = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatingPoint:
    """When a face is believed to be a student's.

    `thresholds` are the least cosines to the template of a student with as many photos as half of the class have, for
    1, 2, and 3 or more observations; `margin` is how
    much lower the second best student's cosine must be. `expected_fpir` is the share of strangers who are then taken
    for somebody of the class, `expected_miss` the share of the class's own faces that are not recognised, both 0..1;
    None where nobody has enough photos to say.
    """

    thresholds: tuple[float, float, float]
    margin: float
    expected_fpir: float
    expected_miss: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Gallery:
    """The templates and SVMs of a class, made by `train_gallery`.

    `labels` (n) name the students. `templates` (n, d) float32 are unit vectors, made of so many
    `photo_counts` (n,), `coef` (n, d) and `intercept` (n,) the
    SVMs. `impostor_model` says how near strangers come. `operating_points` has one for each strictness, for a face that
    may be anybody of the class. `report` says what the training saw, as plain values. `far` is the
    gallery of the network that decides alone on small faces, where the embedder has such a one.
    """

    embedder: str
    labels: tuple[str, ...]
    templates: Floats
    photo_counts: NDArray[np.int64]
    coef: Floats
    intercept: Floats
    impostor_model: ImpostorModel
    operating_points: Mapping[str, OperatingPoint]
    report: dict[str, Any]
    far: "Gallery | None" = None

    @property
    def threshold(self) -> float:
        """The threshold for a face of several observations, at the default strictness."""
        return self.operating_points[DEFAULT_STRICTNESS].thresholds[-1]

    @property
    def margin(self) -> float:
        """The margin at the default strictness."""
        return self.operating_points[DEFAULT_STRICTNESS].margin

    @property
    def linking_threshold(self) -> float:
        """The cosine above which two tracks in one place can be the same face."""
        return 2 * float(self.impostor_model.threshold(1, FPIR_BY_STRICTNESS["lenient"], len(self.labels))) - 1

    @property
    def clustering_threshold(self) -> float:
        """The cosine from which on two strangers are the same person."""
        return float(
            self.impostor_model.threshold(MAX_COUNTED_OBSERVATIONS, FPIR_BY_STRICTNESS["lenient"], len(self.labels))
        )

    def deciding(self, face_px: float, observations: int) -> "Gallery":
        """The gallery that decides on a face of this height in pixels: this one, or that of small faces."""
        return self.far if self.far is not None and _is_far(face_px, observations) else self

    def by_face_size(
        self, vectors: Floats, face_px: ArrayLike, observations: ArrayLike
    ) -> "Iterator[tuple[Gallery, NDArray[np.int64], Floats]]":
        """Which gallery decides on which of the faces, given as unit vectors (m, d).

        `face_px` (m,) are their heights in pixels, and `observations` (m,) how often each was seen. Yields one or two
        galleries with the same labels, each with the indices (k,) of its faces and their vectors (k, D) for it.
        """
        is_far = _is_far(face_px, observations) & (self.far is not None)
        near, far = np.flatnonzero(~is_far), np.flatnonzero(is_far)
        yield self, near, vectors[near]
        if self.far is not None:
            yield self.far, far, _far_part(vectors[far], self.embedder)

    def scores(self, vectors: Floats) -> Floats:
        """The cosine of each unit vector (m, d) to each student's template, as (m, n)."""
        return np.asarray(vectors @ self.templates.T, np.float32)

    def svm_scores(self, vectors: Floats) -> Floats:
        """The decision value of each student's SVM for each unit vector (m, d), as (m, n): the larger, the likelier."""
        return np.asarray(vectors @ self.coef.T + self.intercept, np.float32)

    def without(self, labels: Collection[str]) -> "Gallery | None":
        """The gallery without these students and without its report, which may name them; None if nobody is left.

        The SVMs of the others, which were trained against these students too, and the thresholds stay as they are.
        """
        kept = [row for row, label in enumerate(self.labels) if label not in labels]
        if not kept:
            return None
        return replace(
            self,
            labels=tuple(self.labels[row] for row in kept),
            templates=self.templates[kept],
            photo_counts=self.photo_counts[kept],
            coef=self.coef[kept],
            intercept=self.intercept[kept],
            report={},
            far=self.far and self.far.without(labels),
        )

    def save(self, path: str | Path) -> str:
        """Write the gallery as an npz file, whole or not at all, and return the file's SHA-256."""
        content = self.to_bytes()
        with atomic_write(Path(path)) as beside:
            beside.write_bytes(content)
        return hashlib.sha256(content).hexdigest()

    def to_bytes(self) -> bytes:
        """The gallery as the content of an npz file."""
        manifest = {
            "format": FORMAT,
            "embedder": self.embedder,
            "labels": self.labels,
            "report": self.report,
            "photo_counts": self.photo_counts.tolist(),
            "impostor_model": asdict(self.impostor_model),
            "operating_points": {strictness: asdict(point) for strictness, point in self.operating_points.items()},
        }
        text = np.frombuffer(json.dumps(manifest).encode(), np.uint8)
        file = io.BytesIO()
        far = np.frombuffer(self.far.to_bytes() if self.far else b"", np.uint8)
        np.savez(file, manifest=text, templates=self.templates, coef=self.coef, intercept=self.intercept, far=far)
        return file.getvalue()

    @classmethod
    def load(cls, path: str | Path, embedder: str | None = None, sha256: str | None = None) -> "Gallery":
        """Read what `save` wrote.

        Raises GalleryMismatch as `from_bytes`, and when the file is missing.
        """
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise _unreadable(error) from error
        return cls.from_bytes(content, embedder, sha256)

    @classmethod
    def from_bytes(cls, content: bytes, embedder: str | None = None, sha256: str | None = None) -> "Gallery":
        """The gallery that `to_bytes` made `content` of.

        Raises GalleryMismatch when it is damaged, when `sha256` is given and is not its digest, and when `embedder` is
        given and the gallery was made with another one.
        """
        if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
            raise GalleryMismatch("The gallery's file was changed after the training. Train the gallery again.")
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                manifest = json.loads(arrays["manifest"].tobytes())
                templates, coef, intercept = (
                    np.asarray(arrays[name], np.float32) for name in ("templates", "coef", "intercept")
                )
                far = arrays["far"].tobytes() if "far" in arrays else b""
            if manifest["format"] != FORMAT or len(manifest["labels"]) != len(templates):
                raise GalleryMismatch("The gallery was made by another version of Rollcall. Train the gallery again.")
            if embedder is not None and manifest["embedder"] != embedder:
                raise GalleryMismatch(
                    "The gallery was made with the embedder {made}, and faces are now compared with {now}. "
                    "Train the gallery again, or use the embedder that it was made with.",
                    made=manifest["embedder"],
                    now=embedder,
                )
            impostors = manifest["impostor_model"]
            return cls(
                embedder=manifest["embedder"],
                labels=tuple(manifest["labels"]),
                templates=templates,
                photo_counts=np.array(manifest["photo_counts"], np.int64),
                coef=coef,
                intercept=intercept,
                impostor_model=ImpostorModel(
                    starts=rows_of_three(impostors["starts"]),
                    scales=rows_of_three([impostors["scales"]])[0],
                    shape=impostors["shape"],
                ),
                operating_points={
                    strictness: OperatingPoint(**(point | {"thresholds": tuple(point["thresholds"])}))
                    for strictness, point in manifest["operating_points"].items()
                },
                report=manifest["report"],
                far=cls.from_bytes(far, FAR_NETWORK[manifest["embedder"]]) if far else None,
            )
        except READ_ERRORS as error:
            raise _unreadable(error) from error


def _unreadable(error: BaseException) -> GalleryMismatch:
    return GalleryMismatch(
        "The gallery's file can't be read ({error}). Train the gallery again.", error=type(error).__name__
    )


def train_gallery(
    photos: Mapping[str, Sequence[Floats]],
    embedder: str,
    strangers: Floats | None = None,
    confirmed: Mapping[str, Collection[int]] | None = None,
    lectures: Mapping[str, Sequence[Floats]] | None = None,
) -> Gallery:
    """Train a gallery from the embeddings of each student's enrolment photos: label -> unit vectors (d,) float32.

    `embedder` is the id of the one that made them. `strangers` (m, d): unit vectors of people who are not of the class,
    one each, where there are any; the thresholds follow how near they come. `confirmed` has the indices of a student's
    photos that a person said are right: they count, however they look. `lectures` has a student's confirmed faces from
    lectures, one mean vector (d,) a lecture; they take the place of photos where there are none. Students without
    either are left out and named in the report. Raises NoEnrolment when no student has a photo.
    """
    lectures = lectures or {}
    known = {label: vectors for label, own in photos.items() if (vectors := [*own] or [*lectures.get(label, ())])}
    if not known:
        raise NoEnrolment("None of the students has a usable enrolment photo. Add photos, then train the gallery.")
    labels, groups = tuple(known), [np.stack(vectors).astype(np.float32) for vectors in known.values()]
    right = [(confirmed or {}).get(label, ()) if len(photos[label]) else range(len(known[label])) for label in labels]
    kept, suspects = drop_suspect_photos(groups, right)
    templates = np.stack([_template(group, lectures.get(label, ())) for label, group in zip(labels, kept, strict=True)])
    photo_counts = np.array(
        [_count_photos(group, lectures.get(label, ())) for label, group in zip(labels, kept, strict=True)]
    )
    usual_count = int(np.median(photo_counts))
    prior = prior_impostor_model(embedder)
    default_fpir = FPIR_BY_STRICTNESS[DEFAULT_STRICTNESS]
    look_alike = float(prior.threshold(MAX_COUNTED_OBSERVATIONS, default_fpir, len(labels), usual_count))
    scores = [score_class(kept, templates, count + 1, look_alike) for count in range(MAX_COUNTED_OBSERVATIONS)]
    others = _drop_own_people(strangers, templates, photo_counts, prior)
    impostor_model = prior.adapt(scores, templates, photo_counts, others, MEASURED[embedder].photo_shift)
    points = {
        strictness: _operating_point(impostor_model, fpir, scores, len(labels), usual_count)
        for strictness, fpir in FPIR_BY_STRICTNESS.items()
    }
    coef, intercept = _train_svms(kept, templates)
    far = _train_far_gallery(dict(zip(labels, kept, strict=True)), embedder, strangers, lectures)
    report = {
        "students": len(labels),
        "photos": sum(len(group) for group in groups),
        "without_photos": [label for label in photos if label not in known],
        "few_photos": [label for label, group in zip(labels, kept, strict=True) if len(group) < ENOUGH_PHOTOS],
        "suspect_photos": describe_suspects(groups, suspects, labels, templates, embedder),
        "too_alike": _look_alike_pairs(labels, templates, look_alike),
        "same_person": _look_alike_pairs(labels, templates, look_alike),
        "rates": {
            strictness: {"fpir": point.expected_fpir, "miss": point.expected_miss, "threshold": point.thresholds[-1]}
            for strictness, point in points.items()
        },
        "curves": score_histograms(scores[0]),
        "learning_curve": measure_learning_curve(kept, impostor_model, FPIR_BY_STRICTNESS),
        "learning_curve_by_network": _learning_curve_by_network(kept, embedder),
    }
    return Gallery(
        embedder=embedder,
        labels=labels,
        templates=templates,
        photo_counts=photo_counts,
        coef=coef,
        intercept=intercept,
        impostor_model=impostor_model,
        operating_points=points,
        report=report,
        far=far,
    )


def _train_far_gallery(
    kept: Mapping[str, Floats], embedder: str, strangers: Floats | None, lectures: Mapping[str, Sequence[Floats]]
) -> Gallery | None:
    """The gallery for small faces, of the same photos; None where the embedder has no network for them."""
    if embedder not in FAR_NETWORK:
        return None
    gallery = train_gallery(
        {label: list(_far_part(group, embedder)) for label, group in kept.items()},
        FAR_NETWORK[embedder],
        None if strangers is None else _far_part(strangers, embedder),
        {label: range(len(group)) for label, group in kept.items()},
        {label: list(_far_part(np.stack(own), embedder)) for label, own in lectures.items() if len(own)},
    )
    return replace(gallery, report={})


def _is_far(face_px: ArrayLike, observations: ArrayLike) -> NDArray[np.bool_]:
    is_small = np.asarray(face_px) < FAR_FACE_PX
    return np.atleast_1d(is_small & (np.asarray(observations) >= MAX_COUNTED_OBSERVATIONS))


def _far_part(vectors: Floats, embedder: str) -> Floats:
    return split_by_network(vectors, embedder)[FAR_NETWORK[embedder]]


def _learning_curve_by_network(groups: Sequence[Floats], embedder: str) -> dict[str, Any]:
    """The learning curves that a class would have with each network of the embedder alone."""
    parts = [split_by_network(group, embedder) for group in groups]
    return {
        network: measure_learning_curve(
            [part[network] for part in parts], prior_impostor_model(network), FPIR_BY_STRICTNESS
        )
        for network in parts[0]
    }


def _drop_own_people(
    strangers: Floats | None, templates: Floats, photo_counts: NDArray[np.int64], prior: ImpostorModel
) -> Floats | None:
    """The strangers (m, d) without those who are nearer to a student (n, d) than strangers come: a student of the class
    who is known elsewhere by another label. None if none are left.
    """
    if strangers is None:
        return None
    thresholds = prior.threshold(1, FPIR_BY_STRICTNESS[DEFAULT_STRICTNESS], len(templates), photo_counts)
    left = strangers[(strangers @ templates.T < thresholds).all(axis=1)]
    return left if len(left) else None


def _template(group: Floats, lectures: Sequence[Floats]) -> Floats:
    """The mean of a student's photos (p, d) without the least typical ones, and of what lectures showed, as a unit
    vector (d,).
    """
    count = max(MIN_TEMPLATE_PHOTOS, int(np.ceil(len(group) * (1 - TRIMMED_SHARE))))
    typical = np.sort(np.argsort(-(group @ group.sum(axis=0)), kind="stable")[:count])
    return normalise(group[typical].mean(axis=0) * len(group) + LECTURE_WEIGHT * sum(lectures, np.zeros_like(group[0])))


def _count_photos(group: Floats, lectures: Sequence[Floats]) -> int:
    """How many photos a template is worth, what lectures showed included."""
    return int(np.ceil(len(group) + LECTURE_WEIGHT * len(lectures)))


def _train_svms(groups: Sequence[Floats], templates: Floats) -> tuple[Floats, Floats]:
    """Weights (n, d) and offsets (n,) of a linear SVM for each student, against those who look most alike."""
    from sklearn.svm import LinearSVC

    coef, intercept = np.zeros_like(templates), np.zeros(len(groups), np.float32)
    if len(groups) < 2:
        return coef, intercept
    count = min(SVM_RIVALS, len(groups) - 1)
    for i, group in enumerate(groups):
        cosines = templates @ templates[i]
        cosines[i] = -1
        rivals = np.argpartition(-cosines, count - 1)[:count]
        others = np.concatenate([groups[j] for j in rivals])
        svm = LinearSVC(C=SVM_C, class_weight="balanced", random_state=0)
        svm.fit(np.concatenate([group, others]), np.repeat([1, 0], [len(group), len(others)]))
        coef[i], intercept[i] = svm.coef_[0], svm.intercept_[0]
    return coef, intercept


def _operating_point(
    model: ImpostorModel, fpir: float, scores: Sequence[ClassScores], students: int, photos: int
) -> OperatingPoint:
    """The thresholds for a rate of strangers, and a margin that no larger share of the class's photos misses."""
    one, two, three = model.threshold(np.arange(MAX_COUNTED_OBSERVATIONS) + 1, fpir, students, photos).tolist()
    max_margin = (1 - one) / 5
    leads = scores[0].genuine - scores[0].impostor
    leads = leads[np.isfinite(leads)]
    margin = float(np.clip(-np.quantile(leads, fpir), max_margin / 20, max_margin)) if len(leads) else max_margin
    genuine = scores[-1].genuine[np.isfinite(scores[-1].genuine)]
    return OperatingPoint(
        thresholds=(one, two, three),
        margin=margin,
        expected_fpir=fpir,
        expected_miss=float((genuine < three).mean()) if len(genuine) else None,
    )


def _look_alike_pairs(labels: Sequence[str], templates: Floats, threshold: float) -> list[list[Any]]:
    """Pairs of students whose templates are nearer than a stranger may come, with their cosine; most alike first."""
    cosines = templates @ templates.T
    rows, columns = np.nonzero(np.triu(cosines >= threshold, k=1))
    order = np.argsort(-cosines[rows, columns])[:MAX_LOOK_ALIKE_PAIRS]
    return [[labels[rows[i]], labels[columns[i]], round(float(cosines[rows[i], columns[i]]), 4)] for i in order]
