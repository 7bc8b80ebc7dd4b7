"""Taking the roll on the lecture's page: each button as a form and as the script sends it, the question before marks
are replaced, and undo."""

import re
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from campus.academics.models import Lecture
from campus.attendance.face_overrides import name_unknown_person
from campus.attendance.models import AttendanceRecord, Excuse
from campus.attendance.overrides import sign_off_lecture
from campus.attendance.roll import mark_others, mark_students
from campus.recordings.models import Recording
from tests.campus import factories
from tests.campus.conftest import World

SCRIPT = {"X-Requested-With": "XMLHttpRequest"}


@pytest.fixture
def lecturer(client: Client, world: World) -> Client:
    client.force_login(world.own)
    return client


@pytest.fixture
def empty(world: World) -> Lecture:
    """A lecture without a recording."""
    return factories.lecture(world.course)


def page(client: Client, lecture: Lecture) -> str:
    return client.get(reverse("lecture", args=[lecture.pk])).content.decode()


def pressed(text: str) -> list[str]:
    return re.findall(r'value="\d+:(\w+)"[^>]*aria-pressed="true"', text)


def row_of(text: str, student: int) -> str:
    return re.sub(r"\s+", " ", text.split(f'id="student-{student}"')[1].split("</li>")[0])


def test_a_tap_without_the_script(lecturer: Client, world: World, empty: Lecture) -> None:
    assert page(lecturer, empty).count("No status yet</a>") == 2
    response = lecturer.post(reverse("roll", args=[empty.pk]), {"mark": f"{world.student.pk}:late"})
    assert response["Location"] == f"{reverse('lecture', args=[empty.pk])}#student-{world.student.pk}"
    text = page(lecturer, empty)
    assert pressed(text) == ["late"]
    assert "marked by own" in row_of(text, world.student.pk)
    assert "1 late" in text


def test_the_script_gets_the_rows_that_changed(lecturer: Client, world: World, empty: Lecture) -> None:
    url = reverse("roll", args=[empty.pk])
    text = lecturer.post(url, {"mark": f"{world.student.pk}:present"}, headers=SCRIPT).content.decode()
    assert re.findall(r'id="(student-\d+|roll-\w+)"', text) == [
        "roll-head",
        "roll-filters",
        f"student-{world.student.pk}",
    ]
    assert pressed(text) == ["present"]
    refused = lecturer.post(url, {"mark": f"{world.student.pk}:asleep"}, headers=SCRIPT)
    assert refused.status_code == 200
    assert "not a status that a person can set" in refused.content.decode()


@pytest.mark.parametrize("mark", ["", "x:present", "9" * 30 + ":present", "1", ":present", "-1:present", "0:present"])
def test_what_is_no_mark_says_so(lecturer: Client, empty: Lecture, mark: str) -> None:
    response = lecturer.post(reverse("roll", args=[empty.pk]), {"mark": mark}, follow=True)
    assert response.status_code == 200
    assert 'class="note error"' in response.content.decode()
    assert not empty.changes.exists()


def test_the_menu_of_a_status_has_all_of_them_and_goes_back_to_what_was_detected(
    lecturer: Client, world: World
) -> None:
    text = page(lecturer, world.lecture)
    menu = text.split('role="menu"')[1].split("</div>")[0]
    assert re.findall(r'data-status="(\w*)"', menu) == ["present", "late", "left_early", "excused", "absent", ""]
    row = row_of(text, world.student.pk)
    assert f'href="{reverse("record", args=[world.record.pk])}" aria-label="{world.student.name}: Present"' in row
    assert 'class="mark' not in row, "the recording has said who this is: buttons would be in the way"
    url = reverse("roll", args=[world.lecture.pk])
    changed = lecturer.post(url, {"mark": f"{world.student.pk}:left_early"}, headers=SCRIPT).content.decode()
    assert f"{world.student.name}: Left early" in changed.split('class="toast"')[1]
    assert "Present → Left early" in changed, "the log comes along"
    assert f'id="seen-{world.student.pk}"' in changed
    changed = lecturer.post(url, {"mark": f"{world.student.pk}:"}, headers=SCRIPT).content.decode()
    assert f"{world.student.name}: Present" in changed.split('class="toast"')[1]
    world.record.refresh_from_db()
    assert world.record.override_status == ""
    assert world.lecture.changes.count() == 2


def test_undo_takes_back_only_the_change_that_it_names(lecturer: Client, world: World, empty: Lecture) -> None:
    url, undo = reverse("roll", args=[empty.pk]), reverse("roll-undo", args=[empty.pk])
    toast = lecturer.post(url, {"mark": f"{world.student.pk}:late"}, headers=SCRIPT).content.decode()
    batch = toast.split('class="toast"')[1].split('name="batch" value="')[1].split('"')[0]
    other = empty.course.students.exclude(pk=world.student.pk).get()
    mark_students(lecture=empty, statuses={other.pk: "absent"}, user=world.registrar)
    refused = lecturer.post(undo, {"batch": batch}, headers=SCRIPT).content.decode()
    assert "The roll was changed again since." in refused
    assert sorted(pressed(page(lecturer, empty))) == ["absent", "late"]
    lecturer.post(undo)
    answer = lecturer.post(undo, {"batch": batch}, headers=SCRIPT).content.decode()
    assert f"Taken back. {world.student.name}: No status yet" in answer
    assert 'name="batch"' not in answer.split('class="toast"')[1], "what was taken back is not taken back again"
    assert pressed(page(lecturer, empty)) == []
    assert set(empty.changes.values_list("kind", flat=True)) == {"status", "undone"}


def test_the_answer_for_a_recordings_page_shows_that_recording(lecturer: Client, world: World) -> None:
    url, crop = reverse("roll", args=[world.lecture.pk]), reverse("crop", args=[world.sighting.pk, 0])
    shown = [(world.recording.pk, 1), (world.failed.pk, 0), ("nonsense", 1), (uuid4(), 1)]
    for (recording, pictures), status in zip(shown, ["absent", "late", "absent", "late"], strict=True):
        form = {"mark": f"{world.student.pk}:{status}", "recording": str(recording)}
        assert lecturer.post(url, form, headers=SCRIPT).content.decode().count(crop) == pictures, recording


def test_who_has_no_picture_has_initials(lecturer: Client, world: World, empty: Lecture) -> None:
    world.student.name = "María del Carmen Fernández"
    world.student.save()
    assert '<span class="noface" aria-hidden="true">MF</span>' not in row_of(page(lecturer, empty), world.student.pk)
    world.photo.delete()
    assert '<span class="noface" aria-hidden="true">MF</span>' in row_of(page(lecturer, empty), world.student.pk)


def test_all_others_and_back(lecturer: Client, world: World, empty: Lecture) -> None:
    mark_students(lecture=empty, statuses={world.student.pk: "late"}, user=world.own)
    assert "1 other absent" in page(lecturer, empty)
    lecturer.post(reverse("roll-others", args=[empty.pk]), {"status": "absent"})
    text = page(lecturer, empty)
    assert sorted(pressed(text)) == ["absent", "late"]
    assert "other absent" not in text
    lecturer.post(reverse("roll-undo", args=[empty.pk]))
    assert pressed(page(lecturer, empty)) == ["late"]
    text = lecturer.post(reverse("roll-undo", args=[empty.pk]), headers=SCRIPT).content.decode()
    assert pressed(text) == []
    assert "nothing to take back" in lecturer.post(reverse("roll-undo", args=[empty.pk]), follow=True).content.decode()


def test_marks_by_hand_are_not_replaced_without_a_question(lecturer: Client, world: World, empty: Lecture) -> None:
    students = list(world.course.students.order_by("name").values_list("pk", flat=True))
    mark_students(lecture=empty, statuses={students[0]: "late"}, user=world.own)
    form = {"students": students, "status": "present", "reason": "Exam"}
    url = reverse("set-statuses", args=[empty.pk])
    assert lecturer.post(url, form, headers=SCRIPT).status_code == 409
    question = lecturer.post(url, form).content.decode()
    assert "One of these students was marked by hand." in question
    assert empty.changes.count() == 1, "nothing is changed yet"
    lecturer.post(url, form | {"by_hand": "keep"})
    assert pressed(page(lecturer, empty)) == ["late", "present"]
    lecturer.post(url, form | {"by_hand": "replace"})
    assert pressed(page(lecturer, empty)) == ["present", "present"]
    assert empty.changes.first().reason == "Exam"
    assert lecturer.post(url, form).status_code == 302, "nobody is marked otherwise any more"


def test_several_at_once_are_taken_back_from_the_same_toast(lecturer: Client, world: World, empty: Lecture) -> None:
    students = list(world.course.students.values_list("pk", flat=True))
    url = reverse("set-statuses", args=[empty.pk])
    answer = lecturer.post(url, {"students": students, "status": "excused"}, headers=SCRIPT).content.decode()
    toast = answer.split('class="toast"')[1]
    assert "2 statuses changed." in toast
    assert all(f'id="student-{pk}"' in answer for pk in students)
    batch = toast.split('name="batch" value="')[1].split('"')[0]
    lecturer.post(reverse("roll-undo", args=[empty.pk]), {"batch": batch}, headers=SCRIPT)
    assert pressed(page(lecturer, empty)) == []
    refused = lecturer.post(url, {"students": students, "status": "asleep"}, headers=SCRIPT).content.decode()
    assert "asleep" in refused.split("data-problem")[1]
    assert 'class="toast"' not in refused


def test_what_the_machine_did_not_see_is_absent_only_when_signed(lecturer: Client, world: World) -> None:
    absent = world.lecture.records.get(machine_status="absent").student_id
    assert "Not seen" in row_of(page(lecturer, world.lecture), absent)
    Recording.objects.filter(pk=world.failed.pk).delete()
    sign_off_lecture(lecture=world.lecture, user=world.own)
    row = row_of(page(lecturer, world.lecture), absent)
    assert "Absent" in row
    assert "Not seen" not in row


def test_whom_a_person_found_is_said_to_be_found_by_that_person(lecturer: Client, world: World) -> None:
    absent = world.lecture.records.get(machine_status="absent").student
    name_unknown_person(person=world.unknown, student=absent, user=world.own)
    row = row_of(page(lecturer, world.lecture), absent.pk)
    assert "found in the recording by own" in row
    assert "confidence" not in row
    assert "confidence" in row_of(page(lecturer, world.lecture), world.student.pk)
    record = world.lecture.records.get(student=absent)
    assert "Confidence" not in lecturer.get(reverse("record", args=[record.pk])).content.decode()


def test_a_cancelled_lecture_shows_no_roll(lecturer: Client, world: World, empty: Lecture) -> None:
    mark_others(lecture=empty, status="absent", user=world.own)
    Lecture.objects.filter(pk=empty.pk).update(cancelled=True)
    text = page(lecturer, empty)
    assert "nothing counts" in text
    assert "Absent" not in text


def test_an_auditor_and_a_lecture_that_is_signed_off_have_no_buttons(
    client: Client, world: World, empty: Lecture
) -> None:
    mark_others(lecture=empty, status="present", user=world.own)
    sign_off_lecture(lecture=empty, user=world.own)
    client.force_login(world.own)
    text = page(client, empty)
    assert 'name="mark"' not in text
    assert 'role="menu"' not in text
    assert 'aria-haspopup="menu"' not in text
    client.force_login(world.registrar)
    assert 'name="mark"' in page(client, empty)


def test_excuses_from_the_lecture_to_the_register(lecturer: Client, world: World, empty: Lecture) -> None:
    mark_others(lecture=empty, status="present", user=world.own)
    AttendanceRecord.objects.filter(lecture=empty, student=world.student).update(override_status="")
    day = timezone.localtime(empty.starts_at).date().isoformat()
    url = reverse("lecture-excuse", args=[empty.pk])
    assert f'value="{day}"' in lecturer.get(url).content.decode()
    form = {
        "student": world.student.pk,
        "course": world.course.pk,
        "first_day": day,
        "last_day": day,
        "reason": "<ill>",
    }
    for wrong in ({"reason": ""}, {"first_day": "9999-12-31"}, {"last_day": "2020-01-01"}, {"student": "0"}):
        assert lecturer.post(url, form | wrong).status_code == 400, wrong
    assert lecturer.post(url, form)["Location"] == reverse("lecture", args=[empty.pk])
    row = row_of(page(lecturer, empty), world.student.pk)
    assert "Excused" in row
    assert "&lt;ill&gt;" in row
    register = lecturer.get(reverse("register", args=[world.course.pk])).content.decode()
    assert '<abbr title="Excused: &lt;ill&gt;">E</abbr>' in register
    assert "&lt;ill&gt;" in lecturer.get(reverse("student", args=[world.student.pk])).content.decode()
    assert "&lt;ill&gt;" in lecturer.get(reverse("excuses")).content.decode()
    lecturer.post(reverse("excuse-withdraw", args=[Excuse.objects.get().pk]))
    assert "No status yet" in row_of(page(lecturer, empty), world.student.pk)
    assert "withdrawn by own" in lecturer.get(reverse("excuses"), {"course": world.course.pk}).content.decode()


def test_a_lecturer_excuses_for_the_own_class_only(lecturer: Client, world: World) -> None:
    url = reverse("student-excuse", args=[world.student.pk])
    assert "All classes" not in lecturer.get(url).content.decode()
    form = {"student": world.student.pk, "first_day": "2026-11-16", "last_day": "2026-11-16", "reason": "ill"}
    for course in ("", world.foreign.course_id):
        assert lecturer.post(url, form | {"course": course}).status_code == 400
    lecturer.force_login(world.registrar)
    assert "All classes" in lecturer.get(url).content.decode()
    assert lecturer.post(url, form | {"course": ""}).status_code == 302
    assert Excuse.objects.get().course is None


def test_a_failed_recording_is_dismissed(lecturer: Client, world: World) -> None:
    Recording.objects.filter(pk=world.failed.pk).update(created_at=timezone.now())
    url = reverse("recording-action", args=[world.failed.pk, "dismiss"])
    assert url in lecturer.get(reverse("home")).content.decode()
    assert lecturer.post(url, {"list": "home"})["Location"] == reverse("home")
    assert url not in lecturer.get(reverse("home")).content.decode()
    world.failed.refresh_from_db()
    assert world.failed.dismissed
    lecturer.post(reverse("recording-action", args=[world.failed.pk, "restart"]))
    world.failed.refresh_from_db()
    assert not world.failed.dismissed
    assert "can be dismissed" in lecturer.post(url, follow=True).content.decode(), "it is being worked on"
