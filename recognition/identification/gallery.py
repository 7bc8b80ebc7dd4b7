"""What is known of the faces of a class: a template and a linear SVM for each student, and the operating points from which on a
face is believed to be a student's. A stranger is nobody.

A classifier that was trained on the class alone can't tell strangers: its half-spaces have no end, so somebody always wins.
Acceptance is decided on the cosine to the student's template, with the threshold of `calibration.py` for a wanted rate. The same
cosine orders the candidates; where two of them look alike their SVMs must agree, each of which was trained to tell one student from
those of the class who look most alike.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from recognition.errors import GalleryMismatch, NoEnrolment
from recognition.files import READ_ERRORS, atomic_write
from recognition.identification.calibration import LOOKS, Floats, Impostors, Trials, brought, curves, trials, unit

__all__ = ["Floats", "Gallery", "OperatingPoint", "train_gallery", "unit"]

FORMAT = 4
# Strictness -> the rate at which one stranger, followed through a recording, may be taken for anybody of the class.
FPIR_BY_STRICTNESS = {"strict": 0.0001, "balanced": 0.001, "lenient": 0.01}
DEFAULT_STRICTNESS = "balanced"
GOOD_PHOTOS = 5
TRIM = 0.2  # of a student's photos, those least like the others: they don't make the template
TOO_ALIKE = 50
RIVALS = 10  # so many of those who look most alike a student's SVM is trained against


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
    """`labels` (n) name the students, `templates` (n, d) are unit vectors, `coef` (n, d) and `intercept` (n,) the SVMs. `impostors`
    says how near strangers come, `points` the operating point of each strictness for one face that may be anybody of the class.
    `report` says what the training saw, as plain values.
    """

    embedder: str
    labels: tuple[str, ...]
    templates: Floats
    coef: Floats
    intercept: Floats
    impostors: Impostors
    points: Mapping[str, OperatingPoint]
    report: dict[str, Any]

    @property
    def threshold(self) -> float:
        """The threshold for a track of several looks, by the default strictness."""
        return self.points[DEFAULT_STRICTNESS].thresholds[-1]

    @property
    def margin(self) -> float:
        return self.points[DEFAULT_STRICTNESS].margin

    def scores(self, vectors: Floats) -> Floats:
        """Cosine of each unit vector (m, d) to each student's template, as (m, n)."""
        return np.asarray(vectors @ self.templates.T, np.float32)

    def decisions(self, vectors: Floats) -> Floats:
        """What each student's SVM says of each unit vector (m, d), as (m, n): the larger, the likelier it is that student."""
        return np.asarray(vectors @ self.coef.T + self.intercept, np.float32)

    def save(self, path: str | Path) -> str:
        """Write the gallery, whole or not at all; returns the SHA-256 of the file."""
        manifest = {"format": FORMAT, "embedder": self.embedder, "labels": self.labels, "report": self.report}
        manifest |= {
            "impostors": self.impostors.tails,
            "points": {strictness: asdict(point) for strictness, point in self.points.items()},
        }
        with atomic_write(Path(path)) as beside:
            text = np.frombuffer(json.dumps(manifest).encode(), np.uint8)
            with beside.open("wb") as file:
                np.savez(file, manifest=text, templates=self.templates, coef=self.coef, intercept=self.intercept)
            return hashlib.sha256(beside.read_bytes()).hexdigest()

    @classmethod
    def load(cls, path: str | Path, embedder: str | None = None, sha256: str | None = None) -> "Gallery":
        """Read a gallery made by `save`; with `embedder`, one that it made. Raises GalleryMismatch when it is missing, damaged, or another embedder's."""
        try:
            data = Path(path).read_bytes()
            if sha256 is not None and hashlib.sha256(data).hexdigest() != sha256:
                raise GalleryMismatch(
                    "The gallery's file was changed after the training. Train the class's gallery again."
                )
            with np.load(path, allow_pickle=False) as arrays:
                manifest = json.loads(arrays["manifest"].tobytes())
                templates, coef, intercept = (
                    np.asarray(arrays[name], np.float32) for name in ("templates", "coef", "intercept")
                )
            if manifest["format"] != FORMAT or len(manifest["labels"]) != len(templates):
                raise GalleryMismatch(
                    "The gallery was made by another version of Rollcall. Train the class's gallery again."
                )
        except READ_ERRORS as error:
            raise GalleryMismatch(
                "The gallery's file can't be read ({why}). Train the class's gallery again.", why=type(error).__name__
            ) from error
        if embedder is not None and manifest["embedder"] != embedder:
            raise GalleryMismatch(
                "The gallery was made with the embedder {made}, and faces are now compared with {now}. "
                "Train the class's gallery again, or set the embedder back.",
                made=manifest["embedder"],
                now=embedder,
            )
        points = {
            strictness: OperatingPoint(**(point | {"thresholds": tuple(point["thresholds"])}))
            for strictness, point in manifest["points"].items()
        }
        one, two, three = ((float(mean), float(deviation)) for mean, deviation in manifest["impostors"])
        labels, report = tuple(manifest["labels"]), manifest["report"]
        return cls(
            manifest["embedder"], labels, templates, coef, intercept, Impostors((one, two, three)), points, report
        )


def train_gallery(photos: Mapping[str, Sequence[Floats]], embedder: str, strangers: Floats | None = None) -> Gallery:
    """A gallery from the embeddings of each student's enrolment photos: label -> unit vectors (d,).

    `strangers` (m, d): unit vectors of people who are not of the class, one each, where there are any; they say how alike
    strangers are here. Students without photos are left out and named in the report. Raises NoEnrolment when nobody has one.
    """
    known = {label: np.stack(list(vectors)).astype(np.float32) for label, vectors in photos.items() if len(vectors)}
    if not known:
        raise NoEnrolment("No student of the class has a usable enrolment photo. Add photos, then train the gallery.")
    labels, groups = tuple(known), list(known.values())
    kept, suspects = _without_suspects(groups)
    templates = np.stack([_template(group) for group in kept])
    alike = float(brought(embedder).threshold(LOOKS, FPIR_BY_STRICTNESS[DEFAULT_STRICTNESS], len(labels)))
    tried = [trials(kept, templates, looks, alike) for looks in range(1, LOOKS + 1)]
    model = brought(embedder).moved(tried, templates, strangers)
    points = {strictness: _point(model, rate, tried, len(labels)) for strictness, rate in FPIR_BY_STRICTNESS.items()}
    report = {
        "students": len(labels),
        "photos": sum(len(group) for group in groups),
        "without_photos": [label for label in photos if label not in known],
        "few_photos": [label for label, group in zip(labels, kept, strict=True) if len(group) < GOOD_PHOTOS],
        "suspect_photos": {labels[i]: rows for i, rows in suspects.items()},
        "too_alike": _too_alike(labels, templates, alike),
        "rates": {
            strictness: {"fpir": point.expected_fpir, "miss": point.expected_miss, "threshold": point.thresholds[-1]}
            for strictness, point in points.items()
        },
        "curves": curves(tried[0]),
    }
    return Gallery(embedder, labels, templates, *_svms(kept, templates), model, points, report)


def _without_suspects(groups: Sequence[Floats]) -> tuple[list[Floats], dict[int, list[int]]]:
    """The groups without photos that look more like another student than like the student's other photos (mislabelled ones)."""
    templates = unit(np.stack([group.mean(axis=0) for group in groups]))
    kept, suspects = list(groups), {}
    for i, group in enumerate(groups):
        if len(group) < 3 or len(groups) < 2:
            continue
        own = (group * unit(group.sum(axis=0) - group)).sum(axis=1)
        scores = group @ templates.T
        scores[:, i] = -1
        odd = np.flatnonzero(own < scores.max(axis=1))
        if len(odd) and len(odd) < len(group) / 2:
            suspects[i] = [int(j) for j in odd]
            kept[i] = np.delete(group, odd, axis=0)
    return kept, suspects


def _template(group: Floats) -> Floats:
    """The mean of a student's photos (p, d) but for those least like it, as a unit vector."""
    count = max(3, int(np.ceil(len(group) * (1 - TRIM))))
    typical = np.sort(np.argsort(-(group @ group.sum(axis=0)), kind="stable")[:count])
    return unit(group[typical].mean(axis=0))


def _svms(groups: Sequence[Floats], templates: Floats) -> tuple[Floats, Floats]:
    """Weights (n, d) and offsets (n,) of a linear SVM for each student, against the RIVALS who look most alike."""
    from sklearn.svm import LinearSVC

    coef, intercept = np.zeros_like(templates), np.zeros(len(groups), np.float32)
    for i, group in enumerate(groups if len(groups) > 1 else ()):
        cosines = templates @ templates[i]
        cosines[i] = -1
        count = min(RIVALS, len(groups) - 1)
        others = np.concatenate([groups[j] for j in np.argpartition(-cosines, count - 1)[:count]])
        svm = LinearSVC(C=3.0, class_weight="balanced", random_state=0)
        svm.fit(np.concatenate([group, others]), np.repeat([1, 0], [len(group), len(others)]))
        coef[i], intercept[i] = svm.coef_[0], svm.intercept_[0]
    return coef, intercept


def _point(model: Impostors, rate: float, tried: Sequence[Trials], students: int) -> OperatingPoint:
    """The thresholds for a stranger's rate, and the margin that no larger share of the class's photos is short of."""
    one, two, three = model.threshold(np.arange(LOOKS) + 1, rate, students).tolist()
    widest = (1 - one) / 5
    alone = tried[0].genuine - tried[0].nearest
    wrong = alone[np.isfinite(alone)]
    margin = float(np.clip(-np.quantile(wrong, rate), widest / 20, widest)) if len(wrong) else widest
    own = tried[-1].genuine[np.isfinite(tried[-1].genuine)]
    return OperatingPoint((one, two, three), margin, rate, float((own < three).mean()) if len(own) else 0.0)


def _too_alike(labels: Sequence[str], templates: Floats, threshold: float) -> list[list[Any]]:
    """Pairs of students whose templates are nearer than a stranger may come, and their cosine; most alike first."""
    cosines = templates @ templates.T
    rows, columns = np.nonzero(np.triu(cosines >= threshold, k=1))
    order = np.argsort(-cosines[rows, columns])[:TOO_ALIKE]
    return [[labels[rows[i]], labels[columns[i]], round(float(cosines[rows[i], columns[i]]), 4)] for i in order]
