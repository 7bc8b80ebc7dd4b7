"""A worker is killed before and after each step of a recording's way: nothing is lost or done twice."""

from pathlib import Path

import pytest

from campus.attendance.models import Report
from tests.campus import factories
from tests.faults.conftest import Campus, attendance_rows
from tests.faults.moments import MOMENTS
from tests.faults.test_workers import SEGMENTS
from tests.waiting import wait_until


@pytest.mark.fault("SIGKILL before or after each step")
def test_a_child_that_is_killed_at_any_moment_loses_nothing(campus: Campus) -> None:
    moments = campus.folder / "moments"
    moments.mkdir()
    campus.worker(FAULT_MOMENTS=str(moments))
    lecture = campus.lecture(4)
    campus.wait_until_ended(campus.upload(lecture, SEGMENTS))
    expected = attendance_rows(lecture)
    for moment in MOMENTS:
        lecture = factories.lecture(lecture.course)
        (moments / moment).touch()
        recording = campus.wait_until_ended(campus.upload(lecture, SEGMENTS))
        wait_until(lambda: not list(moments.iterdir()), f"a child is killed {moment}")
        assert (recording.state, recording.coverage) == ("done", 1), moment
        assert attendance_rows(lecture) == expected, moment
        assert Report.objects.filter(recording=recording).count() == 1, moment
    tracks = Path(campus.folder, "var/media/tracks")
    wait_until(lambda: not list(tracks.glob("*/*")), "the tracks of bystanders are deleted")
