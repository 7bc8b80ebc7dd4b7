"""A linear SVM over embeddings that says which of its people a face is, with a probability: FaceNet's classifier.py, closed set.

It always names somebody, strangers too; attendance therefore does not use it (see gallery.py).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recognition.errors import GalleryMismatch, NoEnrolment
from recognition.files import READ_ERRORS, atomic_write

FORMAT = 1
FOLDS = 5

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class About:
    """`embedder` and `version` made the embeddings; `names` are the people; `trained` the images used, as "<folder>/<file>"."""

    embedder: str
    version: str
    names: tuple[str, ...]
    trained: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Classifier:
    """One person against the rest: `coef` (n, d) and `intercept` (n,) decide, `slope` and `offset` (n,) make probabilities of it."""

    about: About
    coef: Floats
    intercept: Floats
    slope: Floats
    offset: Floats

    def probabilities(self, vectors: Floats) -> Floats:
        """How likely each unit vector (m, d) is each person, as (m, n); every row's sum is 1.

        Platt's sigmoid of each decision, made to sum to 1, as scikit-learn's CalibratedClassifierCV does.
        """
        exponents = self.slope * (vectors @ self.coef.T + self.intercept) + self.offset
        each = 1 / (1 + np.exp(np.clip(exponents, -60, 60)))
        return np.asarray(each / each.sum(axis=1, keepdims=True), np.float32)

    def save(self, path: Path) -> None:
        """Write the classifier, whole or not at all, as npz whatever the file's name."""
        text = np.frombuffer(json.dumps(asdict(self.about) | {"format": FORMAT}).encode(), np.uint8)
        with atomic_write(path) as beside, beside.open("wb") as file:
            np.savez(file, about=text, coef=self.coef, intercept=self.intercept, slope=self.slope, offset=self.offset)

    @classmethod
    def load(cls, path: Path) -> "Classifier":
        """Read what `save` wrote. Raises GalleryMismatch when the file is another or damaged."""
        remedy = "Train again: python -m recognition classifier TRAIN ..."
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                about = json.loads(arrays["about"].tobytes())
                coef, intercept, slope, offset = (
                    np.asarray(arrays[name], np.float32) for name in ("coef", "intercept", "slope", "offset")
                )
            if about.pop("format") != FORMAT or not len(about["names"]) == len(coef) == len(intercept) == len(
                slope
            ) == len(offset):
                raise ValueError("another version")
            known = About(**(about | {"names": tuple(about["names"]), "trained": tuple(about["trained"])}))
        except FileNotFoundError:
            raise
        except (*READ_ERRORS, TypeError) as error:
            raise GalleryMismatch(
                f"{path} is no classifier of Rollcall (pickles of other tools are never opened). {remedy}"
            ) from error
        return cls(known, coef, intercept, slope, offset)


def train_classifier(groups: Mapping[str, Floats], embedder: str, version: str, trained: Sequence[str]) -> Classifier:
    """A classifier from the unit vectors (k, d) of each person. Raises NoEnrolment when there are too few people or images."""
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.svm import LinearSVC

    fewest = min((len(vectors) for vectors in groups.values()), default=0)
    if len(groups) < 2 or fewest < 2:
        raise NoEnrolment(
            f"A classifier needs two people or more with two images each; there are {len(groups)}, one with {fewest}."
        )
    labels = np.repeat(np.arange(len(groups)), [len(vectors) for vectors in groups.values()])
    svm = CalibratedClassifierCV(LinearSVC(random_state=0), cv=min(FOLDS, fewest), ensemble=False)
    svm.fit(np.concatenate(list(groups.values())), labels)
    (fitted,) = svm.calibrated_classifiers_
    coef, intercept = fitted.estimator.coef_, fitted.estimator.intercept_
    slope, offset = (np.array([getattr(curve, part) for curve in fitted.calibrators]) for part in ("a_", "b_"))
    if len(groups) == 2:  # scikit-learn keeps only the second one's
        coef, intercept, offset = (np.concatenate([-part, part]) for part in (coef, intercept, offset))
        slope = np.repeat(slope, 2)
    parts = (np.asarray(part, np.float32) for part in (coef, intercept, slope, offset))
    return Classifier(About(embedder, version, tuple(groups), tuple(trained)), *parts)
