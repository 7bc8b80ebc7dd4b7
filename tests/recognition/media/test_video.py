"""What users rely on when a recording is read: the right moments, upright, from every usual format, whole or by
segments.
"""

from datetime import UTC, datetime
from itertools import accumulate, cycle, takewhile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from recognition.media import video, video_reader
from recognition.media.container import VideoFile
from recognition.types import Segment
from tests.recognition import video_files

FORMATS = [
    *(
        (codec, container)
        for codec in ("h264", "hevc", "mpeg4", "mjpeg", "vp9", "av1")
        for container in ("mp4", "matroska")
    ),
    *((codec, "mov") for codec in ("h264", "hevc", "mpeg4", "mjpeg")),
    *((codec, "avi") for codec in ("h264", "mpeg4", "mjpeg", "vp9", "av1")),
    *((codec, "mpegts") for codec in ("h264", "hevc", "mpeg4")),
    ("vp9", "webm"),
    ("av1", "webm"),
]


def sampled(path: Path, every: float, segment: Segment | None = None) -> list[tuple[float, int]]:
    """(time, number of the picture) of every frame sampled from the segment, or from the whole recording."""
    info = video.probe(path)
    segment = segment or Segment(0, 0.0, info.duration)
    return [
        (round(frame.time, 3), video_files.number_of(frame.image))
        for frame in video.sample_frames(path, info, segment, every)
    ]


def by_segments(path: Path, every: float, seconds: float) -> list[tuple[float, int]]:
    return [
        found
        for segment in video.plan_segments(path, video.probe(path), seconds)
        for found in sampled(path, every, segment)
    ]


@pytest.mark.parametrize("gop", [10, 40], ids=["near key frames", "far key frames"])
@pytest.mark.parametrize(("codec", "container"), FORMATS)
def test_every_format_gives_the_right_moments(tmp_path, codec, container, gop):
    path = video_files.video(tmp_path / "recording", codec=codec, container=container, gop=gop)
    info = video.probe(path)
    assert (info.codec, info.width, info.height, info.rotation, info.is_photo) == (codec, 160, 120, 0, False)
    assert info.container == {"mp4": "mov", "webm": "matroska"}.get(container, container)
    assert info.fps == pytest.approx(10, abs=0.1)
    assert info.duration == pytest.approx(6, abs=0.11)
    found = sampled(path, 1.0)
    assert 6 <= len(found) <= 7
    slack = 0.11 if container == "avi" else 0.002  # an AVI has no presentation times: they may be a picture off
    for time, number in found:
        assert number / 10 == pytest.approx(time, abs=slack)
    for i, (time, _) in enumerate(found):
        assert abs(time - i) <= 0.5


def test_only_near_key_frames_are_decoded(tmp_path):
    path = video_files.video(tmp_path / "recording.mp4", seconds=12, gop=20)
    assert sampled(path, 2.0) == [(t, t * 10) for t in range(0, 12, 2)]
    assert sampled(path, 1.8) == [(t, t * 10) for t in range(0, 12, 2)], (
        "a little farther apart than asked for is near enough"
    )
    assert len(sampled(path, 1.0)) > 10


def test_pictures_that_are_all_key_frames_are_not_all_decoded(tmp_path, monkeypatch):
    path = video_files.video(tmp_path / "recording.avi", codec="mjpeg", seconds=8)
    info = video.probe(path)
    decoded = []
    decode = VideoFile.decode
    monkeypatch.setattr(VideoFile, "decode", lambda file, packet: decoded.append(packet) or decode(file, packet))
    frames = list(video_reader.sample_frames(path, info, Segment(0, 0.0, info.duration), 2.0))
    assert len(frames) == 5
    assert len([packet for packet in decoded if packet]) == 5


@pytest.mark.parametrize("every", [0.3, 0.7, 1.0, 2.0])
@pytest.mark.parametrize(
    "made",
    [
        {"gop": 10},
        {"gop": 7},
        {"gop": 25, "b_frames": 3, "options": {"open_gop": "1"}},
        {"gop": 500},
        {"gop": 25, "b_frames": 2, "container": "mpegts"},
        {"gop": 25, "codec": "hevc", "b_frames": 3, "container": "matroska"},
        {"gop": 25, "codec": "mpeg4", "b_frames": 2, "container": "avi"},
        {"gop": 25, "container": "matroska", "container_options": {"live": "1"}},
        {"gop": 30, "codec": "vp9", "container": "webm"},
        {"times": [0, 0.1, 0.2, 0.9, 3, 3.1, 3.2, 5.5, 5.6, 9, 9.1, 9.5, 9.9, 12, 12.1], "gop": 4},
    ],
    ids=lambda made: "-".join(map(str, made.values()))[:40],
)
def test_segments_give_the_same_moments_as_the_whole(tmp_path, made, every):
    path = video_files.video(tmp_path / "recording", **{"container": "mp4", "seconds": 12.0, **made})
    whole = sampled(path, every)
    assert whole == sorted(set(whole))
    for seconds in (1.0, 2.5, 4.0):
        assert by_segments(path, every, seconds) == whole


def test_borders_that_were_stored_in_milliseconds_change_nothing(tmp_path):
    path = video_files.video(tmp_path / "recording.mp4", rate=30, seconds=12, gop=19)
    segments = [
        Segment(s.index, round(s.start, 3), round(s.end, 3)) for s in video.plan_segments(path, video.probe(path), 2.0)
    ]
    assert [found for segment in segments for found in sampled(path, 0.5, segment)] == sampled(path, 0.5)


def test_open_groups_and_b_frames_show_what_belongs_to_their_time(tmp_path):
    path = video_files.video(tmp_path / "recording.mp4", seconds=20, gop=50, b_frames=3, options={"open_gop": "1"})
    found = sampled(path, 0.5)
    assert len(found) >= 39
    assert all(number / 10 == pytest.approx(time, abs=0.002) for time, number in found)


def test_variable_frame_rate(tmp_path):
    times = [0, 0.1, 0.2, 0.3, 4.05, 4.1, 4.2, 9.5, 9.6, 20]
    for container in ("mp4", "matroska", "mpegts"):
        path = video_files.video(tmp_path / container, container=container, times=times, gop=100)
        found = sampled(path, 1.0)
        assert [number for _, number in found] == [3, 6, 8, 9]
        assert [time for time, _ in found] == pytest.approx([times[number] for _, number in found], abs=0.002)


@pytest.mark.parametrize("container", ["mp4", "matroska", "mpegts", "mov"])
@pytest.mark.parametrize("gop", [10, 40])
def test_times_begin_at_0_wherever_the_clock_began(tmp_path, container, gop):
    path = video_files.video(
        tmp_path / "recording", container=container, times=[100 + n / 10 for n in range(60)], gop=gop, b_frames=2
    )
    assert video.probe(path).duration == pytest.approx(6, abs=0.11)
    found = sampled(path, 1.0)
    assert all(number / 10 == pytest.approx(time, abs=0.002) for time, number in found)
    assert by_segments(path, 1.0, 2.0) == found
    assert len(found) >= 6


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_turned_recordings_come_out_upright(tmp_path, rotation):
    path = video_files.video(tmp_path / "phone.mp4", rotation=rotation, seconds=2)
    info = video.probe(path)
    assert (info.rotation, info.width, info.height) == (rotation, 160, 120)
    frames = list(video.sample_frames(path, info, Segment(0, 0.0, 2.0), 1.0))
    assert [video_files.number_of(frame.image) for frame in frames] == [0, 10]
    for frame in frames:
        assert frame.image.shape == (120, 160, 3)
        assert frame.image.dtype == "uint8"
        assert frame.image.flags["C_CONTIGUOUS"]


@pytest.mark.parametrize(
    ("codec", "size"), [("h264", (161, 121)), ("vp9", (99, 67)), ("mpeg4", (63, 63)), ("h264", (1918, 1078))]
)
def test_odd_sizes(tmp_path, codec, size):
    path = video_files.video(tmp_path / "recording.mp4", codec=codec, size=size, seconds=1)
    info = video.probe(path)
    assert (info.width, info.height) == size
    (frame,) = video.sample_frames(path, info, Segment(0, 0.0, 1.0), 2.0)
    assert frame.image.shape == (size[1], size[0], 3)
    assert frame.image.flags["C_CONTIGUOUS"]
    assert video_files.number_of(frame.image) == 0


def test_sound_does_not_disturb(tmp_path):
    path = video_files.video(tmp_path / "recording.mkv", container="matroska", sound=True, gop=10)
    assert sampled(path, 1.0) == [(t, t * 10) for t in range(6)]


def test_the_camera_s_clock_is_kept(tmp_path):
    path = video_files.video(
        tmp_path / "recording.mp4", seconds=1, metadata={"creation_time": "2026-10-05T08:15:00.000000Z"}
    )
    assert video.probe(path).started_at == datetime(2026, 10, 5, 8, 15, tzinfo=UTC)
    assert video.probe(video_files.video(tmp_path / "none.mp4", seconds=1)).started_at is None
    strange = video_files.video(
        tmp_path / "strange.mkv", seconds=1, container="matroska", metadata={"creation_time": "teatime"}
    )
    assert video.probe(strange).started_at is None


@pytest.mark.parametrize("container", ["matroska", "webm"])
def test_a_recording_that_was_never_closed_has_its_true_length(tmp_path, container):
    codec = "vp9" if container == "webm" else "h264"
    path = video_files.video(
        tmp_path / "live",
        codec=codec,
        container=container,
        container_options={"live": "1"},
        sound=container == "matroska",
    )
    assert video.probe(path).duration == pytest.approx(6, abs=0.11)
    assert len(by_segments(path, 1.0, 2.0)) == 6


def test_a_fragmented_mp4_is_read_like_any_other(tmp_path):
    path = video_files.video(tmp_path / "recording.mp4", container_options={"movflags": "frag_keyframe+empty_moov"})
    assert video.probe(path).duration == pytest.approx(6, abs=0.11)
    assert by_segments(path, 1.0, 2.0) == [(t, t * 10) for t in range(6)]


@pytest.mark.parametrize("container", ["mp4", "matroska", "mpegts", "avi"])
def test_a_single_picture_is_a_recording(tmp_path, container):
    path = video_files.video(tmp_path / "recording", container=container, codec="mpeg4", seconds=0.1)
    info = video.probe(path)
    assert video.plan_segments(path, info) == [Segment(0, 0.0, info.duration)]
    assert [number for _, number in sampled(path, 2.0)] == [0]


@pytest.mark.parametrize("container", ["mp4", "matroska", "mpegts", "avi"])
def test_segments_start_on_key_frames(tmp_path, container):
    path = video_files.video(
        tmp_path / "recording", container=container, codec="mpeg4", seconds=100, gop=7, size=(48, 48)
    )
    info = video.probe(path)
    segments = video.plan_segments(path, info, 10.0)
    assert [segment.index for segment in segments] == list(range(len(segments)))
    for segment in segments[1:]:
        assert segment.start / 0.7 == pytest.approx(round(segment.start / 0.7), abs=0.01)
    lengths = [segment.end - segment.start for segment in segments]
    assert all(8 < length < 13.5 for length in lengths[:-1])
    assert 3 < lengths[-1] < 13.5


def test_the_next_key_frame_will_do_where_none_is_before(tmp_path):
    path = video_files.video(tmp_path / "recording.mp4", seconds=48, gop=160, size=(48, 48))
    assert [segment.start for segment in video.plan_segments(path, video.probe(path), 10.0)] == [0.0, 16.0, 32.0]


@settings(deadline=None)
@given(
    duration=st.floats(0.04, 50_000),
    seconds=st.floats(1, 600),
    gaps=st.lists(st.floats(0.02, 700), min_size=1, max_size=20),
)
@example(duration=60.0, seconds=45.0, gaps=[59.9])
@example(duration=81.0, seconds=60.0, gaps=[1000.0])
def test_segments_cover_the_recording(duration, seconds, gaps):
    duration = min(duration, 200 * seconds)
    key_times = list(takewhile(lambda time: time < duration, accumulate(cycle(gaps), initial=0.0)))
    cuts = video_reader._cuts(duration, seconds, key_times)
    assert cuts[0] == 0.0
    lengths = [end - start for start, end in zip(cuts, [*cuts[1:], duration], strict=True)]
    assert sum(lengths) == pytest.approx(duration)
    longest = max(video_reader.MAX_SEGMENT_SECONDS, 4 / 3 * seconds)
    assert all(length <= longest + max(seconds / 3, 1e-6) for length in lengths)
    assert all(length >= seconds / 3 - 1e-6 for length in lengths) or len(lengths) == 1


def test_real_clips(shared_data):
    for name, size, seconds in [
        ("street_walking_1080p.mp4", (1920, 1080), 4.2),
        ("short_hamilton_clip.mp4", (640, 360), 10.02),
        ("classroom.mp4", (480, 270), 2.7),
        ("two_people_head_pose.mp4", (480, 270), 4.48),
    ]:
        path = shared_data / "clips" / name
        info = video.probe(path)
        assert (info.width, info.height) == size
        assert info.duration == pytest.approx(seconds, abs=0.05)
        times = [frame.time for frame in video.sample_frames(path, info, Segment(0, 0.0, info.duration), 1.0)]
        assert seconds - 1 <= len(times) <= seconds + 2
        assert all(0 <= time < info.duration for time in times)
