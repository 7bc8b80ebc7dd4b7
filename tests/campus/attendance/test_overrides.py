"""What people decide: whose face it is, several statuses at once, the sign-off, and the log of all of it."""

import io
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.core.exceptions import PermissionDenied
from openpyxl import load_workbook
from PIL import Image

from campus.academics.models import Lecture
from campus.attendance import face_overrides, overrides
from campus.attendance.confirmed_faces import update_lecture_faces
from campus.attendance.face_positions import describe_lost_names, identity_overrides
from campus.attendance.models import AttendanceChange, FaceOverride, RegisterPolicy, Sighting, SignOff, UnknownPerson
from campus.attendance.proposals import save_attendance
from campus.attendance.reports import refresh_report, write_recording_report
from campus.attendance.selectors import can_edit_result
from campus.biometrics.models import LectureFace
from campus.common.errors import UserError
from campus.consent.services import set_student_marking
from campus.recordings.models import Clip, Recording
from campus.web.evidence import candidates_for
from recognition import types
from recognition.types import Attendance, Crop, Presence
from tests.campus import factories

pytestmark = pytest.mark.django_db

BOX = (10.0, 10.0, 50.0, 60.0)


def face(shade: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (40, 40), (shade, 0, 0)).save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.fixture
def teacher() -> User:
    return factories.user(username="teacher")


@pytest.fixture
def registrar() -> User:
    return factories.registrar(username="registrar")


@pytest.fixture
def lecture(teacher: User) -> Lecture:
    return factories.lecture(factories.course(lecturers=(teacher,), students=3))


@pytest.fixture
def recording(lecture: Lecture) -> Recording:
    """The first student was seen, the others not; two unknown people were there."""
    row = factories.recording(
        lecture, original_name="loops.mp4", duration=3600.0, state="done", coverage=1.0, info=factories.INFO
    )
    count(row)
    return row


def count(recording: Recording, *unknown: types.UnknownPerson) -> None:
    first, second, third = recording.lecture.course.students.all()
    seen = Presence(
        label=str(first.pk),
        present=True,
        intervals=((0.0, 3600.0),),
        seconds=3600.0,
        share=1.0,
        confidence=0.8,
        crops=(Crop(time=5.0, quality=0.9, jpeg=face(1), box=BOX),),
        face_positions=((5.0, BOX),),
    )
    people = unknown or tuple(
        types.UnknownPerson(
            intervals=((0.0, 3590.0),),
            seconds=3590.0,
            crops=(Crop(time=7.0, quality=0.9, jpeg=face(50 + i), box=BOX),),
            face_positions=((7.0 + i, BOX),),
        )
        for i in range(2)
    )
    absent = (Presence(label=str(second.pk), present=False), Presence(label=str(third.pk), present=False))
    save_attendance(recording=recording, attendance=Attendance(3600.0, (seen, *absent), people))


def statuses(lecture: Lecture) -> list[str]:
    return [record.status for record in lecture.records.order_by("student__name")]


def log(lecture: Lecture) -> list[tuple[str, str, str]]:
    return list(lecture.changes.order_by("pk").values_list("kind", "old_status", "new_status"))


def test_an_unknown_person_gets_a_name(recording: Recording, teacher: User) -> None:
    lecture = recording.lecture
    _, second, _ = lecture.course.students.all()
    person = recording.unknown_people.first()
    face_overrides.name_unknown_person(person=person, student=second, user=teacher, reason="I know her")
    assert statuses(lecture) == ["present", "present", "absent"]
    record = lecture.records.get(student=second)
    assert (record.override_status, record.confidence, record.seconds) == ("", 0.0, 3590.0), (
        "the machine has no confidence in what a person says"
    )
    change = AttendanceChange.objects.get()
    assert (change.record, change.kind, change.old_status, change.new_status) == (record, "named", "absent", "present")
    assert (change.reason, change.user_name, change.about) == ("I know her", "teacher", "loops.mp4, 0:00:00")
    assert [(said.label, said.denied) for said in identity_overrides(recording)] == [(str(second.pk), False)]


def test_a_name_is_remembered_over_a_new_run(recording: Recording, teacher: User) -> None:
    _, second, _ = recording.lecture.course.students.all()
    face_overrides.name_unknown_person(person=recording.unknown_people.first(), student=second, user=teacher)
    (said,) = identity_overrides(recording)
    again = types.UnknownPerson(
        intervals=((0.0, 3500.0),),
        seconds=3500.0,
        crops=(Crop(time=9.0, quality=0.9, jpeg=face(50)),),
        override_key=said.key,
        face_positions=said.face_positions,
    )
    count(recording, again)
    assert statuses(recording.lecture) == ["present", "present", "absent"]
    assert recording.unknown_people.get().student_id == second.pk


def test_a_name_stays_with_its_face_when_the_picture_is_turned_and_stretched(
    recording: Recording, teacher: User
) -> None:
    _, second, _ = recording.lecture.course.students.all()
    face_overrides.name_unknown_person(person=recording.unknown_people.first(), student=second, user=teacher)
    recording.info = recording.info | {"width": 720, "height": 1280, "rotation": 90}
    recording.save()
    (said,) = identity_overrides(recording)
    assert said.face_positions == ((7.0, (660.0, 10.0, 710.0, 50.0)),)
    recording.info = recording.info | {"width": 640, "height": 720, "rotation": 0, "is_mirrored": True}
    recording.save()
    (said,) = identity_overrides(recording)
    assert said.face_positions == ((7.0, (615.0, 10.0, 635.0, 60.0)),)


def test_a_name_stays_with_its_face_when_the_footage_moves_in_the_lecture(lecture: Lecture, teacher: User) -> None:
    camera = factories.camera()
    row = factories.recording(lecture, camera=camera, info=factories.INFO, state="done", duration=3600.0)
    row.file = ""
    row.save()
    file = factories.footage_file(camera, lecture.starts_at, 60)
    clip = Clip.objects.create(recording=row, footage_file=file, start=100, end=3600, recording_start=0)
    count(row)
    _, second, _ = lecture.course.students.all()
    face_overrides.name_unknown_person(person=row.unknown_people.first(), student=second, user=teacher)
    clip.delete()  # as after the clock of its source was corrected
    Clip.objects.create(recording=row, footage_file=file, start=40, end=3600, recording_start=0)
    row.rotation = 180
    (said,) = identity_overrides(row)
    assert said.face_positions == ((67.0, (1230.0, 660.0, 1270.0, 710.0)),)
    row.clips.all().delete()
    assert identity_overrides(row)[0].face_positions == ()


def test_who_was_named_and_is_not_found_again_is_said(recording: Recording, teacher: User) -> None:
    _, second, _ = recording.lecture.course.students.all()
    face_overrides.name_unknown_person(person=recording.unknown_people.first(), student=second, user=teacher)
    assert describe_lost_names(recording) == []
    recording.info = recording.info | {"stream": 1}  # another than before
    recording.save()
    assert identity_overrides(recording)[0].face_positions == ()
    count(recording)
    (note,) = describe_lost_names(recording)
    assert str(second) in str(note)


def test_a_name_can_be_taken_back_and_given_to_somebody_else(recording: Recording, teacher: User) -> None:
    lecture = recording.lecture
    _, second, third = lecture.course.students.all()
    person = recording.unknown_people.first()
    face_overrides.name_unknown_person(person=person, student=second, user=teacher)
    face_overrides.name_unknown_person(person=UnknownPerson.objects.get(pk=person.pk), student=third, user=teacher)
    assert statuses(lecture) == ["present", "absent", "present"]
    face_overrides.clear_face_override(person=UnknownPerson.objects.get(pk=person.pk), user=teacher)
    assert statuses(lecture) == ["present", "absent", "absent"]
    assert [kind for kind, _, _ in log(lecture)] == ["named", "cleared", "named", "cleared"]
    assert identity_overrides(recording) == []
    with pytest.raises(UserError, match="nothing to take back"):
        face_overrides.clear_face_override(person=UnknownPerson.objects.get(pk=person.pk), user=teacher)


def test_only_the_roster_has_names(recording: Recording, teacher: User) -> None:
    with pytest.raises(UserError, match="not on the roster"):
        face_overrides.name_unknown_person(
            person=recording.unknown_people.first(), student=factories.student(), user=teacher
        )


def test_not_this_person(recording: Recording, teacher: User) -> None:
    lecture = recording.lecture
    first, *_ = lecture.course.students.all()
    sighting = recording.sightings.get(student=first)
    crops = sighting.crops
    person = face_overrides.reject_match(sighting=sighting, user=teacher, reason="her sister")
    assert statuses(lecture) == ["absent", "absent", "absent"]
    assert (person.index, person.crops, person.student_id) == (2, crops, None)
    assert log(lecture) == [("rejected", "present", "absent")]
    (said,) = identity_overrides(recording)
    assert (said.label, said.denied, said.face_positions) == (str(first.pk), True, ((5.0, BOX),))
    with pytest.raises(UserError, match="no match to reject"):
        face_overrides.reject_match(sighting=Sighting.objects.get(pk=sighting.pk), user=teacher)


def test_a_visitor_stays_a_visitor_and_who_was_deleted_stays_away(
    recording: Recording, teacher: User, django_capture_on_commit_callbacks
) -> None:
    visitor, unwanted = recording.unknown_people.order_by("index")
    gone = recording.file.storage.path(unwanted.crops[0]["file"])
    face_overrides.mark_as_visitor(person=visitor, user=teacher)
    with django_capture_on_commit_callbacks(execute=True):
        face_overrides.delete_unknown_person(person=unwanted, user=teacher)
    assert not recording.file.storage.exists(gone)
    assert [kind for kind, _, _ in log(recording.lecture)] == ["visitor", "deleted"]
    said = {decision.face_positions: decision.key for decision in identity_overrides(recording)}
    again = [
        types.UnknownPerson(
            intervals=((0.0, 9.0),),
            seconds=9.0,
            crops=(Crop(time=7.0, quality=0.9, jpeg=face(50 + i)),),
            override_key=said[positions],
            face_positions=positions,
        )
        for i, positions in enumerate([((7.0, BOX),), ((8.0, BOX),)])
    ]
    count(recording, *again)
    (person,) = recording.unknown_people.all()
    assert person.override.action == "visitor"
    assert statuses(recording.lecture) == ["present", "absent", "absent"]


def test_several_at_once(recording: Recording, teacher: User) -> None:
    lecture = recording.lecture
    records = list(lecture.records.order_by("student__name").values_list("pk", flat=True))
    elsewhere = factories.lecture(factories.course(students=1))
    overrides.set_overrides(lecture=lecture, records=records[1:], status="excused", reason="fire alarm", user=teacher)
    assert statuses(lecture) == ["present", "excused", "excused"]
    changed = overrides.set_overrides(lecture=lecture, records=records, status="excused", reason="", user=teacher)
    assert [record.pk for record in changed] == records[:1]
    assert lecture.changes.count() == 3
    assert (
        overrides.set_overrides(
            lecture=elsewhere, records=records, status="late", reason="", user=factories.registrar()
        )
        == []
    )
    with pytest.raises(UserError):
        overrides.set_overrides(lecture=lecture, records=records, status="to_confirm", reason="", user=teacher)


def writes(recording: Recording, user: User) -> dict[str, Any]:
    """Everything that a person can do to a result."""
    person, sighting = recording.unknown_people.first(), recording.sightings.get(present=True)
    record = recording.lecture.records.order_by("student__name").last()
    return {
        "status": lambda: overrides.set_override(record=record, status="late", reason="", user=user),
        "name": lambda: face_overrides.name_unknown_person(person=person, student=record.student, user=user),
        "reject": lambda: face_overrides.reject_match(sighting=sighting, user=user),
        "visitor": lambda: face_overrides.mark_as_visitor(person=person, user=user),
        "delete": lambda: face_overrides.delete_unknown_person(person=person, user=user),
        "undo": lambda: face_overrides.clear_face_override(person=person, user=user),
        "sign": lambda: overrides.sign_off_lecture(lecture=recording.lecture, user=user),
    }


WRITES = ["status", "name", "reject", "visitor", "delete", "undo", "sign"]


@pytest.mark.parametrize("what", WRITES)
@pytest.mark.parametrize("who", ["stranger", "auditor"])
def test_who_may_not(recording: Recording, what: str, who: str) -> None:
    user = factories.user()
    if who == "auditor":
        user.groups.add(Group.objects.get_or_create(name="Auditor")[0])
        recording.lecture.course.lecturers.add(user)
    with pytest.raises(PermissionDenied):
        writes(recording, user)[what]()
    assert not AttendanceChange.objects.exists()


@pytest.mark.parametrize("what", WRITES)
def test_the_sign_off_locks_the_lecture_for_all_but_the_registrar(
    recording: Recording, teacher: User, registrar: User, what: str
) -> None:
    overrides.sign_off_lecture(lecture=recording.lecture, user=teacher)
    assert not can_edit_result(teacher, recording.lecture)
    with pytest.raises(UserError, match="signed off"):
        writes(recording, teacher)[what]()
    assert log(recording.lecture) == [("signed", "", "")]
    if what not in ("sign", "undo"):
        writes(recording, registrar)[what]()


def test_the_folder_of_reports_says_what_was_signed(
    recording: Recording, teacher: User, settings, django_capture_on_commit_callbacks: Any
) -> None:
    lecture = recording.lecture
    RegisterPolicy.objects.create(course=lecture.course, write_moodle_file=True)
    book = Path(settings.REPORTS_DIR, write_recording_report(recording=recording).file_name)
    marks = book.with_name(f"{book.stem}_moodle.csv")
    assert [line.rsplit(",")[-1] for line in marks.read_text().splitlines()] == ["status", "P", "A", "A"]
    second = lecture.records.order_by("student__name")[1]
    overrides.set_override(record=second, status="excused", reason="a note", user=teacher)
    with django_capture_on_commit_callbacks(execute=True):
        overrides.sign_off_lecture(lecture=lecture, user=teacher)
    assert [line.rsplit(",")[-1] for line in marks.read_text().splitlines()] == ["status", "P", "E", "A"]
    rows = load_workbook(book)["Attendance"].iter_rows(min_row=2, values_only=True)
    assert [row[2] for row in rows] == ["Present", "Excused", "Absent"]


def test_a_recording_that_comes_after_the_sign_off_changes_no_status(
    recording: Recording, teacher: User, registrar: User
) -> None:
    lecture = recording.lecture
    first, second, _ = lecture.course.students.all()
    overrides.sign_off_lecture(lecture=lecture, user=teacher)
    later = factories.recording(lecture, duration=3600.0, state="done", coverage=1.0)
    seen = Presence(
        label=str(second.pk), present=True, intervals=((0.0, 3600.0),), seconds=3600.0, share=1.0, confidence=0.9
    )
    save_attendance(
        recording=later, attendance=Attendance(3600.0, (Presence(label=str(first.pk), present=False), seen), ())
    )
    assert statuses(lecture) == ["present", "absent", "absent"]
    with pytest.raises(PermissionDenied):
        overrides.reopen_lecture(lecture=lecture, user=teacher)
    overrides.reopen_lecture(lecture=lecture, user=registrar, reason="a second camera")
    assert statuses(lecture) == ["present", "present", "absent"]
    assert [kind for kind, _, _ in log(lecture)] == ["signed", "reopened"]
    assert can_edit_result(teacher, lecture)


def test_what_is_open_is_not_signed_off(lecture: Lecture, teacher: User) -> None:
    with pytest.raises(UserError, match="no attendance"):
        overrides.sign_off_lecture(lecture=lecture, user=teacher)
    recording = factories.recording(lecture, duration=3600.0, state="done")
    count(recording)
    recording.sightings.filter(present=True).update(present=False, to_confirm=True)
    face_overrides.mark_as_visitor(person=recording.unknown_people.first(), user=teacher)  # counts again
    with pytest.raises(UserError, match="1 student is still to be confirmed"):
        overrides.sign_off_lecture(lecture=lecture, user=teacher)
    overrides.set_override(
        record=lecture.records.get(machine_status="to_confirm"), status="absent", reason="", user=teacher
    )
    Recording.objects.update(state="processing")
    with pytest.raises(UserError, match="still being processed"):
        overrides.sign_off_lecture(lecture=lecture, user=teacher)
    Recording.objects.update(state="done")
    overrides.sign_off_lecture(lecture=lecture, user=teacher)
    assert SignOff.objects.get().user_name == "teacher"
    with pytest.raises(UserError, match="signed off"):
        overrides.sign_off_lecture(lecture=lecture, user=teacher)


def test_a_person_s_decision_survives_naming_and_counting(recording: Recording, teacher: User) -> None:
    lecture = recording.lecture
    _, second, _ = lecture.course.students.all()
    overrides.set_override(record=lecture.records.get(student=second), status="excused", reason="ill", user=teacher)
    face_overrides.name_unknown_person(person=recording.unknown_people.first(), student=second, user=teacher)
    record = lecture.records.get(student=second)
    assert (record.status, record.machine_status) == ("excused", "present")
    count(recording)
    assert lecture.records.get(student=second).status == "excused"


def test_the_workbook_follows(recording: Recording, teacher: User) -> None:
    _, second, _ = recording.lecture.course.students.all()
    before = write_recording_report(recording=recording).sha256
    face_overrides.name_unknown_person(person=recording.unknown_people.first(), student=second, user=teacher)
    assert refresh_report(report=recording.report).sha256 != before


def test_the_log_cannot_be_changed(recording: Recording, teacher: User) -> None:
    overrides.sign_off_lecture(lecture=recording.lecture, user=teacher)
    change = AttendanceChange.objects.get()
    for attempt in (
        change.save,
        change.delete,
        AttendanceChange.objects.all().delete,
        lambda: AttendanceChange.objects.update(reason=""),
    ):
        with pytest.raises(TypeError, match="append-only"):
            attempt()


@pytest.mark.parametrize("what", ["name", "visitor", "delete", "undo"])
def test_a_page_from_before_a_new_count_says_so(recording: Recording, teacher: User, what: str) -> None:
    write = writes(recording, teacher)[what]
    count(recording)
    with pytest.raises(UserError, match="has changed in the meantime"):
        write()


def test_a_face_is_not_named_where_the_student_may_not_be_recognised(recording: Recording, teacher: User) -> None:
    """The roll by hand counts as well, and nothing of the face is kept as the student's."""
    lecture = recording.lecture
    _, second, _ = lecture.course.students.all()
    person = recording.unknown_people.first()
    set_student_marking(student=second, automatic=False, user=None)
    with pytest.raises(UserError, match="may not be recognised, so it can't be named"):
        face_overrides.name_unknown_person(person=person, student=second, user=teacher)
    assert second.pk not in [candidate.student.pk for candidate in candidates_for(teacher, person)]
    assert not FaceOverride.objects.exists()
    Sighting.objects.filter(recording=recording, present=True).update(
        present=False, to_confirm=True, runner_up=second, confidence=0.4
    )
    with pytest.raises(UserError, match="can't be named"):
        face_overrides.name_runner_up(sighting=Sighting.objects.get(to_confirm=True), user=teacher)
    overrides.set_override(record=lecture.records.get(student=second), status="present", reason="", user=teacher)
    update_lecture_faces()
    assert not LectureFace.objects.filter(student=second).exists()
