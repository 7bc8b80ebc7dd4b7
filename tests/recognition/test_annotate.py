"""What people look at: boxes follow faces, names can be read, and faces that are to be hidden stay hidden."""

from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from recognition.annotate import COLOURS, FaceMark, Stretch, annotate_recording
from recognition.captions import NO_CHARACTER, draw_caption
from recognition.errors import RecognitionError, UnreadableRecording
from recognition.media.video import probe
from recognition.tracking.face_paths import collect_face_paths, dump_face_paths, load_face_paths
from recognition.types import Attendance, FacePath, Presence, UnknownPerson
from tests.recognition import people, video_files

WIDTH, HEIGHT = 640, 360
BOX = (100.0, 100.0, 160.0, 160.0)


def path_of(*positions: tuple[float, tuple[float, float, float, float]]) -> FacePath:
    times, boxes = zip(*positions, strict=True)
    return FacePath(times=np.array(times), boxes=np.array(boxes, np.float32))


def moved(x: float) -> tuple[float, float, float, float]:
    return (BOX[0] + x, BOX[1], BOX[2] + x, BOX[3])


@pytest.fixture(scope="module")
def lecture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six seconds of a fine chequered pattern."""
    pattern = np.indices((HEIGHT, WIDTH)).sum(axis=0) // 4 % 2
    image = np.repeat((pattern * 200 + 20).astype(np.uint8)[..., None], 3, axis=2)
    return video_files.video_of(tmp_path_factory.mktemp("annotate") / "lecture.mp4", [image] * 60)


def annotated(lecture: Path, output: Path, *marks: FaceMark, start: float = 0.0, end: float = 6.0) -> list[np.ndarray]:
    whole = Stretch(path=lecture, info=probe(lecture), start=start, end=end, recording_start=start)
    annotate_recording([whole], marks, output)
    with av.open(str(output)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def is_marked(image: np.ndarray, x: float, y: float) -> bool:
    """Whether the side of a green box passes there."""
    colour = np.array(COLOURS["present"])
    there = image[round(y) - 2 : round(y) + 3, round(x) - 2 : round(x) + 3].reshape(-1, 3).astype(int)
    return bool((np.abs(there - colour).max(axis=1) < 50).any())


def contrast(image: np.ndarray, box: tuple[float, float, float, float] = BOX) -> float:
    x1, y1, x2, y2 = (round(side) for side in box)
    return float(image[y1 + 8 : y2 - 8, x1 + 8 : x2 - 8].std())


def test_a_box_follows_the_face_between_the_samples(lecture: Path, tmp_path: Path) -> None:
    mark = FaceMark(paths=[path_of((1.0, BOX), (3.0, moved(80)))], captions=("Zoë",), certainty="present")
    frames = annotated(lecture, tmp_path / "out.mp4", mark)
    assert len(frames) == 60
    for second, shift in ((1.0, 0), (1.5, 20), (2.0, 40), (3.0, 80)):
        assert is_marked(frames[round(second * 10)], BOX[0] + shift, 140)
    assert not is_marked(frames[20], BOX[0], 140)
    assert not is_marked(frames[55], BOX[0] + 80, 140)  # gone long ago


def test_the_video_plays_in_a_browser_from_its_first_bytes_on(lecture: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    annotated(video_files.video(tmp_path / "heard.mp4", sound=True, size=(161, 121), options={}), out)
    with av.open(str(out)) as container:
        (stream,) = container.streams
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert stream.duration * stream.time_base == pytest.approx(6.0, abs=0.2)
    content = out.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


def test_a_part_has_its_own_faces(lecture: Path, tmp_path: Path) -> None:
    mark = FaceMark(paths=[path_of((3.5, BOX), (5.0, BOX))], certainty="present")
    frames = annotated(lecture, tmp_path / "out.mp4", mark, start=2.0, end=5.0)
    assert len(frames) == 30
    assert not is_marked(frames[0], BOX[0], 140)
    assert is_marked(frames[20], BOX[0], 140)


def test_files_of_one_recording_follow_each_other(lecture: Path, tmp_path: Path) -> None:
    other = video_files.video(tmp_path / "other.mp4", seconds=2, size=(320, 180))
    parts = [
        Stretch(path=lecture, info=probe(lecture), start=4.0, end=6.0, recording_start=10.0),
        Stretch(path=other, info=probe(other), start=0.0, end=2.0, recording_start=60.0),
    ]
    mark = FaceMark(paths=[path_of((60.0, BOX), (61.5, BOX))], certainty="present")
    annotate_recording(parts, [mark], tmp_path / "out.mp4")
    info = probe(tmp_path / "out.mp4")
    assert info.duration == pytest.approx(4.0, abs=0.2)
    with av.open(str(tmp_path / "out.mp4")) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert {frame.shape for frame in frames} == {(HEIGHT, WIDTH, 3)}
    assert not is_marked(frames[10], 2 * BOX[0], 280)
    assert is_marked(frames[30], 2 * BOX[0], 280)  # drawn on the smaller picture, and grown with it


def test_a_blurred_face_stays_so_while_it_is_hidden(lecture: Path, tmp_path: Path) -> None:
    seen = [(0.0, BOX), (0.4, BOX), (0.8, BOX), (5.6, BOX)]
    frames = annotated(lecture, tmp_path / "out.mp4", FaceMark(paths=[path_of(*seen)], is_blurred=True))
    assert max(contrast(frame) for frame in frames) < 15
    assert min(contrast(frame, moved(300)) for frame in frames) > 60


def test_without_anybody_the_recording_is_shown_as_it_is(lecture: Path, tmp_path: Path) -> None:
    frames = annotated(lecture, tmp_path / "out.mp4", FaceMark(paths=[], certainty="present"))
    assert contrast(frames[0]) > 60


def test_a_photo_is_written_as_a_photo(tmp_path: Path) -> None:
    photo = tmp_path / "room.jpg"
    Image.new("RGB", (WIDTH, HEIGHT), "gray").save(photo)
    mark = FaceMark(paths=[path_of((0.0, BOX))], captions=("Ada",), certainty="present")
    whole = Stretch(path=photo, info=probe(photo), start=0.0, end=0.0, recording_start=0.0)
    annotate_recording([whole], [mark], tmp_path / "out.png", watermark="Seen by Kim")
    image = np.asarray(Image.open(tmp_path / "out.png"))
    assert is_marked(image, BOX[0], 140)
    assert image[-20:, :60].min() < 60  # the watermark's ground
    with pytest.raises(RecognitionError, match=r"\.jpg"):
        annotate_recording([whole], [mark], tmp_path / "out.mp4")


def test_where_there_is_no_picture_nothing_is_written(lecture: Path, tmp_path: Path) -> None:
    with pytest.raises(UnreadableRecording):
        annotated(lecture, tmp_path / "out.mp4", start=60.0, end=70.0)
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_no_font_has_becomes_its_number() -> None:
    assert np.array_equal(draw_caption((NO_CHARACTER, "7"), 20, (0, 0, 0)), draw_caption(("7",), 20, (0, 0, 0)))
    umlauts = draw_caption(("Zoë Müller", "7"), 20, (0, 0, 0))
    assert not np.array_equal(umlauts, draw_caption(("7",), 20, (0, 0, 0)))


def test_a_name_is_one_line_of_what_can_be_seen() -> None:
    plain = draw_caption(("Zoë Müller",), 20, (0, 0, 0))
    for written in ("Zoe\u0308 Mu\u0308ller", "Zoë\nMüller", "\u202eZoë Müller\u200b", "  Zoë \t Müller "):
        assert np.array_equal(draw_caption((written,), 20, (0, 0, 0)), plain)
    assert draw_caption(("W" * 500,), 20, (0, 0, 0)).shape[1] < 1000


def test_without_any_font_names_are_still_there(monkeypatch: pytest.MonkeyPatch) -> None:
    number = draw_caption(("7",), 22, (0, 0, 0))
    monkeypatch.setattr("recognition.captions._font_files", lambda: ())
    draw_caption.cache_clear()
    assert not np.array_equal(draw_caption(("Zoe", "7"), 22, (0, 0, 0)), number)
    assert draw_caption(("佐藤", "7"), 22, (0, 0, 0)).shape == draw_caption(("7",), 22, (0, 0, 0)).shape
    draw_caption.cache_clear()


@given(st.text(max_size=200), st.integers(8, 60))
def test_any_name_can_be_drawn(name: str, size: int) -> None:
    caption = draw_caption((name, "1"), size, (255, 255, 255))
    assert size <= caption.shape[0] < 4 * size
    assert caption.shape[1] < 60 * size


def test_every_track_has_a_path_that_says_whose_it_is() -> None:
    ada, stranger, passing = (people.track(n, np.arange(3.0) + n) for n in range(3))
    attendance = Attendance(
        9.0,
        (Presence(label="Ada", present=True, tracks=(ada,)),),
        (UnknownPerson(intervals=(), seconds=0.0, crops=(), tracks=(stranger,)),),
    )
    paths = collect_face_paths([people.result(ada, passing), people.result(stranger)], attendance)
    loaded = load_face_paths(dump_face_paths(paths))
    assert [(face.label, face.unknown) for face in loaded] == [("Ada", None), (None, None), (None, 0)]
    for face, track in zip(loaded, (ada, passing, stranger), strict=True):
        assert np.array_equal(face.times, track.times)
        assert np.array_equal(face.boxes, track.boxes)
    assert load_face_paths(dump_face_paths(())) == ()
    for content in (b"", b"PK\x03\x04"):
        with pytest.raises(RecognitionError, match="Take attendance again"):
            load_face_paths(content)
