"""A closed-set classifier, as FaceNet's `classifier.py` trains: which of its people a face is, with a probability.

It is a linear SVM over embeddings. It always names somebody, strangers too; attendance therefore does not use it (see
`gallery.py`).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from recognition.errors import GalleryMismatch, NoEnrolment
from recognition.files import READ_ERRORS, atomic_write
from recognition.vectors import Floats

FORMAT = 1
MAX_FOLDS = 5  # of the cross-validation that fits the probabilities
MIN_PEOPLE = 2
MIN_IMAGES_PER_PERSON = 2
ARRAYS = ("coef", "intercept", "slope", "offset")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassifierInfo:
    """What a classifier was trained on.

    `embedder` and `version` made the embeddings. `names` are the people, `trained` the images as "<folder>/<file>".
    """

    embedder: str
    version: str
    names: tuple[str, ...]
    trained: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Classifier:
    """A linear SVM for each person against the rest, with Platt's sigmoid that makes probabilities of its decisions.

    `coef` (n, d) and `intercept` (n,) are those of the SVMs, `slope` and `offset` (n,) those of the sigmoids.
    """

    about: ClassifierInfo
    coef: Floats
    intercept: Floats
    slope: Floats
    offset: Floats

    def probabilities(self, vectors: Floats) -> Floats:
        """How likely each unit vector (m, d) is each person, as (m, n) in 0..1; the sum of each row is 1.

        The sigmoids' values are divided by their sum, as scikit-learn's CalibratedClassifierCV does.
        """
        exponents = self.slope * (vectors @ self.coef.T + self.intercept) + self.offset
        sigmoids = 1 / (1 + np.exp(np.clip(exponents, -60, 60)))
        return np.asarray(sigmoids / sigmoids.sum(axis=1, keepdims=True), np.float32)

    def save(self, path: Path) -> None:
        """Write the classifier, whole or not at all, as npz whatever the file's name."""
        text = np.frombuffer(json.dumps(asdict(self.about) | {"format": FORMAT}).encode(), np.uint8)
        with atomic_write(path) as beside, beside.open("wb") as file:
            np.savez(file, about=text, coef=self.coef, intercept=self.intercept, slope=self.slope, offset=self.offset)

    @classmethod
    def load(cls, path: Path) -> "Classifier":
        """Read what `save` wrote. Raises GalleryMismatch when the file is another or damaged."""
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                about = json.loads(arrays["about"].tobytes())
                parameters = {name: np.asarray(arrays[name], np.float32) for name in ARRAYS}
            lengths = {len(about["names"]), *(len(array) for array in parameters.values())}
            if about.pop("format") != FORMAT or len(lengths) != 1:
                raise ValueError("another version")
            about |= {"names": tuple(about["names"]), "trained": tuple(about["trained"])}
            return cls(about=ClassifierInfo(**about), **parameters)
        except FileNotFoundError:
            raise
        except (*READ_ERRORS, TypeError) as error:
            raise GalleryMismatch(
                "{path} is no classifier of Rollcall (pickles of other tools are never opened). "
                "Train again: python -m recognition classifier TRAIN ...",
                path=path,
            ) from error


def train_classifier(groups: Mapping[str, Floats], embedder: str, version: str, trained: Sequence[str]) -> Classifier:
    """Train a classifier from the unit vectors (k, d) of each person's images.

    `embedder` and `version` made the vectors; `trained` lists the images, for the record. Raises NoEnrolment when there
    are fewer than two people, or one of them has fewer than two images.
    """
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.svm import LinearSVC

    fewest = min((len(vectors) for vectors in groups.values()), default=0)
    if len(groups) < MIN_PEOPLE or fewest < MIN_IMAGES_PER_PERSON:
        raise NoEnrolment(
            "A classifier needs two people or more with two images each; there are {people}, one with {fewest}.",
            people=len(groups),
            fewest=fewest,
        )
    labels = np.repeat(np.arange(len(groups)), [len(vectors) for vectors in groups.values()])
    svm = CalibratedClassifierCV(LinearSVC(random_state=0), cv=min(MAX_FOLDS, fewest), ensemble=False)
    svm.fit(np.concatenate(list(groups.values())), labels)
    (fitted,) = svm.calibrated_classifiers_
    coef, intercept = fitted.estimator.coef_, fitted.estimator.intercept_
    slope = np.array([sigmoid.a_ for sigmoid in fitted.calibrators])
    offset = np.array([sigmoid.b_ for sigmoid in fitted.calibrators])
    if len(groups) == 2:  # scikit-learn keeps only the second person's
        coef, intercept, offset = (np.concatenate([-array, array]) for array in (coef, intercept, offset))
        slope = np.repeat(slope, 2)
    return Classifier(
        about=ClassifierInfo(embedder=embedder, version=version, names=tuple(groups), trained=tuple(trained)),
        coef=np.asarray(coef, np.float32),
        intercept=np.asarray(intercept, np.float32),
        slope=np.asarray(slope, np.float32),
        offset=np.asarray(offset, np.float32),
    )
