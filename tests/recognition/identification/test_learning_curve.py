"""What more photos would bring: said with an interval, and only where the class's own photos can say it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recognition.identification.calibration import prior_impostor_model
from recognition.identification.learning_curve import (
    CURVE_PHOTOS,
    MAX_CURVE_STUDENTS,
    MIN_CURVE_STUDENTS,
    measure_learning_curve,
    share_interval,
)
from tests.recognition.people import EMBEDDER, embeddings_of


def curve(students: int, photos: int, spread: float = 0.2, fpir: float = 0.001):
    groups = [embeddings_of(person, photos, spread=spread) for person in range(students)]
    return measure_learning_curve(groups, prior_impostor_model(EMBEDDER), {"balanced": fpir})["balanced"]


def test_more_photos_of_scattered_faces_miss_fewer() -> None:
    rows = curve(30, 13)
    assert [row["photos"] for row in rows] == list(CURVE_PHOTOS)
    misses = [row["miss"] for row in rows]
    assert misses == sorted(misses, reverse=True)
    assert misses[0] > 2 * misses[-1]
    for row in rows:
        assert row["low"] <= row["miss"] <= row["high"]


def test_a_stricter_rate_of_strangers_misses_more() -> None:
    assert curve(30, 6, fpir=0.0001)[0]["miss"] > curve(30, 6, fpir=0.01)[0]["miss"]


@pytest.mark.parametrize(
    ("students", "photos", "said"),
    [(MIN_CURVE_STUDENTS, 4, [1]), (MIN_CURVE_STUDENTS - 1, 20, []), (40, 3, []), (12, 8, [1, 2, 3, 5])],
)
def test_what_too_few_photos_or_students_would_say_is_not_said(students: int, photos: int, said: list[int]) -> None:
    rows = curve(students, photos)
    assert [row["photos"] for row in rows if row["miss"] is not None] == said
    assert all(row["low"] is row["high"] is None for row in rows if row["photos"] not in said)
    assert rows[0]["students"] == (students if photos >= 4 else 0)


def test_none_missed_of_few_students_may_still_be_many() -> None:
    assert share_interval(0, 10) == (0.0, pytest.approx(0.308, abs=0.001))  # as in the tables of Clopper and Pearson
    assert share_interval(10, 10)[1] == 1.0


@given(st.integers(1, 2000), st.floats(0, 1), st.integers(2, 20))
def test_the_interval_holds_the_share_and_narrows_with_more_students(of: int, share: float, times: int) -> None:
    low, high = share_interval(share * of, of)
    narrower_low, narrower_high = share_interval(share * of * times, of * times)
    assert 0 <= low <= share + 1e-9
    assert share - 1e-9 <= high <= 1
    assert narrower_high - narrower_low < high - low


def test_a_large_class_is_sampled_and_says_of_how_many_it_is() -> None:
    assert curve(MAX_CURVE_STUDENTS + 10, 4)[0]["students"] == MAX_CURVE_STUDENTS
