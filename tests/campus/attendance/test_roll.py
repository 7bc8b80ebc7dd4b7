"""The roll, taken by people: without a recording and beside one, all at once, taken back, and what it counts for."""

from collections import Counter
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from campus.academics.models import Lecture
from campus.attendance import overrides, roll
from campus.attendance.csv_files import lecture_csv, moodle_marks
from campus.attendance.history import student_history
from campus.attendance.models import AttendanceChange, AttendanceRecord, SignOff
from campus.attendance.pdf import lecture_pdf
from campus.attendance.register import build_register
from campus.common.errors import UserError
from tests.campus import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def teacher() -> User:
    return factories.user(username="teacher", first_name="Maria", last_name="Lindner")


@pytest.fixture
def lecture(teacher: User) -> Lecture:
    """A lecture of four students, without a recording."""
    return factories.lecture(factories.course(lecturers=(teacher,), students=4))


def students(lecture: Lecture) -> list[int]:
    return list(lecture.course.students.order_by("name").values_list("pk", flat=True))


def statuses(lecture: Lecture) -> list[str]:
    return [record.status for record in roll.lecture_roll(lecture)]


def age_changes(lecture: Lecture, by: timedelta) -> None:
    """As if all changes had been made that much earlier."""
    for change in lecture.changes.all():
        AttendanceChange._base_manager.filter(pk=change.pk).update(created_at=change.created_at - by)


def test_the_roll_is_there_before_anybody_took_it(lecture: Lecture) -> None:
    assert statuses(lecture) == ["", "", "", ""]
    assert not AttendanceRecord.objects.exists(), "who only looks writes nothing"
    assert build_register(lecture.course).lectures == ()


def test_one_student_is_marked_without_a_recording(lecture: Lecture, teacher: User) -> None:
    first, second, *_ = students(lecture)
    (record,) = roll.mark_students(lecture=lecture, statuses={second: "late"}, user=teacher)
    assert (record.student_id, record.status, record.machine_status) == (second, "late", "")
    assert statuses(lecture) == ["", "late", "", ""]
    assert roll.marked_by(lecture) == {record.pk: "Maria Lindner"}
    change = lecture.changes.get()
    assert (change.old_status, change.new_status, change.user_name) == ("", "late", "Maria Lindner")
    register = build_register(lecture.course)
    counted = {row.student.pk: row.tally.counted_lectures for row in register.rows}
    assert (counted[first], counted[second]) == (0, 1), "who was not marked has no lecture that counts"
    assert register.total.counts == {"late": 1}


def test_marking_again_logs_nothing(lecture: Lecture, teacher: User) -> None:
    first = students(lecture)[0]
    roll.mark_students(lecture=lecture, statuses={first: "present"}, user=teacher)
    assert roll.mark_students(lecture=lecture, statuses={first: "present"}, user=teacher) == []
    assert lecture.changes.count() == 1


def test_who_is_not_on_the_roster_cannot_be_marked(lecture: Lecture, teacher: User) -> None:
    with pytest.raises(UserError, match="roster"):
        roll.mark_students(
            lecture=lecture, statuses={factories.student().pk: "present", students(lecture)[0]: "late"}, user=teacher
        )
    assert not lecture.changes.exists()


@pytest.mark.parametrize("status", ["asleep", "to_confirm", "not_recognisable"])
def test_only_what_a_person_can_say_is_set(lecture: Lecture, teacher: User, status: str) -> None:
    with pytest.raises(UserError, match="not a status that a person can set"):
        roll.mark_students(lecture=lecture, statuses={students(lecture)[0]: status}, user=teacher)


def test_all_others_are_marked_and_what_was_marked_stays(lecture: Lecture, teacher: User) -> None:
    first, second, third, fourth = students(lecture)
    roll.mark_students(lecture=lecture, statuses={first: "late", second: "absent"}, user=teacher)
    AttendanceRecord.objects.filter(student=third).update(machine_status="present", confidence=0.9)
    changed = roll.mark_others(lecture=lecture, status="absent", user=teacher)
    assert [record.student_id for record in changed] == [fourth], "a recording shows the third"
    assert statuses(lecture) == ["late", "absent", "present", "absent"]


def test_whom_the_machine_did_not_see_is_among_the_others_and_who_is_doubtful_is_not(
    lecture: Lecture, teacher: User
) -> None:
    roll.mark_students(lecture=lecture, statuses={students(lecture)[0]: "present"}, user=teacher)
    for record, machine in zip(
        lecture.records.order_by("student__name"), ["", "absent", "not_recognisable", "to_confirm"], strict=True
    ):
        AttendanceRecord.objects.filter(pk=record.pk).update(machine_status=machine)
    roll.mark_others(lecture=lecture, status="present", user=teacher)
    assert statuses(lecture) == ["present", "present", "present", "to_confirm"]


def test_the_last_change_is_taken_back_as_a_whole(lecture: Lecture, teacher: User) -> None:
    first = students(lecture)[0]
    roll.mark_students(lecture=lecture, statuses={first: "late"}, user=teacher)
    roll.mark_students(lecture=lecture, statuses=dict.fromkeys(students(lecture), "excused"), user=teacher)
    assert len(roll.last_change(lecture)) == 4
    roll.undo_last_change(lecture=lecture, user=teacher)
    assert statuses(lecture) == ["late", "", "", ""]
    assert Counter(lecture.changes.values_list("kind", flat=True)) == {"status": 5, "undone": 4}, "both are logged"
    roll.undo_last_change(lecture=lecture, user=teacher)
    assert statuses(lecture) == [""] * 4
    assert build_register(lecture.course).lectures == (), "a roll that was taken back counts for nothing"
    with pytest.raises(UserError, match="nothing to take back"):
        roll.undo_last_change(lecture=lecture, user=teacher)


def test_what_was_marked_before_the_undo_is_still_by_the_person_who_did(lecture: Lecture, teacher: User) -> None:
    first = students(lecture)[0]
    (record,) = roll.mark_students(lecture=lecture, statuses={first: "late"}, user=teacher)
    registrar = factories.registrar(username="registrar")
    roll.mark_students(lecture=lecture, statuses={first: "absent"}, user=registrar)
    assert roll.marked_by(lecture) == {record.pk: "registrar"}
    roll.undo_last_change(lecture=lecture, user=registrar)
    assert roll.marked_by(lecture) == {record.pk: "Maria Lindner"}


def test_after_an_hour_nothing_is_taken_back(lecture: Lecture, teacher: User) -> None:
    roll.mark_others(lecture=lecture, status="present", user=teacher)
    age_changes(lecture, roll.UNDO_PERIOD - timedelta(minutes=1))
    assert roll.last_change(lecture)
    age_changes(lecture, timedelta(minutes=2))
    assert roll.last_change(lecture) == []
    with pytest.raises(UserError, match="within the last hour"):
        roll.undo_last_change(lecture=lecture, user=teacher)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15)
@given(
    st.lists(
        st.dictionaries(st.integers(0, 3), st.sampled_from(["", "present", "late", "absent", "excused"]), min_size=1),
        min_size=1,
        max_size=5,
    )
)
def test_taking_back_every_change_leads_to_the_beginning(
    lecture: Lecture, teacher: User, changes: list[dict[int, str]]
) -> None:
    """Whatever was set, and however often: undo goes back one change at a time, through the same statuses."""
    pks = students(lecture)
    roll.mark_students(lecture=lecture, statuses=dict.fromkeys(pks, "late"), user=teacher)
    seen = [statuses(lecture)]
    for change in changes:
        if roll.mark_students(lecture=lecture, statuses={pks[n]: code for n, code in change.items()}, user=teacher):
            seen.append(statuses(lecture))
    while len(seen) > 1:
        assert statuses(lecture) == seen.pop()
        roll.undo_last_change(lecture=lecture, user=teacher)
    assert statuses(lecture) == ["late"] * 4
    AttendanceChange._base_manager.filter(lecture=lecture).delete()
    lecture.records.all().delete()


def test_who_may_not_change_the_lecture_takes_no_roll(lecture: Lecture, teacher: User) -> None:
    first, stranger = students(lecture)[0], factories.user()
    for change in (
        lambda: roll.mark_students(lecture=lecture, statuses={first: "present"}, user=stranger),
        lambda: roll.mark_others(lecture=lecture, status="present", user=stranger),
        lambda: roll.undo_last_change(lecture=lecture, user=stranger),
    ):
        with pytest.raises(PermissionDenied):
            change()
    roll.mark_others(lecture=lecture, status="present", user=teacher)
    overrides.sign_off_lecture(lecture=lecture, user=teacher)
    with pytest.raises(UserError, match="signed off"):
        roll.undo_last_change(lecture=lecture, user=teacher)
    roll.mark_students(lecture=lecture, statuses={first: "late"}, user=factories.registrar())
    assert statuses(lecture)[0] == "late"


def test_a_roll_is_signed_off_when_everybody_has_a_status(lecture: Lecture, teacher: User) -> None:
    with pytest.raises(UserError, match="no attendance to sign off"):
        overrides.sign_off_lecture(lecture=lecture, user=teacher)
    roll.mark_students(lecture=lecture, statuses={students(lecture)[0]: "present"}, user=teacher)
    with pytest.raises(UserError, match="3 students have no status yet"):
        overrides.sign_off_lecture(lecture=lecture, user=teacher)
    roll.mark_others(lecture=lecture, status="absent", user=teacher)
    overrides.sign_off_lecture(lecture=lecture, user=teacher)
    assert SignOff.objects.filter(lecture=lecture).exists()


def test_a_cancelled_lecture_has_no_roll_and_no_absences(lecture: Lecture, teacher: User) -> None:
    first = students(lecture)[0]
    roll.mark_others(lecture=lecture, status="absent", user=teacher)
    Lecture.objects.update(cancelled=True)
    assert build_register(lecture.course).rows == ()
    assert student_history(teacher, lecture.course.students.get(pk=first)) == []
    with pytest.raises(UserError, match="cancelled"):
        roll.mark_students(lecture=lecture, statuses={first: "present"}, user=teacher)
    with pytest.raises(UserError, match="cancelled"):
        overrides.sign_off_lecture(lecture=lecture, user=teacher)


def test_files_have_the_roll_with_or_without_marks(lecture: Lecture, teacher: User) -> None:
    assert lecture_pdf(lecture).startswith(b"%PDF"), "a list to sign"
    assert moodle_marks(lecture).decode().splitlines() == ["idnumber,scantime,status"]
    lines = lecture_csv(lecture).decode("utf-8-sig").splitlines()
    assert len(lines) == 5
    assert {line.rpartition(",")[2] for line in lines[1:]} == {""}, "nobody says anything yet"
    roll.mark_students(lecture=lecture, statuses={students(lecture)[0]: "late"}, user=teacher)
    lines = lecture_csv(lecture).decode("utf-8-sig").splitlines()
    assert lines[1].endswith(",Maria Lindner")
    assert ",Late," in lines[1]
    assert len(moodle_marks(lecture).decode().splitlines()) == 2


def test_a_student_who_left_the_class_stays_on_the_roll_that_names_him(lecture: Lecture, teacher: User) -> None:
    first, second, *_ = students(lecture)
    roll.mark_students(lecture=lecture, statuses={first: "present"}, user=teacher)
    lecture.course.enrolments.filter(student=first).delete()
    assert statuses(lecture)[0] == "present"
    roll.mark_students(lecture=lecture, statuses={first: "late"}, user=teacher)
    assert statuses(lecture)[0] == "late"
    assert timezone.localtime(lecture.starts_at).date() >= lecture.course.enrolments.get(student=second).valid_from
