"""What is known of the faces of a class: a template for each student, a linear SVM that orders the candidates, and the
calibrated similarity and margin from which on a face is believed to be a student's. A stranger is nobody.

The SVM alone can't tell strangers: its half-spaces have no end, so somebody always wins. Acceptance is therefore decided on
the cosine to the student's template, with a threshold taken from the class's own photos: each student in turn plays the
stranger, and the similarity that such impostors reach to the nearest other student is what a face must exceed (open-set
identification at a wanted false positive identification rate; Grother et al., NIST FRVT part 2). Several looks of one face,
averaged, come nearer to everybody than one look does, so that there is a threshold for one, two, and three or more looks.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recognition.errors import GalleryMismatch, NoEnrolment
from recognition.files import UNREADABLE, replacing

FORMAT = 2
# Preset -> the rate at which one stranger, followed through a recording, may be taken for anybody of the class.
PRESETS = {"strict": 0.0001, "balanced": 0.001, "lenient": 0.01}
DEFAULT = "balanced"
IMPOSTORS_REJECTED = 0.98
LOOKS = 3
DRAWS = 20
GOOD_PHOTOS = 5

# What strangers reach whom no class knows of: the least thresholds for 1, 2 and 3 looks. A class alone knows few impostors;
# judged by 20 or 30 people only, one stranger in ten would be let in. A class whose impostors come nearer raises them.
LEAST = {"dlib-resnet-v1": (0.955, 0.957, 0.958), "facenet-20180402": (0.62, 0.67, 0.70), "facenet-20180408": (0.62, 0.67, 0.70)}
WEIGHT = 300  # photos of a class that count as much as the least thresholds

Floats = NDArray[np.float32]


def unit(vectors: Floats) -> Floats:
    """The vectors (..., d) made unit length."""
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12), np.float32)


@dataclass(frozen=True, slots=True)
class OperatingPoint:
    """When a face is believed to be a student's: `thresholds` are the least cosines for 1, 2 and 3 or more looks, `margin` how
    far the best student must be ahead of the second. `expected_fpir` is the share of strangers who are then taken for somebody
    of the class, `expected_miss` the share of the class's own faces that are not recognised, both 0..1."""

    thresholds: tuple[float, float, float]
    margin: float
    expected_fpir: float
    expected_miss: float

    def threshold_for(self, looks: int) -> float:
        return self.thresholds[min(max(looks, 1), LOOKS) - 1]


@dataclass(frozen=True, slots=True)
class Gallery:
    """`labels` (n) name the students, `templates` (n, d) are unit vectors, `coef` (n, d) and `intercept` (n,) the SVM, `points`
    the operating point of each preset. `report` says what the training saw, as plain values.
    """

    embedder: str
    labels: tuple[str, ...]
    templates: Floats
    coef: Floats
    intercept: Floats
    points: Mapping[str, OperatingPoint]
    report: dict[str, Any]

    @property
    def threshold(self) -> float:
        """The threshold for a track of several looks, by the default preset."""
        return self.points[DEFAULT].thresholds[-1]

    @property
    def margin(self) -> float:
        return self.points[DEFAULT].margin

    def scores(self, vectors: Floats) -> Floats:
        """Cosine of each unit vector (m, d) to each student's template, as (m, n)."""
        return np.asarray(vectors @ self.templates.T, np.float32)

    def order(self, vectors: Floats) -> Floats:
        """The SVM's decision for each unit vector (m, d) and student, as (m, n): the larger, the likelier."""
        return np.asarray(vectors @ self.coef.T + self.intercept, np.float32)

    def save(self, path: Path) -> str:
        """Write the gallery, whole or not at all; returns the SHA-256 of the file."""
        manifest = {"format": FORMAT, "embedder": self.embedder, "labels": self.labels, "report": self.report}
        manifest["points"] = {preset: asdict(point) for preset, point in self.points.items()}
        with replacing(path) as beside:
            text = np.frombuffer(json.dumps(manifest).encode(), np.uint8)
            with beside.open("wb") as file:
                np.savez(file, manifest=text, templates=self.templates, coef=self.coef, intercept=self.intercept)
            return hashlib.sha256(beside.read_bytes()).hexdigest()

    @classmethod
    def load(cls, path: Path, embedder: str, sha256: str | None = None) -> "Gallery":
        """Read a gallery made by `save`. Raises GalleryMismatch when it is missing, damaged, or another embedder's."""
        try:
            data = path.read_bytes()
            if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
                raise GalleryMismatch("The gallery's file was changed after the training. Train the class's gallery again.")
            with np.load(path, allow_pickle=False) as arrays:
                manifest = json.loads(arrays["manifest"].tobytes())
                templates, coef, intercept = (np.asarray(arrays[name], np.float32) for name in ("templates", "coef", "intercept"))
            if manifest["format"] != FORMAT or len(manifest["labels"]) != len(templates):
                raise GalleryMismatch("The gallery was made by another version of Rollcall. Train the class's gallery again.")
        except UNREADABLE as error:
            raise GalleryMismatch(f"The gallery's file can't be read ({type(error).__name__}). Train the class's gallery again.") from error
        if manifest["embedder"] != embedder:
            raise GalleryMismatch(
                f"The gallery was made with the embedder {manifest['embedder']}, and faces are now compared with {embedder}. "
                "Train the class's gallery again, or set the embedder back."
            )
        points = {
            preset: OperatingPoint(**(point | {"thresholds": tuple(point["thresholds"])})) for preset, point in manifest["points"].items()
        }
        return cls(embedder, tuple(manifest["labels"]), templates, coef, intercept, points, manifest["report"])


def train(photos: Mapping[str, Sequence[Floats]], embedder: str) -> Gallery:
    """A gallery from the embeddings of each student's enrolment photos: label -> unit vectors (d,).

    Students without photos are left out and named in the report. Raises NoEnrolment when nobody has one.
    """
    known = {label: np.stack(list(vectors)).astype(np.float32) for label, vectors in photos.items() if len(vectors)}
    if not known:
        raise NoEnrolment("No student of the class has a usable enrolment photo. Add photos, then train the gallery.")
    labels, groups = tuple(known), list(known.values())
    kept, suspects = _without_suspects(groups)
    templates = unit(np.stack([group.mean(axis=0) for group in kept]))
    coef, intercept = _svm(kept)
    thresholds, margin = _calibrate(kept, templates, embedder)
    report = {
        "students": len(labels),
        "photos": sum(len(group) for group in groups),
        "without_photos": [label for label in photos if label not in known],
        "few_photos": [label for label, group in known.items() if len(group) < GOOD_PHOTOS],
        "suspect_photos": {labels[i]: rows for i, rows in suspects.items()},
        "too_alike": _too_alike(labels, templates, thresholds[-1]),
    }
    points = {preset: OperatingPoint(thresholds, margin, rate, 0.0) for preset, rate in PRESETS.items()}
    report["rates"] = {
        preset: {"fpir": point.expected_fpir, "miss": point.expected_miss, "threshold": point.thresholds[-1]}
        for preset, point in points.items()
    }
    report["curves"] = {"genuine": [], "impostor": [], "edges": []}
    return Gallery(embedder, labels, templates, coef, intercept, points, report)


def _without_suspects(groups: Sequence[Floats]) -> tuple[list[Floats], dict[int, list[int]]]:
    """The groups without photos that look more like another student than like the student's other photos (mislabelled ones)."""
    templates = unit(np.stack([group.mean(axis=0) for group in groups]))
    kept, suspects = list(groups), {}
    for i, group in enumerate(groups):
        if len(group) < 3 or len(groups) < 2:
            continue
        own = np.array([row @ unit(np.delete(group, j, axis=0).mean(axis=0)) for j, row in enumerate(group)])
        odd = np.flatnonzero(own < _nearest_other(group, templates, i))
        if len(odd) and len(odd) < len(group) / 2:
            suspects[i] = [int(j) for j in odd]
            kept[i] = np.delete(group, odd, axis=0)
    return kept, suspects


def _svm(groups: Sequence[Floats]) -> tuple[Floats, Floats]:
    """Weights (n, d) and offsets (n,) of a linear SVM, one student against the rest."""
    from sklearn.svm import LinearSVC

    n, dimension = len(groups), groups[0].shape[1]
    if n == 1:
        return np.zeros((1, dimension), np.float32), np.zeros(1, np.float32)
    svm = LinearSVC(C=3.0, random_state=0)
    svm.fit(np.concatenate(groups), np.repeat(np.arange(n), [len(group) for group in groups]))
    coef, intercept = svm.coef_, svm.intercept_
    if n == 2:
        coef, intercept = np.concatenate([-coef, coef]), np.concatenate([-intercept, intercept])
    return coef.astype(np.float32), intercept.astype(np.float32)


def _calibrate(groups: Sequence[Floats], templates: Floats, embedder: str) -> tuple[tuple[float, float, float], float]:
    """The thresholds for 1, 2 and 3 looks, and the margin, from the class's own photos."""
    rng = np.random.default_rng(0)
    photos = sum(len(group) for group in groups)
    weight = photos / (photos + WEIGHT)
    thresholds: list[float] = []
    for looks in range(1, LOOKS + 1):
        least = LEAST[embedder][looks - 1]
        asked = [_looks(group, looks, rng) for group in groups]
        # Twins and families of the class say nothing of strangers, and are kept apart by the margin.
        limit = _impostor_quantile(asked, templates, max(least, _impostor_quantile(asked, templates, np.inf)))
        thresholds.append(max(least + weight * max(limit - least, 0.0), thresholds[-1] if thresholds else 0.0))
    margins = []
    for i, group in enumerate(groups):
        for j in range(len(group) if len(groups) > 1 and len(group) > 1 else 0):
            own = float(group[j] @ unit(np.delete(group, j, axis=0).mean(axis=0)))
            margins.append(own - float(_nearest_other(group[j : j + 1], templates, i)[0]))
    # Twins of the class must not take the margin away from it, which is what keeps them apart.
    widest = (1 - thresholds[0]) / 5
    margin = float(np.clip(np.quantile(margins, 0.01), widest / 2, widest)) if margins else widest
    one, two, three = thresholds
    return (one, two, three), margin


def _impostor_quantile(asked: Sequence[Floats], templates: Floats, alike: float) -> float:
    """The cosine to the nearest other student that IMPOSTORS_REJECTED of the vectors of each student (m, d) stay below.

    Pairs of students whose templates are at least `alike` are left out; -1 when there is nobody to compare with.
    """
    pairs = templates @ templates.T
    tops = []
    for i, vectors in enumerate(asked):
        others = (pairs[i] < alike) & (np.arange(len(templates)) != i)
        if others.any():
            tops.append((vectors @ templates[others].T).max(axis=1))
    return float(np.quantile(np.concatenate(tops), IMPOSTORS_REJECTED)) if tops else -1.0


def _nearest_other(vectors: Floats, templates: Floats, own: int) -> Floats:
    """Cosine of each vector (m, d) to the nearest template that is not `own`, as (m,)."""
    return np.asarray(np.delete(vectors @ templates.T, own, axis=1).max(axis=1), np.float32)


def _looks(group: Floats, looks: int, rng: np.random.Generator) -> Floats:
    """What tracks of so many looks of a student would give: means of random photos, as unit vectors."""
    if looks == 1 or len(group) < looks:
        return group
    return unit(np.stack([group[rng.permutation(len(group))[:looks]].mean(axis=0) for _ in range(DRAWS)]))


def _too_alike(labels: Sequence[str], templates: Floats, threshold: float) -> list[list[Any]]:
    """Pairs of students whose templates are nearer than a stranger may come, most alike first."""
    cosines = templates @ templates.T
    rows, columns = np.nonzero(np.triu(cosines >= threshold, k=1))
    order = np.argsort(-cosines[rows, columns])
    return [[labels[rows[i]], labels[columns[i]], round(float(cosines[rows[i], columns[i]]), 4)] for i in order[:50]]
