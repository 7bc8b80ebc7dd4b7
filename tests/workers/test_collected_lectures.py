"""Lectures whose footage files come from two cameras in any order, with real voting, galleries and workbooks on
artificial tracks.
"""

import json
import random
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from openpyxl import load_workbook

from campus.academics.models import Course, Lecture
from campus.attendance.collected_lectures import finish_collected_lectures
from campus.attendance.face_overrides import name_unknown_person
from campus.attendance.models import Report
from campus.attendance.overrides import accept_partial_footage, set_override, sign_off_lecture
from campus.attendance.policy import RegisterPolicy
from campus.attendance.register import build_register
from campus.attendance.selectors import provisional_result
from campus.attendance.snapshots import request_snapshot
from campus.cctv.clips import complete_lecture, update_lectures_shown_by, update_recordings_of
from campus.cctv.models import Camera, FootageFile
from campus.cctv.services import discard_footage_file
from campus.common import jobs
from campus.common.errors import UserError
from campus.outbox.models import Delivery
from campus.recordings.models import Recording, Segment
from campus.recordings.services import restart_recording, start_due_votes
from tests.campus import factories
from tests.faults import fake_vision
from tests.workers.classroom import create_class, train_gallery
from workers.aggregate import aggregate
from workers.ingest import ingest
from workers.leased_task import run_attempt
from workers.maintenance import clean_up
from workers.segments import recognise
from workers.vision import embedder

pytestmark = pytest.mark.django_db(transaction=True)

START = datetime(2026, 11, 16, 9, 0, tzinfo=UTC)
MINUTES = 6  # so students are late after the first minute, and leave early before the last
JOBS = {jobs.INGEST: ingest, jobs.RECOGNISE: recognise, jobs.AGGREGATE: aggregate}
STRANGER = 9


def minute(n: float) -> datetime:
    return START + timedelta(minutes=n)


@pytest.fixture(autouse=True)
def vision(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A stand-in for the models. Messages are lost; the tests run the jobs themselves."""
    settings.BROKER_URL = "memory://"
    monkeypatch.setitem(sys.modules, "recognition.pipeline", fake_vision)
    monkeypatch.setitem(sys.modules, "recognition.media.video", fake_vision)
    monkeypatch.setattr("recognition.embedding.load_embedder", fake_vision.load_embedder)
    embedder.cache_clear()
    yield
    embedder.cache_clear()


@pytest.fixture
def course() -> Course:
    course = create_class(6)
    course.lecturers.add(factories.user(email="lecturer@example.org"))
    RegisterPolicy.objects.create(course=course, mail_lecturers=True)
    train_gallery(course)
    return course


@pytest.fixture
def lecture(course: Course) -> Lecture:
    return factories.lecture(course, starts_at=START, ends_at=minute(MINUTES), room="B 12")


@pytest.fixture
def cameras() -> tuple[Camera, Camera]:
    return factories.camera("B 12"), factories.camera("B 12")


def footage_file(camera: Camera, start: float, *minutes: list[int], **script: Any) -> FootageFile:
    """A footage file; `minutes` says who is in each."""
    content = json.dumps({"segments": minutes, **script}).encode()
    return factories.footage_file(camera, minute(start), len(minutes), content=content)


def run_all_jobs() -> None:
    """Run all jobs until none waits."""
    for owner in count():
        assert owner < 100, "there is no end of jobs"
        waiting = [(task, pk) for task in JOBS for pk in task.waiting().values_list("pk", flat=True)]
        if not waiting:
            return
        for task, pk in waiting:
            if row := task.claim(pk, f"worker {owner}"):
                run_attempt(task, JOBS[task], row)
        start_due_votes()


def add_footage(*footage_files: FootageFile) -> None:
    for arrived in footage_files:
        update_lectures_shown_by(footage_file=arrived)
        run_all_jobs()


def statuses(lecture: Lecture) -> list[str]:
    return [record.status for record in lecture.records.order_by("student__name")]


def count_notifications() -> int:
    return Delivery.objects.filter(event="attendance.counted").count()


# The first is seen by one camera and later by the other, the second comes late, the third leaves early, the fourth is
# seen by the second camera alone, the fifth by both, and the sixth by none.
LEFT = [[0, 2, 4], [0, 2, 4], [2, 4, 1], [1, 4], [1, 4, STRANGER], [1, 4]]
RIGHT = [[3, 4], [3], [3, 0], [3, 0], [3, 0, 4], [3, 0]]
EXPECTED = ["present", "late", "left_early", "present", "present", "absent"]


@pytest.mark.parametrize("seed", range(3))
def test_two_cameras_in_any_order_make_one_result(
    lecture: Lecture, cameras: tuple[Camera, Camera], settings: Any, seed: int
) -> None:
    left, right = cameras
    before = [[5], [5]]  # somebody of the previous lecture, in a footage file that shows both
    footage: list[Any] = [
        (left, -2, *before, *LEFT[:2]),
        (left, 2, *LEFT[2:4]),
        (left, 4, *LEFT[4:]),
        (right, 0, *RIGHT[:3]),
        (right, 2, *RIGHT[2:5]),  # overlaps the previous one
        (right, 5, RIGHT[5], [5]),  # ends after the lecture
    ]
    random.Random(seed).shuffle(footage)  # noqa: S311
    for one in footage[:-1]:
        add_footage(footage_file(*one))
    assert (count_notifications(), Report.objects.exists()) == (0, False), "not before all footage has arrived"
    last = footage_file(*footage[-1])
    add_footage(last, last)
    assert statuses(lecture) == EXPECTED
    assert {one.provisional for one in lecture.recordings.all()} == {False}
    assert {str(one.error) for one in lecture.recordings.all()} == {""}
    report = Report.objects.get()
    folder = Path(settings.REPORTS_DIR, lecture.course.code)
    assert [str(path.relative_to(settings.REPORTS_DIR)) for path in folder.iterdir()] == [report.file_name]
    assert [path for path in Path(settings.REPORTS_DIR).iterdir() if path.is_file()] == []
    rows = list(load_workbook(folder / Path(report.file_name).name)["Attendance"].values)
    assert [row[rows[0].index("Status")] for row in rows[1:7]] == [
        "Present",
        "Late",
        "Left early",
        "Present",
        "Present",
        "Absent",
    ]
    assert count_notifications() == 1
    assert lecture.recordings.filter(unknown_people__isnull=False).count() == 1
    assert not any(factories.tracks_folder(one).exists() for one in lecture.recordings.all())


def test_the_result_is_provisional_until_all_footage_has_arrived(
    lecture: Lecture, cameras: tuple[Camera, Camera]
) -> None:
    left, right = cameras
    add_footage(footage_file(left, 0, *LEFT[:2]))
    assert statuses(lecture) == ["present", "absent", "present", "absent", "present", "absent"], (
        "nobody has left a lecture that is not over"
    )
    so_far = provisional_result(lecture)
    assert so_far
    assert (so_far.present_count, so_far.student_count, so_far.watched_until) == (3, 6, minute(2))
    assert build_register(lecture.course).lectures == ()
    with pytest.raises(UserError, match="More footage"):
        sign_off_lecture(lecture=lecture, user=factories.registrar())
    assert factories.tracks_folder(lecture.recordings.get()).exists()
    add_footage(footage_file(right, 0, *RIGHT), footage_file(left, 2, *LEFT[2:]))
    assert provisional_result(lecture) is None
    assert build_register(lecture.course).lectures == (lecture,)
    sign_off_lecture(lecture=lecture, user=factories.registrar())


def test_tracks_are_kept_while_more_footage_is_awaited(
    lecture: Lecture, cameras: tuple[Camera, Camera], monkeypatch: Any
) -> None:
    add_footage(footage_file(cameras[0], 0, *LEFT[:2]))
    recording = lecture.recordings.get()
    monkeypatch.setattr("workers.maintenance.LEFTOVER_RETENTION_SECONDS", -1)
    clean_up()
    assert recording.segments.exclude(result="").count() == 2
    assert factories.tracks_folder(recording).exists()


def test_missing_footage_makes_nobody_late_or_gone(lecture: Lecture, cameras: tuple[Camera, Camera]) -> None:
    left, _ = cameras
    add_footage(footage_file(left, 2, [0, 1], [0, 1, 2], [0, 2]))  # minutes 2 to 5 of 6
    accept_partial_footage(lecture=lecture, user=factories.registrar())
    run_all_jobs()
    assert statuses(lecture) == ["present", "left_early", "late", "absent", "absent", "absent"]
    recording = lecture.recordings.get()
    assert str(recording.error) == "There is no footage of 0:00:00 to 0:02:00, 0:05:00 to 0:06:00."
    assert recording.coverage == pytest.approx(0.5)
    assert lecture.records.get(student__name="Student 0").share == pytest.approx(1, abs=0.05), (
        "of the time with footage"
    )
    assert count_notifications() == 1
    with pytest.raises(UserError, match="No more footage"):
        accept_partial_footage(lecture=lecture, user=factories.registrar())


def test_late_footage_starts_a_new_vote_that_keeps_overrides(
    lecture: Lecture, cameras: tuple[Camera, Camera], settings: Any
) -> None:
    left, right = cameras
    user = factories.registrar()
    add_footage(footage_file(left, 0, *LEFT), footage_file(right, 0, *RIGHT[:3]))
    complete_lecture(lecture=lecture)
    run_all_jobs()
    report = Report.objects.get()
    students = {student.name: student for student in lecture.course.students.all()}
    set_override(record=lecture.records.get(student=students["Student 4"]), status="excused", reason="ill", user=user)
    stranger = lecture.recordings.get(camera=left).unknown_people.get()
    name_unknown_person(person=stranger, student=students["Student 5"], user=user)
    seen_by_the_right_camera = lecture.records.get(student=students["Student 3"])
    assert statuses(lecture) == ["present", "late", "left_early", "present", "excused", "late"], (
        "a student who may have stayed has not left"
    )
    assert seen_by_the_right_camera.last_seen < minute(3)

    late = footage_file(right, 3, *RIGHT[3:])
    add_footage(late)
    assert statuses(lecture) == ["present", "late", "left_early", "present", "excused", "late"]
    seen_by_the_right_camera.refresh_from_db()
    assert seen_by_the_right_camera.last_seen > minute(5)
    assert Report.objects.get().pk == report.pk
    assert count_notifications() == 1, "nobody is notified twice"
    assert Path(settings.REPORTS_DIR, report.file_name).stat().st_mtime_ns > 0
    for recording in lecture.recordings.all():
        restart_recording(recording=recording, user=user)
    run_all_jobs()
    assert statuses(lecture) == ["present", "late", "left_early", "present", "excused", "late"], (
        "after everything was processed again"
    )
    assert count_notifications() == 1


def test_a_footage_file_of_two_lectures_is_divided_between_them(course: Course, cameras: tuple[Camera, Camera]) -> None:
    Camera.objects.exclude(pk=cameras[0].pk).delete()
    first = factories.lecture(course, starts_at=START, ends_at=minute(3), room="B 12")
    second = factories.lecture(course, starts_at=minute(3), ends_at=minute(6), room="B 12")
    add_footage(footage_file(cameras[0], 0, [0], [0]), footage_file(cameras[0], 2, [0], [1], [1], [1]))
    assert statuses(first) == ["present", *["absent"] * 5]
    assert statuses(second) == ["absent", "present", *["absent"] * 4]
    assert (Report.objects.count(), count_notifications()) == (2, 2)


def test_damaged_footage_is_left_out(lecture: Lecture, cameras: tuple[Camera, Camera]) -> None:
    left, right = cameras
    broken = factories.footage_file(right, minute(0), MINUTES, content=b"no video")
    half = footage_file(left, 0, *LEFT)
    add_footage(broken, half)
    broken.refresh_from_db()
    assert (broken.state, str(broken.error)) == ("failed", "This is no video. Upload another file.")
    assert not lecture.recordings.filter(camera=right).exists()
    complete_lecture(lecture=lecture)
    run_all_jobs()
    assert statuses(lecture) == ["left_early", "late", "left_early", "absent", "present", "absent"]
    assert (Report.objects.count(), count_notifications()) == (1, 1)


def test_if_one_camera_fails_the_result_of_the_other_counts(lecture: Lecture, cameras: tuple[Camera, Camera]) -> None:
    left, right = cameras
    add_footage(footage_file(left, 0, *LEFT), footage_file(right, 0, *RIGHT, fail=list(range(6))))
    assert lecture.recordings.get(camera=right).state == "failed"
    finish_collected_lectures()
    finish_collected_lectures()
    assert (Report.objects.count(), count_notifications()) == (1, 1)
    assert statuses(lecture)[1] == "late"


def test_discarded_footage_no_longer_counts(lecture: Lecture, cameras: tuple[Camera, Camera]) -> None:
    left, right = cameras
    one, other = footage_file(left, 0, *LEFT), footage_file(right, 0, *RIGHT)
    add_footage(one, other)
    assert statuses(lecture) == EXPECTED
    user = factories.registrar()
    set_override(record=lecture.records.get(student__name="Student 5"), status="excused", reason="ill", user=user)
    discard_footage_file(footage_file=other, user=user)
    run_all_jobs()
    assert lecture.recordings.get().camera == left
    assert statuses(lecture) == ["left_early", "late", "left_early", "absent", "present", "excused"]
    discard_footage_file(footage_file=one, user=user)
    run_all_jobs()
    assert not Recording.objects.exists()
    assert statuses(lecture) == ["excused"], "only the override is left"


def test_results_follow_a_cancelled_or_moved_lecture(lecture: Lecture, cameras: tuple[Camera, Camera]) -> None:
    Camera.objects.exclude(pk=cameras[0].pk).delete()
    add_footage(footage_file(cameras[0], 0, *LEFT), footage_file(cameras[0], 6, [5], [5], [5], [5], [5], [5]))
    assert statuses(lecture) == ["left_early", "late", "left_early", "absent", "present", "absent"]
    Lecture.objects.filter(pk=lecture.pk).update(starts_at=minute(6), ends_at=minute(12))
    lecture.refresh_from_db()
    update_recordings_of(lecture=lecture)
    run_all_jobs()
    assert statuses(lecture) == ["absent"] * 5 + ["present"]
    Lecture.objects.filter(pk=lecture.pk).update(cancelled=True)
    update_recordings_of(lecture=lecture)
    run_all_jobs()
    assert statuses(lecture) == []


def test_times_are_of_the_lecture_and_snapshots_of_the_right_file(
    lecture: Lecture, cameras: tuple[Camera, Camera], monkeypatch: Any
) -> None:
    add_footage(footage_file(cameras[0], -1, [5], *LEFT[:3]), footage_file(cameras[0], 3, *LEFT[3:]))
    recording = lecture.recordings.get()
    sighting = recording.sightings.get(student__name="Student 1")
    assert sighting.intervals[0][0] == pytest.approx(120, abs=2), "in the seconds of the lecture"
    assert all(120 <= crop["time"] < 360 for crop in sighting.crops)
    requests = []

    def picture(path: Path, info: Any, time: float) -> bytes:
        requests.append((path, time))
        return b"jpeg"

    monkeypatch.setitem(sys.modules, "recognition.media.snapshot", SimpleNamespace(read_snapshot=picture))
    from workers.snapshots import take_snapshot

    snapshot = request_snapshot(recording=recording, time=200.0)
    run_attempt(jobs.SNAPSHOT, take_snapshot, jobs.SNAPSHOT.claim(snapshot.pk, "me"))
    request_snapshot(recording=recording, time=10.0)
    last = recording.clips.order_by("recording_start").last()
    assert requests == [(Path(last.footage_file.file.path), 20.0)]
    assert Segment.objects.filter(recording=recording, state="done").count() == 6
