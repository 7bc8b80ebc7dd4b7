"""Guests are on the roster like students, and become one of them later without losing anything."""

from datetime import date

import pytest
from django.test import Client
from django.urls import reverse

from campus.academics.models import Lecture, Student
from campus.attendance.models import AttendanceChange, AttendanceRecord, Sighting
from campus.attendance.overrides import set_override
from campus.attendance.proposals import recount_lecture
from campus.attendance.selectors import why_not_recognisable
from campus.attendance.student_merge import (
    merge_guest,
    merge_students,
    recount_students_in_doubt,
    separate_students,
    undo_separation,
)
from campus.biometrics.look_alikes import save_look_alikes
from campus.biometrics.models import LookAlike
from campus.common.errors import UserError
from campus.recordings.models import Recording
from tests.campus import factories

pytestmark = pytest.mark.django_db


def test_all_that_is_known_of_the_two_becomes_one_person_s() -> None:
    registrar = factories.registrar(username="registrar")
    course, other = factories.course(code="CS101"), factories.course(code="MA202")
    guest, student = factories.student(name="Guest", guest=True), factories.student(name="Ann")
    factories.enrol(course, guest, valid_from=date(2026, 10, 1))
    factories.enrol(other, guest)
    factories.enrol(course, student, valid_from=date(2026, 11, 1), valid_to=date(2027, 1, 31))
    both, alone = factories.lecture(course), factories.lecture(other)
    recording = factories.planned(both, state=Recording.State.DONE)
    Sighting.objects.create(recording=recording, student=student, present=False)
    Sighting.objects.create(
        recording=recording, student=guest, present=True, intervals=[[0, 118]], seconds=118, share=0.98
    )
    recount_lecture(lecture=both)
    factories.records(alone)
    set_override(record=AttendanceRecord.objects.get(lecture=alone), status="excused", reason="ill", user=registrar)
    set_override(
        record=AttendanceRecord.objects.get(lecture=both, student=guest), status="late", reason="bus", user=registrar
    )
    factories.photo(guest, content=b"one")
    factories.photo(guest, content=b"both")
    factories.photo(student, content=b"both")

    merge_guest(guest=guest, student=student, user=registrar)

    assert list(Student.objects.all()) == [student]
    enrolment = student.enrolments.get(course=course)
    assert (enrolment.valid_from, enrolment.valid_to) == (date(2026, 10, 1), None)
    assert student.enrolments.count() == 2
    assert student.photos.count() == 2
    assert Sighting.objects.get(recording=recording).student == student
    record = AttendanceRecord.objects.get(lecture=both)
    assert (record.student, record.machine_status, record.status) == (student, "present", "late")
    assert AttendanceRecord.objects.get(lecture=alone).status == "excused"
    assert {change.reason for change in AttendanceChange.objects.all()} >= {"ill", "bus"}, "the log is whole"


def test_what_was_decided_on_the_student_counts() -> None:
    registrar, course = factories.registrar(username="registrar"), factories.course()
    guest, student = factories.student(guest=True), factories.student()
    for one in (guest, student):
        factories.enrol(course, one)
    lecture = factories.lecture(course)
    factories.records(lecture)
    for one, status in ((guest, "present"), (student, "excused")):
        set_override(
            record=AttendanceRecord.objects.get(lecture=lecture, student=one), status=status, reason="", user=registrar
        )
    merge_guest(guest=guest, student=student, user=registrar)
    assert AttendanceRecord.objects.get().status == "excused"


def test_only_a_guest_is_merged_and_into_somebody_else() -> None:
    registrar, student, guest = factories.registrar(), factories.student(), factories.student(guest=True)
    for one, into in ((student, guest), (guest, guest)):
        with pytest.raises(UserError, match="Only a guest"):
            merge_guest(guest=one, student=into, user=registrar)


def test_in_the_admin_a_guest_gets_a_number_and_is_merged_by_a_dialog(client: Client) -> None:
    client.force_login(factories.registrar(username="registrar"))
    inlines = {f"{name}-{count}_FORMS": "0" for name in ("enrolments", "photos") for count in ("TOTAL", "INITIAL")}
    add = reverse("admin:academics_student_add")
    assert "number" in client.post(add, {"name": "Nobody", **inlines}).context["adminform"].form.errors
    client.post(add, {"name": "Visitor", "guest": "on", **inlines})
    client.post(add, {"name": "Second", "guest": "on", **inlines})
    guest = Student.objects.get(name="Visitor")
    assert (guest.guest, guest.number, Student.objects.get(name="Second").number) == (True, "guest-1", "guest-2")
    student = factories.student()
    address = reverse("admin:academics_student_merge", args=[guest.pk])
    assert (
        "no student with this number"
        in client.post(address, {"_form_submitted": "True", "student": "nobody"}).content.decode()
    )
    response = client.post(
        address, {"_form_submitted": "True", "student": student.number}, headers={"HX-Request": "true"}
    )
    assert response["HX-Redirect"] == reverse("admin:academics_student_change", args=[student.pk])
    assert not Student.objects.filter(pk=guest.pk).exists()


def test_one_person_under_two_numbers_becomes_one_and_the_log_says_so() -> None:
    registrar, course = factories.registrar(username="registrar"), factories.course()
    kept, duplicate = factories.student(name="Ann"), factories.student(name="Ann")
    for student in (kept, duplicate):
        factories.enrol(course, student)
    lecture, by_hand = factories.lecture(course), factories.lecture(course)
    recording = factories.planned(lecture, state=Recording.State.DONE)
    Sighting.objects.create(recording=recording, student=kept, to_confirm=True, present=False, seconds=5)
    Sighting.objects.create(
        recording=recording, student=duplicate, present=True, intervals=[[0, 118]], seconds=118, share=0.98
    )
    recount_lecture(lecture=lecture)
    AttendanceRecord.objects.create(lecture=by_hand, student=duplicate, override_status="late")

    merge_students(duplicate=duplicate, student=kept, user=registrar)

    assert AttendanceRecord.objects.get(lecture=lecture).machine_status == "present"
    assert AttendanceRecord.objects.get(lecture=by_hand).student == kept
    merged = AttendanceChange.objects.filter(kind=AttendanceChange.ChangeKind.MERGED)
    assert {(change.lecture, change.about, change.user_name) for change in merged} == {
        (lecture, str(duplicate), "registrar"),
        (by_hand, str(duplicate), "registrar"),
    }


def test_what_is_known_of_one_of_the_two_alone_stays() -> None:
    course = factories.course()
    kept, duplicate = factories.student(), factories.student(email="ann@uni.example", guardian_phone="0123")
    lecture = factories.lecture(course)
    AttendanceRecord.objects.create(lecture=lecture, student=kept, machine_status="absent")
    AttendanceRecord.objects.create(lecture=lecture, student=duplicate, machine_status="late", seconds=60)
    merge_students(duplicate=duplicate, student=kept, user=factories.registrar())
    kept.refresh_from_db()
    record = AttendanceRecord.objects.get(lecture=lecture)
    assert (kept.email, kept.guardian_phone) == ("ann@uni.example", "0123")
    assert (record.student, record.machine_status, record.seconds) == (kept, "late", 60)


def test_nobody_is_merged_with_himself() -> None:
    student = factories.student()
    with pytest.raises(UserError):
        merge_students(duplicate=student, student=student, user=factories.registrar())


def test_of_two_who_look_like_one_person_neither_is_absent_until_somebody_decides() -> None:
    registrar, course = factories.registrar(username="registrar"), factories.course()
    first, second, other = (factories.student() for _ in range(3))
    for student in (first, second, other):
        factories.enrol(course, student)
    unseen, seen = factories.lecture(course), factories.lecture(course)
    recordings = [factories.planned(lecture, state=Recording.State.DONE) for lecture in (unseen, seen)]
    for recording in recordings:
        for student in (first, second, other):
            is_seen = recording.lecture == seen and student == first
            Sighting.objects.create(
                recording=recording,
                student=student,
                present=is_seen,
                intervals=[[0, 118]] if is_seen else [],
            )
        recount_lecture(lecture=recording.lecture)

    def statuses(lecture: Lecture) -> list[str]:
        return [lecture.records.get(student=student).machine_status for student in (first, second, other)]

    before = statuses(unseen), statuses(seen)
    assert before[0] == ["absent"] * 3
    save_look_alikes(course=course, pairs=[(first.pk, second.pk, 0.99)])
    recount_students_in_doubt(course=course)
    assert statuses(unseen) == ["not_recognisable", "not_recognisable", "absent"]
    assert statuses(seen) == ["to_confirm", "not_recognisable", "absent"]
    factories.photo(first, state="accepted")
    assert f"like those of {second}" in str(why_not_recognisable(unseen, [first.pk])[first.pk])
    separate_students(pair=LookAlike.objects.get(), user=registrar)
    assert (statuses(unseen), statuses(seen)) == before
    undo_separation(pair=LookAlike.objects.get(), user=registrar)
    assert statuses(unseen) == ["not_recognisable", "not_recognisable", "absent"]
    assert statuses(seen) == ["to_confirm", "not_recognisable", "absent"]
