"""What the accuracy benchmark says of people: shares, truth, and whom a face belongs to."""

import json
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.accuracy import lecture_shares, parse_slice
from benchmarks.composing import Sitting, compose_lecture, plan_attendance, read_sittings
from benchmarks.lecture_accuracy import Case, answer_truthfully, find_owners
from benchmarks.mixed_photos import find_mixed_folders
from benchmarks.peer_rules import majority_label, train_peer_rules
from benchmarks.people_intervals import measure_share
from recognition.people_folder import photos_by_person
from recognition.types import Presence
from tests.recognition.people import EMBEDDER, embeddings_of

DLIB_LENGTH = np.float32(1.4)  # of the vectors that dlib's network makes
ALWAYS = [(0.0, 600.0)]
LEFT_BOX, RIGHT_BOX = (90.0, 90.0, 110.0, 110.0), (890.0, 90.0, 910.0, 110.0)
SITTINGS = [
    Sitting(name="ann", x=100, y=100, face_px=30, spans=[(0.0, 300.0)]),
    Sitting(name="bob", x=100, y=100, face_px=30, spans=[(320.0, 600.0)]),
    Sitting(name="ann", x=900, y=100, face_px=60, spans=[(310.0, 600.0)]),
    Sitting(name="stranger", x=500, y=100, face_px=60, spans=ALWAYS),
]


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.booleans()), min_size=1))
def test_the_interval_of_a_share_holds_it(cases: list[tuple[str, bool]]) -> None:
    share = measure_share(cases)
    assert share.value == sum(hit for _, hit in cases) / len(cases)
    assert 0 <= share.low <= share.value <= share.high <= 1
    assert (share.of, share.people) == (len(cases), len({person for person, _ in cases}))


def test_many_photos_of_few_people_say_less_than_of_many() -> None:
    few = measure_share((f"{n % 4}", n % 4 > 0) for n in range(200))
    many = measure_share((f"{n}", n % 4 > 0) for n in range(200))
    assert few.value == many.value == 0.75
    assert few.high - few.low > 3 * (many.high - many.low)


def test_no_stranger_of_few_is_no_promise() -> None:
    share = measure_share((f"{n}", False) for n in range(20))
    assert (share.value, share.low) == (0, 0)
    assert share.high == pytest.approx(0.168, abs=0.001)


@given(st.sampled_from([1.0, 5.0, 20.0]), st.integers(0, 50))
def test_people_come_and_go_within_the_lecture(minutes: float, seed: int) -> None:
    names = [f"{n}" for n in range(36)]
    plan = plan_attendance(names, minutes, np.random.default_rng(seed))
    assert list(plan) == names
    assert sum(not spans for spans in plan.values()) == 4
    for spans in plan.values():
        times = [time for span in spans for time in span]
        assert times == sorted(times)
        assert not times or (times[0] >= 0 and times[-1] <= 60 * minutes)
    lasting = [sum(end - start for start, end in spans) for spans in plan.values()]
    assert sum(seconds == pytest.approx(120) for seconds in lasting) == (3 if minutes >= 5 else 0)
    assert sum(seconds == pytest.approx(300) for seconds in lasting) >= (3 if minutes >= 20 else 0)
    assert sum(len(spans) == 2 for spans in plan.values()) == (3 if minutes >= 5 else 0)


def test_a_class_of_a_few_can_be_composed_too() -> None:
    assert len(plan_attendance(["a", "b"], 20, np.random.default_rng(0))) == 2


def test_a_composed_lecture_is_as_its_truth_says(shared_data: Path, tmp_path: Path) -> None:
    photos = {name: paths[10:12] for name, paths in list(photos_by_person(shared_data / "people").items())[:6]}
    strangers = sorted((shared_data / "strangers").iterdir())[:2]
    video = tmp_path / "lecture.mp4"
    compose_lecture(video, 0.1, photos, strangers, shared_data.parent / "tools")
    with av.open(str(video)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 6
    truth = json.loads(video.with_suffix(".json").read_text())
    sittings = read_sittings(truth)
    assert truth["roster"] == sorted(photos)
    assert {sitting.name for sitting in sittings} == {*truth["present"], *(path.stem for path in strangers)}
    assert not list(tmp_path.glob("part-*"))


def test_the_truth_of_make_lecture_is_read() -> None:
    seat = {"x": 1, "y": 2, "face_px": 30}
    truth = {"duration": 60, "seats": {"ann": seat, "stranger": seat}, "present": {"ann": [[0, 20]]}}
    assert [list(sitting.spans) for sitting in read_sittings(truth)] == [[[0, 20]], [(0.0, 60)]]


def test_a_face_belongs_to_whoever_sits_there_then() -> None:
    assert find_owners([(100.0, LEFT_BOX)], SITTINGS) == {"ann"}
    assert find_owners([(400.0, LEFT_BOX)], SITTINGS) == {"bob"}
    assert find_owners([(100.0, LEFT_BOX), (400.0, RIGHT_BOX)], SITTINGS) == {"ann"}
    assert find_owners([], SITTINGS) == set()


@pytest.mark.parametrize(
    ("label", "runner_up", "present"),
    [("ann", "bob", {"ann"}), ("bob", "ann", {"ann"}), ("bob", "cy", set()), ("cy", None, set())],
)
def test_a_truthful_answer_never_makes_the_wrong_student_present(
    label: str, runner_up: str | None, present: set[str]
) -> None:
    asked = Presence(
        label=label, present=False, to_confirm=True, runner_up=runner_up, face_positions=((100.0, LEFT_BOX),)
    )
    certain = Presence(label="zoe", present=True)
    assert answer_truthfully([asked, certain], SITTINGS) == present | {"zoe"}


def test_shares_are_of_whom_they_are_about() -> None:
    def case(person: str, **values: object) -> Case:
        known = {"rule": "balanced", "lecture": "a", "minutes": 20.0, "is_stranger": False, "face_px": 30.0}
        known |= {"seconds": 1200.0, "at_once": True, "answered": True, "asked": False}
        return Case(person=person, **known | values)  # type: ignore[arg-type]

    shares = lecture_shares(
        [
            case("ann"),
            case("bob", at_once=False, asked=True, face_px=70.0, seconds=120.0),
            case("cy", face_px=0.0, seconds=0.0),
            case("stranger", is_stranger=True, at_once=False, answered=False),
        ]
    )
    values = {name: (share.value, share.of) for name, share in shares.items()}
    assert values["at once"] == (pytest.approx(2 / 3), 3)
    assert values["after answers"] == (1, 3)
    assert values["strangers taken"] == (1, 1)
    assert values["24-39 px"] == (1, 1)
    assert values["60-90 px"] == values["short visits"] == (0, 1)
    assert values["absent"] == (1, 1)


def test_a_folder_of_two_people_is_found_and_one_person_is_not() -> None:
    photos = {str(person): list(embeddings_of(person, 8)) for person in range(10)}
    photos["mixed"] = [*embeddings_of(20, 6), *embeddings_of(21, 3)]
    [(name, reason)] = find_mixed_folders(photos, EMBEDDER)
    assert name == "mixed"
    assert "3 of the 9 photos" in reason


def test_the_peers_rules_name_who_they_should() -> None:
    photos = {str(person): list(DLIB_LENGTH * embeddings_of(person, 5)) for person in range(4)}
    probes = DLIB_LENGTH * np.stack([embeddings_of(person, 1, seed=9)[0] for person in (0, 3, 700)])
    for rule, decide in train_peer_rules(photos, EMBEDDER).items():
        own, other, stranger = decide(probes)
        assert (own, other) == ("0", "3"), rule
        assert (stranger is None) == ("likeliest" not in rule), rule
    assert majority_label(["a", None, "a"]) == "a"
    assert majority_label([]) is None


def test_which_photos_are_shown() -> None:
    assert list(range(20))[parse_slice("10:12")] == [10, 11]
    assert list(range(20))[parse_slice("18:")] == [18, 19]
