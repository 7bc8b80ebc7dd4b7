"""The arithmetic of the benchmarks: medians, ratios, what is met, who is right. Nothing is timed here."""

import json

import av
import numpy as np
import pytest

from benchmarks import __main__ as bench
from benchmarks import lectures, profile, recording, versus
from benchmarks.versus import Check, Row
from recognition.vectors import normalise
from tests.recognition.people import gallery_of_class
from tests.recognition.video_files import video


def row(ours=(10.0, 30.0, 20.0), peer=(1.0, 4.0, 2.0), target=8.0, checks=()):
    return Row(name="name", what="what", unit="frames/s", ours=ours, peer=peer, target=target, checks=checks)


def test_the_ratio_is_of_the_medians():
    assert row().ratio == 10


@pytest.mark.parametrize(
    ("given", "met"),
    [
        (row(), True),
        (row(target=10.5), False),
        (row(checks=(Check(name="recall", value=0.98, min_value=0.98),)), True),
        (row(checks=(Check(name="recall", value=0.97, min_value=0.98),)), False),
        (row(checks=(Check(name="memory", value=1.6, max_value=1.5),)), False),
        (row(checks=(Check(name="only told", value=0.0),)), True),
        (row(peer=(), target=20.0), True),
        (row(peer=(), target=21.0), False),
        (row(target=None), True),
    ],
)
def test_a_row_is_met_when_the_target_and_all_checks_are(given, met):
    assert given.met is met


def test_the_table_shows_what_the_json_holds():
    rows = json.loads(
        json.dumps(
            [
                row(checks=(Check(name="recall", value=0.97, min_value=0.98),)).as_json(),
                row(peer=(), target=20.0).as_json(),
            ]
        )
    )
    assert versus.format_table(rows).splitlines()[2:] == [
        "| what; recall 0.97 (at least 0.98) | 20 frames/s | 2 | 10.00 x | 8 x | no |",
        "| what | 20 frames/s |  |  | 20 | yes |",
    ]


def test_both_sides_begin_in_turn():
    calls = []
    ours, peer = versus.measure_alternately(
        3, lambda i: calls.append(("ours", i)) or i, lambda i: calls.append(("peer", i)) or 10 * i
    )
    assert (ours, peer) == ((0, 1, 2), (0, 10, 20))
    assert [side for side, _ in calls] == ["ours", "peer", "peer", "ours", "ours", "peer"]


def test_a_face_is_found_too_when_half_of_both_boxes_is_common():
    wanted = [np.array([[0, 0, 10, 10], [50, 50, 60, 60]], np.float32), np.empty((0, 4), np.float32)]
    got = [np.array([[0, 0, 10, 14], [58, 58, 68, 68]], np.float32), np.array([[0, 0, 5, 5]], np.float32)]
    assert versus.count_matches(wanted, got) == (1, 2)
    assert versus.count_matches(wanted, [box[:0] for box in got]) == (0, 2)


def test_the_peers_nearest_photo_within_the_limit_wins():
    known = np.array([[0, 0], [1, 0]], np.float32)
    faces = np.array([[0.1, 0], [0.9, 0.1], [0.5, 0.7]], np.float32)
    assert lectures.nearest_labels(faces, known, ["a", "b"]) == ["a", "b", None]
    assert lectures.nearest_labels(faces[:0], known, ["a", "b"]) == []


def test_the_peers_majorities():
    samples = [["a", "a", None], ["a", "b"], ["a"], [], *[[]] * 6]
    assert lectures.present_by_rule(samples) == {
        "in any sample": {"a", "b"},
        "in 3 samples": {"a"},
        "in 10 % of them": {"a", "b"},
        "in half of them": set(),
    }


def test_absent_and_present_both_count_as_right():
    truth = lectures.Truth(("a", "b", "c"), frozenset({"a", "b"}), 10)
    assert (truth.count_right({"a", "b"}), truth.count_right({"a", "c", "stranger"}), truth.count_right(set())) == (
        3,
        1,
        1,
    )


def test_a_recording_put_end_to_end_plays_that_often(tmp_path):
    once = video(tmp_path / "one.mp4", seconds=4, rate=10, gop=10, b_frames=2)
    with av.open(str(lectures.concatenate_recording(once, tmp_path / "three.mp4", times=3))) as container:
        times = [frame.time for frame in container.decode(video=0)]
    assert len(times) == 120
    assert np.allclose(np.diff(times), 0.1, atol=0.02)
    with av.open(str(lectures.concatenate_recording(once, tmp_path / "part.mp4", seconds=2))) as container:
        assert sum(1 for _ in container.decode(video=0)) == 20


def test_a_gallery_grows_by_people_like_its_own_and_keeps_those(tmp_path):
    small = gallery_of_class(12)
    large = lectures.widen_gallery(small, 500)
    assert (len(large.labels), len(set(large.labels)), large.labels[:12]) == (500, 500, small.labels)
    assert np.array_equal(large.templates[:12], small.templates)
    assert np.allclose(np.linalg.norm(large.templates, axis=1), 1, atol=1e-5)
    assert large.scores(normalise(small.templates[:1])).shape == (1, 500)
    large.save(tmp_path / "gallery.npz")
    assert type(large).load(tmp_path / "gallery.npz", large.embedder).labels == large.labels


def test_off_the_line():
    assert recording.max_line_deviation([1, 10, 60], [3, 21, 121]) < 1e-9
    assert recording.max_line_deviation([1, 10, 60], [3, 21, 240]) > 0.2


def test_a_stage_is_timed_without_the_stages_within_it():
    passed = 0.0

    def spend(seconds):
        nonlocal passed
        passed += seconds

    clock = profile.Clock(now=lambda: passed)
    inner = clock.timed("inner", lambda: spend(5))

    def make():
        for _ in range(2):
            spend(10)
            inner()
            yield

    outer = clock.timed("outer", lambda: [spend(100) for _ in clock.timed("made", make)()])
    outer()
    inner()
    assert clock.seconds == {"inner": 15, "made": 20, "outer": 200}


def test_every_stage_of_the_profile_still_exists():
    for name in [*profile.LOADERS, *(name for names in profile.STAGES.values() for name in names)]:
        profile.replace_attribute(name, lambda original: original)
    with pytest.raises(SystemExit, match=r"There is no recognition\.detection\.detector\._gone any more"):
        profile.replace_attribute("recognition.detection.detector._gone", lambda original: original)


def test_every_row_has_its_place():
    assert set(bench.ORDER) == {*bench.ROWS, "recording-dlib", "real-time"}
