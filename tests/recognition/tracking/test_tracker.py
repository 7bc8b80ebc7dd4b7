import numpy as np

from recognition.tracking.tracker import MAX_HIDDEN_SECONDS, OBSERVATION_SECONDS, Observation, Tracker
from recognition.types import Face

POINTS = np.array([(30, 40), (70, 40), (50, 62), (35, 80), (65, 80)], np.float32)


def observe(
    time: float, x: float, y: float = 100, side: float = 60, quality: float = 0.5, seed: int = 0
) -> Observation:
    box = np.array([x, y, x + side, y + side], np.float32)
    crop = np.random.default_rng(seed).integers(0, 256, (150, 150, 3), np.uint8)
    face = Face(box, 0.99, POINTS + np.array([x, y], np.float32))
    return Observation(time=time, face=face, quality=quality, crop=crop, stored_crop=crop, embedder_crop=crop)


def tracker_of(samples: list[tuple[float, list[Observation]]], cuts: tuple[float, ...] = ()) -> Tracker:
    tracker = Tracker()
    for time, observations in samples:
        tracker.update(time, observations, scene_cut=time in cuts)
    return tracker


def test_with_a_new_scene_all_tracks_end() -> None:
    samples = [(t, [observe(t, 100)]) for t in (0.0, 2.0, 4.0, 6.0)]
    assert [track.times for track in tracker_of(samples, cuts=(4.0,)).tracks] == [[0, 2], [4, 6]]


def test_two_neighbours_stay_two_tracks() -> None:
    samples = [(t, [observe(t, 100 + t, seed=1), observe(t, 170 - t, seed=2)]) for t in np.arange(0, 20, 2.0)]
    tracker = tracker_of(samples)
    assert [len(track.times) for track in tracker.tracks] == [10, 10]
    assert all(box[0] < 135 for box in tracker.tracks[0].boxes)


def test_a_face_hidden_briefly_keeps_its_track_and_one_gone_longer_does_not() -> None:
    short = tracker_of([(0, [observe(0, 100)]), (2, []), (4, []), (6, [observe(6, 105)])])
    later = MAX_HIDDEN_SECONDS + 2
    long = tracker_of([(0, [observe(0, 100)]), (later, [observe(later, 100)])])
    assert (len(short.tracks), len(long.tracks)) == (1, 2)


def test_a_face_elsewhere_or_of_another_size_is_another_track() -> None:
    assert len(tracker_of([(0, [observe(0, 100)]), (2, [observe(2, 400)])]).tracks) == 2
    assert len(tracker_of([(0, [observe(0, 100)]), (2, [observe(2, 90, 90, side=180)])]).tracks) == 2


def test_crossing_faces_are_told_apart_by_how_they_look() -> None:
    samples = [(t, [observe(t, 100 + 8 * t, seed=1), observe(t, 160 - 8 * t, seed=2)]) for t in np.arange(0, 10, 1.0)]
    tracker = tracker_of(samples)
    first = tracker.tracks[0]
    assert first.boxes[0][0] < first.boxes[-1][0]


def test_the_best_observation_of_each_interval_is_kept() -> None:
    times = np.arange(0, 4 * OBSERVATION_SECONDS, 1.0)
    samples = [(t, [observe(t, 100, quality=float(t % OBSERVATION_SECONDS) / 10)]) for t in times]
    observations = tracker_of(samples).tracks[0].best_observations()
    assert [observation.time for observation in observations] == [3.0, 7.0, 11.0, 15.0]
