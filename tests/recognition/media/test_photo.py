"""A photo is a recording of one frame, upright, whatever its format and name."""

from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction

import av
import numpy as np
import pillow_heif
import pytest
from PIL import ExifTags, Image, ImageOps

from recognition.errors import RecordingOutOfLimits, UnreadableRecording
from recognition.media import photo, video
from recognition.media.limits import Limits
from recognition.types import Segment
from tests.recognition import video_files

pillow_heif.register_heif_opener()

TURNS = {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: 3, 4: Image.Transpose.FLIP_TOP_BOTTOM}


def saved(path, image_format="JPEG", image=None, **options):
    (image or Image.fromarray(video_files.picture(77))).save(path, format=image_format, **options)
    return path


def read(path):
    info = video.probe(path)
    assert info.is_photo
    (segment,) = video.plan_segments(path, info)
    assert segment == Segment(0, 0.0, 0.0)
    (frame,) = video.sample_frames(path, info, segment)
    assert frame.time == 0.0
    assert frame.image.shape == (info.height, info.width, 3)
    assert frame.image.dtype == np.uint8
    assert frame.image.flags["C_CONTIGUOUS"]
    return info, frame.image


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "HEIF"])
def test_formats(tmp_path, image_format):
    info, image = read(saved(tmp_path / "photo.mp4", image_format))
    assert info.container == info.codec == image_format.lower()
    assert (info.width, info.height, info.fps, info.duration, info.rotation) == (160, 120, 0.0, 0.0, 0)
    assert video_files.number_of(image) == 77


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "1"])
def test_every_kind_of_colour_becomes_rgb(tmp_path, mode):
    image = Image.fromarray(video_files.picture(5)).convert(mode)
    _, seen = read(saved(tmp_path / "photo", "JPEG" if mode == "CMYK" else "PNG", image))
    if mode in ("P", "RGBA", "CMYK"):
        assert video_files.number_of(seen) == 5


def jpeg2000(path, pixel_format, picture):
    """Pillow writes no colours of more than 8 bits; FFmpeg does."""
    encoder = av.CodecContext.create("jpeg2000", "w")
    encoder.height, encoder.width = picture.shape[:2]
    encoder.pix_fmt, encoder.time_base = pixel_format, Fraction(1, 25)
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=pixel_format)
    path.write_bytes(b"".join(bytes(packet) for packet in [*encoder.encode(frame), *encoder.encode(None)]))
    return path


@pytest.mark.parametrize(
    "pixel_format",
    ["rgb24", "gray", "gray12le", "gray16le", "rgba", "gbrp10le", "gbrp12le", "rgb48le", "rgba64le", "gbrap12le"],
)
def test_jpeg_2000_of_any_depth(tmp_path, pixel_format):
    picture = video_files.picture(77)
    picture[:16, :16], picture[-16:, -16:] = 255, 0
    info, image = read(jpeg2000(tmp_path / "photo.jp2", pixel_format, picture))
    assert info.codec == "jpeg2000"
    wanted = picture
    if pixel_format.startswith("gray"):
        wanted = np.asarray(Image.fromarray(picture).convert("L").convert("RGB"))
    assert np.abs(image.astype(int) - wanted).mean() < 3
    assert image[8, 8].min() > 250
    assert image[-8, -8].max() < 5


def test_inks_of_more_than_8_bits_in_jpeg_2000(tmp_path):
    path = jpeg2000(tmp_path / "photo.jp2", "rgba64le", np.full((32, 32, 3), (0, 255, 255), np.uint8))
    colours = b"colr\x01\0\0\0\0\0"
    assert path.read_bytes().count(colours) == 1
    path.write_bytes(path.read_bytes().replace(colours + b"\x10", colours + b"\x0c"))  # CMYK in place of sRGB
    _, image = read(path)
    assert image.max() == 0  # no cyan, but all of the black


@pytest.mark.parametrize("pixel_format", ["rgb24", "rgb48le"])
def test_damaged_jpeg_2000(tmp_path, pixel_format):
    noise = np.random.default_rng(1).integers(0, 255, (300, 400, 3), np.uint8)
    path = jpeg2000(tmp_path / "photo.jp2", pixel_format, noise)
    whole = path.read_bytes()
    for length in (60, 150, 400):
        path.write_bytes(whole[:length])
        with pytest.raises(UnreadableRecording):
            photo.read_photo(path)


def test_a_picture_that_is_larger_than_its_head_says_is_not_decoded(tmp_path):
    path = jpeg2000(tmp_path / "photo.jp2", "rgb48le", np.zeros((300, 400, 3), np.uint8))
    head = (300).to_bytes(4, "big") + (400).to_bytes(4, "big")
    content = path.read_bytes()
    assert content.count(head) == 1
    path.write_bytes(content.replace(head, (30).to_bytes(4, "big") + (40).to_bytes(4, "big")))
    with pytest.raises((UnreadableRecording, RecordingOutOfLimits)):
        photo.read_photo(path, max_pixels=10_000)


@pytest.mark.parametrize("brand", ["msf1", "hevc"])
def test_a_series_of_photos_is_named(tmp_path, brand):
    path = tmp_path / "photo.heics"
    with av.open(path, "w", format="mp4", options={"brand": brand}) as file:
        stream = file.add_stream("libx265", rate=5, options={"x265-params": "log-level=none:bframes=0"})
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for number in (1, 2):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(video_files.picture(number), format="rgb24")))
        file.mux(stream.encode(None))
    with pytest.raises(UnreadableRecording, match="a series of photos in one file"):
        video.probe(path)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP"])
def test_the_orientation_that_the_camera_noted_is_applied(tmp_path, image_format, orientation):
    upright = Image.fromarray(video_files.picture(300))
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = {6: 8, 8: 6}.get(orientation, orientation)  # what undoes the orientation
    turned = upright.copy()
    turned.getexif().update(exif)
    turned = ImageOps.exif_transpose(turned)
    exif[ExifTags.Base.Orientation] = orientation
    info, image = read(saved(tmp_path / "photo", image_format, turned, exif=exif))
    assert (info.width, info.height) == (160, 120)
    assert video_files.number_of(image) == 300


def test_the_time_is_known_where_its_zone_is(tmp_path):
    exif = Image.Exif()
    details = exif.get_ifd(ExifTags.IFD.Exif)
    details[ExifTags.Base.DateTimeOriginal] = "2026:10:05 10:15:00"
    assert read(saved(tmp_path / "no-zone.jpg", exif=exif))[0].started_at is None
    details[ExifTags.Base.OffsetTimeOriginal] = "+02:00"
    taken = read(saved(tmp_path / "zone.jpg", exif=exif))[0].started_at
    assert taken == datetime(2026, 10, 5, 10, 15, tzinfo=timezone(timedelta(hours=2)))
    assert taken.astimezone(UTC).hour == 8


def test_of_an_animated_image_the_first_picture_counts(tmp_path):
    rest = [Image.fromarray(video_files.picture(n)) for n in (1, 2)]
    _, image = read(saved(tmp_path / "photo.webp", "WEBP", save_all=True, append_images=rest, duration=100))
    assert video_files.number_of(image) == 77


@pytest.mark.parametrize("image_format", ["JPEG", "PNG", "WEBP", "HEIF"])
def test_a_damaged_photo(tmp_path, image_format):
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 255, (300, 400, 3), np.uint8))
    path = saved(tmp_path / "photo", image_format, noise)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UnreadableRecording, match="damaged or incomplete"):
        video.probe(path)


def test_a_bomb_is_refused_before_it_is_decoded(tmp_path):
    path = tmp_path / "photo.png"
    Image.new("1", (40_000, 30_000)).save(path)
    assert path.stat().st_size < 200_000
    with pytest.raises(RecordingOutOfLimits, match=r"absurdly large|pixels"):
        video.probe(path)
    Image.new("1", (9_000, 8_000)).save(path)
    with pytest.raises(RecordingOutOfLimits, match="9000 x 8000 pixels"):
        photo.read_photo(path)
    with pytest.raises(RecordingOutOfLimits, match="160 x 120"):
        video.probe(saved(tmp_path / "small.jpg"), Limits(photo_pixels=10_000))


def test_real_photos(shared_data):
    for path in sorted((shared_data / "photos").glob("*.jpg")):
        info, image = read(path)
        assert info.codec == "jpeg"
        assert image.std() > 10
