"""Whether a face that a person has confirmed in a lecture looks like the student, before a gallery learns it."""

import numpy as np
from numpy.typing import NDArray

from recognition.identification.calibration import prior_impostor_model
from recognition.identification.vote import RESEMBLANCE_FMR
from recognition.vectors import Floats

NO_PHOTO = -1
SHOWN_SHARE = 0.1  # of faces of students without photos: as near to somebody else, by chance, as few strangers come


def fit_students(vectors: Floats, students: NDArray[np.int64], templates: Floats, embedder: str) -> NDArray[np.bool_]:
    """Which faces, given as unit vectors (m, d), look like their students: (m,).

    `students` (m,) are rows of `templates` (n, d), which are made of enrolment photos alone so that no wrong face
    speaks for the next one, or NO_PHOTO. A face fits where it resembles its own student more than most strangers do,
    and nobody else more. Where there is no photo to compare it with, it must not look like another student.
    """
    scores = np.column_stack([vectors @ templates.T, np.full(len(vectors), -1.0)])
    own = scores[np.arange(len(vectors)), students]
    model = prior_impostor_model(embedder)
    resembled = model.threshold(1, RESEMBLANCE_FMR, 1)
    taken = model.threshold(1, SHOWN_SHARE, len(templates))
    nearest = scores.max(axis=1)
    return np.where(students == NO_PHOTO, nearest < taken, (own >= resembled) & (own >= nearest))
