"""What the rules say is deleted, in the rows and on the disk, and what is held is not."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.management import call_command
from django.utils import timezone

from campus.academics.models import Course, Lecture, Student
from campus.accounts.roles import Role
from campus.attendance.models import AttendanceRecord, FaceOverride, Report, Sighting, SignOff, Snapshot, UnknownPerson
from campus.attendance.recording_review import remove_recording
from campus.attendance.reports import write_lecture_report
from campus.audit.models import Action, AuditEntry
from campus.biometrics.models import FacePhoto, Gallery, LectureFace
from campus.cctv.clips import update_recordings_of
from campus.cctv.models import FootageFile
from campus.common.errors import UserError
from campus.common.storage import media, reports, write_media
from campus.outbox.models import Delivery
from campus.outbox.services import queue_email
from campus.privacy.erasure import request_student_erasure
from campus.privacy.legal_holds import lift_hold, place_hold
from campus.privacy.models import LegalHold, RetentionRule, RetentionRun
from campus.privacy.retention import apply_retention, count_due
from campus.privacy.retention_terms import TERMS, set_rules
from campus.recordings.models import Clip, Recording
from campus.recordings.services import restart_recording
from tests.campus import factories

pytestmark = pytest.mark.django_db(transaction=True)

Kind = RetentionRule.Kind
DEFAULTS = {kind: term.days for kind, term in TERMS.items()}


def days_ago(days: float) -> Any:
    return timezone.now() - timedelta(days=days, minutes=1)


def signed_off(course: Course, days: float) -> Lecture:
    """A lecture that was signed off so long ago, with a recording in which a student and two strangers were seen."""
    starts = days_ago(days + 1)
    lecture = factories.lecture(course, starts_at=starts, ends_at=starts + timedelta(hours=1))
    recording = factories.records(lecture, finished_at=days_ago(days + 1))
    for n, row in enumerate(_people(recording)):
        name = f"crops/{recording.pk}/{n}.jpg"
        write_media(name, b"face")
        row.crops = [{"file": name, "time": 1.0, "quality": 0.5}]
        row.save()
    SignOff.objects.create(lecture=lecture, user_name="lecturer")
    SignOff.objects.filter(lecture=lecture).update(signed_at=days_ago(days))
    return lecture


def _people(recording: Recording) -> list[Any]:
    sighting = Sighting.objects.filter(recording=recording).first()
    named = FaceOverride.objects.create(recording=recording, action="named", student=sighting.student, user_name="x")
    return [
        sighting,
        UnknownPerson.objects.create(recording=recording, index=0),
        UnknownPerson.objects.create(recording=recording, index=1, override=named),
    ]


def pictures(lecture: Lecture) -> list[str]:
    recording = lecture.recordings.get()
    return sorted(Path(file.name).stem for file in media().walk(f"crops/{recording.pk}"))


def test_recordings_and_faces_go_one_after_the_other_and_the_result_stays():
    course = factories.course(students=2)
    new, week, month = (signed_off(course, days) for days in (1, 8, 31))
    never = factories.lecture(course, starts_at=days_ago(38), ends_at=days_ago(37.5))
    factories.records(never)
    statuses = list(week.records.values_list("student", "machine_status"))
    apply_retention()
    there = {lecture: media().exists(lecture.recordings.get().file.name) for lecture in (new, week, month, never)}
    assert there == {new: True, week: False, month: False, never: False}
    assert {lecture: pictures(lecture) for lecture in (new, week, month)} == {
        new: ["0", "1", "2"],
        week: ["0", "2"],
        month: [],
    }, "a stranger is forgotten after three days, a student after a month"
    assert UnknownPerson.objects.filter(recording__lecture=month).count() == 2
    assert list(week.records.values_list("student", "machine_status")) == statuses
    with pytest.raises(UserError, match="was deleted on"):
        restart_recording(recording=week.recordings.get(), user=None)
    run = RetentionRun.objects.get()
    assert (run.deleted["footage"], run.deleted["crops"], run.deleted["unknown-faces"], run.failed) == (3, 1, 2, [])
    entries = AuditEntry.objects.filter(action=Action.EXPIRED).values_list("about", flat=True)
    assert set(entries) == {"footage: 3", "crops: 1", "unknown-faces: 2"}
    apply_retention()
    assert RetentionRun.objects.get().deleted == run.deleted, "nothing is deleted twice"


def test_footage_of_a_camera_goes_when_no_lecture_needs_it():
    course = factories.course(students=1)
    camera = factories.camera()
    early, late = signed_off(course, 8), signed_off(course, 3)
    file = factories.footage_file(camera, early.starts_at)
    unused = factories.footage_file(camera, early.starts_at, fetched_at=days_ago(38))
    recordings = []
    for lecture in (early, late):
        recording = factories.recording(lecture, file="", camera=camera, state="done", original_name="camera")
        Recording.objects.filter(pk=recording.pk).update(file="")
        Clip.objects.create(recording=recording, footage_file=file, start=0, end=10, recording_start=0)
        recordings.append(recording)
    apply_retention()
    assert [media().exists(row.file.name) for row in (file, unused)] == [True, False]
    SignOff.objects.update(signed_at=days_ago(8))
    apply_retention()
    assert not media().exists(file.file.name)
    assert FootageFile.objects.get(pk=file.pk).state == FootageFile.State.DISCARDED
    update_recordings_of(lecture=early)
    assert Recording.objects.filter(pk__in=[row.pk for row in recordings], state="done").count() == 2


def test_photos_go_after_the_last_class_and_galleries_after_their_own():
    over, running = factories.course(), factories.course()
    left, stays = factories.student(), factories.student()
    for student in (left, stays):
        factories.enrol(over, student, valid_from=days_ago(90).date(), valid_to=days_ago(31).date())
    factories.enrol(running, stays)
    for course, days in ((over, 31), (running, 1)):
        factories.lecture(course, starts_at=days_ago(days + 1), ends_at=days_ago(days))
    photos = [factories.photo(student, created_at=days_ago(90)) for student in (left, stays)]
    galleries = []
    for course in (over, running):
        row = factories.gallery(course, path=f"galleries/{course.pk}.npz")
        write_media(row.path, b"gallery")
        Gallery.objects.filter(pk=row.pk).update(created_at=days_ago(90))
        galleries.append(row)
    apply_retention()
    assert [media().exists(photo.file.name) for photo in photos] == [False, True]
    assert list(FacePhoto.objects.all()) == photos[1:]
    assert [media().exists(row.path) for row in galleries] == [False, True]


def test_documents_workbooks_messages_and_what_is_old_go():
    course = factories.course(students=1)
    student = course.students.get()
    document = ContentFile(b"%PDF-", "a.pdf")
    excuse = factories.excuse(
        student, first_day=days_ago(91).date(), last_day=days_ago(91).date(), document=document, document_name="a.pdf"
    )
    lecture = signed_off(course, 1)
    report = write_lecture_report(lecture=lecture)
    Report.objects.update(created_at=days_ago(366))
    queue_email(to="a@example.org", event="e", key="old", subject="s", body="b")
    Delivery.objects.update(created_at=days_ago(31), state="sent")
    queue_email(to="a@example.org", event="e", key="waits", subject="s", body="b")
    Delivery.objects.filter(topic="waits").update(created_at=days_ago(31))
    apply_retention()
    excuse.refresh_from_db()
    assert (bool(excuse.document), excuse.document_name, excuse.reason) == (False, "", "ill")
    assert not reports().exists(report.file_name)
    assert list(Delivery.objects.values_list("topic", flat=True)) == ["waits"]
    assert write_lecture_report(lecture=lecture).sha256, "a download writes it again"


def test_a_class_may_differ_and_attendance_stays_unless_somebody_has_chosen():
    short, long, usual = (factories.course(students=1) for _ in range(3))
    lectures = [signed_off(course, 40) for course in (short, long, usual)]
    administrator = factories.person(Role.ADMINISTRATOR)
    set_rules(course=short, days={Kind.ATTENDANCE: 30}, user=administrator)
    set_rules(course=long, days={Kind.FOOTAGE: None}, user=administrator)
    due = count_due()
    assert (due[Kind.ATTENDANCE], due[Kind.FOOTAGE]) == ((1, 0), (2, 0))
    apply_retention()
    assert list(Lecture.objects.order_by("pk")) == lectures[1:]
    assert media().exists(lectures[1].recordings.get().file.name)
    assert not media().exists(lectures[2].recordings.get().file.name)
    assert AuditEntry.objects.filter(action=Action.CHANGED_RETENTION, course_id=short.pk, actor_id=administrator.pk)


@pytest.mark.parametrize("what", ["course", "lecture", "student"])
def test_nothing_that_is_held_is_deleted_by_rules_or_people(what: str):
    course = factories.course(students=1)
    lecture, student = signed_off(course, 40), course.students.get()
    factories.lecture_face(lecture, student)
    registrar = factories.registrar()
    subjects: dict[str, Course | Lecture | Student] = {"course": course, "lecture": lecture, "student": student}
    hold = place_hold(subject=subjects[what], reason="Case 7", until=None, user=registrar)
    set_rules(course=None, days=DEFAULTS | {Kind.ATTENDANCE: 30, Kind.LECTURE_FACES: 1}, user=registrar)
    run = apply_retention()
    assert run.deleted == {}
    assert {kind: run.held.get(kind) for kind in ("footage", "crops", "attendance", "lecture-faces")} == dict.fromkeys(
        ("footage", "crops", "attendance", "lecture-faces"), 1
    )
    with pytest.raises(UserError, match="A legal hold is in force: Case 7"):
        remove_recording(recording=lecture.recordings.get(), user=registrar)
    if what == "student":
        with pytest.raises(UserError, match="A legal hold is in force: Case 7"):
            request_student_erasure(student=student, user=registrar)
    assert pictures(lecture) == ["0", "1", "2"]
    lift_hold(hold=hold, user=registrar)
    apply_retention()
    assert not Lecture.objects.exists()
    assert not LectureFace.objects.exists()


def test_students_without_attendance_go_a_year_after_their_last_class():
    past, running = factories.course(archived=True), factories.course()
    gone, new, enrolled, counted, held = (factories.student(name=name) for name in ("Gone", "New", "In", "Was", "Held"))
    for student in (gone, counted, held):
        factories.enrol(past, student, valid_from=days_ago(500).date(), valid_to=days_ago(400).date())
    factories.enrol(running, enrolled)
    Student.objects.exclude(pk=new.pk).update(created_at=days_ago(500))
    photo = factories.photo(gone)
    AttendanceRecord.objects.create(lecture=factories.lecture(past), student=counted, machine_status="absent")
    place_hold(subject=held, reason="Case 7", until=None, user=factories.registrar())
    run = apply_retention()
    assert (run.deleted["students"], run.held["students"]) == (1, 1)
    assert set(Student.objects.values_list("name", flat=True)) == {"New", "In", "Was", "Held"}
    assert not media().exists(photo.file.name)


def test_a_hold_ends_with_its_last_day(capsys: pytest.CaptureFixture[str]):
    lecture = signed_off(factories.course(students=1), 8)
    hold = place_hold(subject=lecture, reason="Case 7", until=None, user=factories.registrar())
    call_command("retention", "--dry-run")
    assert "0      1  recordings\n" in capsys.readouterr().out
    LegalHold.objects.update(until=timezone.localdate())
    assert apply_retention().deleted == {}
    LegalHold.objects.update(until=timezone.localdate() - timedelta(days=1))
    call_command("retention", "--dry-run")
    assert "1      0  recordings\n" in capsys.readouterr().out
    assert media().exists(lecture.recordings.get().file.name)
    call_command("retention")
    assert not media().exists(lecture.recordings.get().file.name)
    assert not LegalHold.objects.filter(pk=hold.pk).exists()


def test_one_row_that_cannot_be_deleted_stops_no_other(monkeypatch: pytest.MonkeyPatch):
    course = factories.course(students=1)
    stuck, other = signed_off(course, 8), signed_off(course, 9)
    snapshot = Snapshot.objects.create(recording=stuck.recordings.get(), time=1, state="ready", file="snapshots/a.jpg")

    def refuse(row: Snapshot, *_: Any, **__: Any) -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr(Snapshot, "delete", refuse)
    Snapshot.objects.update(published_at=days_ago(8))
    run = apply_retention()
    assert (run.failed, run.deleted["footage"]) == (["snapshots"], 2)
    assert not media().exists(other.recordings.get().file.name)
    assert snapshot.pk
