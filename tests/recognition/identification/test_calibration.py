"""What is measured of an embedder is what its impostors do."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import genpareto

from recognition.embedding import EMBEDDERS
from recognition.identification.calibration import (
    MEASURED,
    PHOTO_GROUPS,
    TAIL_SHARE,
    ImpostorModel,
    prior_impostor_model,
)
from tools.measure_tails import fit_tails

OBSERVATIONS = (1, 2, 3)


def test_every_embedder_has_been_measured() -> None:
    assert set(MEASURED) == set(EMBEDDERS)
    for embedder, measured in MEASURED.items():
        model = prior_impostor_model(embedder)
        for photos in PHOTO_GROUPS:
            thresholds = [float(model.threshold(count, 0.001, 40, photos)) for count in OBSERVATIONS]
            assert all(fewer < more for fewer, more in pairwise(thresholds)), "several observations are nearer to all"
        for count in OBSERVATIONS:
            thresholds = model.threshold(count, 0.001, 40, PHOTO_GROUPS).tolist()
            assert all(fewer < more for fewer, more in pairwise(thresholds)), "templates of more photos are nearer"
        assert min(measured.photo_shift) > 0, "enrolment photos are nearer to other people than observations"


def test_what_could_not_be_measured_is_no_bolder_than_what_was() -> None:
    known, unknown = (prior_impostor_model(f"facenet-{model}") for model in ("20180408", "20180402"))
    for count in OBSERVATIONS:
        for fpir in (0.0001, 0.01):
            assert (
                unknown.threshold(count, fpir, 40, PHOTO_GROUPS) > known.threshold(count, fpir, 40, PHOTO_GROUPS)
            ).all()


@given(shape=st.floats(-0.4, -0.02), scale=st.floats(0.03, 0.2), fmr=st.floats(1e-7, TAIL_SHARE))
def test_the_threshold_is_the_quantile_of_the_generalised_pareto_tail(shape: float, scale: float, fmr: float) -> None:
    model = ImpostorModel(((1.0, 1.1, 1.2),) * len(PHOTO_GROUPS), (scale, scale, scale), shape)
    expected = 1.1 + genpareto.isf(fmr / TAIL_SHARE, shape, scale=scale)
    assert np.arctanh(model.threshold(2, fmr, 1)) == pytest.approx(expected, rel=1e-6)


@given(photos=st.integers(1, 30), observations=st.integers(1, 30), candidates=st.integers(1, 500))
def test_more_photos_observations_or_candidates_never_lower_a_threshold(
    photos: int, observations: int, candidates: int
) -> None:
    model = prior_impostor_model("dlib-resnet-v1")
    threshold = model.threshold(observations, 0.001, candidates, photos)
    assert model.threshold(observations, 0.001, candidates, photos + 1) >= threshold
    assert model.threshold(observations + 1, 0.001, candidates, photos) >= threshold
    assert model.threshold(observations, 0.001, candidates + 1, photos) > threshold


@given(shape=st.floats(-0.3, -0.05), scale=st.floats(0.03, 0.2), start=st.floats(0, 2))
def test_a_generalised_pareto_tail_is_found_again(shape: float, scale: float, start: float) -> None:
    ranks = (np.arange(200_000) + 0.5) / 200_000
    tail = genpareto.ppf(ranks[: int(200_000 * TAIL_SHARE)] / TAIL_SHARE, shape, start, scale)
    body = np.linspace(start - 1, start, 200_000 - len(tail))
    scores = np.concatenate([body, tail])
    model = fit_tails([scores] * len(PHOTO_GROUPS) * len(OBSERVATIONS))
    assert model.starts[0][0] == pytest.approx(start, abs=0.01)
    assert (model.shape, model.scales[0]) == (pytest.approx(shape, abs=0.02), pytest.approx(scale, rel=0.03))
