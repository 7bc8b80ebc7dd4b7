"""A worker is killed before and after each step of a mark's way to a platform: each mark stands there, sent once."""

from itertools import pairwise

import pytest

from campus.attendance.models import AttendanceRecord
from campus.attendance.overrides import set_override, sign_off_lecture
from campus.connections.lti.adapter import LtiAdapter
from campus.connections.models import MarkDelivery
from campus.connections.rosters import remember_people
from tests.campus import factories
from tests.campus.connections.platforms import connect, course_of, link
from tests.faults.conftest import Campus
from tests.faults.moments import MARK_MOMENTS
from tests.servers.lti_platform import Platform, lti_platform
from tests.waiting import wait_until


@pytest.mark.fault("SIGKILL before or after each step of sending marks")
def test_marks_stand_once_whenever_the_worker_is_killed(campus: Campus, settings) -> None:
    settings.CONNECTION_NETWORKS = ["127.0.0.0/8"]
    moments = campus.folder / "moments"
    moments.mkdir()
    with lti_platform(Platform()) as platform:
        course = course_of(platform, "Ada Lovelace", "Alan Turing", "Grace Hopper")
        linked = link(connect(platform), platform, course)
        remember_people(connection=linked.connection, members=LtiAdapter().fetch_roster(linked))
        campus.worker(FAULT_MOMENTS=str(moments), ROLLCALL_CONNECTION_NETWORKS="127.0.0.0/8")
        lecture, registrar = factories.lecture(course), factories.registrar()
        for student in course.students.all():
            AttendanceRecord.objects.create(lecture=lecture, student=student, override_status="present")
        sign_off_lecture(lecture=lecture, user=registrar)
        wait_until(lambda: len(platform.posts) == 3, "the marks stand there")
        wanted = [0.0, 100.0] * len(MARK_MOMENTS)
        for number, (moment, percent) in enumerate(zip(MARK_MOMENTS, wanted, strict=False), 1):
            (moments / moment).touch()
            for record in lecture.records.all():
                status = "present" if percent else "absent"
                set_override(record=record, status=status, user=registrar, reason="seen")
            wait_until(lambda: not list(moments.iterdir()), f"a child is killed {moment}")
            wait_until(lambda: set(platform.marks().values()) == {percent}, f"all marks stand there: {moment}")  # noqa: B023
            waiting = MarkDelivery.objects.exclude(state="sent")
            wait_until(lambda: not waiting.exists(), f"that is noted: {moment}")  # noqa: B023
            assert len(platform.posts) <= 3 + 3 * number, moment
        for user in platform.members:
            sent = [post["scoreGiven"] for post in platform.posts if post["userId"] == user]
            assert all(one != other for one, other in pairwise(sent)), "one was sent twice"
