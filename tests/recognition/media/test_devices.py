"""What recorders, phones and lecture capture write: the right moments and the right shape, or the true reason."""

import struct
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from recognition.errors import UnreadableRecording
from recognition.media import video
from recognition.media.photo import read_photo
from recognition.types import Frame, Segment, VideoInfo
from tests.recognition import video_files


def frames(path: Path, every: float = 1.0) -> list[Frame]:
    info = video.probe(path)
    segments = video.plan_segments(path, info, 4.0)
    return [frame for segment in segments for frame in video.sample_frames(path, info, segment, every)]


def moments(path: Path, every: float = 1.0) -> list[tuple[float, int]]:
    return [(round(frame.time, 2), video_files.number_of(frame.image)) for frame in frames(path, every)]


def remuxed(source: Path, path: Path, container: str) -> Path:
    """The same pictures in another container."""
    with av.open(str(source)) as read, av.open(str(path), "w", format=container) as out:
        video_stream = read.streams.video[0]
        stream = out.add_stream_from_template(video_stream)
        for packet in read.demux(video_stream) if container == "flv" else annex_b(read):
            if packet.size:
                packet.stream = stream
                out.mux(packet)
    return path


def annex_b(container: Any) -> Iterator[av.Packet]:
    """H.264 as it is outside of MP4: with start codes."""
    stream = container.streams.video[0]
    to_annex_b = av.BitStreamFilterContext("h264_mp4toannexb", stream)
    for packet in container.demux(stream):
        yield from to_annex_b.filter(packet if packet.size else None)


def set_display_matrix(path: Path, *matrix: int) -> Path:
    """Write a, b, c and d of the track's display matrix (ISO 14496-12, 8.3.2)."""
    data = bytearray(path.read_bytes())
    header = data.find(b"tkhd")
    start = header + 4 + (24 if data[header + 4] == 0 else 36) + 16
    a, b, c, d = (value << 16 for value in matrix)
    data[start : start + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(("stored", "aspect"), [((80, 120), "2/1"), ((160, 60), "1/2"), ((120, 120), "4/3")])
@pytest.mark.parametrize("container", ["mp4", "matroska", "mpegts"])
def test_pixels_that_are_not_square_are_stretched(tmp_path, container, stored, aspect):
    source = video_files.video(tmp_path / "square", container=container, size=stored)
    path = tmp_path / "recorder"
    with av.open(str(source)) as read, av.open(str(path), "w", format=container) as out:
        stream = out.add_stream("libx264", rate=10)
        stream.width, stream.height = stored
        stream.pix_fmt = "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(aspect)
        for frame in read.decode(video=0):
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    info = video.probe(path)
    assert (info.width, info.height) == (160, 120)
    assert {frame.image.shape for frame in frames(path)} == {(120, 160, 3)}
    assert [number for _, number in moments(path)] == [0, 10, 20, 30, 40, 50]


@pytest.mark.parametrize(
    ("matrix", "stored"),
    [
        ((1, 0, 0, 1), lambda image: image),
        ((-1, 0, 0, 1), lambda image: image[:, ::-1]),
        ((1, 0, 0, -1), lambda image: image[::-1]),
        ((-1, 0, 0, -1), lambda image: image[::-1, ::-1]),
        ((0, 1, -1, 0), lambda image: np.rot90(image)),
        ((0, -1, 1, 0), lambda image: np.rot90(image, -1)),
        ((0, 1, 1, 0), lambda image: image.transpose(1, 0, 2)),
        ((0, -1, -1, 0), lambda image: np.rot90(image.transpose(1, 0, 2), 2)),
    ],
)
def test_every_turn_and_mirror_comes_out_upright(tmp_path, matrix, stored):
    image = np.ascontiguousarray(stored(video_files.picture(5)))
    path = video_files.video_of(tmp_path / "phone.mp4", [image] * 20)
    set_display_matrix(path, *matrix)
    info = video.probe(path)
    assert (info.width, info.height) == (160, 120)
    assert {video_files.number_of(frame.image) for frame in frames(path)} == {5}


def test_an_intra_refresh_gives_whole_pictures_of_their_moment(tmp_path):
    options = {"x264-params": "intra-refresh=1:keyint=20:bframes=0:scenecut=0"}
    path = video_files.video(tmp_path / "camera.mp4", seconds=20, gop=20, options=options)
    assert video.probe(path).preroll > 0
    found = moments(path)
    assert len(found) >= 19
    assert all(number / 10 == pytest.approx(time, abs=0.01) for time, number in found)


@pytest.mark.parametrize("gop", [10, 40])
def test_a_clock_that_starts_again_goes_on(tmp_path, gop):
    first = video_files.video(tmp_path / "1.ts", container="mpegts", seconds=8, gop=gop)
    second = video_files.video(
        tmp_path / "2.ts", container="mpegts", times=[n / 10 for n in range(80)], gop=gop, b_frames=1
    )
    path = tmp_path / "joined.ts"
    path.write_bytes(first.read_bytes() + second.read_bytes())
    info = video.probe(path)
    assert info.duration == pytest.approx(16, abs=0.6)
    assert len(info.runs) == 2
    found = moments(path)
    assert [time for time, _ in found] == sorted(time for time, _ in found)
    assert all(number / 10 == pytest.approx(time, abs=0.01) for time, number in found if time < 7.9)
    later = [(time, number) for time, number in found if time >= info.runs[1].start - 0.01]
    assert len(later) >= 7
    assert all(number / 10 == pytest.approx(time - info.runs[1].start, abs=0.15) for time, number in later)


def test_a_pause_of_the_recorder_is_a_gap(tmp_path):
    times = [n / 10 for n in range(50)] + [60 + n / 10 for n in range(50)]
    info = video.probe(video_files.video(tmp_path / "recorder.mkv", container="matroska", times=times))
    assert info.duration == pytest.approx(65, abs=0.2)
    ((start, end),) = info.gaps
    assert (start, end) == pytest.approx((5, 60), abs=1.1)


@pytest.mark.parametrize("container", ["mp4", "matroska", "mpegts"])
def test_a_camera_that_began_after_the_sound_did_so_in_every_container(tmp_path, container):
    path = video_files.video(tmp_path / "late", container=container, times=[12 + n / 10 for n in range(40)], sound=True)
    assert video.probe(path).duration == pytest.approx(16, abs=0.2)
    assert [time for time, _ in moments(path)] == pytest.approx([12, 13, 14, 15], abs=0.15)


def test_segments_start_on_key_frames_alone_so_that_nothing_is_decoded_twice(tmp_path):
    path = video_files.video(tmp_path / "recorder.mp4", seconds=40, gop=1000)
    info = video.probe(path)
    assert video.plan_segments(path, info, 4.0) == [Segment(0, 0.0, info.duration)]
    assert [number for _, number in moments(path)] == [*(10 * n + 4 for n in range(40)), 399]


@pytest.mark.parametrize("head", [b"", b"IMKH\x01\x01" + bytes(34)], ids=["plain", "Hikvision"])
def test_a_program_stream_whatever_its_name_and_head(tmp_path, head):
    source = video_files.video(tmp_path / "source.mp4", seconds=8, size=(640, 480))
    path = tmp_path / "recorder.mp4"
    path.write_bytes(head + remuxed(source, tmp_path / "plain.mpg", "vob").read_bytes())
    assert video.probe(path).container == "mpeg"
    assert moments(path) == [(n, 10 * n) for n in range(8)]


def dahua_file(source: Path, path: Path) -> Path:
    """H.264 in Dahua's container, as FFmpeg's reader understands it (libavformat/dhav.c). Its stamps of 16 bits are
    those of pictures that are stored before the ones that are shown earlier, so the reader's times jump."""
    with av.open(str(source)) as read, path.open("wb") as out:
        for number, unit in enumerate(annex_b(read)):
            seconds = float(unit.pts * unit.time_base)
            day = (2026 - 2000) << 26 | 11 << 22 | 23 << 17 | 10 << 12 | 15 << 6 | int(seconds)
            about = bytes([0x81, 0, 2, 10, 0x80, 0, 160 // 8, 120 // 8])  # H.264, 10 pictures a second; the size
            length = 24 + len(about) + len(bytes(unit)) + 8
            head = b"DHAV" + bytes([0xFD if unit.is_keyframe else 0xFC, 0, 0, 0])
            head += struct.pack("<IIIHB", number, length, day, int(seconds * 1000) & 0xFFFF, len(about))
            out.write(head + bytes([sum(head) & 0xFF]) + about + bytes(unit) + b"dhav" + struct.pack("<I", length))
    return path


@pytest.mark.parametrize("b_frames", [0, 2])
def test_a_file_of_a_dahua_recorder(tmp_path, b_frames):
    source = video_files.video(tmp_path / "source.mp4", seconds=8, gop=20, b_frames=b_frames)
    path = dahua_file(source, tmp_path / "recorder.dav")
    info = video.probe(path)
    assert (info.container, info.duration) == ("dhav", pytest.approx(8, abs=0.2))
    assert [number for _, number in moments(path)] == [*(10 * n + 4 for n in range(8)), 79]


def test_a_flash_video(tmp_path):
    path = remuxed(video_files.video(tmp_path / "source.mp4", seconds=8), tmp_path / "recording", "flv")
    assert video.probe(path).container == "flv"
    assert moments(path) == [(n, 10 * n) for n in range(8)]


@pytest.mark.parametrize("stored", ["start codes", "lengths"])
def test_h264_in_asf(tmp_path, stored):
    source = video_files.video(tmp_path / "source.mp4", seconds=8)
    path = tmp_path / "recorder.asf"
    if stored == "start codes":
        remuxed(source, path, "asf")
    else:
        with av.open(str(source)) as read, av.open(str(path), "w", format="asf") as out:
            stream = out.add_stream_from_template(read.streams.video[0])
            for packet in read.demux(video=0):
                if packet.size:
                    packet.stream = stream
                    out.mux(packet)
    assert video.probe(path).container == "asf"
    assert moments(path) == [(n, 10 * n) for n in range(8)]


@pytest.mark.parametrize(("codec", "pixels"), [("mpeg2video", "yuv420p"), ("libx264", "yuv420p")])
def test_material_exchange_format(tmp_path, codec, pixels):
    path = tmp_path / "camera.mxf"
    with av.open(str(path), "w", format="mxf") as out:
        stream = out.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 120, pixels
        stream.codec_context.gop_size, stream.codec_context.max_b_frames = 25, 0
        for number in range(200):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(video_files.picture(number), format="rgb24")))
        out.mux(stream.encode(None))
    assert video.probe(path).container == "mxf"
    assert moments(path) == [(n, 25 * n) for n in range(8)]


def test_pictures_of_a_camera_without_a_container_are_no_photo(tmp_path):
    path = video_files.video(tmp_path / "camera.jpg", codec="mjpeg", container="mjpeg", rate=25, seconds=8)
    info = video.probe(path)
    assert (info.container, info.is_photo) == ("mjpeg", False)
    assert len(moments(path)) >= 8


def test_a_stream_without_a_container_has_the_usual_25_pictures_a_second(tmp_path):
    source = video_files.video(tmp_path / "source.mp4", seconds=8, rate=25, gop=25)
    path = remuxed(source, tmp_path / "camera.264", "h264")
    assert video.probe(path).duration == pytest.approx(8, abs=0.1)
    assert moments(path) == [(n, 25 * n) for n in range(8)]


def test_of_two_streams_the_largest_unless_another_is_chosen(tmp_path):
    slides = video_files.video(tmp_path / "slides.mp4", times=[n / 10 for n in range(20)], size=(320, 240))
    camera = video_files.video(tmp_path / "camera.mp4", times=[n / 10 for n in range(20)])
    path = video_files.with_streams(tmp_path / "capture.mkv", slides, camera)
    info = video.probe(path)
    assert (info.width, info.stream, info.other_streams) == (320, 0, (1,))
    assert video.probe(path, stream=1).width == 160


def test_what_is_known_of_a_file_survives_json(tmp_path):
    info = video.probe(
        video_files.video(tmp_path / "recording.mp4", metadata={"creation_time": "2026-10-05T08:15:00Z"})
    )
    assert VideoInfo.from_json(info.to_json()) == info


@pytest.mark.parametrize("image_format", ["AVIF", "GIF", "TIFF", "BMP", "JPEG2000"])
def test_photos_of_other_kinds(tmp_path, image_format):
    path = tmp_path / "photo.jpg"
    Image.fromarray(video_files.picture(37)).save(path, image_format)
    image, kind, _taken = read_photo(path)
    assert (image.shape, kind) == ((120, 160, 3), image_format.lower())
    assert video_files.number_of(image) == 37
    assert video.probe(path).is_photo


def test_a_photo_with_two_pictures(tmp_path):
    path = tmp_path / "phone.jpg"
    first, second = (Image.fromarray(video_files.picture(number)) for number in (1, 2))
    first.save(path, "MPO", save_all=True, append_images=[second])
    assert video_files.number_of(read_photo(path)[0]) == 1


@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_colour_photos_of_16_bits(tmp_path, suffix):
    path = tmp_path / f"camera.{suffix}"
    cv2.imwrite(str(path), video_files.picture(37)[..., ::-1].astype(np.uint16) * 257)
    assert video_files.number_of(read_photo(path)[0]) == 37


@pytest.mark.parametrize("image_format", ["GIF", "WEBP", "AVIF", "TIFF"])
def test_of_a_photo_that_moves_it_is_known_that_there_is_more(tmp_path, image_format):
    first, second = (Image.fromarray(video_files.picture(number)) for number in (1, 2))
    path = tmp_path / "photo"
    first.save(path, image_format)
    assert not video.probe(path).has_unread_pictures
    first.save(path, image_format, save_all=True, append_images=[second])
    info = video.probe(path)
    assert (info.is_photo, info.has_unread_pictures) == (True, True)


@pytest.mark.parametrize(("suffix", "depth"), [("png", np.uint16), ("tiff", np.uint16)])
def test_grey_photos_of_more_than_8_bits(tmp_path, suffix, depth):
    values = np.linspace(0, 4095, 64 * 48).reshape(48, 64).astype(depth)
    path = tmp_path / f"camera.{suffix}"
    Image.fromarray(values).save(path)
    image, *_ = read_photo(path)
    assert (image[0, 0].tolist(), image[-1, -1].tolist()) == ([0, 0, 0], [255, 255, 255])


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"PK\x03\x04" + bytes(100) + b"ppt/slides/slide1.xml", "This is a PowerPoint file"),
        (b"PK\x03\x04" + bytes(100), "This is a packed folder"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(100), "This is an Office file"),
        (b"ID3\x04" + bytes(100), "This is a sound file"),
        (b"<!DOCTYPE html><html>", "This is a web page"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "This is a drawing"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "This is a drawing"),
        (b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(100), "This is a JPEG XL picture"),
        (b"II*\0\x10\0\0\0CR\x02\0" + bytes(100), "This is a raw photo of a camera"),
        (b"\0\0\0\x18ftypcrx " + bytes(100), "This is a raw photo of a camera"),
        (b"FORM\0\0\1\0AIFF" + bytes(100), "This is a sound file"),
        (b"YUV4MPEG2 W160 H120" + bytes(100), "This is an uncompressed video"),
    ],
)
def test_what_is_no_recording_is_called_by_its_name(tmp_path, content, says):
    path = tmp_path / "lecture.mp4"
    path.write_bytes(content)
    for read in (video.probe, read_photo):
        with pytest.raises(UnreadableRecording, match=says):
            read(path)


def test_a_video_is_no_damaged_photo(tmp_path):
    with pytest.raises(UnreadableRecording, match="This is a video"):
        read_photo(video_files.video(tmp_path / "me.jpg", container="mp4", seconds=1))


def test_a_coding_that_is_not_read_is_named(tmp_path):
    path = tmp_path / "capture.mkv"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("ffv1", rate=10)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        out.mux(stream.encode(av.VideoFrame.from_ndarray(video_files.picture(1), format="rgb24")))
        out.mux(stream.encode(None))
    with pytest.raises(UnreadableRecording, match="FFV1"):
        video.probe(path)
