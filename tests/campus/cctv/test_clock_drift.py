"""Clock offsets measured by comparing file names with modification times."""

from datetime import UTC, datetime, timedelta

import pytest

from campus.cctv.clock_drift import clock_offset_from_files, measure_clock_offsets, save_measured_clock_offset
from campus.cctv.models import Camera, FootageFile, Source
from tests.campus import factories

pytestmark = pytest.mark.django_db

STARTS = datetime(2026, 11, 16, 9, 0, tzinfo=UTC)
LENGTH = timedelta(minutes=15)


@pytest.fixture
def camera() -> Camera:
    return factories.camera(
        source_=factories.source(pattern="{date:%Y%m%d}/{start:%H%M%S}.mp4", time_zone="Europe/Berlin")
    )


def create_files(camera: Camera, ahead: float, delays: list[float]) -> None:
    """Create consecutive files, named by a fast clock; each was last written `delay` seconds after its end."""
    for number, delay in enumerate(delays):
        starts = STARTS + number * LENGTH
        named = starts + timedelta(seconds=ahead, hours=1)  # in Berlin
        FootageFile.objects.create(
            source=camera.source,
            camera=camera,
            path=f"{named:%Y%m%d/%H%M%S}.mp4",
            state=FootageFile.State.STORED,
            starts_at=starts,
            info={"duration": LENGTH.total_seconds()},
            modified_at=starts + LENGTH + timedelta(seconds=delay),
            fetched_at=starts + LENGTH,
        )


@pytest.mark.parametrize("ahead", [0.0, 95.0, -240.0])
def test_files_written_until_their_end_show_the_offset(camera: Camera, ahead: float) -> None:
    create_files(camera, ahead, [1, 0, 2, 1, 0, 1])
    assert clock_offset_from_files(camera.source) == pytest.approx(ahead, abs=1)
    measure_clock_offsets()
    camera.source.refresh_from_db()
    assert camera.source.measured_clock_offset == pytest.approx(ahead, abs=1)
    assert camera.source.clock_measured_by == Source.ClockReference.FILES
    assert camera.source.clock_offset == 0  # a person decides


def test_a_few_files_copied_later_do_not_count(camera: Camera) -> None:
    create_files(camera, 30.0, [1, 3600, 0, 1, 7200, 2, 0])
    assert clock_offset_from_files(camera.source) == pytest.approx(30, abs=1)


@pytest.mark.parametrize("delays", [[], [0, 0, 0], [10, 250, 3600, 40, 900, 1800, 77, 5000]])
def test_files_that_disagree_give_no_offset(camera: Camera, delays: list[float]) -> None:
    create_files(camera, 30.0, delays)
    assert clock_offset_from_files(camera.source) is None


def test_an_implausible_offset_is_ignored(camera: Camera) -> None:
    save_measured_clock_offset(source_id=camera.source_id, ahead=-56 * 365 * 86400.0, by=Source.ClockReference.STREAM)
    camera.source.refresh_from_db()
    assert camera.source.measured_clock_offset is None
