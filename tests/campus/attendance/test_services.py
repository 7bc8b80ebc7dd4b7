"""The machine proposes, people decide: what is written, repeated, overridden and reported."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from openpyxl import load_workbook

from campus.academics.models import Enrolment, Lecture
from campus.attendance.models import AttendanceChange, AttendanceRecord, Report
from campus.attendance.overrides import set_override
from campus.attendance.proposals import recount_lecture, save_attendance
from campus.attendance.reports import refresh_report, write_recording_report, write_register_report
from campus.attendance.services import delete_recording
from campus.attendance.status_rules import status_from_times
from campus.common.errors import UserError
from campus.common.intervals import merge_intervals
from campus.common.storage import local_path, read_media
from campus.recordings.models import Recording
from campus.recordings.selectors import coverage, gaps_in_files
from recognition.types import Attendance, Crop, Presence, UnknownPerson
from tests.campus import factories
from tests.campus.conftest import jpeg

pytestmark = pytest.mark.django_db
MINUTE = 60.0


def seen(student: Any, *intervals: tuple[float, float], duration: float = 3600.0, crops: int = 2) -> Presence:
    seconds = sum(end - start for start, end in intervals)
    pictures = tuple(Crop(time=5.0 + i, quality=0.9, jpeg=jpeg(40 + i)) for i in range(crops))
    return Presence(
        label=str(student.pk),
        present=True,
        intervals=intervals,
        seconds=seconds,
        share=seconds / duration if duration else 1.0,
        confidence=0.8,
        crops=pictures,
    )


def write(recording: Recording, *presences: Presence, unknown: int = 0) -> None:
    people = tuple(
        UnknownPerson(intervals=((0.0, 10.0),), seconds=10.0, crops=(Crop(time=1.0, quality=0.5, jpeg=jpeg(20 + i)),))
        for i in range(unknown)
    )
    roster = {presence.label: presence for presence in presences}
    for pk in recording.lecture.course.students.order_by("pk").values_list("pk", flat=True):
        roster.setdefault(str(pk), Presence(label=str(pk), present=False))
    save_attendance(recording=recording, attendance=Attendance(recording.duration, tuple(roster.values()), people))


@pytest.fixture
def lecture() -> Lecture:
    return factories.lecture(factories.course(students=3))


@pytest.fixture
def recording(lecture: Lecture) -> Recording:
    return factories.recording(lecture, duration=3600.0, state="done", coverage=1.0)


def statuses(lecture: Lecture) -> list[str]:
    return [record.status for record in lecture.records.order_by("student__name")]


def test_rows_say_what_was_seen(recording: Recording) -> None:
    first, second, third = recording.lecture.course.students.all()
    write(recording, seen(first, (0, 3600)), seen(second, (0, 600), (1200, 3590)), unknown=2)
    record = AttendanceRecord.objects.get(student=second)
    assert (record.first_seen, record.last_seen) == (factories.STARTS, factories.STARTS + timedelta(seconds=3590))
    assert record.seconds == 2990
    assert record.share == pytest.approx(2990 / 3600)
    assert (AttendanceRecord.objects.get(student=third).status, recording.unknown_people.count()) == ("absent", 2)
    crops = recording.sightings.get(student=first).crops
    assert read_media(crops[0]["file"]) == jpeg(40)


def test_writing_twice_gives_the_same_and_new_pictures_replace_old(
    recording: Recording, django_capture_on_commit_callbacks
) -> None:
    first, *_ = recording.lecture.course.students.all()
    folder = local_path("crops", str(recording.pk))

    def rows() -> Any:
        keep = [{**row, "id": 0} for row in recording.sightings.order_by("student_id").values()]
        return (
            keep,
            sorted(path.name for path in folder.glob("*")),
            list(recording.lecture.records.values_list("pk", "machine_status")),
        )

    with django_capture_on_commit_callbacks(execute=True):
        write(recording, seen(first, (0, 3600)), unknown=1)
    before = rows()
    assert len(before[1]) == 3
    with django_capture_on_commit_callbacks(execute=True):
        write(recording, seen(first, (0, 3600)), unknown=1)
    assert rows() == before
    with django_capture_on_commit_callbacks(execute=True):
        write(recording)
    assert rows()[1] == []


def test_a_lecture_is_the_union_of_its_recordings(lecture: Lecture, recording: Recording) -> None:
    first, second, _ = lecture.course.students.all()
    other = factories.recording(lecture, duration=1800.0, state="done")
    write(recording, seen(first, (0, 1000)))
    write(other, seen(first, (500, 1500)), seen(second, (0, 1800)))
    record = lecture.records.get(student=first)
    assert (record.seconds, record.share) == (1500, pytest.approx(1500 / 3600))
    assert statuses(lecture) == ["left_early", "left_early", "absent"]
    assert lecture.records.get(student=second).share == 0.5


def test_who_came_in_a_pause_of_the_recorder_is_not_late(lecture: Lecture) -> None:
    first, second, third = lecture.course.students.all()
    recording = factories.planned(lecture, segments=60)
    recording.segments.update(state="done")
    # A pause in the first part of an upload, and at the end.
    recording.info |= {"gaps": [[300, 1500], [3000, 3600]]}
    recording.save()
    write(recording, seen(first, (1510, 2990)), seen(second, (2000, 2990)), seen(third, (0, 2400)))
    assert statuses(lecture) == ["present", "late", "left_early"]
    assert coverage(recording) == pytest.approx(0.5)
    assert lecture.records.get(student=first).share == pytest.approx(1480 / 1800)


def test_a_pause_in_collected_footage_is_one_of_the_lecture(lecture: Lecture) -> None:
    first, *_ = lecture.course.students.all()
    recording = factories.planned(lecture, segments=60)
    recording.file = ""
    recording.save()
    recording.segments.update(state="done")
    camera = factories.camera()
    for start in (0, 1800):
        file = factories.footage_file(camera, lecture.starts_at + timedelta(seconds=start), 60)
        file.info |= {"gaps": [[0, 1000], [1700, 2600]]}
        file.save()
        recording.clips.create(footage_file=file, start=600, end=2400, recording_start=start)
    assert gaps_in_files(recording) == [(0, 400), (1100, 1800), (1800, 2200), (2900, 3600)]
    write(recording, seen(first, (401, 2890)))
    assert statuses(lecture) == ["present", "absent", "absent"]
    assert coverage(recording) == pytest.approx((700 + 700) / 3600)


def test_a_photo_says_present(lecture: Lecture) -> None:
    first, *_ = lecture.course.students.all()
    write(factories.recording(lecture, duration=0.0), seen(first, (0, 0), duration=0))
    assert statuses(lecture) == ["present", "absent", "absent"]
    assert lecture.records.get(student=first).share == 1


@pytest.mark.parametrize(
    ("first", "last", "duration", "status"),
    [
        (10 * MINUTE, 80 * MINUTE, 90 * MINUTE, "present"),
        (10 * MINUTE + 1, 90 * MINUTE, 90 * MINUTE, "late"),
        (0, 80 * MINUTE - 1, 90 * MINUTE, "left_early"),
        (11 * MINUTE, 12 * MINUTE, 90 * MINUTE, "late"),
        (6, 54, 60, "present"),  # of a minute, 10 seconds count
        (11, 60, 60, "late"),
        (0, 49, 60, "left_early"),
        (0, 0, 0, "present"),
    ],
)
def test_statuses_follow_from_the_class_rules(first: float, last: float, duration: float, status: str) -> None:
    assert status_from_times(factories.course(), first, last, duration) == status


@pytest.mark.parametrize(
    ("first", "last", "unwatched", "status"),
    [
        (24, 90, [(0, 20)], "present"),  # soon after the footage begins
        (26, 90, [(0, 20)], "late"),
        (12, 90, [(0, 3)], "late"),  # the footage begins before it matters
        (12, 90, [(9, 9.5)], "late"),
        (9.9, 90, [(9, 9.5)], "present"),
        (24, 90, [(5, 20)], "present"),  # may have come in between
        (24, 90, [(12, 20)], "late"),  # was not there when it mattered
        (0, 56, [(60, 90)], "present"),  # until shortly before the footage ends
        (0, 54, [(60, 90)], "left_early"),
        (0, 79, [(79.5, 90)], "present"),
        (0, 79, [(88, 90)], "left_early"),
        (31, 33, [(0, 30), (34, 90)], "present"),
        (41, 60, [(0, 30), (64, 90)], "late"),
    ],
)
def test_nobody_is_late_or_gone_for_want_of_footage(
    first: float, last: float, unwatched: list[tuple[float, float]], status: str
) -> None:
    holes = [(start * MINUTE, end * MINUTE) for start, end in unwatched]
    assert status_from_times(factories.course(), first * MINUTE, last * MINUTE, 90 * MINUTE, holes) == status


def test_a_deleted_recording_is_counted_out(
    lecture: Lecture, recording: Recording, settings, django_capture_on_commit_callbacks
) -> None:
    first, second, third = lecture.course.students.all()
    other = factories.recording(lecture, duration=3600.0, state="done")
    write(recording, seen(first, (0, 3600)), unknown=1)
    write(other, seen(second, (0, 3600)))
    report = write_recording_report(recording=recording)
    set_override(record=lecture.records.get(student=third), status="excused", reason="ill", user=factories.registrar())
    crops, file = Path(settings.MEDIA_ROOT, "crops", str(recording.pk)), Path(recording.file.path)
    assert crops.exists()
    with django_capture_on_commit_callbacks(execute=True):
        delete_recording(recording=recording)
    assert statuses(lecture) == ["absent", "present", "excused"]
    assert not any(path.exists() for path in (crops, file, Path(settings.REPORTS_DIR, report.file_name)))
    delete_recording(recording=other)
    assert [(record.student, record.status) for record in lecture.records.all()] == [(third, "excused")]


def test_a_class_has_rules_of_its_own(recording: Recording) -> None:
    course = recording.lecture.course
    course.present_seconds, course.late_minutes, course.early_minutes = 60, 30, 0
    course.save()
    first, second, third = course.students.all()
    write(recording, seen(first, (29 * 60, 3600)), seen(second, (31 * 60, 3600)), seen(third, (0, 59)))
    assert statuses(recording.lecture) == ["present", "late", "absent"]


@pytest.mark.parametrize(("seconds", "status"), [(359, "absent"), (361, "left_early")])
def test_a_class_may_ask_for_a_share_of_the_lecture(recording: Recording, seconds: int, status: str) -> None:
    course = recording.lecture.course
    course.present_seconds, course.present_percent = 1, 10
    course.save()
    write(recording, seen(course.students.all()[0], (0, seconds)))
    assert statuses(recording.lecture)[0] == status


@pytest.mark.parametrize(
    ("given", "union"),
    [
        ([], []),
        ([(5, 6), (0, 2), (1, 3)], [(0, 3), (5, 6)]),
        ([(0, 1), (1, 2)], [(0, 2)]),
        ([(0, 9), (1, 2)], [(0, 9)]),
    ],
)
def test_merged(given: Any, union: Any) -> None:
    assert merge_intervals(given) == union


def test_people_decide_and_a_new_vote_does_not_touch_it(recording: Recording) -> None:
    user = factories.registrar(username="ada")
    first, *_ = recording.lecture.course.students.all()
    write(recording)
    record = recording.lecture.records.get(student=first)
    set_override(record=record, status="excused", reason="  ill ", user=user)
    write(recording, seen(first, (0, 3600)))
    record.refresh_from_db()
    assert (record.machine_status, record.status) == ("present", "excused")
    change = record.changes.get()
    assert (change.old_status, change.new_status, change.reason, change.user_name) == (
        "absent",
        "excused",
        "ill",
        "ada",
    )
    set_override(record=record, status="excused", reason="again", user=user)
    assert record.changes.count() == 1, "the same decision is no change"
    set_override(record=record, status="", reason="back", user=user)
    record.refresh_from_db()
    assert record.status == "present"
    assert [(change.old_status, change.new_status) for change in record.changes.all()] == [
        ("excused", "present"),
        ("absent", "excused"),
    ]
    user.delete()
    assert record.changes.first().user_name == "ada"


def test_only_those_who_see_a_record_decide(recording: Recording) -> None:
    write(recording)
    record = recording.lecture.records.first()
    stranger, teacher = factories.user(), factories.user()
    recording.lecture.course.lecturers.add(teacher)
    with pytest.raises(PermissionDenied):
        set_override(record=record, status="present", reason="", user=stranger)
    with pytest.raises(UserError, match="not a status"):
        set_override(record=record, status="drop table", reason="", user=teacher)
    assert set_override(record=record, status="present", reason="", user=teacher).status == "present"


def test_the_log_is_append_only(recording: Recording) -> None:
    write(recording)
    record = set_override(
        record=recording.lecture.records.first(), status="late", reason="", user=factories.registrar()
    )
    change = record.changes.get()
    for forbidden in (change.save, change.delete, AttendanceChange.objects.all().delete):
        with pytest.raises(TypeError, match="append-only"):
            forbidden()
    with pytest.raises(TypeError, match="append-only"):
        record.changes.update(reason="x")
    recording.lecture.delete()
    assert not AttendanceChange.objects.exists()


def test_who_leaves_the_roster_leaves_the_lecture_unless_a_person_decided(recording: Recording) -> None:
    first, second, third = recording.lecture.course.students.all()
    write(recording, seen(first, (0, 3600)))
    set_override(
        record=recording.lecture.records.get(student=second), status="present", reason="", user=factories.registrar()
    )
    Enrolment.objects.filter(student__in=(second, third)).update(valid_to=factories.STARTS.date() - timedelta(days=1))
    recount_lecture(lecture=recording.lecture)
    assert set(recording.lecture.records.values_list("student", flat=True)) == {first.pk, second.pk}


def test_the_roster_is_of_the_lecture_day_in_local_time(settings) -> None:
    settings.TIME_ZONE = "Asia/Tokyo"
    course = factories.course()
    student = factories.student()
    factories.enrol(course, student, valid_from=factories.STARTS.date() + timedelta(days=1))
    evening = factories.lecture(course, starts_at=factories.STARTS.replace(hour=16))  # 01:00 of the next day in Tokyo
    from django.utils import timezone

    with timezone.override("Asia/Tokyo"):
        factories.records(evening)
    assert evening.records.count() == 1


def test_the_workbook_follows_the_records(recording: Recording, settings) -> None:
    first, *_ = recording.lecture.course.students.all()
    write(recording, seen(first, (0, 3600)), unknown=1)
    report = write_recording_report(recording=recording)
    path = Path(settings.REPORTS_DIR, report.file_name)
    assert path.name.startswith(f"Report_for_{recording.lecture.course.code}_2026_11_16-0900_")
    sheets = load_workbook(path)
    assert sheets.sheetnames == ["Attendance", "Timeline", "Unknown", "Summary"]
    assert [row[2] for row in sheets["Attendance"].iter_rows(min_row=2, values_only=True)] == [
        "Present",
        "Absent",
        "Absent",
    ]
    written = path.stat().st_mtime_ns
    assert refresh_report(report=report).pk == report.pk
    assert path.stat().st_mtime_ns == written, "nothing changed, nothing is written"
    set_override(
        record=recording.lecture.records.get(student=first),
        status="late",
        reason="",
        user=factories.registrar(username="ada"),
    )
    refresh_report(report=report)
    row = next(load_workbook(path)["Attendance"].iter_rows(min_row=2, values_only=True))
    assert (row[2], row[8]) == ("Late", "ada")
    path.unlink()
    refresh_report(report=report)
    assert path.exists()
    assert Report.objects.count() == 1


def test_the_register_is_written_again_in_place(recording: Recording, settings) -> None:
    write(recording)
    report = write_register_report(course=recording.lecture.course)
    assert write_register_report(course=recording.lecture.course).pk == report.pk
    assert Path(settings.REPORTS_DIR, report.file_name).exists()
    assert len(list(Path(settings.REPORTS_DIR).iterdir())) == 1


@pytest.mark.parametrize("code", ["../../x", "=HYPERLINK(1)", "Ä/Ö", "a" * 40, "..."])
def test_a_class_code_is_no_path(code: str, settings) -> None:
    recording = factories.recording(factories.lecture(factories.course(code=code, students=1)), duration=60.0)
    write(recording)
    report = write_recording_report(recording=recording)
    assert Path(settings.REPORTS_DIR, report.file_name).resolve().parent == Path(settings.REPORTS_DIR).resolve()
    assert Path(settings.REPORTS_DIR, report.file_name).exists()


def test_the_workbook_names_students_who_could_not_be_recognised(recording: Recording, settings) -> None:
    first, *_ = recording.lecture.course.students.all()
    write(recording)
    recording.gallery = factories.gallery(recording.lecture.course, report={"without_photos": [str(first.pk)]})
    summary = load_workbook(Path(settings.REPORTS_DIR, write_recording_report(recording=recording).file_name))[
        "Summary"
    ]
    assert ("No usable photos of", first.name) in [row[:2] for row in summary.iter_rows(values_only=True)]


def to_confirm(student: Any) -> Presence:
    return Presence(
        label=str(student.pk),
        present=False,
        intervals=((0.0, 0.0),),
        seconds=0.0,
        share=1.0,
        confidence=0.6,
        crops=(Crop(time=0.0, quality=0.9, jpeg=jpeg()),),
        to_confirm=True,
    )


@pytest.fixture
def photo(lecture: Lecture) -> Recording:
    return factories.recording(lecture, duration=0.0, state="done", coverage=1.0)


def test_one_look_has_to_be_confirmed(photo: Recording) -> None:
    first, second, _ = photo.lecture.course.students.all()
    write(photo, seen(first, (0, 0), duration=0), to_confirm(second))
    assert statuses(photo.lecture) == ["present", "to_confirm", "absent"]
    record = photo.lecture.records.get(student=second)
    assert (record.first_seen, record.confidence) == (photo.lecture.starts_at, 0.6)


def test_another_recording_that_is_sure_settles_it(photo: Recording, recording: Recording) -> None:
    first, *_ = photo.lecture.course.students.all()
    write(photo, to_confirm(first))
    write(recording, seen(first, (0, 3600)))
    record = photo.lecture.records.get(student=first)
    assert (record.status, record.confidence) == ("present", 0.8)


def test_what_a_person_confirmed_stays_whatever_comes_after(photo: Recording) -> None:
    first, *_ = photo.lecture.course.students.all()
    write(photo, to_confirm(first))
    record, registrar = photo.lecture.records.get(student=first), factories.registrar()
    set_override(record=record, status="absent", reason="", user=registrar)
    write(photo, to_confirm(first))
    record.refresh_from_db()
    assert (record.machine_status, record.status) == ("to_confirm", "absent")
    with pytest.raises(UserError, match="not a status that a person can set"):
        set_override(record=record, status="to_confirm", reason="", user=registrar)


def test_workbook_and_register_mark_it_and_count_it_neither_way(photo: Recording, settings) -> None:
    first, second, _ = photo.lecture.course.students.all()
    people = (
        UnknownPerson(
            intervals=((0.0, 0.0),), seconds=0.0, crops=(Crop(time=0.0, quality=0.5, jpeg=jpeg(20)),), is_static=True
        ),
        UnknownPerson(intervals=((0.0, 0.0),), seconds=0.0, crops=(Crop(time=0.0, quality=0.5, jpeg=jpeg(30)),)),
    )
    presences = (seen(first, (0, 0), duration=0), to_confirm(second))
    save_attendance(recording=photo, attendance=Attendance(0.0, presences, people))
    assert list(photo.unknown_people.values_list("is_static", flat=True)) == [True, False]
    workbook = load_workbook(Path(settings.REPORTS_DIR, write_recording_report(recording=photo).file_name))
    assert {row[1]: row[2] for row in workbook["Attendance"].iter_rows(values_only=True)}[
        second.name
    ] == "To be confirmed"
    assert [row[0] for row in workbook["Unknown"].iter_rows(values_only=True)][1:] == [
        "Unknown 1",
        "Static face 1 (portrait, poster or screen)",
    ]
    register = load_workbook(Path(settings.REPORTS_DIR, write_register_report(course=photo.lecture.course).file_name))[
        "Register"
    ]
    rows = {row[1]: row[2:4] for row in register.iter_rows(values_only=True)}
    assert (rows[first.name], rows[second.name]) == (("P", 1), ("?", None))


def test_the_workbook_names_the_strictness_and_its_threshold(photo: Recording, settings) -> None:
    gallery = factories.gallery(
        photo.lecture.course, report={"rates": {"strict": {"fpir": 0, "miss": 0, "threshold": 0.97}}}
    )
    Recording.objects.filter(pk=photo.pk).update(gallery=gallery, strictness="strict")
    photo.refresh_from_db()
    write(photo)
    workbook = load_workbook(Path(settings.REPORTS_DIR, write_recording_report(recording=photo).file_name))
    summary = dict(workbook["Summary"].iter_rows(values_only=True))
    assert (summary["Strictness"], summary["Threshold"]) == ("Strict", 0.97)
