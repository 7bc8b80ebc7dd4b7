"""A recording that makes no sense waits for a person; each has its place in the lecture."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from campus.academics.models import Lecture
from campus.academics.services import change_lecture
from campus.attendance import recording_review
from campus.attendance.coverage_notes import coverage_notes
from campus.attendance.models import AttendanceChange, RegisterPolicy, Sighting
from campus.attendance.overrides import sign_off_lecture
from campus.attendance.proposals import recount_lecture, save_attendance
from campus.common.errors import UserError
from campus.common.intervals import place_intervals, total_length
from campus.outbox.models import Delivery
from campus.recordings.models import Recording, Segment
from campus.recordings.review import review_messages, review_recording
from campus.recordings.services import finish_recording
from recognition.messages import Message
from recognition.types import Attendance, Interval, Presence, UnknownPerson
from tests.campus import factories

pytestmark = pytest.mark.django_db
CLASS_SIZE = 14


@pytest.fixture
def teacher() -> User:
    return factories.user(username="lindner", email="lindner@example.org")


@pytest.fixture
def lecture(teacher: User) -> Lecture:
    course = factories.course(students=CLASS_SIZE, lecturers=(teacher,))
    RegisterPolicy.objects.create(course=course, mail_lecturers=True)
    return factories.lecture(course, minutes=90)


def recording(lecture: Lecture, minutes: float = 90, **fields: Any) -> Recording:
    """One that has been processed, of the whole lecture unless it says otherwise."""
    facts: dict[str, Any] = {"duration": 60 * minutes, "state": "aggregating", "coverage": 1.0}
    row = factories.recording(lecture, **facts | fields)
    Segment.objects.create(recording=row, index=0, start=0, end=row.duration, state="done", light=0.4, motion=0.02)
    return row


def found(
    lecture: Lecture, seen: int = 10, strangers: int = 1, to: float = 5400.0, unrecognisable: int = 0
) -> Attendance:
    """What a vote found: the first `seen` students, and strangers."""
    students = [str(pk) for pk in lecture.course.students.order_by("pk").values_list("pk", flat=True)]
    presences = [
        Presence(label=label, present=True, intervals=((0.0, to),), seconds=to, share=1.0, confidence=0.9)
        if n < seen
        else Presence(label=label, present=False, recognisable=n < CLASS_SIZE - unrecognisable)
        for n, label in enumerate(students)
    ]
    people = tuple(UnknownPerson(intervals=((0.0, to),), seconds=to, crops=()) for _ in range(strangers))
    return Attendance(to, tuple(presences), people)


def finish(row: Recording, attendance: Attendance) -> Recording:
    """What the vote does with its result."""
    findings = review_recording(row, attendance)
    assert finish_recording(
        recording=row,
        gallery=factories.gallery(row.lecture.course, active=False),
        strictness="balanced",
        coverage=1.0,
        error=Message(),
        findings=findings,
    )
    save_attendance(recording=row, attendance=attendance)
    recording_review.publish_result(recording=row)
    recording_review.recheck_places(lecture=row.lecture)
    row.refresh_from_db()
    return row


def reasons(row: Recording) -> list[str]:
    return [reason["code"] for reason in row.review_reasons]


def statuses(lecture: Lecture) -> set[str]:
    return {record.status for record in lecture.records.all()}


def test_a_recording_that_makes_sense_counts_at_once(lecture: Lecture) -> None:
    row = finish(recording(lecture), found(lecture))
    assert (row.state, row.held, reasons(row)) == ("done", False, [])
    assert statuses(lecture) == {"present", "absent"}


@pytest.mark.parametrize(
    ("fields", "shown", "code", "sentence"),
    [
        ({}, {"seen": 0, "strangers": 0}, "empty", "0 of the 14 students of the class are seen"),
        ({}, {"seen": 1, "strangers": 0}, "empty", "1 of the 14 students"),
        ({"minutes": 0}, {"seen": 0, "strangers": 0}, "empty", "and nobody else"),
        ({}, {"seen": 0, "strangers": 12}, "strangers", "12 people are seen who are not of this class"),
        ({"minutes": 0.05}, {"to": 3.0}, "short", "It lasts 3 seconds, but the lecture 90 minutes."),
        ({"minutes": 30}, {"to": 1800.0}, "short", "It lasts 30 minutes"),
        ({"minutes": 200}, {}, "long", "nothing says when it began"),
        ({"offset": 7200.0, "offset_source": "camera"}, {}, "elsewhen", "but the lecture was from"),
        ({"minutes": 0, "offset": 86400.0, "offset_source": "camera"}, {}, "elsewhen", "It was taken on"),
    ],
)
def test_what_makes_no_sense_waits_and_says_why(
    lecture: Lecture, fields: dict[str, Any], shown: dict[str, Any], code: str, sentence: str
) -> None:
    row = finish(recording(lecture, **fields), found(lecture, **shown))
    assert (row.state, row.held, reasons(row)) == ("needs_review", True, [code])
    assert sentence in " ".join(map(str, review_messages(row)))
    assert not lecture.records.exists(), "nobody is said to be absent"
    assert row.snapshots.exists(), "pictures to decide by are on their way"
    assert Delivery.objects.filter(event="recording.needs_review", to="lindner@example.org").count() == 1


@pytest.mark.parametrize(("light", "motion", "code"), [(0.01, 0.02, "dark"), (0.4, 0.0, "frozen")])
def test_pictures_that_show_nothing_new_wait(lecture: Lecture, light: float, motion: float, code: str) -> None:
    row = recording(lecture)
    row.segments.update(light=light, motion=motion)
    assert reasons(finish(row, found(lecture))) == [code]


def test_the_same_file_of_another_lecture_waits(lecture: Lecture) -> None:
    other = factories.lecture(lecture.course, minutes=90)
    finish(recording(lecture, sha256="a" * 64), found(lecture))
    row = finish(recording(other, sha256="a" * 64), found(other))
    assert reasons(row) == ["duplicate"]


def test_a_known_start_makes_an_overlong_recording_right(lecture: Lecture) -> None:
    row = finish(recording(lecture, minutes=200, offset=-600.0, offset_source="camera"), found(lecture, to=6000.0))
    assert row.state == "done"
    record = lecture.records.filter(machine_status="present").first()
    assert record
    assert (record.first_seen, record.last_seen) == (lecture.starts_at, lecture.ends_at), "never outside the lecture"


def test_a_person_accepts_it_and_it_counts(lecture: Lecture, teacher: User) -> None:
    row = finish(recording(lecture, minutes=10), found(lecture, to=600.0))
    recording_review.accept_recording(recording=row, user=teacher)
    row.refresh_from_db()
    assert (row.state, row.held) == ("done", False)
    assert statuses(lecture) == {"present", "absent"}
    assert AttendanceChange.objects.get().kind == "accepted"
    assert row.accepted_reasons == ["short"]
    with pytest.raises(UserError, match="not waiting"):
        recording_review.accept_recording(recording=row, user=teacher)


def test_what_was_accepted_once_does_not_wait_again(lecture: Lecture) -> None:
    row = finish(recording(lecture, minutes=10, accepted_reasons=["short"]), found(lecture, to=600.0))
    assert row.state == "done"


def test_a_lecture_with_a_recording_to_check_is_not_signed_off(lecture: Lecture, teacher: User) -> None:
    finish(recording(lecture), found(lecture))
    finish(recording(lecture, offset=5400.0, offset_source="camera"), found(lecture))
    with pytest.raises(UserError, match="to be checked first"):
        sign_off_lecture(lecture=lecture, user=teacher)


def test_two_parts_are_one_lecture(lecture: Lecture) -> None:
    first = finish(recording(lecture, minutes=40, offset_source="camera"), found(lecture, to=2400.0))
    assert reasons(first) == ["short"]
    second = recording(lecture, minutes=45, offset=2700.0, offset_source="camera")
    students = found(lecture, to=2700.0).presences
    late = Presence(label=students[12].label, present=True, intervals=((60.0, 2700.0),), seconds=2640, share=1)
    kept = tuple(presence for presence in students if presence.label != late.label)
    second = finish(second, Attendance(2700.0, (*kept, late), ()))
    first.refresh_from_db()
    assert (first.state, second.state) == ("done", "done")
    records = {str(record.student_id): record.status for record in lecture.records.all()}
    assert records[students[0].label] == "present"
    assert records[late.label] == "late", "the first part shows that the student was not there"
    assert records[students[13].label] == "absent"


def test_two_parts_without_a_clock_wait_for_their_places(lecture: Lecture, teacher: User) -> None:
    finish(recording(lecture, minutes=46), found(lecture, to=2760.0))
    second = finish(recording(lecture, minutes=46), found(lecture, to=2760.0))
    assert reasons(second) == ["overlap"]
    recording_review.place_recording(recording=second, offset=2700.0, user=teacher)
    second.refresh_from_db()
    assert (second.state, reasons(second), second.offset_source) == ("done", [], "person")


def test_what_the_footage_does_not_cover_is_neither_late_nor_early(lecture: Lecture) -> None:
    finish(recording(lecture, minutes=60, offset=900.0, offset_source="camera"), found(lecture, to=3600.0))
    assert statuses(lecture) == {"present", "absent"}
    (note,) = map(str, coverage_notes(lecture))
    start = timezone.localtime(lecture.starts_at)
    assert f"{start:%H:%M} to {start + timedelta(minutes=15):%H:%M}" in note


def test_limits_in_proportion_are_said(lecture: Lecture) -> None:
    ends = lecture.starts_at + timedelta(minutes=45)
    change_lecture(lecture=lecture, starts_at=lecture.starts_at, ends_at=ends, title="", room=None)
    finish(recording(lecture, minutes=45), found(lecture, to=2700.0))
    assert "late after 7.5 minutes" in str(coverage_notes(lecture)[0])


def test_moving_the_start_counts_again_at_once(lecture: Lecture, teacher: User) -> None:
    row = finish(recording(lecture), found(lecture, to=5400.0))
    Sighting.objects.filter(recording=row, present=True).update(intervals=[[700.0, 5400.0]])
    recount_lecture(lecture=lecture)
    assert "late" in statuses(lecture)
    recording_review.place_recording(recording=row, offset=-600.0, user=teacher)
    assert "late" not in statuses(lecture)
    change = AttendanceChange.objects.get()
    assert (change.kind, change.about) == ("placed", f"{row.original_name}, -0:10:00")


def test_a_recording_is_moved_to_the_lecture_that_it_is_of(lecture: Lecture, teacher: User) -> None:
    row = finish(recording(lecture), found(lecture, seen=0, strangers=12))
    other = factories.lecture(factories.course(students=2, lecturers=(teacher,)))
    recording_review.move_recording(recording=row, lecture=other, user=teacher)
    row.refresh_from_db()
    assert (row.lecture, row.state, row.held) == (other, "uploaded", False)
    assert not row.sightings.exists()
    assert {change.kind for change in AttendanceChange.objects.all()} == {"moved"}
    Recording.objects.filter(pk=row.pk).update(state="done")
    with pytest.raises(PermissionDenied):
        recording_review.move_recording(recording=row, lecture=factories.lecture(), user=teacher)


def test_a_removed_recording_leaves_what_people_said(lecture: Lecture, teacher: User) -> None:
    row = finish(recording(lecture), found(lecture))
    lecture.records.filter(machine_status="absent").update(override_status="present")
    recording_review.remove_recording(recording=row, user=teacher)
    assert not Recording.objects.exists()
    assert {(record.machine_status, record.status) for record in lecture.records.all()} == {("", "present")}


def test_a_recording_counts_until_the_one_that_replaces_it_does(lecture: Lecture, teacher: User) -> None:
    old = finish(recording(lecture), found(lecture))
    person = lecture.records.filter(machine_status="absent").first()
    lecture.records.filter(pk=person.pk).update(override_status="late")
    new = recording(lecture, replaces=old, uploaded_by=teacher, original_name="new.mp4")
    before = statuses(lecture)
    held = finish(new, found(lecture, seen=0, strangers=12))
    assert held.state == "needs_review"
    assert Recording.objects.filter(pk=old.pk).exists()
    assert statuses(lecture) == before
    recording_review.accept_recording(recording=held, user=teacher)
    assert list(lecture.recordings.all()) == [held]
    assert lecture.records.get(pk=person.pk).status == "late"
    assert "present" not in statuses(lecture)
    (replaced,) = AttendanceChange.objects.exclude(kind="accepted")
    assert (replaced.kind, replaced.about) == ("replaced", f"{old.original_name} → new.mp4")
    assert replaced.user == teacher


def test_who_replaces_a_recording_is_not_asked_about_both(lecture: Lecture, teacher: User) -> None:
    old = finish(recording(lecture), found(lecture))
    new = finish(recording(lecture, replaces=old, uploaded_by=teacher), found(lecture))
    assert new.state == "done"
    assert list(lecture.recordings.all()) == [new]
    assert AttendanceChange.objects.get().kind == "replaced"
    assert "present" in statuses(lecture)


def test_a_recording_of_another_lecture_by_now_is_not_replaced(lecture: Lecture, teacher: User) -> None:
    old = finish(recording(lecture), found(lecture))
    new = recording(lecture, replaces=old, uploaded_by=teacher)
    Recording.objects.filter(pk=old.pk).update(lecture=factories.lecture(lecture.course))
    finish(new, found(lecture))
    assert Recording.objects.count() == 2
    assert not AttendanceChange.objects.exists()


def test_a_lecture_that_is_set_right_releases_its_recording(lecture: Lecture) -> None:
    row = finish(recording(lecture, minutes=40), found(lecture, to=2400.0))
    assert row.state == "needs_review"
    ends = lecture.starts_at + timedelta(minutes=45)
    change_lecture(lecture=lecture, starts_at=lecture.starts_at, ends_at=ends, title="", room=None)
    row.refresh_from_db()
    assert row.state == "done"
    assert "present" in statuses(lecture)


def test_a_known_time_stays_when_the_lecture_moves(lecture: Lecture) -> None:
    row = finish(recording(lecture, offset=60.0, offset_source="camera"), found(lecture))
    starts = lecture.starts_at + timedelta(minutes=5)
    change_lecture(lecture=lecture, starts_at=starts, ends_at=lecture.ends_at, title="", room=None)
    row.refresh_from_db()
    assert row.offset == -240.0


def test_who_cannot_be_known_is_not_absent(lecture: Lecture) -> None:
    finish(recording(lecture), found(lecture, unrecognisable=2))
    assert lecture.records.filter(machine_status="not_recognisable").count() == 2
    late_comer = factories.student()
    factories.enrol(lecture.course, late_comer)
    recount_lecture(lecture=lecture)
    assert lecture.records.get(student=late_comer).status == "not_recognisable", (
        "the recording was not compared with it"
    )


INTERVALS = st.lists(st.tuples(st.floats(0, 1e4), st.floats(0, 1e4)).map(sorted).map(tuple), max_size=8)


@given(INTERVALS, st.floats(-1e4, 1e4), st.floats(1, 1e4))
def test_placed_intervals_lie_in_the_lecture(intervals: list[Interval], offset: float, length: float) -> None:
    placed = place_intervals(intervals, offset, length)
    assert all(0 <= start < end <= length for start, end in placed)
    assert total_length(placed) <= total_length(intervals) + 1e-6
