"""Pictures of people in a recording: composed of real photos, with a sensor's noise and H.264."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from recognition.embedding import load_embedder
from recognition.identification.gallery import train_gallery
from recognition.identification.vote import vote
from recognition.media.video import plan_segments, probe
from recognition.people_folder import photos_by_person
from recognition.pipeline import check_enrolment_photo, process_segment
from recognition.tracking.person import Person
from recognition.tracking.static_faces import separate_static_faces
from recognition.types import Attendance
from tests.recognition import people

HUNG, AWAKE, ASLEEP = "Tony_Blair", "Gerhard_Schroeder", "Serena_Williams"
SECONDS, RATE, SIDE = 30, 5, 130
SLIDE = range(10, 24)  # seconds at which a stranger's face is on the screen


def compose(path: Path, people: dict[str, list[Path]], stranger: Path) -> None:
    """A portrait on the wall, somebody who sways, somebody who only breathes, and a face on a slide."""
    rng = np.random.default_rng(0)
    patches = {
        name: cv2.resize(cv2.imread(str(photo)), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
        for name, photo in [*((name, people[name][11]) for name in (HUNG, AWAKE, ASLEEP)), ("slide", stranger)]
    }
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=RATE, options={"preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt, stream.bit_rate, stream.gop_size = (
            640,
            360,
            "yuv420p",
            1_000_000,
            2 * RATE,
        )
        stream.time_base = Fraction(1, RATE)
        for n in range(SECONDS * RATE):
            t = n / RATE
            image = np.full((360, 640, 3), 120, np.float32)
            ways = {
                HUNG: (0, 0),
                AWAKE: (5 * np.sin(t), 4 * np.sin(0.7 * t)),
                ASLEEP: (0, 0.02 * 60 * np.sin(1.6 * t)),
                "slide": (0, 0),
            }
            for (name, way), x in zip(ways.items(), (10, 170, 330, 490), strict=True):
                if name != "slide" or int(t) in SLIDE:
                    matrix = np.array([[1.0, 0.0, x + way[0]], [0.0, 1.0, 100 + way[1]]])
                    cv2.warpAffine(
                        patches[name].astype(np.float32), matrix, (640, 360), image, borderMode=cv2.BORDER_TRANSPARENT
                    )
            image += rng.normal(0, 5, (360, 640, 1))
            out.mux(stream.encode(av.VideoFrame.from_ndarray(np.clip(image, 0, 255).astype(np.uint8), format="bgr24")))
        out.mux(stream.encode(None))


@pytest.fixture(scope="module")
def attendance(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Attendance:
    video = tmp_path_factory.mktemp("still") / "room.mp4"
    people = photos_by_person(shared_data / "people", first=12)
    compose(video, people, sorted((shared_data / "strangers").iterdir())[3])
    embedder = load_embedder()
    names = [HUNG, AWAKE, ASLEEP, "Hans_Blix", "Jackie_Chan"]
    known = {
        name: [v for path in people[name][:8] if (v := check_enrolment_photo(path, embedder).embedding) is not None]
        for name in names
    }
    info = probe(video)
    results = [
        process_segment(video, info, segment, embedder, sample_every=1.0) for segment in plan_segments(video, info)
    ]
    return vote(results, train_gallery(known, embedder.id), names, info)


def test_a_portrait_on_the_wall_makes_nobody_present(attendance: Attendance) -> None:
    there = {person.label: person.present for person in attendance.presences}
    assert not there[HUNG]
    assert not there["Hans_Blix"]


def test_people_who_sway_or_sleep_are_seen(attendance: Attendance) -> None:
    seen = {person.label for person in attendance.presences if person.present or person.to_confirm}
    assert seen == {AWAKE, ASLEEP}


def test_a_portrait_and_a_face_on_a_slide_are_static_faces(attendance: Attendance) -> None:
    assert sorted(round(person.seconds) for person in attendance.unknown if person.is_static) == [len(SLIDE), SECONDS]
    assert [person for person in attendance.unknown if not person.is_static] == []


def test_a_picture_that_changes_its_cell_is_static_though_a_look_alike_was_there() -> None:
    def seen(who: int, begin: int, cell: int, *, still: bool) -> Person:
        times = np.arange(begin, begin + 6.0)
        track = people.track(who, times, x=100.0 * cell, seed=begin, spread=0.01 if still else 0.25)
        return Person([replace(track, motion=0.001 if still else 0.2)])

    avatar = [seen(1, 0, cell=0, still=True), seen(1, 10, cell=3, still=True)]
    look_alike, too_short_to_tell = seen(1, 20, cell=0, still=False), seen(2, 0, cell=5, still=True)
    others = [look_alike, too_short_to_tell]
    living, static = separate_static_faces([*avatar, *others], min_similarity=0.5)
    assert static == avatar
    assert living == others
