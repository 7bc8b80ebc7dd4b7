"""What people upload in a day, from the file to the roll: each is right, or waits for a person with the true reason.

Workers' tasks, votes, galleries and services are real; the faces are those of `tests.faults.fake_vision`.
"""

import json
import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from campus.academics.models import Course, Lecture
from campus.attendance.face_overrides import name_unknown_person
from campus.attendance.models import UnknownPerson
from campus.attendance.recording_review import accept_recording, move_recording, place_recording
from campus.attendance.strangers import MAX_WAIT, delete_tracks_of_strangers
from campus.common import jobs
from campus.common.storage import read_media
from campus.recordings.models import Recording
from campus.recordings.review import review_messages
from campus.recordings.services import start_due_votes
from recognition.tracking.result_file import load_segment_result
from recognition.types import Track
from tests.campus import factories
from tests.faults import fake_vision
from tests.workers.classroom import add_photos, create_class, train_gallery
from workers import vision
from workers.aggregate import aggregate
from workers.ingest import ingest
from workers.leased_task import run_attempt
from workers.segments import recognise

pytestmark = pytest.mark.django_db(transaction=True)

MINUTES = 10
CLASS = [0, 1, 2, 3, 4, 5]  # student 5 is never there
ATTENDING = CLASS[:5]
OTHER_CLASS = [20, 21, 22, 23, 24]


@pytest.fixture(autouse=True)
def models(settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    settings.BROKER_URL = "memory://"
    monkeypatch.setitem(sys.modules, "recognition.pipeline", fake_vision)
    monkeypatch.setattr("recognition.pipeline", fake_vision, raising=False)
    monkeypatch.setattr("recognition.embedding.load_embedder", fake_vision.load_embedder)
    monkeypatch.setattr("recognition.media.video.plan_segments", fake_vision.plan_segments)
    monkeypatch.setattr(vision, "probe", lambda path, _stream: fake_vision.probe(path))
    vision.embedder.cache_clear()
    yield
    vision.embedder.cache_clear()


@pytest.fixture
def teacher() -> User:
    return factories.user(username="lindner")


@pytest.fixture
def course(teacher: User) -> Course:
    course: Course = create_class(len(CLASS))
    course.lecturers.add(teacher)
    train_gallery(course)
    return course


@pytest.fixture
def lecture(course: Course) -> Lecture:
    return factories.lecture(course, minutes=MINUTES)


def upload(lecture: Lecture, segments: list[list[int]], *, name: str = "lecture.mp4", **script: Any) -> Recording:
    """Upload a recording with these people in each of its minutes, and do what the workers do."""
    script = {"segments": segments, "of": lecture.pk, "name": name} | script
    recording = factories.recording(lecture, content=json.dumps(script).encode(), original_name=name)
    process(recording)
    return recording


def process(recording: Recording) -> None:
    run_attempt(jobs.INGEST, ingest, jobs.INGEST.claim(recording.pk, "ingest"))
    for segment in recording.segments.all():
        run_attempt(jobs.RECOGNISE, recognise, jobs.RECOGNISE.claim(segment.pk, f"worker {segment.pk}"))
    start_due_votes(recording_id=recording.pk)
    vote(recording)
    recording.refresh_from_db()


def vote(recording: Recording) -> None:
    if row := jobs.AGGREGATE.claim(recording.pk, "vote"):
        run_attempt(jobs.AGGREGATE, aggregate, row)


def statuses(lecture: Lecture) -> list[str]:
    return [record.status for record in lecture.records.order_by("student__name")]


def reasons(recording: Recording) -> str:
    return " ".join(map(str, review_messages(recording)))


RIGHT = ["present"] * 5 + ["absent"]


def test_a_plain_recording(lecture: Lecture) -> None:
    recording = upload(lecture, [ATTENDING] * MINUTES)
    assert (recording.state, statuses(lecture)) == ("done", RIGHT)


@pytest.mark.parametrize(
    ("segments", "facts", "reason"),
    [
        ([[]] * MINUTES, {}, "0 of the 6 students of the class are seen"),
        ([ATTENDING], {"seconds": 5.0}, "It lasts 5 seconds, but the lecture 10 minutes."),
        ([OTHER_CLASS] * MINUTES, {}, "5 people are seen who are not of this class"),
        ([ATTENDING] * 40, {}, "It lasts 40 minutes, but the lecture only 10 minutes"),
    ],
    ids=["slides or an empty room", "a few seconds", "another class", "not switched off"],
)
def test_what_makes_no_sense_waits_with_the_true_reason(
    lecture: Lecture, segments: list[list[int]], facts: dict[str, Any], reason: str
) -> None:
    recording = upload(lecture, segments, **facts)
    assert recording.state == "needs_review"
    assert reason in reasons(recording)
    assert statuses(lecture) == [], "no absences follow"


def test_another_classs_recording_names_the_class_within_what_the_viewer_may_see(
    client: Client, lecture: Lecture, teacher: User
) -> None:
    own, foreign = factories.course(lecturers=(teacher,), code="PH201"), factories.course(code="SECRET1")
    for course in (own, foreign):
        for person in OTHER_CLASS:
            student = factories.student()
            factories.enrol(course, student)
            add_photos(student, person)
        train_gallery(course)
    meeting = factories.lecture(own, minutes=MINUTES)
    recording = upload(lecture, [OTHER_CLASS] * MINUTES)
    client.force_login(teacher)
    page = client.get(reverse("recording", args=[recording.pk])).content.decode()
    assert "It shows 5 students of PH201" in page
    assert "SECRET1" not in page
    move_recording(recording=recording, lecture=meeting, user=teacher)
    recording.refresh_from_db()
    process(recording)
    assert (recording.state, statuses(meeting)) == ("done", ["present"] * 5)


def test_ten_minutes_early_and_not_switched_off_by_the_cameras_clock(lecture: Lecture) -> None:
    began = lecture.starts_at - timedelta(minutes=3)
    minutes: list[list[int]] = [[]] * 3 + [ATTENDING] * MINUTES + [[0, 7]] * 3
    recording = upload(lecture, minutes, started_at=began.isoformat())
    assert (recording.offset, recording.offset_source) == (-180.0, "camera")
    assert (recording.state, statuses(lecture)) == ("done", RIGHT), "nobody is late, nobody left early"
    record = lecture.records.order_by("student__name").first()
    assert record
    assert record.last_seen <= lecture.ends_at


def test_three_files_of_one_lecture_are_laid_one_after_the_other(lecture: Lecture, course: Course) -> None:
    files = [([0, 1, 2, 3], 0, 3), (ATTENDING, 3.5, 3), ([0, 1, 2, 4], 7, 3)]
    for n, (people, minute, length) in enumerate(files):
        began = lecture.starts_at + timedelta(minutes=minute)
        upload(lecture, [people] * length, name=f"part{n}.mp4", started_at=began.isoformat())
    assert {recording.state for recording in lecture.recordings.all()} == {"done"}
    assert statuses(lecture) == ["present", "present", "present", "left_early", "late", "absent"]


def test_files_that_are_processed_together_are_voted_on_together(
    lecture: Lecture, teacher: User, client: Client
) -> None:
    stranger = 30
    files = [([0, 1, stranger], 0, 4), (ATTENDING, 5, 2), ([2, 3, 4, stranger], 7, 3)]
    recordings = []
    for n, (people, minute, length) in enumerate(files):
        began = lecture.starts_at + timedelta(minutes=minute)
        script = {"segments": [people] * length, "n": n, "started_at": began.isoformat()}
        content = json.dumps(script).encode()
        recordings.append(factories.recording(lecture, content=content, original_name=f"part{n}.mp4"))
    first, _, last = recordings
    process(first)
    assert factories.tracks_folder(first).exists(), "the lecture's other files are still to be processed"
    for recording in recordings[1:]:
        process(recording)
    assert not any(factories.tracks_folder(recording).exists() for recording in recordings)
    assert [recording.unknown_people.count() for recording in recordings] == [1, 0, 1]
    client.force_login(teacher)
    page = client.get(reverse("lecture", args=[lecture.pk])).content.decode()
    assert page.count("unknown-people/") == 1, "one person"
    seen_later = last.unknown_people.get()
    assert seen_later.same_as == first.unknown_people.get()
    page = client.get(reverse("unknown-person", args=[seen_later.pk])).content.decode()
    assert "The same person is in part0.mp4." in page
    student = lecture.course.students.get(name="Student 5")
    name_unknown_person(person=seen_later, student=student, user=teacher)
    record = lecture.records.get(student=student)
    assert (record.status, record.first_seen) == ("present", lecture.starts_at)


def test_a_face_that_was_named_keeps_its_name_in_a_joint_vote(lecture: Lecture, teacher: User) -> None:
    first = upload(lecture, [[0, 1, 30]] * 4, name="part0.mp4", started_at=lecture.starts_at.isoformat())
    assert (first.state, factories.tracks_folder(first).exists()) == ("needs_review", True), (
        "more is expected of the lecture"
    )
    student = lecture.course.students.get(name="Student 5")
    name_unknown_person(person=first.unknown_people.get(), student=student, user=teacher)
    began = lecture.starts_at + timedelta(minutes=4)
    upload(lecture, [ATTENDING] * 6, name="part1.mp4", started_at=began.isoformat())
    first.refresh_from_db()
    assert (first.state, first.unknown_people.get().student_id) == ("done", student.pk)
    assert not factories.tracks_folder(first).exists()
    assert lecture.records.get(student=student).status == "left_early"


def test_three_files_without_a_clock_wait_until_they_are_placed(lecture: Lecture, teacher: User) -> None:
    parts = [upload(lecture, [[*ATTENDING, 30]] * 4, name=f"part{n}.mp4") for n in range(3)]
    for n, part in enumerate(parts):
        part.refresh_from_db()
        assert part.state == "needs_review"
        place_recording(recording=part, offset=230.0 * n, user=teacher)
        vote(part)
    assert {recording.state for recording in lecture.recordings.all()} == {"done"}
    assert statuses(lecture) == RIGHT
    people = UnknownPerson.objects.filter(recording__lecture=lecture)
    assert (people.count(), people.filter(same_as=None).count()) == (3, 3), "each was forgotten before the next came"
    assert not any(factories.tracks_folder(part).exists() for part in parts)


def test_kept_tracks_hold_no_embedding_of_a_stranger(lecture: Lecture, teacher: User) -> None:
    stranger, other = 30, 31
    first = upload(lecture, [[0, 1, stranger, other]] * 4, name="part0.mp4", started_at=lecture.starts_at.isoformat())
    seen = {row.index: (row.seconds, row.crops) for row in first.unknown_people.all()}
    tracks = kept_tracks(first)
    assert {bool(len(track.embeddings)) for track in tracks if track.stranger is None} == {True}
    assert {len(track.embeddings) for track in tracks if track.stranger} == {0}
    assert (len(tracks), len({track.stranger for track in tracks})) == (16, 3), "two strangers, and no others"
    student = lecture.course.students.get(name="Student 5")
    name_unknown_person(person=first.unknown_people.first(), student=student, user=teacher)
    began = lecture.starts_at + timedelta(minutes=4)
    upload(lecture, [ATTENDING] * 6, name="part1.mp4", started_at=began.isoformat())
    assert {(row.seconds, row.crops[0]["file"]) for row in first.unknown_people.all()} == {
        (seconds, crops[0]["file"]) for seconds, crops in seen.values()
    }, "the vote over both files knows them still"
    assert lecture.records.get(student=student).status == "left_early"


def test_tracks_of_strangers_wait_some_hours_for_another_file_and_no_longer(lecture: Lecture) -> None:
    content = [json.dumps({"segments": [[*ATTENDING, 30]] * 4, "n": n}).encode() for n in range(2)]
    first, _under_way = [factories.recording(lecture, content=one, original_name="part.mp4") for one in content]
    process(first)
    assert all(len(track.embeddings) for track in kept_tracks(first)), "for the vote over both"
    delete_tracks_of_strangers()
    assert factories.tracks_folder(first).exists()
    first.segments.update(finished_at=timezone.now() - MAX_WAIT)
    delete_tracks_of_strangers()
    assert not factories.tracks_folder(first).exists()


def kept_tracks(recording: Recording) -> list[Track]:
    files = recording.segments.values_list("result", flat=True)
    return [track for file in files for track in load_segment_result(read_media(file)).tracks]


def test_a_student_without_photos_is_never_absent(lecture: Lecture, course: Course, client: Client) -> None:
    student = factories.student(name="Zoe Without Photos")
    factories.enrol(course, student)
    upload(lecture, [ATTENDING] * MINUTES)
    assert statuses(lecture) == [*RIGHT, "not_recognisable"]
    client.force_login(course.lecturers.get())
    page = client.get(reverse("lecture", args=[lecture.pk])).content.decode()
    assert "There is no usable photo of this student." in page


def test_two_students_photos_in_one_anothers_folders_are_set_right_by_a_person(
    lecture: Lecture, course: Course, client: Client
) -> None:
    recording = upload(lecture, [[5, 1, 2, 3, 4]] * MINUTES)  # student 5's photos show whom the class calls student 0
    client.force_login(course.lecturers.get())
    wrong = recording.sightings.get(student__name="Student 5")
    client.post(reverse("sighting-action", args=[wrong.pk, "reject"]))
    person = recording.unknown_people.get()
    right = course.students.get(name="Student 0")
    client.post(reverse("unknown-person", args=[person.pk]), {"action": "name", "student": right.pk})
    assert statuses(lecture) == RIGHT


def test_what_a_person_accepts_counts(lecture: Lecture, teacher: User) -> None:
    recording = upload(lecture, [ATTENDING] * 2)
    assert recording.state == "needs_review"
    accept_recording(recording=recording, user=teacher)
    assert statuses(lecture) == RIGHT
