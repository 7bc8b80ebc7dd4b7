"""A class learns the faces that people confirm in its lectures, and forgets them when that is taken back.

Votes, trainings and services are real; the faces are those of `tests.faults.fake_vision`.
"""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from campus.academics.models import Course, Lecture, Student
from campus.attendance import confirmed_faces, face_overrides, overrides
from campus.attendance.models import Sighting, SignOff, UnknownComparison, UnknownPerson
from campus.attendance.recording_review import remove_recording
from campus.attendance.recurring_people import identify_in_lectures, recurring_people, request_due_comparisons
from campus.biometrics import lecture_faces, services
from campus.biometrics.models import LectureFace
from campus.biometrics.selectors import needs_training
from campus.common import jobs
from campus.common.storage import local_path
from campus.privacy.retention import apply_retention
from recognition.identification import gallery as galleries
from tests.campus import factories
from tests.faults import fake_vision
from tests.workers.classroom import add_photos, create_class, train_gallery
from tests.workers.test_aggregate import create_processed_recording, run_vote
from workers import unknown_people, vision
from workers.leased_task import run_attempt

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def fake_faces(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    settings.BROKER_URL = "memory://"
    monkeypatch.setattr("recognition.embedding.load_embedder", fake_vision.load_embedder)
    monkeypatch.setattr(services, "TRAINING_DELAY", timedelta(0))
    vision.embedder.cache_clear()
    yield
    vision.embedder.cache_clear()


@pytest.fixture
def course() -> Course:
    """A class of persons 0 to 2; nobody has a photo of person 3."""
    course = create_class(3)
    train_gallery(course)
    return course


def student_of(course: Course, person: int) -> Student:
    return course.students.get(name=f"Student {person}")


def hold_lecture(course: Course, *people: int) -> Lecture:
    recording = run_vote(create_processed_recording(course, [list(people), list(people)]))
    return recording.lecture


def learn(course: Course) -> dict[str, str]:
    """As the sweeper and a training would; the states of what was taken from lectures by the students' names."""
    confirmed_faces.update_lecture_faces()
    if services.request_due_trainings():
        train_gallery(course)
    return dict(LectureFace.objects.values_list("student__name", "state"))


def sign_off(lecture: Lecture) -> None:
    overrides.sign_off_lecture(lecture=lecture, user=factories.registrar())


def test_the_machines_own_word_teaches_nothing(course: Course) -> None:
    lecture = hold_lecture(course, 0, 1)
    assert lecture.records.filter(machine_status="present").count() == 2
    assert learn(course) == {}


def test_a_signed_lecture_is_learnt_and_forgotten_when_it_is_reopened(course: Course) -> None:
    lecture = hold_lecture(course, 0, 1)
    before = course.galleries.get(active=True)
    sign_off(lecture)
    assert learn(course) == {"Student 0": "learnt", "Student 1": "learnt"}
    assert course.galleries.get(active=True) != before
    assert not needs_training(course)
    overrides.reopen_lecture(lecture=lecture, user=factories.registrar())
    assert learn(course) == {}
    assert not list(local_path("crops/lectures").glob("*")), "no picture is left"
    assert not needs_training(course), "it was trained without them"


def test_nobody_is_learnt_whom_a_person_marked_absent(course: Course) -> None:
    lecture = hold_lecture(course, 0, 1)
    wrong = lecture.records.get(student=student_of(course, 1))
    overrides.set_override(record=wrong, status="absent", reason="", user=factories.registrar())
    sign_off(lecture)
    assert learn(course) == {"Student 0": "learnt"}


def test_a_proposal_is_learnt_once_a_person_says_yes(course: Course) -> None:
    lecture = hold_lecture(course, 0)
    Sighting.objects.filter(present=True).update(present=False, to_confirm=True)
    record = lecture.records.get(student=student_of(course, 0))
    assert learn(course) == {}
    overrides.set_override(record=record, status="present", reason="", user=factories.registrar())
    assert learn(course) == {"Student 0": "learnt"}
    overrides.set_override(record=record, status="", reason="", user=factories.registrar())
    assert learn(course) == {}


def test_a_named_face_makes_a_student_without_photos_known(course: Course) -> None:
    newcomer = factories.student(name="Student 3")
    factories.enrol(course, newcomer)
    lecture = hold_lecture(course, 0, 3)
    person = UnknownPerson.objects.get()
    face_overrides.name_unknown_person(person=person, student=newcomer, user=factories.registrar())
    assert learn(course) == {"Student 3": "learnt"}
    following = hold_lecture(course, 3)
    assert following.records.get(student=newcomer).machine_status == "present"
    face_overrides.clear_face_override(
        person=UnknownPerson.objects.get(recording__lecture=lecture), user=factories.registrar()
    )
    assert learn(course) == {}


def test_a_face_unlike_the_photos_waits_until_a_person_has_looked(course: Course) -> None:
    lecture = hold_lecture(course, 0, 3)
    face_overrides.name_unknown_person(
        person=UnknownPerson.objects.get(), student=student_of(course, 1), user=factories.registrar()
    )
    assert learn(course) == {"Student 1": "unlike"}
    assert not needs_training(course)
    for face in LectureFace.objects.all():
        lecture_faces.decide_lecture_face(face=face, is_learnt=True)
    assert learn(course) == {"Student 1": "learnt"}
    for face in LectureFace.objects.all():
        lecture_faces.decide_lecture_face(face=face, is_learnt=False)
    assert learn(course) == {"Student 1": "refused"}
    sign_off(lecture)
    assert learn(course)["Student 1"] == "refused", "it stays refused"


def test_no_face_is_learnt_of_students_who_can_not_be_told_apart(course: Course) -> None:
    double = factories.student(name="Double")
    factories.enrol(course, double)
    add_photos(double, 0)
    train_gallery(course)
    lecture = hold_lecture(course, 0, 1)
    for record in lecture.records.exclude(student=student_of(course, 1)):
        overrides.set_override(record=record, status="present", reason="", user=factories.registrar())
    sign_off(lecture)
    assert learn(course) == {"Student 1": "learnt"}


def test_a_removed_recording_leaves_nothing(course: Course) -> None:
    lecture = hold_lecture(course, 0)
    sign_off(lecture)
    assert learn(course)
    remove_recording(recording=lecture.recordings.get(), user=factories.registrar())
    assert learn(course) == {}
    assert not list(local_path("crops/lectures").glob("*"))


def test_twelve_of_the_latest_lectures_are_kept_for_a_year(course: Course) -> None:
    held = [hold_lecture(course, 0) for _ in range(6)]
    for lecture in held:
        sign_off(lecture)
    year_ago = timezone.now() - timedelta(days=366)
    Lecture.objects.filter(pk=held[-1].pk).update(starts_at=year_ago, ends_at=year_ago + timedelta(minutes=2))
    learn(course)
    assert LectureFace.objects.count() == lecture_faces.MAX_LECTURE_FACES
    assert {face.lecture_id for face in LectureFace.objects.all()} == {lecture.pk for lecture in held[1:-1]}
    Lecture.objects.filter(pk=held[1].pk).update(starts_at=year_ago + timedelta(minutes=5))
    apply_retention()
    assert LectureFace.objects.count() == 9
    assert Course.objects.get(pk=course.pk).gallery_outdated_at, "it is due a training"
    learn(course)
    learnt = {face.lecture_id for face in LectureFace.objects.all()}
    assert learnt == {held[0].pk, *(lecture.pk for lecture in held[2:-1])}, "no picture brings the others back"


def test_what_is_learnt_stays_when_the_lectures_pictures_are_deleted(course: Course) -> None:
    lecture = hold_lecture(course, 0)
    sign_off(lecture)
    learnt = learn(course)
    SignOff.objects.update(signed_at=timezone.now() - timedelta(days=31))
    apply_retention()
    recording = lecture.recordings.get()
    assert recording.crops_deleted_at
    assert not list(local_path(f"crops/{recording.pk}").glob("*"))
    assert learn(course) == learnt != {}
    overrides.reopen_lecture(lecture=lecture, user=factories.registrar(), reason="wrong")
    assert learn(course) == {}, "as long as it is confirmed"


def test_a_class_learns_only_from_its_own_lectures(course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    other = factories.course()
    factories.enrol(other, student_of(course, 0))
    sign_off(hold_lecture(course, 0))
    learn(course)
    given: list[Any] = []
    real = galleries.train_gallery

    def train(*args: Any, **kwargs: Any) -> Any:
        given.append(kwargs["lectures"])
        return real(*args, **kwargs)

    monkeypatch.setattr("recognition.identification.gallery.train_gallery", train)
    train_gallery(other)
    train_gallery(course)
    assert [list(lectures) for lectures in given] == [[], [str(student_of(course, 0).pk)]]


def test_a_class_that_changes_its_face_model_learns_again(course: Course, monkeypatch: pytest.MonkeyPatch) -> None:
    sign_off(hold_lecture(course, 0))
    learn(course)
    monkeypatch.setattr("recognition.pipeline", fake_vision)
    services.set_embedder(course=course, embedder="facenet-20180408")
    train_gallery(course)
    face = LectureFace.objects.first()
    assert face is not None
    assert (face.embedder, face.state) == ("facenet-20180408", "learnt")
    assert local_path(face.crop).is_file()


def compare(course: Course) -> list[set[int]]:
    """As the sweeper and a worker would; the lectures of each person who was in several."""
    request_due_comparisons()
    row = jobs.COMPARE_UNKNOWN.claim(UnknownComparison.objects.get(course=course).pk, "worker")
    run_attempt(jobs.COMPARE_UNKNOWN, unknown_people.compare, row)
    row.refresh_from_db()
    assert row.state == "done", row.error_detail
    people = recurring_people(factories.registrar(), course)
    return [{face.recording.lecture_id for face in person.appearances} for person in people]


def test_unknown_people_of_several_lectures_are_one_person(course: Course) -> None:
    first, second, third = (hold_lecture(course, *people) for people in ((0, 3, 4), (1, 3), (2, 3, 5)))
    assert compare(course) == [{first.pk, second.pk, third.pk}]
    newcomer = factories.student(name="Student 3")
    factories.enrol(course, newcomer)
    (person,) = recurring_people(factories.registrar(), course)
    assert identify_in_lectures(people=person.appearances, student=newcomer, user=factories.registrar()) == []
    assert recurring_people(factories.registrar(), course) == []
    assert learn(course) == {"Student 3": "learnt"}


def test_an_unknown_person_without_pictures_is_nobody_else(course: Course) -> None:
    for _ in range(2):
        hold_lecture(course, 0, 3)
    for path in local_path("crops").glob("*/*.jpg"):
        path.unlink()
    assert compare(course) == []
