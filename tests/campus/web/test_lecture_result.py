"""Lectures, the progress of a recording, the result, corrections and downloads."""

from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from openpyxl import load_workbook

from campus.academics.models import Lecture
from campus.attendance.models import AttendanceChange, AttendanceRecord, Report, Sighting, UnknownPerson
from campus.attendance.overrides import set_override
from campus.attendance.proposals import recount_lecture
from campus.attendance.reports import write_lecture_report
from campus.cctv.clips import update_lectures_shown_by
from campus.common.storage import write_media
from campus.recordings.models import Recording, Segment
from recognition.messages import Message
from tests.campus import factories
from tests.campus.conftest import World


@pytest.fixture
def lecturer(client: Client, world: World) -> Client:
    client.force_login(world.own)
    return client


def page(client: Client, name: str, *args) -> str:
    response = client.get(reverse(name, args=args))
    assert response.status_code == 200
    return response.content.decode()


def test_a_new_lecture(lecturer: Client, world: World):
    assert 'type="datetime-local"' in page(lecturer, "lecture-create")
    form = {
        "course": world.course.pk,
        "title": "Trees",
        "room": "A 1",
        "starts_at": "2026-12-01T09:00",
        "ends_at": "2026-12-01T10:30",
    }
    response = lecturer.post(reverse("lecture-create"), form)
    lecture = Lecture.objects.get(title="Trees")
    assert response["Location"] == reverse("lecture", args=[lecture.pk])
    assert timezone.localtime(lecture.starts_at).strftime("%Y-%m-%d %H:%M") == "2026-12-01 09:00"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"ends_at": "2026-12-01T08:00"}, "Set a later end."),
        ({"starts_at": "tomorrow"}, "Enter a valid date/time."),
        ({"starts_at": "2026-12-01T07:00", "ends_at": "2026-12-01T07:00"}, "Set a later end."),
    ],
)
def test_a_lecture_that_cannot_be(lecturer: Client, world: World, change: dict[str, str], sentence: str):
    form = {"course": world.course.pk, "starts_at": "2026-12-01T09:00", "ends_at": "2026-12-01T10:30"} | change
    response = lecturer.post(reverse("lecture-create"), form)
    assert response.status_code == 400
    assert sentence in response.content.decode()


def test_two_lectures_of_a_class_at_one_time(lecturer: Client, world: World):
    starts = timezone.localtime(world.lecture.starts_at)
    form = {"course": world.course.pk, "starts_at": f"{starts:%Y-%m-%dT%H:%M}", "ends_at": f"{starts:%Y-%m-%dT23:59}"}
    response = lecturer.post(reverse("lecture-create"), form)
    assert response.status_code == 400
    assert world.course.lectures.count() == 1


def test_progress_is_what_the_row_says(lecturer: Client, world: World):
    work = factories.planned(world.lecture, segments=4, original_name="work.mp4", planned_at=timezone.now())
    work.segments.filter(index=0).update(state="done", faces=7, progress=1)
    url = reverse("recording-progress", args=[work.pk])
    first = lecturer.get(url)
    assert first["Cache-Control"] == "no-store"
    assert (first.json()["state"], first.json()["faces"], len(first.json()["segments"])) == ("processing", 7, 4)
    work.segments.filter(index=1).update(state="done", progress=1)
    with CaptureQueriesContext(connection) as asked:
        assert lecturer.get(url).json() == first.json(), "within two seconds all who watch get the same answer"
    assert len(asked) <= 4, "who asks, and whether he or she may see it"
    cache.clear()  # they have passed
    assert lecturer.get(url).json()["share"] > first.json()["share"]
    work.segments.update(state="done", progress=1)
    Recording.objects.filter(pk=work.pk).update(state="aggregating")
    assert lecturer.get(url).json()["state"] == "aggregating", "another state is told at once"
    assert f'data-progress="{url}"' in page(lecturer, "recording", work.pk)


def test_progress_that_is_known_is_not_sent_again(lecturer: Client, world: World):
    work = factories.planned(world.lecture, segments=40, planned_at=timezone.now())
    url = reverse("recording-progress", args=[work.pk])
    known = lecturer.get(url)["ETag"]

    def ask(**headers: str):
        cache.clear()
        return lecturer.get(url, headers={"If-None-Match": known} | headers)

    assert (ask().status_code, ask().content, ask()["ETag"]) == (304, b"", known)
    news: list[dict[str, Any]] = [
        {"index": 0, "lease_owner": "worker", "lease_until": timezone.now() + timedelta(minutes=1)},
        {"index": 0, "progress": 0.8},
        {"index": 0, "state": "done", "progress": 1, "faces": 3, "recognised_students": [world.student.pk]},
        {"index": 1, "state": "failed", "error": Message("It is damaged.")},
    ]
    for change in news:
        work.segments.filter(index=change.pop("index")).update(**change)
        answer = ask()
        assert answer.status_code == 200, change
        known = answer["ETag"]
    work.segments.filter(index=2).update(progress=0.01)
    assert ask().status_code == 304, "less than a percent of the whole is no news"
    assert ask(**{"Accept-Language": "de"}).status_code == 200
    lecturer.logout()
    assert ask().status_code == 302


def test_a_finished_recording_asks_no_more(lecturer: Client, world: World):
    assert "data-progress" not in page(lecturer, "recording", world.recording.pk)


def test_a_failure_is_shown_with_what_to_do(lecturer: Client, world: World):
    text = page(lecturer, "recording", world.failed.pk)
    assert "The file is damaged. Upload another copy." in text
    assert "Retry failed segments" in text
    assert "The file is damaged. Upload another copy." in page(lecturer, "lecture", world.lecture.pk)


def test_cancel_retry_and_again(lecturer: Client, world: World):
    act = lambda row, action: lecturer.post(reverse("recording-action", args=[row.pk, action]), follow=True)  # noqa: E731
    act(world.failed, "retry")
    world.failed.refresh_from_db()
    assert world.failed.state == "processing"
    act(world.failed, "cancel")
    world.failed.refresh_from_db()
    assert world.failed.state == "cancelled"
    assert "nothing to cancel" in act(world.failed, "cancel").content.decode()
    act(world.recording, "restart")
    world.recording.refresh_from_db()
    assert (world.recording.state, world.recording.run) == ("uploaded", 2)
    assert act(world.recording, "explode").status_code == 404


@pytest.mark.parametrize("name", ["lecture", "recording"])
def test_the_result(lecturer: Client, world: World, name: str):
    text = page(lecturer, name, (world.lecture if name == "lecture" else world.recording).pk)
    assert world.student.name in text
    assert reverse("crop", args=[world.sighting.pk, 0]) in text
    assert reverse("unknown-person", args=[world.unknown.pk]) in text
    assert reverse("report", args=[world.report.pk]) in text
    assert "1 present" in text
    assert "1 not seen" in text


def test_names_cannot_write_the_page(lecturer: Client, world: World):
    world.student.name = "<img src=x onerror=alert(1)>"
    world.student.save()
    assert "<img src=x" not in page(lecturer, "lecture", world.lecture.pk)


def test_a_person_decides(lecturer: Client, world: World):
    url = reverse("record", args=[world.record.pk])
    response = lecturer.post(url, {"status": "excused", "reason": "Doctor's note"})
    assert response["Location"] == reverse("lecture", args=[world.lecture.pk]) + f"#student-{world.student.pk}"
    world.record.refresh_from_db()
    assert (world.record.override_status, world.record.machine_status) == ("excused", "present")
    change = AttendanceChange.objects.get()
    assert (change.old_status, change.new_status, change.reason, change.user_name) == (
        "present",
        "excused",
        "Doctor's note",
        "own",
    )
    for text in (page(lecturer, "lecture", world.lecture.pk), page(lecturer, "record", world.record.pk)):
        assert "Doctor&#x27;s note" in text
    lecturer.post(url, {"status": "", "reason": "mistake"})
    world.record.refresh_from_db()
    assert world.record.override_status == ""


@pytest.mark.parametrize(
    ("confidence", "lead", "sentences"),
    [
        (0.95, 0.8, ["The face matches the student&#x27;s photos clearly. Nobody else of the class looks similar."]),
        (0.75, 0.1, ["photos well. Somebody else of the class looks similar, but less so."]),
        (0.55, None, ["photos just enough. <"]),
        (0.45, 0.1, ["not enough to be certain. Somebody else"]),
    ],
)
def test_every_mark_says_how_it_came_about(
    lecturer: Client, world: World, confidence: float, lead: float | None, sentences: list[str]
):
    other = world.course.students.exclude(pk=world.student.pk).get()
    world.recording.strictness = "balanced"
    world.recording.save()
    Sighting.objects.filter(pk=world.sighting.pk).update(confidence=confidence, lead=lead, runner_up=other)
    text = page(lecturer, "record", world.record.pk)
    for sentence in (
        *sentences,
        "dlib ResNet",
        "Match strictness: Balanced",
        "known from 1 usable photo.",
        "A person decides, not the machine: the lecture is final once it is signed off.",
    ):
        assert sentence in text
    assert other.name not in text


def test_only_known_statuses(lecturer: Client, world: World):
    assert lecturer.post(reverse("record", args=[world.record.pk]), {"status": "asleep"}).status_code == 400
    assert not AttendanceChange.objects.exists()


def test_the_workbook_says_what_the_page_says(lecturer: Client, world: World, tmp_path):
    record = AttendanceRecord.objects.get(lecture=world.lecture, machine_status="absent")
    lecturer.post(reverse("record", args=[record.pk]), {"status": "excused", "reason": ""})
    response = lecturer.get(reverse("report", args=[world.report.pk]))
    assert response["Content-Disposition"] == 'attachment; filename="CS101_attendance_2026-11-16-0900.xlsx"'
    assert world.report.file_name.startswith("Report_for_CS101_")
    file = tmp_path / "download.xlsx"
    file.write_bytes(response.getvalue())
    rows = list(load_workbook(file)["Attendance"].iter_rows(values_only=True))
    assert "Excused" in {row[2] for row in rows}


def test_the_register(lecturer: Client, world: World):
    response = lecturer.get(reverse("register-file", args=[world.course.pk, "xlsx"]))
    assert response["Content-Type"].endswith("spreadsheetml.sheet")
    assert response["Content-Disposition"].startswith('attachment; filename="CS101_register_')


@pytest.mark.parametrize("name", ["../media/crops/one.jpg", "/etc/passwd", "sub/x.xlsx", "..", ""])
def test_a_report_row_cannot_lead_out_of_the_reports(lecturer: Client, world: World, monkeypatch, name: str):
    monkeypatch.setattr("campus.attendance.file_responses.refresh_report", lambda *, report: report)
    Report.objects.filter(pk=world.report.pk).update(file_name=name)
    assert lecturer.get(reverse("report", args=[world.report.pk])).status_code == 404


@pytest.mark.parametrize("name", ["../Reports/secret.jpg", "/etc/passwd", "crops/gone.jpg"])
def test_a_picture_row_cannot_lead_out_of_the_media(lecturer: Client, world: World, settings, name: str):
    (settings.REPORTS_DIR / "secret.jpg").write_bytes(b"secret")
    Sighting.objects.filter(pk=world.sighting.pk).update(crops=[{"file": name, "time": 0, "quality": 1}])
    assert lecturer.get(reverse("crop", args=[world.sighting.pk, 0])).status_code == 404


def test_pictures(lecturer: Client, world: World):
    response = lecturer.get(reverse("crop", args=[world.sighting.pk, 0]))
    assert response["Content-Type"] == "image/jpeg"
    assert response["Cache-Control"].startswith("private")
    assert lecturer.get(reverse("crop", args=[world.sighting.pk, 1])).status_code == 404
    photo = lecturer.get(reverse("photo", args=[world.photo.pk]))
    assert photo["Content-Disposition"] == f"inline; filename*=utf-8''{quote('Zoë.jpg')}"


def test_a_file_that_is_no_picture_is_not_shown_as_a_page(lecturer: Client, world: World):
    write_media("photos/evil.html", b"<script>alert(1)</script>")
    world.photo.file.name = "photos/evil.html"
    world.photo.save()
    response = lecturer.get(reverse("photo", args=[world.photo.pk]))
    assert response["Content-Type"] == "application/octet-stream"
    assert response["Content-Disposition"].startswith("attachment")


def test_a_lecture_without_anything(lecturer: Client, world: World):
    empty = factories.lecture(world.course)
    assert "Upload the recording" in page(lecturer, "lecture", empty.pk)


def test_a_long_class_has_pages(lecturer: Client, world: World, django_assert_max_num_queries):
    for days in range(1, 41):
        factories.recording(factories.lecture(world.course, starts_at=factories.STARTS - timedelta(days=days)))
    with django_assert_max_num_queries(18):
        assert "Page 1 of 2" in page(lecturer, "course", world.course.pk)
    with django_assert_max_num_queries(20):
        page(lecturer, "home")


def test_a_large_class_needs_few_queries(lecturer: Client, world: World, django_assert_max_num_queries):
    for _ in range(60):
        student = factories.student()
        factories.enrol(world.course, student)
        AttendanceRecord.objects.create(lecture=world.lecture, student=student)
    with django_assert_max_num_queries(28):
        page(lecturer, "lecture", world.lecture.pk)


def test_about(lecturer: Client, settings):
    text = page(lecturer, "about")
    assert settings.VERSION in text
    assert "dlib-resnet-v1" in text


def test_not_found_is_our_page(lecturer: Client):
    response = lecturer.get("/nowhere/")
    assert response.status_code == 404
    assert "belongs to a class that is not yours" in response.content.decode()


def test_pages_hold_no_inline_script_or_style(lecturer: Client, world: World):
    import re

    for name, args in (
        ("home", ()),
        ("course", (world.course.pk,)),
        ("lecture", (world.lecture.pk,)),
        ("recording", (world.recording.pk,)),
    ):
        text = page(lecturer, name, *args)
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|https?://(?!testserver)", text), name
    assert Recording.objects.exists()


@pytest.fixture
def to_confirm(world: World) -> AttendanceRecord:
    """The other student of the class was seen in one look only; a poster hangs on the wall."""
    student = world.course.students.exclude(pk=world.student.pk).get()
    seen = {"intervals": [[0, 118]], "seconds": 118.0, "crops": world.sighting.crops}
    Sighting.objects.filter(recording=world.recording, student=student).update(to_confirm=True, confidence=0.6, **seen)
    UnknownPerson.objects.create(recording=world.recording, index=1, is_static=True, **seen)
    factories.photo(student, crop=world.photo.crop.name, quality=0.8)
    factories.photo(student, crop=world.photo.crop.name, quality=0.1, state="rejected")
    recount_lecture(lecture=world.lecture)
    return AttendanceRecord.objects.get(lecture=world.lecture, student=student)


@pytest.mark.parametrize("name", ["lecture", "recording"])
def test_who_is_to_be_confirmed_comes_first_with_both_faces(
    lecturer: Client, world: World, to_confirm: AttendanceRecord, name: str
):
    text = page(lecturer, name, (world.lecture if name == "lecture" else world.recording).pk)
    assert text.index(">To confirm<") < text.index(">Attendance<")
    assert "1 to be confirmed" in text
    assert "absent</span>" not in text
    (photo,) = to_confirm.student.photos.filter(state="accepted")
    assert text.count(reverse("photo-face", args=[photo.pk])) == 1
    assert text.count("/face/") == 1, "a rejected photo is nothing to compare with"
    assert lecturer.get(reverse("photo-face", args=[photo.pk])).status_code == 200


@pytest.mark.parametrize("status", ["present", "absent"])
def test_one_press_confirms(lecturer: Client, world: World, to_confirm: AttendanceRecord, status: str):
    url = reverse("record-confirm", args=[to_confirm.pk, status])
    assert lecturer.get(url).status_code == 405
    text = lecturer.post(url, follow=True).content.decode()
    assert f"{to_confirm.student.name}: {status}." in text
    assert ">To confirm<" not in text
    to_confirm.refresh_from_db()
    assert (to_confirm.machine_status, to_confirm.override_status) == ("to_confirm", status)
    change = AttendanceChange.objects.get()
    assert (change.old_status, change.new_status, change.user_name) == ("to_confirm", status, "own")
    assert "by comparing the pictures" in change.reason


def test_a_press_on_an_old_page_changes_no_decision(lecturer: Client, world: World, to_confirm: AttendanceRecord):
    set_override(record=to_confirm, status="excused", reason="ill", user=world.registrar)
    text = lecturer.post(reverse("record-confirm", args=[to_confirm.pk, "absent"]), follow=True).content.decode()
    assert "is already decided: excused." in text
    to_confirm.refresh_from_db()
    assert to_confirm.status == "excused"


def test_confirming_asks_who_it_is(client: Client, world: World, to_confirm: AttendanceRecord):
    url = reverse("record-confirm", args=[to_confirm.pk, "present"])
    assert client.post(url).status_code == 302
    client.force_login(world.other)
    assert client.post(url).status_code == 404
    client.force_login(world.own)
    assert client.post(reverse("record-confirm", args=[to_confirm.pk, "excused"])).status_code == 404
    to_confirm.refresh_from_db()
    assert to_confirm.status == "to_confirm"


def test_static_faces_are_listed_apart_from_unknown_people(
    lecturer: Client, world: World, to_confirm: AttendanceRecord
):
    text = page(lecturer, "lecture", world.lecture.pk)
    unknown, _static = text.split("Static faces")
    assert reverse("unknown-person", args=[world.unknown.pk]) in unknown
    poster = reverse("unknown-person-crop", args=[world.recording.unknown_people.get(is_static=True).pk, 0])
    assert poster not in text
    shown = lecturer.get(reverse("lecture", args=[world.lecture.pk]), {"faces": ""}).content.decode()
    assert poster in shown.split("Static faces")[1]


def test_confirming_many_needs_few_queries(
    lecturer: Client, world: World, to_confirm: AttendanceRecord, django_assert_max_num_queries
):
    for _ in range(30):
        student = factories.student()
        factories.enrol(world.course, student)
        factories.photo(student, crop=world.photo.crop.name)
        AttendanceRecord.objects.create(lecture=world.lecture, student=student, machine_status="to_confirm")
    with django_assert_max_num_queries(29):
        page(lecturer, "lecture", world.lecture.pk)


def test_a_provisional_result_says_so_and_can_be_made_final(lecturer: Client, world: World):
    Recording.objects.filter(lecture=world.lecture).delete()
    camera = factories.camera(world.lecture.room.name)
    update_lectures_shown_by(footage_file=factories.footage_file(camera, world.lecture.starts_at, 30))
    assert "attendance has not been taken yet" in page(lecturer, "lecture", world.lecture.pk)
    recording = world.lecture.recordings.get()
    Recording.objects.update(state="done", duration=5400)
    Segment.objects.create(recording=recording, index=0, start=0, end=1800, state="done")
    Sighting.objects.create(
        recording=recording, student=world.student, present=True, intervals=[[0, 1790]], seconds=1790
    )
    recount_lecture(lecture=world.lecture)
    shown = page(lecturer, "lecture", world.lecture.pk)
    until = timezone.localtime(world.lecture.starts_at + timedelta(minutes=30))
    assert f"<strong>1 of 2</strong> present so far, based on footage until {until:%H:%M}." in shown
    assert "provisional</span>" in shown
    assert reverse("sign-off", args=[world.lecture.pk]) not in shown
    page(lecturer, "recording", recording.pk)
    response = lecturer.post(reverse("accept-partial-footage", args=[world.lecture.pk]), follow=True)
    assert "is final, based on the footage so far" in response.content.decode()
    recording.refresh_from_db()
    assert (recording.provisional, recording.state) == (False, "aggregating")
    Recording.objects.update(state="done")
    report = write_lecture_report(lecture=world.lecture)
    shown = page(lecturer, "lecture", world.lecture.pk)
    assert "Provisional" not in shown
    assert reverse("lecture-file", args=[world.lecture.pk, "xlsx"]) in shown
    download = lecturer.get(reverse("report", args=[report.pk]))
    assert download["Content-Disposition"].startswith('attachment; filename="CS101_attendance_')
    lecturer.force_login(world.other)
    assert lecturer.post(reverse("accept-partial-footage", args=[world.lecture.pk])).status_code == 404
