"""What is no recording, or a damaged or a hostile one, is refused or survived, with a sentence that says what to do."""

import struct
from pathlib import Path

import av
import numpy as np
import pytest

from recognition.errors import RecognitionError, RecordingOutOfLimits, UnreadableRecording
from recognition.media import container, video, video_reader
from recognition.media.container import VideoFile
from recognition.media.limits import Limits
from recognition.types import Segment
from tests.recognition import video_files

PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{}\n#EXT-X-ENDLIST\n"


def numbers(path: Path, segment: Segment, every: float = 1.0) -> list[int]:
    return [
        video_files.number_of(frame.image) for frame in video.sample_frames(path, video.probe(path), segment, every)
    ]


def overwrite(path: Path, start: float, end: float) -> Path:
    """Noise over a part of the file, given in shares of its size."""
    data = bytearray(path.read_bytes())
    a, b = int(len(data) * start), int(len(data) * end)
    data[a:b] = np.random.default_rng(1).bytes(b - a)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"Dear all, please find attached the recording of the lecture.\n" * 100, "a text file"),
        (b"%PDF-1.7\n" + b"x" * 5000, "a PDF document"),
        (b"\x00" * 5000, "nothing but zeros"),
        (b"G", "no video or photo"),
        (PLAYLIST.format("file:///etc/passwd").encode(), "a playlist"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "a playlist"),
        (b"XBIN\x1a" + b"x" * 5000, "no video or photo"),
        (b"GIF89a" + b"x" * 5000, "photo is damaged"),
        (b"\x00\x00\x00\x18ftypisom" + b"x" * 5000, "damaged"),
        (b"\x1a\x45\xdf\xa3" + b"x" * 5000, "damaged"),
        (b"RIFF\x00\x10\x00\x00AVI " + b"x" * 5000, "no video in it"),
        ((b"G" + b"x" * 187) * 50, "damaged"),
        (b"\xff\xd8\xff\xe0" + b"x" * 5000, "photo is damaged"),
    ],
    ids=lambda value: repr(value[:12]),
)
def test_what_is_no_recording_is_refused_whatever_its_name(tmp_path, content, says):
    path = tmp_path / "lecture.mp4"
    path.write_bytes(content)
    with pytest.raises(UnreadableRecording, match=says) as error:
        video.probe(path)
    assert str(error.value).endswith(".")


def test_the_content_counts_not_the_name(tmp_path):
    path = video_files.video(tmp_path / "recording.txt", container="matroska", seconds=1)
    assert video.probe(path).container == "matroska"


@pytest.mark.parametrize("kind", ["hls", "concat"])
def test_no_other_file_can_be_reached_even_by_a_playlist(tmp_path, monkeypatch, kind):
    other = video_files.video(tmp_path / "other.ts", container="mpegts", seconds=1)
    path = tmp_path / "lecture.mp4"
    path.write_text(PLAYLIST.format(other.name) if kind == "hls" else f"ffconcat version 1.0\nfile {other.name}\n")
    with av.open(str(path), format=kind) as opened:
        assert opened.streams.video, "FFmpeg alone follows it"
    monkeypatch.setattr(container, "reader_for", lambda path: kind)
    monkeypatch.setattr(video_reader, "reader_for", lambda path: kind)
    with pytest.raises(UnreadableRecording):
        video_reader.probe(path)


def test_cut_short_before_the_index(tmp_path):
    path = video_files.video(tmp_path / "recording.mp4")
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    with pytest.raises(UnreadableRecording, match="cut short"):
        video.probe(path)


def test_cut_short_after_the_index_the_parts_that_are_there_are_read(tmp_path):
    path = video_files.video(tmp_path / "recording.mp4", seconds=30, container_options={"movflags": "faststart"})
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    info = video.probe(path)
    assert info.duration == pytest.approx(17, abs=2)
    assert info.claimed_duration == pytest.approx(30)
    first, *_ = video.plan_segments(path, info, 5.0)
    assert numbers(path, first) == [0, 10, 20, 30, 40]


@pytest.mark.parametrize("container", ["matroska", "mpegts", "avi"])
def test_cut_short_where_no_index_is_needed(tmp_path, container):
    path = video_files.video(tmp_path / "recording", container=container, codec="mpeg4", seconds=30)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    info = video.probe(path)
    assert 12 < info.duration < 25
    found = [number for segment in video.plan_segments(path, info, 5.0) for number in numbers(path, segment)]
    assert found == [10 * i for i in range(len(found))]
    assert len(found) > 12


@pytest.mark.parametrize("container", ["mp4", "matroska", "mpegts", "avi"])
@pytest.mark.parametrize("gop", [10, 50], ids=["near key frames", "far key frames"])
def test_damage_in_the_middle_costs_only_what_it_hits(tmp_path, container, gop):
    path = video_files.video(
        tmp_path / "recording",
        container=container,
        codec="mpeg4" if container == "avi" else "h264",
        seconds=40,
        gop=gop,
    )
    info = video.probe(path)
    whole = [frame.time for frame in video.sample_frames(path, info, Segment(0, 0.0, 40.0), 1.0)]
    overwrite(path, 0.45, 0.5)
    left = [frame.time for frame in video.sample_frames(path, info, Segment(0, 0.0, 40.0), 1.0)]
    assert left == sorted(left)
    assert [time for time in left if time < 14] == [time for time in whole if time < 14]
    if container == "avi":  # it has no times but the number of a picture: what follows moves by what was lost
        assert len(left) >= len(whole) - 5
    else:
        assert [time for time in left if time > 26] == [time for time in whole if time > 26]


def test_a_segment_that_is_all_noise_says_so_and_the_others_are_read(tmp_path):
    path = video_files.video(tmp_path / "recording.mkv", container="matroska", seconds=40)
    info = video.probe(path)
    segments = video.plan_segments(path, info, 10.0)
    overwrite(path, 0.2, 0.6)
    assert numbers(path, segments[0]) == list(range(0, 80, 10))
    with pytest.raises(UnreadableRecording, match="between 10 s and 20 s"):
        numbers(path, segments[1])
    assert numbers(path, segments[3]) == list(range(300, 400, 10))


def test_a_part_without_new_pictures_is_no_damage(tmp_path):
    path = video_files.video(tmp_path / "still.mp4", times=[0, 0.1, 0.2, 30, 60, 60.1], gop=100)
    assert numbers(path, Segment(1, 10.0, 20.0)) == []
    assert numbers(path, Segment(2, 20.0, 40.0)) == [3]


def test_only_sound(tmp_path):
    with pytest.raises(UnreadableRecording, match="only sound"):
        video.probe(video_files.sound_only(tmp_path / "recording.mp4"))


def test_no_pictures(tmp_path):
    path = tmp_path / "recording.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("mpeg4", rate=25)
        stream.width = stream.height = 64
        out.start_encoding()
    with pytest.raises(UnreadableRecording):
        video.probe(path)


def test_a_coding_that_is_not_on_the_list(tmp_path):
    path = tmp_path / "recording.mkv"
    with av.open(str(path), "w", format="matroska") as out:
        stream = out.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        out.mux(stream.encode(av.VideoFrame(64, 48, "yuv420p")))
        out.mux(stream.encode(None))
    with pytest.raises(UnreadableRecording, match="Convert it to H"):
        video.probe(path)


@pytest.mark.parametrize("side", [9_000, 60_000])
@pytest.mark.parametrize("container", ["avi", "mp4"])
def test_absurd_sizes_are_refused_before_decoding(tmp_path, monkeypatch, container, side):
    path = video_files.video(tmp_path / "recording", container=container, codec="mjpeg", seconds=1)
    data = path.read_bytes().replace(struct.pack("<II", 160, 120), struct.pack("<II", side, side))
    data = data.replace(struct.pack(">HHI", 160, 120, 0x480000), struct.pack(">HHI", side, side, 0x480000))
    path.write_bytes(
        data.replace(struct.pack(">BHH", 8, 120, 160), struct.pack(">BHH", 8, side, side))
    )  # in the pictures too
    monkeypatch.setattr(VideoFile, "decode", lambda file, packet: pytest.fail("decoded"))
    with pytest.raises(RecordingOutOfLimits, match="no sensible size"):
        video_reader.probe(path)


def test_a_picture_larger_than_the_header_said_is_not_decoded(tmp_path):
    small = video_files.video(tmp_path / "small.ts", container="mpegts", seconds=2, rate=10)
    large = video_files.video(
        tmp_path / "large.ts", container="mpegts", size=(640, 480), times=[2 + n / 10 for n in range(20)]
    )
    path = tmp_path / "recording.ts"
    path.write_bytes(small.read_bytes() + large.read_bytes())
    info = video.probe(path)
    frames = list(video.sample_frames(path, info, Segment(0, 0.0, 4.0), 1.0))
    assert {frame.image.shape for frame in frames} == {(120, 160, 3)}, "every frame has the size of the recording"
    assert [video_files.number_of(frame.image) for frame in frames] == [0, 10, 0, 10]


@pytest.mark.parametrize(
    ("made", "limits", "says"),
    [
        ({}, {"pixels": 100 * 100}, "160 x 120 pixels"),
        ({"sound": True}, {"streams": 1}, "2 streams"),
        ({"times": [n / 100_000 for n in range(50)], "rate": 100_000}, {}, "100000 pictures a second"),
        ({"times": [0, 13 * 3600]}, {}, "13 hours"),
        ({"times": [0, 13 * 3600], "container": "matroska"}, {}, "13 hours"),
    ],
    ids=["pixels", "streams", "rate", "duration", "duration without a header"],
)
def test_limits(tmp_path, made, limits, says):
    path = video_files.video(tmp_path / "recording.mp4", **made)
    with pytest.raises(RecordingOutOfLimits, match=says):
        video.probe(path, Limits(**limits))


def test_an_absurd_rate_in_the_header_alone_does_not_matter(tmp_path):
    path = video_files.video(
        tmp_path / "browser.mkv", container="matroska", rate=30_000, times=[n / 10 for n in range(30)]
    )
    assert video.probe(path).fps == pytest.approx(10, abs=0.1)
    assert numbers(path, Segment(0, 0.0, 3.0)) == [0, 10, 20]


@pytest.mark.parametrize(
    ("codec", "container"),
    [("h264", "mp4"), ("h264", "matroska"), ("hevc", "mpegts"), ("mpeg4", "avi"), ("vp9", "webm")],
)
def test_random_damage_never_gives_any_other_error(tmp_path, codec, container):
    good = video_files.video(
        tmp_path / "recording", codec=codec, container=container, seconds=2, gop=7, size=(64, 48)
    ).read_bytes()
    chance = np.random.default_rng(7)
    outcomes = set()
    for _ in range(40):
        data = np.frombuffer(good, np.uint8).copy()
        reach = int(chance.choice([400, 4000, data.size]))
        places = chance.integers(0, min(reach, data.size), chance.integers(1, 20))
        data[places] = chance.choice([0, 127, 128, 255, int(chance.integers(256))], places.size)
        path = tmp_path / "damaged"
        path.write_bytes(data.tobytes())
        try:
            info = video.probe(path)
            for segment in video.plan_segments(path, info, 1.0)[:5]:
                assert all(
                    frame.image.shape == (info.height, info.width, 3)
                    for frame in video.sample_frames(path, info, segment, 0.5)
                )
            outcomes.add("read")
        except RecognitionError:
            outcomes.add("refused")
    assert outcomes == {"read", "refused"}
