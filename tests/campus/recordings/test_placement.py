"""Where a recording lies in its lecture."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from campus.academics.models import Lecture
from campus.recordings.placement import guess_offset, time_in_name
from recognition.types import VideoInfo
from tests.campus import factories

HOUR = 3600.0
OFFSET_SECONDS = st.integers(-2 * 3600, 2 * 3600)


def lecture(minutes: float = 90) -> Lecture:
    """Not saved: only its times count."""
    return Lecture(starts_at=factories.STARTS, ends_at=factories.STARTS + timedelta(minutes=minutes))


def info(started_at: datetime | None = None, duration: float = 1.5 * HOUR) -> VideoInfo:
    return VideoInfo.from_json(
        factories.INFO | {"duration": duration, "started_at": started_at and started_at.isoformat()}
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("VID_20261116_091500.mp4", "2026-11-16 09:15:00"),
        ("PXL_20261116_091500123.mp4", "2026-11-16 09:15:00"),
        ("20261116091500.mp4", "2026-11-16 09:15:00"),
        ("2026-11-16 09.15.00.mov", "2026-11-16 09:15:00"),
        ("WhatsApp Video 2026-11-16 at 10.15.00.mp4", "2026-11-16 10:15:00"),
        ("Aufnahme 16.11.2026 um 09-15.mp4", "2026-11-16 09:15:00"),
        ("20261116T091500Z.mp4", "2026-11-16 09:15:00"),
        ("2-9-2020, 9.21.12pm.mp4", "2020-09-02 21:21:12"),
        ("2-9-2020, 12.05.00am.mp4", "2020-09-02 00:05:00"),
        ("16 Nov 2026 09.15.mp4", "2026-11-16 09:15:00"),
        ("16. November 2026 09-15.mp4", "2026-11-16 09:15:00"),
        ("Vorlesung am 5. Maerz 2026 um 9.15 Uhr.mp4", "2026-03-05 09:15:00"),
        ("5. Ma\u0308rz 2026 um 09.15.mp4", "2026-03-05 09:15:00"),
        ("05-Dez-2026_0915.mp4", "2026-12-05 09:15:00"),
        ("Nov 16, 2026, 9.15 PM.mp4", "2026-11-16 21:15:00"),
        ("Nov 16, 2026 at 9.15.30\u202fAM.mov", "2026-11-16 09:15:30"),
        ("Sept. 1st, 2026 09.15.mp4", "2026-09-01 09:15:00"),
        ("Lecture_October_5_2026_10-00-00.mp4", "2026-10-05 10:00:00"),
        ("2026-Oct-05 10.00.mp4", "2026-10-05 10:00:00"),
        ("20. Jänner 2026, 08.00.mp4", "2026-01-20 08:00:00"),
        ("16 Nov 2026.mp4", None),
        ("31 Nov 2026 09.15.mp4", None),
        ("16 Now 2026 09.15.mp4", None),
        ("Nov 2026 09.15.mp4", None),
        ("2026-11-16 720p.mp4", None),
        ("16 Nov 2026 1440p.mp4", None),
        ("11-16-2026 9.15 AM.mp4", None),
        ("lecture 2026.mp4", None),
        ("GX010001.MP4", None),
        ("2026-13-45 99-99.mp4", None),
        ("2-9-2020, 21.21.12pm.mp4", None),
        ("", None),
    ],
)
def test_times_in_file_names(name: str, expected: str | None) -> None:
    assert time_in_name(name) == (expected and datetime.fromisoformat(expected))


@given(
    st.datetimes(datetime(2001, 1, 1), datetime(2099, 12, 31)),  # noqa: DTZ001  (times on the wall)
    st.sampled_from(["%d %B %Y %H.%M.%S", "%B %d, %Y, %I.%M.%S %p", "%Y-%m-%d %H-%M-%S", "%d.%m.%Y um %H.%M.%S"]),
    st.sampled_from(["", "Lecture 3 ", "CS101_", "Aufnahme vom "]),
)
def test_every_moment_is_read_as_it_was_written(moment: datetime, form: str, before: str) -> None:
    assert time_in_name(f"{before}{moment:{form}}.mp4") == moment.replace(microsecond=0)


@given(st.text(max_size=200))
def test_any_name_is_read_without_a_fault(name: str) -> None:
    time_in_name(name)


@pytest.mark.parametrize("minutes_early", [10, 0, -30])
def test_the_cameras_clock_places_the_recording(minutes_early: int) -> None:
    began = factories.STARTS - timedelta(minutes=minutes_early)
    assert guess_offset(lecture(), info(began), "a.mp4") == (-60.0 * minutes_early, "camera")


def test_local_time_that_is_marked_as_utc_is_understood(settings) -> None:
    with timezone.override("Europe/Berlin"):
        began = timezone.localtime(factories.STARTS).replace(tzinfo=UTC)
        assert guess_offset(lecture(), info(began), "a.mp4") == (0.0, "camera")


def test_the_end_of_the_recording_in_place_of_its_start_is_understood() -> None:
    ended = factories.STARTS + timedelta(minutes=90)
    assert guess_offset(lecture(), info(ended), "a.mp4") == (0.0, "camera")


def test_a_clock_that_was_never_set_says_nothing() -> None:
    assert guess_offset(lecture(), info(datetime(2000, 1, 1, tzinfo=UTC)), "a.mp4") == (0.0, "assumed")
    assert guess_offset(lecture(), info(), "a.mp4") == (0.0, "assumed")


def test_the_files_name_places_it_where_the_clock_is_wrong() -> None:
    name = f"{timezone.localtime(factories.STARTS + timedelta(minutes=5)):%Y%m%d_%H%M%S}.mp4"
    assert guess_offset(lecture(), info(), name) == (300.0, "file_name")
    exported = factories.STARTS + timedelta(days=3)
    assert guess_offset(lecture(), info(exported), name) == (300.0, "file_name")


def test_what_fits_nowhere_is_read_as_it_stands() -> None:
    another_day = factories.STARTS + timedelta(days=3)
    assert guess_offset(lecture(), info(another_day), "a.mp4") == (3 * 24 * HOUR, "camera")


@given(OFFSET_SECONDS, st.integers(1, 4 * 3600))
def test_a_plain_reading_that_fits_always_wins(offset: int, duration: int) -> None:
    began = factories.STARTS + timedelta(seconds=offset)
    inside = min(offset + duration, 5400) - max(offset, 0)
    if inside >= 0.5 * min(duration, 5400):
        assert guess_offset(lecture(), info(began, duration), "a.mp4") == (offset, "camera")
