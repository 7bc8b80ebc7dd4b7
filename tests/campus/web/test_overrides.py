"""The lecture's page and the evidence behind it: filters, several statuses at once, unknown people, stills, the
sign-off, the log."""

import re
from pathlib import Path
from uuid import uuid4

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from campus.academics.models import Student
from campus.attendance.models import AttendanceChange, Sighting, SignOff, Snapshot, UnknownPerson
from campus.attendance.proposals import recount_lecture
from campus.attendance.snapshots import finish_snapshot
from campus.biometrics.models import LectureFace
from campus.common import jobs
from tests.campus import factories
from tests.campus.conftest import World, jpeg


@pytest.fixture
def lecturer(client: Client, world: World) -> Client:
    client.force_login(world.own)
    return client


@pytest.fixture
def absent(world: World) -> Student:
    return world.lecture.records.get(machine_status="absent").student


def lecture_page(client: Client, world: World, show: str = "") -> str:
    response = client.get(reverse("lecture", args=[world.lecture.pk]), {"show": show} if show else {})
    assert response.status_code == 200
    return response.content.decode()


def cards(text: str) -> set[int]:
    return {int(pk) for pk in re.findall(r'id="student-(\d+)"', text)}


def test_filters(lecturer: Client, world: World, absent: Student) -> None:
    there = world.student
    everybody = {there.pk, absent.pk}
    assert cards(lecture_page(lecturer, world)) == everybody
    assert cards(lecture_page(lecturer, world, "attended")) == {there.pk}
    assert cards(lecture_page(lecturer, world, "absent")) == {absent.pk}
    assert cards(lecture_page(lecturer, world, "to-check")) == set()
    assert cards(lecture_page(lecturer, world, "changed")) == set()
    assert cards(lecture_page(lecturer, world, "nonsense")) == everybody
    Sighting.objects.filter(pk=world.sighting.pk).update(confidence=0.55)
    recount_lecture(lecture=world.lecture)
    assert cards(lecture_page(lecturer, world, "to-check")) == {there.pk}
    lecturer.post(reverse("record", args=[world.record.pk]), {"status": "present", "reason": ""})
    assert cards(lecture_page(lecturer, world, "to-check")) == set()
    assert cards(lecture_page(lecturer, world, "changed")) == {there.pk}


def test_the_times_of_the_class_are_drawn(lecturer: Client, world: World) -> None:
    text = lecture_page(lecturer, world)
    (bar,) = re.findall(r'<rect class="present" x="([\d.]+)%" width="([\d.]+)%"', text)
    assert (float(bar[0]), float(bar[1])) == (0, pytest.approx(100 * 118 / 5400, abs=0.01))
    starts = timezone.localtime(world.lecture.starts_at)
    assert f"{starts:%H}:00:00–{starts:%H}:01:58" in text  # noqa: RUF001  (a range)


@pytest.mark.parametrize("changed", [1, 2])
def test_several_statuses_at_once(lecturer: Client, world: World, changed: int) -> None:
    students = list(world.lecture.records.values_list("student", flat=True))
    form = {
        "students": students[:changed],
        "status": "excused",
        "reason": "Fire alarm",
        "show": "absent",
    }
    response = lecturer.post(reverse("set-statuses", args=[world.lecture.pk]), form)
    assert response["Location"].endswith("?show=absent#result")
    assert world.lecture.records.filter(override_status="excused").count() == changed
    assert set(AttendanceChange.objects.values_list("reason", flat=True)) == {"Fire alarm"}


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"status": "late"}, "No students selected"),
        ({"status": "asleep", "students": "1"}, "asleep"),
        ({"status": "late", "students": ["-1", "x", "9" * 40]}, "No students selected"),
    ],
)
def test_what_cannot_be_set(lecturer: Client, world: World, form: dict[str, str], sentence: str) -> None:
    response = lecturer.post(reverse("set-statuses", args=[world.lecture.pk]), form, follow=True)
    assert sentence in response.content.decode()
    assert not AttendanceChange.objects.exists()


def test_students_of_another_class_are_not_touched(lecturer: Client, world: World) -> None:
    stranger = world.foreign.course.students.get()
    form = {"students": [world.student.pk, stranger.pk], "status": "excused"}
    response = lecturer.post(reverse("set-statuses", args=[world.lecture.pk]), form, follow=True)
    assert "Not all of these students are on the roster" in response.content.decode()
    assert not AttendanceChange.objects.exists()


def test_an_unknown_person_gets_a_name(lecturer: Client, world: World, absent: Student) -> None:
    url = reverse("unknown-person", args=[world.unknown.pk])
    assert url in lecture_page(lecturer, world)
    page = lecturer.get(url).content.decode()
    assert page.index(absent.name) < page.index(world.student.name)  # who is missing comes first
    response = lecturer.post(url, {"action": "name", "student": absent.pk, "reason": "I know her"}, follow=True)
    text = response.content.decode()
    assert f"Identified as {absent.name}." in text
    assert "2 present" in text
    assert "I know her" in text
    record = world.lecture.records.get(student=absent)
    assert "Identified by own." in lecturer.get(reverse("record", args=[record.pk])).content.decode()
    lecturer.post(url, {"action": "undo"})
    assert "1 not seen" in lecture_page(lecturer, world)


def test_a_face_unlike_the_photos_is_warned_of(lecturer: Client, world: World, absent: Student) -> None:
    """The likeliest student is the first; who names another is told, and is taken at his or her word."""
    url, form = reverse("unknown-person", args=[world.unknown.pk]), {"action": "name", "student": absent.pk}
    warning = "The face looks unlike the photos of"
    Sighting.objects.filter(student=absent).update(recognisable=True)
    assert warning not in lecturer.post(url, form, follow=True).content.decode(), "nobody knows"
    UnknownPerson.objects.update(resembles=[world.student.pk])
    assert "looks unlike the photos" in lecturer.get(url).content.decode()
    assert warning in lecturer.post(url, form, follow=True).content.decode()
    assert world.lecture.records.get(student=absent).status == "present"
    UnknownPerson.objects.update(resembles=[absent.pk])
    assert warning not in lecturer.post(url, form, follow=True).content.decode()
    UnknownPerson.objects.update(resembles=[])
    Sighting.objects.filter(student=absent).update(recognisable=False)
    assert warning not in lecturer.post(url, form, follow=True).content.decode(), "there are no photos"


def test_who_is_someone_else_stays_excused(lecturer: Client, world: World) -> None:
    Sighting.objects.filter(pk=world.sighting.pk).update(present=False, to_confirm=True)
    recount_lecture(lecture=world.lecture)
    factories.excuse(world.student)
    lecturer.post(reverse("record-confirm", args=[world.record.pk, "absent"]))
    assert world.lecture.records.get(student=world.student).status == "excused"


@pytest.mark.parametrize("student", ["", "x", "999999", "9" * 40])
def test_somebody_has_to_be_chosen(lecturer: Client, world: World, student: str) -> None:
    response = lecturer.post(reverse("unknown-person", args=[world.unknown.pk]), {"action": "name", "student": student})
    assert response.status_code == 400
    assert "Choose a student first." in response.content.decode()


def test_visitor_and_delete(lecturer: Client, world: World) -> None:
    url = reverse("unknown-person", args=[world.unknown.pk])
    assert "Marked as a visitor." in lecturer.post(url, {"action": "visitor"}, follow=True).content.decode()
    assert "visitor" in lecture_page(lecturer, world)
    assert "Deleted" in lecturer.post(url, {"action": "delete"}, follow=True).content.decode()
    assert not UnknownPerson.objects.exists()
    assert lecturer.get(url).status_code == 404


def test_not_this_person(lecturer: Client, world: World) -> None:
    response = lecturer.post(
        reverse("sighting-action", args=[world.sighting.pk, "reject"]), {"reason": "her sister"}, follow=True
    )
    text = response.content.decode()
    assert "The face is now among the unknown people." in text
    assert "Not seen in any recording." in text
    assert "2 not seen" in lecture_page(lecturer, world)
    person = UnknownPerson.objects.order_by("index").last()
    # Of whom somebody said "not this person", the page doesn't propose that person.
    assert world.student.name not in lecturer.get(reverse("unknown-person", args=[person.pk])).content.decode()


def test_nothing_else_can_be_done_with_a_sighting(lecturer: Client, world: World) -> None:
    assert lecturer.post(reverse("sighting-action", args=[world.sighting.pk, "explode"])).status_code == 404


def test_a_snapshot_is_extracted_when_somebody_opens_the_page(lecturer: Client, world: World) -> None:
    Sighting.objects.filter(pk=world.sighting.pk).update(crops=[{**world.sighting.crops[0], "box": [10, 20, 60, 80]}])
    url = reverse("record", args=[world.record.pk])
    assert not Snapshot.objects.exists()
    assert "data-refresh" in lecturer.get(url).content.decode()
    lecturer.get(url)
    snapshot = Snapshot.objects.get()
    picture = reverse("snapshot", args=[snapshot.pk])
    assert lecturer.get(picture).status_code == 202
    finish_snapshot(snapshot=jobs.SNAPSHOT.claim(snapshot.pk, "me"), jpeg=jpeg(30))
    text = lecturer.get(url).content.decode()
    assert f'<image href="{picture}" width="1280" height="720"/><rect x="0" y="2" width="78" height="96"' in text
    response = lecturer.get(picture)
    assert response.getvalue() == jpeg(30)
    assert response["Cache-Control"].startswith("private")
    assert Path(world.recording.file.storage.path(Snapshot.objects.get().file)).exists()


def test_sign_off_and_open_again(lecturer: Client, world: World) -> None:
    lecturer.post(reverse("sign-off", args=[world.lecture.pk]))
    text = lecture_page(lecturer, world)
    assert "Signed off by own" in text
    assert "Set for selected" not in text
    assert "Reopen" not in text
    for name, row in (("record", world.record), ("unknown-person", world.unknown)):
        assert "Signed off by own" in lecturer.get(reverse(name, args=[row.pk])).content.decode()
    refused = lecturer.post(reverse("record", args=[world.record.pk]), {"status": "late", "reason": ""})
    assert refused.status_code == 400
    assert "signed off" in refused.content.decode()
    assert lecturer.post(reverse("reopen", args=[world.lecture.pk])).status_code == 403
    lecturer.force_login(world.registrar)
    assert "Set for selected" in lecture_page(lecturer, world)
    lecturer.post(reverse("reopen", args=[world.lecture.pk]), {"reason": "A mistake"})
    assert not SignOff.objects.exists()
    assert "A mistake" in lecture_page(lecturer, world)


def test_names_cannot_write_these_pages(lecturer: Client, world: World, absent: Student) -> None:
    Student.objects.update(name="<img src=x onerror=alert(1)>")
    lecturer.post(
        reverse("unknown-person", args=[world.unknown.pk]),
        {"action": "name", "student": absent.pk, "reason": "<b>bold</b>"},
    )
    for name, pk in (("lecture", world.lecture.pk), ("unknown-person", world.unknown.pk), ("record", world.record.pk)):
        text = lecturer.get(reverse(name, args=[pk])).content.decode()
        assert "<img src=x" not in text
        assert "<b>bold" not in text


def test_a_long_log_is_shown_in_part_and_whole_when_asked(lecturer: Client, world: World) -> None:
    for n in range(60):
        AttendanceChange.objects.create(lecture=world.lecture, kind="visitor", reason=f"entry {n:02}", user_name="own")
    text = lecture_page(lecturer, world)
    assert "entry 59" in text
    assert "entry 00" not in text
    assert "10 earlier entries" in text
    whole = lecturer.get(reverse("lecture", args=[world.lecture.pk]), {"log": "all"}).content.decode()
    assert "entry 00" in whole
    assert "earlier entries" not in whole


def test_a_person_of_several_lectures_is_found_from_the_class_and_named_in_all(
    lecturer: Client, world: World, absent: Student
) -> None:
    group = uuid4()
    UnknownPerson.objects.filter(pk=world.unknown.pk).update(group=group)
    elsewhere = factories.records(factories.lecture(world.course))
    other = UnknownPerson.objects.create(recording=elsewhere, index=0, group=group, resembles=[absent.pk])
    assert (
        "1 unknown person in several lectures"
        in lecturer.get(reverse("course", args=[world.course.pk])).content.decode()
    )
    page = lecturer.get(reverse("recurring-people", args=[world.course.pk])).content.decode()
    assert "In 2 of 2 lectures" in page
    face = reverse("unknown-person-crop", args=[world.unknown.pk, 0])
    assert face not in page
    assert face in lecturer.get(reverse("recurring-people", args=[world.course.pk]), {"faces": ""}).content.decode()
    assert f"Most like {absent.name}" in " ".join(page.split())
    url = reverse("unknown-person", args=[world.unknown.pk])
    assert "The same person in other lectures" in lecturer.get(url).content.decode()
    text = lecturer.post(
        url, {"action": "name", "student": absent.pk, "also": [other.pk]}, follow=True
    ).content.decode()
    assert "The same was said in 1 other lecture." in text
    other.refresh_from_db()
    assert other.student_id == absent.pk
    assert "Nobody unknown" in lecturer.get(reverse("recurring-people", args=[world.course.pk])).content.decode()


def test_who_is_not_ticked_stays_unknown(lecturer: Client, world: World, absent: Student) -> None:
    group = uuid4()
    UnknownPerson.objects.filter(pk=world.unknown.pk).update(group=group)
    other = UnknownPerson.objects.create(
        recording=factories.records(factories.lecture(world.course)), index=0, group=group
    )
    lecturer.post(reverse("unknown-person", args=[world.unknown.pk]), {"action": "visitor"})
    other.refresh_from_db()
    assert other.override is None


def test_a_face_unlike_the_photos_is_shown_on_the_students_page_and_decided_there(
    lecturer: Client, world: World
) -> None:
    face = factories.lecture_face(world.lecture, world.student, state=LectureFace.State.UNLIKE)
    page = lecturer.get(reverse("student", args=[world.student.pk])).content.decode()
    picture = reverse("lecture-face", args=[face.pk])
    assert picture in page
    assert "not learnt: unlike the photos" in page
    assert lecturer.get(picture).status_code == 200
    decide = reverse("lecture-face-decide", args=[face.pk])
    for answer, state in (("yes", "learnt"), ("no", "refused")):
        lecturer.post(decide, {"learn": answer})
        face.refresh_from_db()
        assert face.state == state


def test_faces_from_lectures_are_shown_only_to_who_sees_the_lecture(client: Client, world: World) -> None:
    face = factories.lecture_face(world.lecture, world.student)
    client.force_login(world.other)
    assert client.get(reverse("lecture-face", args=[face.pk])).status_code == 404
    assert client.post(reverse("lecture-face-decide", args=[face.pk]), {"learn": "no"}).status_code == 404
    auditor = factories.user()
    auditor.groups.add(Group.objects.get_or_create(name="Auditor")[0])
    client.force_login(auditor)
    assert client.get(reverse("lecture-face", args=[face.pk])).status_code == 200
    assert client.post(reverse("lecture-face-decide", args=[face.pk]), {"learn": "no"}).status_code == 403
