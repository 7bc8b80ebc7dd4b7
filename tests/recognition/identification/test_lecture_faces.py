"""A face is learnt without being shown only where it looks like its own student, and like nobody else more."""

import numpy as np
import pytest

from recognition.identification.lecture_faces import NO_PHOTO, fit_students
from recognition.vectors import normalise
from tests.recognition.people import EMBEDDER, centre, embeddings_of

CLASS = 20
TEMPLATES = np.stack([normalise(embeddings_of(person, 3).mean(axis=0)) for person in range(CLASS)])


def share_that_fits(people: list[int], students: list[int]) -> float:
    faces = np.concatenate([embeddings_of(person, 5, seed=50) for person in people])
    return float(fit_students(faces, np.repeat(students, 5), TEMPLATES, EMBEDDER).mean())


def test_faces_fit_their_own_students_and_hardly_ever_others() -> None:
    everybody = list(range(CLASS))
    assert share_that_fits(everybody, everybody) > 0.95
    assert share_that_fits(everybody, everybody[1:] + everybody[:1]) == 0
    strangers = list(range(500, 600))
    assert share_that_fits(strangers, [stranger % CLASS for stranger in strangers]) < 0.03


def test_of_a_student_without_photos_any_face_fits_that_is_nobody_elses() -> None:
    assert share_that_fits(list(range(500, 600)), [NO_PHOTO] * 100) > 0.8
    assert share_that_fits(list(range(CLASS)), [NO_PHOTO] * CLASS) < 0.05


@pytest.mark.parametrize("share", [0.3, 0.45])
def test_a_face_between_two_students_fits_the_nearer_one_alone(share: float) -> None:
    between = normalise(((1 - share) * centre(0) + share * centre(1)).astype(np.float32))[None]
    assert not fit_students(between, np.array([1]), TEMPLATES, EMBEDDER)[0]
