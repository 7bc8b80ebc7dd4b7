import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recognition.errors import GalleryMismatch
from recognition.identification.calibration import MANY_PHOTOS
from recognition.identification.gallery import FPIR_BY_STRICTNESS, train_gallery
from recognition.identification.open_set import LOOK_ALIKE_SHARE
from recognition.identification.vote import VotePolicy, bridge_gaps, vote
from recognition.tracking.result_file import dump_segment_result, load_segment_result
from recognition.types import Crop, Identity, IdentityOverride, SegmentResult, Stranger, Track, VideoInfo
from recognition.vectors import normalise
from tests.recognition.people import EMBEDDER, embeddings_of, gallery_of_class, result, track

MINUTE = VideoInfo(container="mov", codec="h264", width=1920, height=1080, rotation=0, fps=25.0, duration=60.0)
HOUR = VideoInfo(container="mov", codec="h264", width=1920, height=1080, rotation=0, fps=25.0, duration=3600.0)
PHOTO = VideoInfo(
    container="jpeg", codec="jpeg", width=1920, height=1080, rotation=0, fps=0.0, duration=0.0, is_photo=True
)
ALL_MINUTE = np.arange(0, 60, 2.0)
ROSTER = [str(i) for i in range(20)]


@pytest.fixture(scope="module")
def gallery():
    return gallery_of_class()


def present(attendance) -> set[str]:
    return {p.label for p in attendance.presences if p.present}


def test_only_those_who_are_seen_are_present(gallery) -> None:
    attendance = vote([result(*(track(i, ALL_MINUTE, x=100 * i) for i in (3, 5, 8)))], gallery, ROSTER, MINUTE)
    assert present(attendance) == {"3", "5", "8"}
    assert [p.label for p in attendance.presences] == ROSTER
    three = attendance.presences[3]
    assert three.intervals == ((0.0, 59.0),)
    assert (three.seconds, three.share) == (pytest.approx(59), pytest.approx(59 / 60))
    assert 0.5 <= three.confidence <= 1
    assert len(three.crops) == 3
    assert attendance.unknown == ()


def test_a_stranger_makes_nobody_present_and_is_listed_once(gallery) -> None:
    tracks = [
        track(600, np.arange(0, 20, 2.0), x=50),
        track(600, np.arange(40, 60, 2.0), x=500, seed=8),
        track(4, ALL_MINUTE, x=900),
    ]
    attendance = vote([result(*tracks)], gallery, ROSTER, MINUTE)
    assert present(attendance) == {"4"}
    assert len(attendance.unknown) == 1
    assert len(attendance.unknown[0].crops) == 3


def test_a_stranger_of_an_earlier_vote_comes_back_without_embeddings(gallery) -> None:
    tracks = [track(600, ALL_MINUTE, x=50), track(601, ALL_MINUTE, x=500), track(4, ALL_MINUTE, x=900)]
    before = vote([result(*tracks)], gallery, ROSTER, MINUTE)
    assert len(before.unknown) == 2
    strangers = {
        id(person.tracks[0]): Stranger(key=str(n), resembles=person.resembles)
        for n, person in enumerate(before.unknown)
    }
    forgotten = result(*(one.forget_embeddings(who) if (who := strangers.get(id(one))) else one for one in tracks))
    stored = load_segment_result(dump_segment_result(forgotten))
    assert [len(one.embeddings) for one in stored.tracks] == [0, 0, 6]
    again = vote([stored], gallery, ROSTER, MINUTE)
    assert (again.unknown, present(again)) == (before.unknown, {"4"})
    position = (30.0, (500.0, 100.0, 560.0, 170.0))
    named = IdentityOverride(key="7", face_positions=(position,), label="9")
    after = vote([stored], gallery, ROSTER, MINUTE, overrides=[named])
    assert [person.override_key for person in after.unknown] == ["", "7"], "a person may still say who it is"


def test_the_crops_begin_with_the_first_one_of_each_track(gallery) -> None:
    one, two = track(3, ALL_MINUTE[:10]), track(3, ALL_MINUTE[20:], seed=8)
    names = iter([b"1a", b"1b", b"1c", b"2a", b"2b", b"2c"])
    qualities = iter([0.2, 0.9, 0.9, 0.4, 0.9, 0.8])
    parts = [
        replace(t, crops=tuple(Crop(time=0.0, quality=next(qualities), jpeg=next(names)) for _ in range(3)))
        for t in (one, two)
    ]
    crops = vote([result(*parts)], gallery, ROSTER, MINUTE).presences[3].crops
    assert [crop.jpeg for crop in crops] == [b"2a", b"1a", b"1b"]


def test_strangers_of_one_moment_are_different_people(gallery) -> None:
    tracks = [track(600, ALL_MINUTE, x=100), track(600, ALL_MINUTE, x=900, seed=8)]
    assert len(vote([result(*tracks)], gallery, ROSTER, MINUTE).unknown) == 2


def test_two_people_of_one_moment_are_never_one_student(gallery) -> None:
    double = vote(
        [result(track(4, ALL_MINUTE, x=100), track(4, ALL_MINUTE, x=900, spread=0.6))], gallery, ROSTER, MINUTE
    )
    assert present(double) == {"4"}
    assert len(double.unknown) == 1


def test_twins_can_both_be_present() -> None:
    photos = {str(i): list(embeddings_of(i, 8)) for i in range(12)}
    photos["twin"] = list(normalise(np.stack(photos["0"]) + np.float32(0.5) * embeddings_of(800, 8)))
    alike = train_gallery(photos, EMBEDDER)
    other = normalise(embeddings_of(0, 6, seed=7) + np.float32(0.5) * embeddings_of(800, 6, seed=7))
    second = track(0, ALL_MINUTE, x=900)
    second = replace(second, embeddings=other)
    attendance = vote([result(track(0, ALL_MINUTE, x=100), second, track(5, ALL_MINUTE))], alike, [*photos], MINUTE)
    assert present(attendance) == {"0", "twin", "5"}
    lead = {presence.label: presence.lead for presence in attendance.presences}
    assert lead["0"] < LOOK_ALIKE_SHARE < lead["5"]
    assert lead["7"] is None


def test_strangers_between_two_look_alikes_are_neither() -> None:
    photos = {str(i): list(embeddings_of(i, 8)) for i in range(12)}
    photos["twin"] = list(normalise(np.stack(photos["0"]) + np.float32(0.12) * embeddings_of(800, 8)))
    alike = train_gallery(photos, EMBEDDER)
    between = normalise(alike.templates[alike.labels.index("0")] + alike.templates[alike.labels.index("twin")])
    tracks = [replace(track(0, ALL_MINUTE, x=x), embeddings=np.tile(between, (6, 1))) for x in (100, 900)]
    assert (alike.scores(between[None])[0] >= alike.threshold).sum() == 2
    assert not present(vote([result(*tracks)], alike, [*photos], MINUTE))


def test_the_svm_must_agree_among_look_alikes() -> None:
    photos = {str(i): list(embeddings_of(i, 8)) for i in range(12)}
    photos["twin"] = list(normalise(np.stack(photos["0"]) + np.float32(0.3) * embeddings_of(800, 8)))
    alike = train_gallery(photos, EMBEDDER)
    recording = [result(track(0, ALL_MINUTE, x=100), track(5, ALL_MINUTE, x=500))]
    assert present(vote(recording, alike, [*photos], MINUTE)) == {"0", "5"}
    intercept = alike.intercept.copy()
    intercept[alike.labels.index("twin")] += 100
    assert present(vote(recording, replace(alike, intercept=intercept), [*photos], MINUTE)) == {"5"}


def test_tracks_are_linked_over_segment_borders(gallery) -> None:
    times = np.arange(0, 240, 2.0)
    parts = [result(track(2, times[i : i + 30], segment=i // 30, seed=i)) for i in range(0, 120, 30)]
    attendance = vote(
        parts,
        gallery,
        ROSTER,
        VideoInfo(container="mov", codec="h264", width=1920, height=1080, rotation=0, fps=25.0, duration=240.0),
    )
    assert attendance.presences[2].intervals == ((0.0, 239.0),)


def test_the_order_of_the_segments_does_not_matter(gallery) -> None:
    parts = [result(track(i, np.arange(60 * i, 60 * i + 60, 2.0), x=100 * i, segment=i)) for i in range(3)]
    votes = [vote(list(order), gallery, ROSTER, HOUR) for order in itertools.permutations(parts)]
    assert all(v == votes[0] for v in votes)


def test_short_gaps_are_bridged_and_long_ones_are_not(gallery) -> None:
    times = np.concatenate([np.arange(0, 600, 2.0), np.arange(800, 1000, 2.0), np.arange(2000, 3600, 2.0)])
    tracks = [track(2, part, seed=i) for i, part in enumerate(np.split(times, [300, 400]))]
    attendance = vote([result(*tracks)], gallery, ROSTER, HOUR)
    assert attendance.presences[2].intervals == ((0.0, 999.0), (1999.0, 3599.0))


def test_a_poorer_moment_on_the_same_seat_extends_the_presence(gallery) -> None:
    seat, away = np.arange(0, 1000, 2.0), np.arange(2000, 2200, 2.0)
    poor = vote([result(track(2, seat), track(2, away, observations=1, spread=0.38, seed=3))], gallery, ROSTER, HOUR)
    assert poor.presences[2].intervals[-1][1] == pytest.approx(2199)
    other = vote([result(track(2, seat), track(600, away))], gallery, ROSTER, HOUR)
    assert other.presences[2].intervals == ((0.0, 999.0),)
    assert len(other.unknown) == 1


def test_a_video_needs_three_samples_and_a_photo_one(gallery) -> None:
    assert not present(vote([result(track(2, np.array([4.0, 6.0])))], gallery, ROSTER, MINUTE))
    faces = (track(2, np.array([0.0]), spread=0.2), track(5, np.array([0.0]), x=400, spread=0.2))
    photo = vote([result(*faces)], gallery, ROSTER, PHOTO)
    assert present(photo) == {"2", "5"}
    assert photo.presences[2].share == 1


def test_a_doubtful_face_is_to_confirm_with_the_next_likeliest_name(gallery) -> None:
    vector = gallery.templates[5].astype(float)
    aside = normalise(embeddings_of(900, 1)[0] - (embeddings_of(900, 1)[0] @ vector) * vector)
    between = float(gallery.impostor_model.threshold(1, 0.004, 20))
    face = replace(
        track(5, np.array([0.0])),
        embeddings=(between * vector + np.sqrt(1 - between**2) * aside)[None].astype(np.float32),
    )
    five = vote([result(face)], gallery, ROSTER, PHOTO).presences[5]
    assert (five.present, five.to_confirm, len(five.crops)) == (False, True, 1)
    scores = gallery.templates @ face.embeddings[0]
    assert five.runner_up == gallery.labels[np.argsort(-scores)[1]]
    film = replace(face, times=ALL_MINUTE, boxes=np.tile(face.boxes, (30, 1)))
    five = vote([result(film)], gallery, ROSTER, MINUTE).presences[5]
    assert (five.present, five.to_confirm) == (False, True)


def test_a_face_of_a_few_pixels_makes_nobody_present_before_a_person_has_looked(gallery) -> None:
    def shrunk(x: int, times: np.ndarray) -> Track:
        face = track(4, times, x=x)
        return replace(face, boxes=face.boxes[:, [0, 1, 0, 1]] + np.array([0, 0, 18, 21], np.float32))

    alone = vote([result(shrunk(100, ALL_MINUTE))], gallery, ROSTER, MINUTE)
    assert [p.label for p in alone.presences if p.to_confirm] == ["4"]
    assert not present(alone)
    moved = vote([result(track(4, ALL_MINUTE[:15], x=900), shrunk(100, ALL_MINUTE[15:]))], gallery, ROSTER, MINUTE)
    assert moved.presences[4].seconds == pytest.approx(59)


def test_a_student_with_one_photo_needs_less_than_one_with_many(gallery) -> None:
    vector = gallery.templates[5].astype(float)
    aside = normalise(embeddings_of(900, 1)[0] - (embeddings_of(900, 1)[0] @ vector) * vector)
    one, many = (float(gallery.impostor_model.threshold(3, 0.001, 20, photos)) for photos in (1, MANY_PHOTOS))
    cosine = (one + many) / 2
    embeddings = np.tile(cosine * vector + np.sqrt(1 - cosine**2) * aside, (6, 1)).astype(np.float32)
    seen = [result(replace(track(5, ALL_MINUTE), embeddings=embeddings))]
    assert present(vote(seen, gallery, ROSTER, MINUTE)) == set()
    counts = gallery.photo_counts.copy()
    counts[5] = 1
    assert present(vote(seen, replace(gallery, photo_counts=counts), ROSTER, MINUTE)) == {"5"}


def test_who_has_no_usable_photo_is_not_recognisable(gallery) -> None:
    *_, unknown = vote([result(track(2, ALL_MINUTE))], gallery, [*ROSTER, "without photos"], MINUTE).presences
    assert (unknown.present, unknown.recognisable) == (False, False)


def test_doubtful_faces_of_a_photo_change_no_certain_one(gallery, monkeypatch) -> None:
    answers = iter([("3", None, None), ("4", "3", "5")])  # by the strictness's rate, and with doubt
    monkeypatch.setattr(
        "recognition.identification.vote.identify",
        lambda *_: [Identity(label=label, score=0.97, margin=0.01) for label in next(answers)],
    )
    faces = [track(person, np.array([0.0]), x=200 * person) for person in (3, 7, 5)]
    attendance = vote([result(*faces)], gallery, ROSTER, PHOTO)
    assert present(attendance) == {"3"}
    assert [crop.jpeg for crop in attendance.presences[3].crops] == [b"jpeg of 3"]
    assert [presence.label for presence in attendance.presences if presence.to_confirm] == ["5"]
    assert len(attendance.unknown) == 1


def test_stricter_matching_accepts_fewer_faces(gallery) -> None:
    vector = gallery.templates[5].astype(float)
    aside = normalise(embeddings_of(900, 1)[0] - (embeddings_of(900, 1)[0] @ vector) * vector)
    present_by_rate = {}
    for rate in (0.00003, 0.0005, 0.005, 0.05):
        cosine = float(gallery.impostor_model.threshold(3, rate, 20))
        embeddings = np.tile(cosine * vector + np.sqrt(1 - cosine**2) * aside, (6, 1)).astype(np.float32)
        seen = [result(replace(track(5, ALL_MINUTE), embeddings=embeddings))]
        present_by_rate[rate] = [
            bool(present(vote(seen, gallery, ROSTER, MINUTE, VotePolicy(strictness=strictness))))
            for strictness in FPIR_BY_STRICTNESS
        ]
    assert list(present_by_rate.values()) == [
        [True, True, True],
        [False, True, True],
        [False, False, True],
        [False, False, False],
    ]


def test_a_portrait_makes_nobody_present_and_keeps_nobody_from_being_present(gallery) -> None:
    portrait = replace(track(3, ALL_MINUTE, x=900), motion=0.001)
    alone = vote([result(portrait)], gallery, ROSTER, MINUTE)
    assert not present(alone)
    assert [person.is_static for person in alone.unknown] == [True]
    both = vote([result(portrait, track(3, ALL_MINUTE, x=100, seed=8))], gallery, ROSTER, MINUTE)
    assert present(both) == {"3"}
    assert [person.is_static for person in both.unknown] == [True]


def test_a_portrait_may_be_hidden_now_and_then(gallery) -> None:
    parts = [replace(track(3, ALL_MINUTE[at : at + 4], x=900, seed=at), motion=0.001) for at in (0, 10, 20)]
    attendance = vote([result(*parts)], gallery, ROSTER, MINUTE)
    assert not present(attendance)
    assert [person.is_static for person in attendance.unknown] == [True]


def test_a_sleeper_is_no_static_face(gallery) -> None:
    asleep = [replace(track(3, np.arange(0, 600, 2.0), x=100), motion=0.001)]
    turned = replace(track(3, np.arange(700, 1300, 2.0), x=106, seed=8), motion=0.001)
    woken = replace(track(3, np.arange(700, 1300, 2.0), x=101, seed=8), motion=0.2)
    for later in (turned, woken):
        attendance = vote([result(*asleep, later)], gallery, ROSTER, HOUR)
        assert present(attendance) == {"3"}
        assert attendance.unknown == ()


def test_a_student_off_the_roster_is_not_taken_for_another(gallery) -> None:
    attendance = vote([result(track(2, ALL_MINUTE))], gallery, ["5", "7", "without photos"], MINUTE)
    assert [p.label for p in attendance.presences] == ["5", "7", "without photos"]
    assert not present(attendance)


def test_an_empty_room_has_no_presences(gallery) -> None:
    attendance = vote([result()], gallery, ROSTER, MINUTE)
    assert not present(attendance)
    assert attendance.unknown == ()


def test_tracks_of_another_embedder_are_refused(gallery) -> None:
    with pytest.raises(GalleryMismatch, match="facenet"):
        vote([SegmentResult(embedder="facenet-20180402", frames=0, faces=0, tracks=())], gallery, ROSTER, MINUTE)


@given(st.sets(st.integers(0, 500), min_size=1), st.floats(0, 300))
def test_intervals_are_ordered_disjoint_and_hold_every_sample(samples: set[int], gap: float) -> None:
    times = 2.0 * np.array(sorted(samples))
    intervals = bridge_gaps(times, 2.0, gap, 1001.0)
    assert all(any(start <= t <= end for start, end in intervals) for t in times)
    assert all(0 <= start < end <= 1001 for start, end in intervals)
    assert all(b[0] - a[1] > max(gap, 3) - 2 - 1e-9 for a, b in itertools.pairwise(intervals))


def test_the_bridged_gap_is_a_share_of_a_short_recording() -> None:
    assert VotePolicy().longest_bridged_gap(3600) == 300
    assert VotePolicy().longest_bridged_gap(60) == pytest.approx(9)


def test_every_face_has_a_position_in_time_and_place(gallery) -> None:
    attendance = vote([result(track(3, ALL_MINUTE, x=300), track(600, ALL_MINUTE, x=800))], gallery, ROSTER, MINUTE)
    (time, box), (unknown_time, unknown_box) = (
        attendance.presences[3].face_positions[0],
        attendance.unknown[0].face_positions[0],
    )
    assert time in ALL_MINUTE
    assert unknown_time in ALL_MINUTE
    assert box[0] == pytest.approx(300, abs=20)
    assert unknown_box[0] == pytest.approx(800, abs=20)
    assert attendance.presences[3].crops[0].box[0] == pytest.approx(300, abs=20)


def test_an_unknown_person_resembles_the_student_who_it_is_most_and_few_others(gallery) -> None:
    positions = vote([result(track(3, ALL_MINUTE))], gallery, ROSTER, MINUTE).presences[3].face_positions
    said = IdentityOverride(key="1", face_positions=positions, label="3", denied=True)
    strangers = [track(600 + n, ALL_MINUTE, x=150 * n + 300) for n in range(10)]
    attendance = vote([result(track(3, ALL_MINUTE), *strangers)], gallery, ROSTER, MINUTE, overrides=[said])
    own, *others = sorted(attendance.unknown, key=lambda person: person.face_positions[0][1][0])
    assert own.resembles[0] == "3"
    shares = [len(person.resembles) / len(ROSTER) for person in others]
    assert sum(shares) / len(shares) < 0.3


@pytest.mark.parametrize("label", ["7", "new", None], ids=["of the gallery", "without photos", "a visitor"])
@pytest.mark.parametrize("shift", [0.0, 1.0], ids=["same frames", "other frames"])
def test_an_overridden_face_takes_no_part_and_comes_back_with_its_key(gallery, label: str | None, shift: float) -> None:
    roster = [*ROSTER, "new"]
    stranger = vote([result(track(600, ALL_MINUTE, x=800))], gallery, roster, MINUTE).unknown[0]
    said = IdentityOverride(key="42", face_positions=stranger.face_positions, label=label)
    again = [
        result(
            track(600, ALL_MINUTE + shift, x=800),
            track(601, ALL_MINUTE + shift, x=1200),
            track(3, ALL_MINUTE + shift, x=100),
        )
    ]
    attendance = vote(again, gallery, roster, MINUTE, overrides=[said])
    assert present(attendance) == {"3"}
    assert sorted(person.override_key for person in attendance.unknown) == ["", "42"]


def test_a_denied_face_is_not_given_to_that_student_again(gallery) -> None:
    recording = [result(track(3, ALL_MINUTE, x=100), track(5, ALL_MINUTE, x=500))]
    three = vote(recording, gallery, ROSTER, MINUTE).presences[3]
    attendance = vote(
        recording,
        gallery,
        ROSTER,
        MINUTE,
        overrides=[IdentityOverride(key="1", face_positions=three.face_positions, label="3", denied=True)],
    )
    assert present(attendance) == {"5"}
    assert [person.override_key for person in attendance.unknown] == [""]


def test_a_named_student_is_nobody_else_at_the_same_moments(gallery) -> None:
    recording = [result(track(600, ALL_MINUTE, x=100), track(3, ALL_MINUTE, x=500))]
    stranger = vote(recording, gallery, ROSTER, MINUTE).unknown[0]
    attendance = vote(
        recording,
        gallery,
        ROSTER,
        MINUTE,
        overrides=[IdentityOverride(key="1", face_positions=stranger.face_positions, label="3")],
    )
    assert not present(attendance)
    assert sorted(person.override_key for person in attendance.unknown) == ["", "1"]


def test_the_last_override_of_a_face_counts(gallery) -> None:
    recording = [result(track(600, ALL_MINUTE, x=100))]
    face_positions = vote(recording, gallery, ROSTER, MINUTE).unknown[0].face_positions
    attendance = vote(
        recording,
        gallery,
        ROSTER,
        MINUTE,
        overrides=[
            IdentityOverride(key="1", face_positions=face_positions, label="3"),
            IdentityOverride(key="2", face_positions=face_positions),
        ],
    )
    assert [person.override_key for person in attendance.unknown] == ["2"]
