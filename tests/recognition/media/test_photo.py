"""A photo is a recording of one frame, upright, whatever its format and name."""

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pillow_heif
import pytest
from PIL import ExifTags, Image, ImageOps

from recognition.errors import RecordingOutOfLimits, UnreadableRecording
from recognition.media import photo, video
from recognition.media.container import Limits
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
