"""Marks in a platform's gradebook: what is signed off stands there, once, whatever fails in between."""

import random
from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise

import pytest
from django.utils import timezone

from campus.academics.models import Course, Lecture
from campus.attendance.excuses import create_excuse
from campus.attendance.models import AttendanceRecord, SignOff
from campus.attendance.overrides import reopen_lecture, set_override, sign_off_lecture
from campus.common import jobs, outgoing_http
from campus.connections import runs
from campus.connections.lti.adapter import LtiAdapter
from campus.connections.lti.platform_services import PlatformSession
from campus.connections.marks import retry_failed_marks
from campus.connections.models import Connection, ConnectionRun, CourseLink, MarkDelivery, RemotePerson
from campus.connections.rosters import remember_people
from campus.privacy.erasure import erase, request_student_erasure
from tests.campus import factories
from tests.campus.connections.platforms import connect, course_of, link, work_off
from tests.servers.lti_platform import Platform, lti_platform

pytestmark = pytest.mark.django_db
NAMES = ("Ada Lovelace", "Alan Turing", "Grace Hopper")


class Killed(BaseException):
    """The worker is killed at this moment."""


class Campus:
    """A class that is linked with a course of a platform."""

    def __init__(self, platform: Platform, names=NAMES, **fields) -> None:
        self.platform, self.registrar = platform, factories.registrar()
        self.connection: Connection = connect(platform, **fields)
        self.course: Course = course_of(platform, *names)
        self.link: CourseLink = link(self.connection, platform, self.course)
        remember_people(connection=self.connection, members=LtiAdapter().fetch_roster(self.link))

    def hold(self, *statuses: str) -> Lecture:
        """A lecture with these statuses, in the order of the students, signed off."""
        lecture = factories.lecture(self.course)
        students = self.course.students.order_by("number")
        for student, status in zip(students, statuses, strict=True):
            AttendanceRecord.objects.create(lecture=lecture, student=student, override_status=status)
        sign_off_lecture(lecture=lecture, user=self.registrar)
        return lecture

    def correct(self, lecture: Lecture, number: int, status: str) -> None:
        record = lecture.records.get(student__number=f"{number:04}")
        set_override(record=record, status=status, user=self.registrar, reason="seen")

    def wake(self) -> list[ConnectionRun]:
        """A minute later, or a day."""
        CourseLink.objects.update(marks_due_at=None)
        runs.request_due_runs()
        return work_off()

    def states(self) -> dict[str, str]:
        return dict(MarkDelivery.objects.values_list("remote_person", "state"))


@pytest.fixture
def platform(settings) -> Iterator[Platform]:
    settings.CONNECTION_NETWORKS = ["127.0.0.0/8"]
    with lti_platform(Platform()) as served:
        yield served


def test_what_is_signed_off_stands_there_and_follows_corrections(platform: Platform) -> None:
    campus = Campus(platform)
    lecture = campus.hold("present", "absent", "present")
    work_off()
    assert platform.marks() == {"user-1": 100.0, "user-2": 0.0, "user-3": 100.0}
    [item] = platform.line_items.values()
    assert (item["label"], item["scoreMaximum"]) == ("Attendance", 100)

    campus.hold("present", "present", "present")
    campus.correct(lecture, 3, "absent")
    work_off()
    assert platform.marks() == {"user-1": 100.0, "user-2": 50.0, "user-3": 50.0}
    assert len(platform.posts) == 5  # who keeps a mark is not sent again

    campus.wake()
    assert len(platform.posts) == 5
    assert set(campus.states().values()) == {"sent"}
    run = ConnectionRun.objects.filter(counts__sent=2).get()
    assert run.state == "done"


def test_before_a_lecture_is_signed_off_nothing_is_sent_and_reopening_takes_it_away(platform: Platform) -> None:
    campus = Campus(platform)
    lecture = factories.lecture(campus.course)
    for student in campus.course.students.all():
        AttendanceRecord.objects.create(lecture=lecture, student=student, override_status="present")
    campus.wake()
    assert platform.scores == {}

    sign_off_lecture(lecture=lecture, user=campus.registrar)
    work_off()
    assert len(platform.marks()) == 3
    reopen_lecture(lecture=lecture, user=campus.registrar)
    work_off()
    assert platform.marks() == {}


def test_an_excuse_after_the_sign_off_changes_the_mark(platform: Platform) -> None:
    campus = Campus(platform)
    first = campus.hold("present", "present", "present")
    record = campus.hold("absent", "present", "present").records.get(student__number="0001")
    record.override_status, record.machine_status = "", "absent"
    record.save()
    work_off()
    assert platform.marks()["user-1"] == 50.0
    day = timezone.localtime(record.lecture.starts_at).date()
    create_excuse(student=record.student, course=None, first_day=day, last_day=day, reason="ill", user=campus.registrar)
    work_off()
    assert platform.marks()["user-1"] == 100.0
    assert first.records.count() == 3


def test_points_are_those_of_the_register(platform: Platform) -> None:
    campus = Campus(platform)
    Connection.objects.update(settings=platform.settings | {"mark": "points"})
    campus.hold("present", "late", "absent")
    work_off()
    [scores] = platform.scores.values()
    points = {user: (score["scoreGiven"], score["scoreMaximum"]) for user, score in scores.items()}
    assert points["user-1"][0] == points["user-1"][1] > points["user-2"][0] > points["user-3"][0] == 0


def test_a_score_whose_answer_is_lost_is_looked_up_and_not_sent_again(platform: Platform) -> None:
    campus = Campus(platform)
    campus.hold("present", "absent", "present")
    platform.lose_answers = True
    for _ in range(3):
        [run] = campus.wake() if platform.posts else work_off()
        assert run.state == "failed"
    platform.lose_answers = False
    [run] = campus.wake()
    assert run.state == "done"
    assert platform.marks() == {"user-1": 100.0, "user-2": 0.0, "user-3": 100.0}
    assert len(platform.posts) == 3
    assert set(campus.states().values()) == {"sent"}


@pytest.mark.parametrize("seed", range(2))
def test_whatever_is_killed_and_repeated_the_latest_mark_stands_and_none_is_doubled(
    platform: Platform, monkeypatch, seed: int
) -> None:
    """Workers are killed before and after a score is sent, the platform is away, and marks change all the while."""
    chance = random.Random(seed)  # noqa: S311
    campus = Campus(platform)
    lecture = campus.hold("present", "absent", "present")
    put_score = PlatformSession.put_score

    def put_and_be_killed(session, *args, **options):
        fate = chance.random()
        if fate < 0.25:
            raise Killed
        taken = put_score(session, *args, **options)
        if fate < 0.5:
            raise Killed
        return taken

    monkeypatch.setattr(PlatformSession, "put_score", put_and_be_killed)
    killed = 0
    for _ in range(20):
        if chance.random() < 0.6:
            campus.correct(lecture, chance.randint(1, 3), chance.choice(["present", "late", "absent"]))
        platform.status = 503 if chance.random() < 0.2 else 0
        try:
            campus.wake()
        except Killed:
            killed += 1
            jobs.end_leases("worker", count_attempts=False)
            CourseLink.objects.update(marks_due_at=None)
    assert killed > 1
    platform.status = 0
    monkeypatch.setattr(PlatformSession, "put_score", put_score)
    campus.wake()
    campus.wake()
    wanted = {"present": 100.0, "absent": 0.0}
    for record in lecture.records.select_related("student"):
        user = f"user-{int(record.student.number)}"
        assert platform.marks()[user] == wanted.get(record.status, platform.marks()[user])
        sent = [post for post in platform.posts if post["userId"] == user]
        values = [post["scoreGiven"] for post in sent]
        assert all(one != other for one, other in pairwise(values)), "one was sent twice"
        assert sorted(post["timestamp"] for post in sent) == [post["timestamp"] for post in sent]
    assert set(campus.states().values()) == {"sent"}


def test_a_worker_that_comes_late_does_not_undo_what_a_later_one_has_sent(platform: Platform) -> None:
    campus = Campus(platform)
    lecture = campus.hold("present", "absent", "present")
    work_off()
    late = MarkDelivery.objects.get(remote_person="user-1")
    campus.correct(lecture, 1, "absent")
    work_off()
    session = PlatformSession(campus.connection, *late.link.settings["scopes"])
    item = CourseLink.objects.get().settings["line_item_url"]
    assert not session.put_score(item, user="user-1", score=("100", "100"), at=late.changed_at)
    assert platform.marks()["user-1"] == 0.0


def test_tokens_that_expire_are_fetched_anew(platform: Platform) -> None:
    campus = Campus(platform, names=[f"Student {n}" for n in range(8)])
    platform.scores_per_token = 3
    campus.hold(*["present"] * 8)
    [run] = work_off()
    assert (run.state, run.counts) == ("done", {"sent": 8})
    assert platform.requests["POST /token"] > 3


def test_while_the_platform_is_away_marks_wait_with_growing_pauses(platform: Platform, monkeypatch) -> None:
    campus = Campus(platform)
    platform.status = 503
    lecture = campus.hold("present", "absent", "present")
    [run] = work_off()
    assert (run.state, "503" in str(run.error)) == ("failed", True)
    campus.link.refresh_from_db()
    assert campus.link.marks_due_at > timezone.now()
    runs.request_due_runs()
    assert work_off() == []  # it is not asked all the time
    campus.connection.refresh_from_db()
    assert "503" in str(campus.connection.last_error)

    platform.status, platform.pause = 0, 1.0
    monkeypatch.setattr(outgoing_http, "READ_SECONDS", 0.2)
    [run] = campus.wake()
    assert run.state == "failed"
    assert CourseLink.objects.get().marks_tries == 2

    platform.pause = 0
    monkeypatch.setattr(outgoing_http, "READ_SECONDS", 10)
    campus.correct(lecture, 2, "present")
    campus.wake()
    assert platform.marks() == {"user-1": 100.0, "user-2": 100.0, "user-3": 100.0}
    campus.connection.refresh_from_db()
    assert str(campus.connection.last_error) == ""
    assert len(platform.posts) == 3


def test_a_clock_that_is_off_is_named(platform: Platform) -> None:
    campus = Campus(platform)
    campus.hold("present", "absent", "present")
    platform.clock = 3600
    [run] = work_off()
    assert run.state == "failed"
    assert "both clocks" in str(run.error)
    platform.clock = 0
    campus.wake()
    assert len(platform.marks()) == 3


def test_a_mark_that_is_refused_stops_no_other_and_can_be_tried_again(platform: Platform) -> None:
    campus = Campus(platform)
    member = platform.members.pop("user-2")
    campus.hold("present", "absent", "present")
    [run] = work_off()
    assert run.counts == {"sent": 2, "failed": 1}
    mark = MarkDelivery.objects.get(remote_person="user-2")
    assert (mark.state, "422" in str(mark.error)) == ("failed", True)
    campus.wake()
    assert len(platform.posts) == 2

    platform.members["user-2"] = member
    assert retry_failed_marks(link=campus.link) == 1
    campus.wake()
    assert platform.marks()["user-2"] == 0.0


def test_what_somebody_has_changed_there_since_is_said_and_not_overwritten(platform: Platform) -> None:
    campus = Campus(platform)
    lecture = campus.hold("present", "absent", "present")
    work_off()
    [scores] = platform.scores.values()
    scores["user-1"] = scores["user-1"] | {
        "timestamp": (timezone.now() + timedelta(hours=1)).isoformat(),
        "scoreGiven": 12,
    }
    campus.correct(lecture, 1, "absent")
    work_off()
    assert platform.marks()["user-1"] == 12.0
    mark = MarkDelivery.objects.get(remote_person="user-1")
    assert (mark.state, "changed this mark there" in str(mark.error)) == ("failed", True)


def test_a_line_item_that_was_deleted_is_made_again_with_all_its_marks(platform: Platform) -> None:
    campus = Campus(platform)
    lecture = campus.hold("present", "absent", "present")
    work_off()
    platform.line_items.clear()
    platform.scores.clear()
    campus.correct(lecture, 2, "present")
    work_off()
    assert platform.marks() == {"user-1": 100.0, "user-2": 100.0, "user-3": 100.0}


def test_an_erasure_takes_the_mark_away_there(platform: Platform) -> None:
    campus = Campus(platform)
    campus.hold("present", "present", "present")
    work_off()
    student = campus.course.students.get(number="0001")
    erasure = request_student_erasure(student=student, user=campus.registrar)
    platform.status = 503
    row = jobs.ERASE.claim(erasure.pk, owner="worker")
    erase(erasure=row)
    assert not RemotePerson.objects.filter(remote_id="user-1").exists()
    campus.wake()
    assert "user-1" in platform.marks()

    platform.status = 0
    campus.wake()
    assert platform.marks() == {"user-2": 100.0, "user-3": 100.0}
    assert not MarkDelivery.objects.filter(remote_person="user-1").exists()
    SignOff.objects.update(user=None)
    CourseLink.objects.update(marks_changed_at=timezone.now())
    campus.wake()
    assert platform.marks() == {"user-2": 100.0, "user-3": 100.0}


def test_the_stop_switch_and_a_dry_run_send_nothing(platform: Platform) -> None:
    campus = Campus(platform)
    Connection.objects.update(dry_run=True)
    campus.hold("present", "absent", "present")
    [run] = work_off()
    assert run.counts == {"would_change": 3, "waiting": 3}
    assert platform.posts == []

    Connection.objects.update(dry_run=False, active=False)
    assert campus.wake() == []
    Connection.objects.update(active=True)
    campus.wake()
    assert len(platform.posts) == 3
