"""What is measured of an embedder is what its impostors do."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from recognition.embedding import EMBEDDERS
from recognition.identification.calibration import MEASURED, prior_impostor_model
from tools.measure_tails import fit_tail


def test_every_embedder_has_been_measured() -> None:
    assert set(MEASURED) == set(EMBEDDERS)
    for embedder, measured in MEASURED.items():
        model = prior_impostor_model(embedder)
        thresholds = [float(model.threshold(count, 0.001, 40)) for count in (1, 2, 3)]
        assert all(fewer < more for fewer, more in pairwise(thresholds)), "several observations are nearer to everybody"
        assert min(measured.photo_shift) > 0, "enrolment photos are nearer to other people than observations"


def test_what_could_not_be_measured_is_no_bolder_than_what_was() -> None:
    known, unknown = (prior_impostor_model(f"facenet-{model}") for model in ("20180408", "20180402"))
    for count in (1, 2, 3):
        for fpir in (0.0001, 0.01):
            assert unknown.threshold(count, fpir, 40) > known.threshold(count, fpir, 40)


@given(mean=st.floats(-1, 2), deviation=st.floats(0.05, 0.5), people=st.integers(1, 5))
def test_a_normal_tail_is_found_again(mean: float, deviation: float, people: int) -> None:
    shares = (np.arange(20_000) + 0.5) / 20_000
    scores = norm.ppf(shares, mean, deviation)
    assert fit_tail([scores[person::people] for person in range(people)]) == pytest.approx((mean, deviation), abs=0.01)


def test_everybody_weighs_the_same_however_many_photos_there_are() -> None:
    scores = norm.ppf((np.arange(20_000) + 0.5) / 20_000)
    few, many = scores[::10], np.repeat(scores + 1, 5)
    assert fit_tail([few, many]) == pytest.approx(fit_tail([scores, scores + 1]), abs=0.05)
