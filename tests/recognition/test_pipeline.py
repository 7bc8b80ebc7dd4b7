import io
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from recognition.blurring import BLUR_BLOCKS
from recognition.detection.detector import Detector
from recognition.embedding import Embedder, load_embedder
from recognition.errors import Cancelled, UnreadableRecording
from recognition.identification.gallery import train_gallery
from recognition.identification.vote import vote
from recognition.media.video import plan_segments, probe
from recognition.people_folder import photos_by_person
from recognition.pipeline import (
    PHOTOS_PER_BATCH,
    check_enrolment_photo,
    check_enrolment_photos,
    choose_stream,
    process_segment,
    read_thumbnail,
)
from recognition.types import Face, Segment
from tests.recognition import video_files


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return load_embedder()


def test_two_people_in_a_clip_are_two_tracks(embedder: Embedder, shared_data: Path) -> None:
    clip = shared_data / "clips" / "two_people_head_pose.mp4"
    info = probe(clip)
    (segment,) = plan_segments(clip, info)
    told: list[float] = []
    result = process_segment(clip, info, segment, embedder, sample_every=0.25, on_progress=told.append)
    long = [track for track in result.tracks if len(track.times) >= result.frames / 2]
    assert len(long) == 2
    assert told == sorted(told)
    assert 0 <= told[0] <= told[-1] <= 1
    for track in long:
        assert track.embeddings.shape == (len(track.qualities), 128)
        assert np.linalg.norm(track.embeddings, axis=1) == pytest.approx(1, abs=1e-5)
        assert 1 <= len(track.crops) <= 3
        assert all(crop.jpeg.startswith(b"\xff\xd8") for crop in track.crops)
        sizes = {Image.open(io.BytesIO(crop.blurred)).size for crop in track.crops}
        assert sizes == {(BLUR_BLOCKS, BLUR_BLOCKS)}
    assert result.embedder == "dlib-resnet-v1"


def test_the_progress_callback_can_stop_the_work(embedder: Embedder, shared_data: Path) -> None:
    clip = shared_data / "clips" / "two_people_head_pose.mp4"
    info = probe(clip)

    def stop(share: float) -> None:
        raise Cancelled("Somebody asked to stop.")

    with pytest.raises(Cancelled):
        process_segment(clip, info, plan_segments(clip, info)[0], embedder, on_progress=stop)


def test_a_segment_beyond_the_end_is_unreadable(embedder: Embedder, shared_data: Path) -> None:
    clip = shared_data / "clips" / "two_people_head_pose.mp4"
    with pytest.raises(UnreadableRecording):
        process_segment(clip, probe(clip), Segment(9, 500.0, 560.0), embedder)


@pytest.fixture
def portrait(shared_data: Path) -> Image.Image:
    return Image.open(shared_data / "people" / "Tony_Blair" / "1.jpg")


def verdict(image: Image.Image, tmp_path: Path, embedder: Embedder) -> tuple[str, str]:
    image.save(tmp_path / "photo.jpg", quality=95)
    photo = check_enrolment_photo(tmp_path / "photo.jpg", embedder)
    assert (photo.embedding is None) == (photo.verdict == "rejected")
    return photo.verdict, str(photo.reason)


def test_a_good_photo_is_accepted(portrait: Image.Image, tmp_path: Path, embedder: Embedder) -> None:
    assert verdict(portrait, tmp_path, embedder) == ("accepted", "")


def test_a_bad_photo_is_rejected_with_the_reason(portrait: Image.Image, tmp_path: Path, embedder: Embedder) -> None:
    bad = {
        "No face": Image.new("RGB", (300, 300), "white"),
        "blurred": Image.fromarray(cv2.GaussianBlur(np.array(portrait), (0, 0), 6)),
        "dark": Image.fromarray((np.array(portrait) * 0.08).astype(np.uint8)),
        "pixels": portrait.resize((76, 76)),
    }
    for word, image in bad.items():
        got, reason = verdict(image, tmp_path, embedder)
        assert got == "rejected", word
        assert word in reason


def test_a_photo_without_a_face_comes_with_a_small_picture_of_itself(tmp_path: Path, embedder: Embedder) -> None:
    Image.new("RGB", (1920, 4), "teal").save(tmp_path / "photo.png")
    photo = check_enrolment_photo(tmp_path / "photo.png", embedder)
    assert photo.crop is None
    for jpeg in (photo.thumbnail, read_thumbnail(tmp_path / "photo.png")):
        with Image.open(io.BytesIO(jpeg or b""), formats=("JPEG",)) as thumbnail:
            assert thumbnail.size == (192, 1)


def test_of_several_faces_the_one_in_the_middle_counts_and_it_is_said(
    shared_data: Path, tmp_path: Path, embedder: Embedder
) -> None:
    both = Image.new("RGB", (500, 250))
    other = Image.open(shared_data / "people" / "Jackie_Chan" / "1.jpg")
    alone = Image.open(shared_data / "people" / "Tony_Blair" / "1.jpg")
    both.paste(alone, (125, 0))
    both.paste(other.crop((60, 0, 185, 250)), (375, 0))
    got, reason = verdict(both, tmp_path, embedder)
    assert (got, "Several faces" in reason) == ("warning", True)
    photo = check_enrolment_photo(tmp_path / "photo.jpg", embedder)
    blair = check_enrolment_photo(shared_data / "people" / "Tony_Blair" / "1.jpg", embedder)
    assert photo.embedding is not None
    assert blair.embedding is not None
    assert photo.embedding @ blair.embedding > 0.98


def test_a_huge_photo_is_the_same_as_a_small_one(portrait: Image.Image, tmp_path: Path, embedder: Embedder) -> None:
    small = check_enrolment_photo(Path(portrait.filename), embedder)  # type: ignore[attr-defined]
    portrait.resize((4000, 4000), Image.Resampling.BICUBIC).save(tmp_path / "huge.jpg")
    huge = check_enrolment_photo(tmp_path / "huge.jpg", embedder)
    assert small.embedding is not None
    assert huge.embedding is not None
    assert small.embedding @ huge.embedding > 0.97


def test_many_photos_are_judged_as_each_alone(shared_data: Path, tmp_path: Path, embedder: Embedder) -> None:
    photos = [shared_data / "people" / "Tony_Blair" / f"{number}.jpg" for number in range(1, PHOTOS_PER_BATCH + 1)]
    (tmp_path / "text.jpg").write_text("no photo")
    Image.new("RGB", (300, 200), "white").save(tmp_path / "empty.jpg")
    Image.open(photos[0]).resize((100, 100)).save(tmp_path / "small.jpg")
    photos[3:3] = [tmp_path / name for name in ("text.jpg", "missing.jpg", "empty.jpg", "small.jpg")]
    for strict in (True, False):
        together = list(check_enrolment_photos(photos, embedder, strict=strict))
        assert [str(photo.reason)[:21] for photo in together[3:5]] == ["The file is no video ", "The photo's file is m"]
        assert len(together) == len(photos)
        for path, photo in zip(photos[:3] + photos[5:], together[:3] + together[5:], strict=True):
            alone = check_enrolment_photo(path, embedder, strict=strict)
            assert (photo.verdict, photo.reason) == (alone.verdict, alone.reason)
            assert (photo.embedding is None) == (alone.embedding is None)
            if photo.embedding is not None and alone.embedding is not None:
                assert photo.embedding @ alone.embedding > 0.98  # another pixel in the crop is other noise from afar
    assert [photo.embedding is None for photo in together[3:7]] == [True, True, True, False]
    assert list(check_enrolment_photos([], embedder)) == []


def test_photos_are_taken_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for name in ("10.jpg", "2.jpg", "1.JPG", "notes.txt", ".hidden.jpg"):
        (tmp_path / "A" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "A" / name).touch()
    (tmp_path / "B").mkdir()
    (tmp_path / ".git").mkdir()
    found = photos_by_person(tmp_path, first=2)
    assert [path.name for path in found["A"]] == ["1.JPG", "2.jpg"]
    assert found["B"] == []
    assert set(found) == {"A", "B"}


def test_nobody_in_real_pictures_of_strangers_is_taken_for_a_student(embedder: Embedder, shared_data: Path) -> None:
    people = list(photos_by_person(shared_data / "people", first=8).items())[30:]
    looks = {name: [check_enrolment_photo(path, embedder).embedding for path in paths] for name, paths in people}
    known = train_gallery(
        {name: [vector for vector in vectors if vector is not None] for name, vectors in looks.items()},
        embedder.id,
    )
    faces = 0
    for path in sorted((shared_data / "photos").iterdir()) + sorted((shared_data / "clips").glob("*.mp4")):
        info = probe(path)
        results = [
            process_segment(path, info, segment, embedder, sample_every=0.5) for segment in plan_segments(path, info)
        ]
        attendance = vote(results, known, list(known.labels), info)
        assert [person.label for person in attendance.presences if person.present] == [], path.name
        faces += len(attendance.unknown)
    assert faces > 150


class FacesBySize:
    """Finds one face in every picture of this width."""

    def __init__(self, width: int) -> None:
        self.width = width

    def detect(self, images: Sequence[NDArray[np.uint8]]) -> list[list[Face]]:
        face = Face(np.zeros(4, np.float32), 0.99, np.zeros((5, 2), np.float32))
        return [[face] if image.shape[1] == self.width else [] for image in images]


@pytest.mark.parametrize(("width", "stream"), [(160, 1), (320, 0), (999, 0)], ids=["the smaller", "the larger", "none"])
def test_of_several_streams_the_one_with_faces_is_read(tmp_path: Path, width: int, stream: int) -> None:
    slides = video_files.video(tmp_path / "slides.mp4", size=(320, 240))
    camera = video_files.video(tmp_path / "camera.mp4")
    path = video_files.with_streams(tmp_path / "capture.mkv", slides, camera)
    info = choose_stream(path, probe(path), cast(Detector, FacesBySize(width)))
    assert (info.stream, info.streams) == (stream, (0, 1))
