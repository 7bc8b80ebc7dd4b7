import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from recognition.tracking.tracker import LOOK_EVERY, MAX_GAP, Look, Tracker, assign, overlap
from recognition.types import Face

POINTS = np.array([(30, 40), (70, 40), (50, 62), (35, 80), (65, 80)], np.float32)


def look(time: float, x: float, y: float = 100, side: float = 60, quality: float = 0.5, seed: int = 0) -> Look:
    box = np.array([x, y, x + side, y + side], np.float32)
    crop = np.random.default_rng(seed).integers(0, 256, (150, 150, 3), np.uint8)
    return Look(time, Face(box, 0.99, POINTS + np.float32([x, y])), quality, crop)


def followed(samples: list[tuple[float, list[Look]]], cuts: tuple[float, ...] = (), duration: float = 60.0) -> Tracker:
    tracker = Tracker(duration)
    for time, looks in samples:
        tracker.update(time, looks, cut=time in cuts)
    return tracker


def test_with_a_new_scene_all_tracks_end() -> None:
    samples = [(t, [look(t, 100)]) for t in (0.0, 2.0, 4.0, 6.0)]
    assert [track.times for track in followed(samples, cuts=(4.0,)).tracks] == [[0, 2], [4, 6]]


def test_two_neighbours_stay_two_tracks() -> None:
    tracker = followed([(t, [look(t, 100 + t, seed=1), look(t, 170 - t, seed=2)]) for t in np.arange(0, 20, 2.0)])
    assert [len(track.times) for track in tracker.tracks] == [10, 10]
    assert all(box[0] < 135 for box in tracker.tracks[0].boxes)


def test_who_is_hidden_for_a_moment_keeps_the_track_and_who_is_gone_longer_does_not() -> None:
    short = followed([(0, [look(0, 100)]), (2, []), (4, []), (6, [look(6, 105)])])
    long = followed([(0, [look(0, 100)]), (MAX_GAP + 2, [look(MAX_GAP + 2, 100)])])
    assert (len(short.tracks), len(long.tracks)) == (1, 2)


def test_a_face_elsewhere_or_of_another_size_is_another_track() -> None:
    assert len(followed([(0, [look(0, 100)]), (2, [look(2, 400)])]).tracks) == 2
    assert len(followed([(0, [look(0, 100)]), (2, [look(2, 90, 90, side=180)])]).tracks) == 2


def test_crossing_faces_are_told_apart_by_how_they_look() -> None:
    samples = [(t, [look(t, 100 + 8 * t, seed=1), look(t, 160 - 8 * t, seed=2)]) for t in np.arange(0, 10, 1.0)]
    tracker = followed(samples)
    first = tracker.tracks[0]
    assert first.boxes[0][0] < first.boxes[-1][0]


def test_the_best_look_of_each_part_is_kept() -> None:
    shortest = LOOK_EVERY[0]
    times = np.arange(0, 4 * shortest, 1.0)
    samples = [(t, [look(t, 100, quality=float(t % shortest) / 10)]) for t in times]
    looks = followed(samples).tracks[0].looks
    assert len(looks) == 4
    assert {kept.quality for kept in looks.values()} == {(shortest - 1) / 10}
    assert len(followed(samples, duration=3600).tracks[0].looks) == 2


@given(
    arrays(np.float64, st.tuples(st.integers(1, 6), st.integers(1, 6)), elements=st.floats(0, 1)),
    st.integers(0, 2**36 - 1),
)
def test_an_assignment_is_one_to_one_and_allowed(profit: np.ndarray, bits: int) -> None:
    allowed = np.array([bool(bits >> i & 1) for i in range(profit.size)]).reshape(profit.shape)
    pairs = assign(profit, allowed)
    assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)
    assert all(allowed[i, j] for i, j in pairs)


def test_the_assignment_is_the_best_in_all_and_not_greedy() -> None:
    profit = np.array([[1.0, 0.9], [0.95, 0.1]])
    assert sorted(assign(profit, np.ones((2, 2), bool))) == [(0, 1), (1, 0)]


def test_overlap_is_the_share_of_the_union() -> None:
    a = np.array([[0, 0, 10, 10]], np.float32)
    b = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30]], np.float32)
    assert np.allclose(overlap(a, b), [[1, 1 / 3, 0]])
