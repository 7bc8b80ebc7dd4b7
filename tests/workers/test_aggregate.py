"""The vote, with real voting, gallery and workbook on artificial tracks: it writes everything or nothing."""

import json
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from campus.attendance import finalize, recording_review, reports
from campus.attendance.face_overrides import name_unknown_person, reject_match
from campus.attendance.finalize import load_present_gallery, preview_present_students
from campus.attendance.lecture_report import build_lecture_report
from campus.attendance.models import AttendanceRecord, Report, Sighting, UnknownPerson
from campus.attendance.proposals import save_attendance
from campus.attendance.reports import refresh_report
from campus.biometrics.models import FacePhoto
from campus.biometrics.services import request_training
from campus.common import jobs
from campus.common.storage import local_path, read_media, write_media
from campus.recordings.models import Recording, Segment
from campus.recordings.services import start_due_votes
from recognition import types
from recognition.errors import Cancelled, RecognitionError
from recognition.files import sha256_of
from recognition.messages import Message
from recognition.tracking.result_file import dump_segment_result, load_segment_result
from tests.campus import factories
from tests.faults import fake_vision
from tests.workers.classroom import create_class, train_gallery
from workers import vision
from workers.aggregate import aggregate
from workers.leased_task import run_attempt
from workers.training import train

pytestmark = pytest.mark.django_db(transaction=True)

AGGREGATE = jobs.AGGREGATE


@pytest.fixture(autouse=True)
def no_broker(settings) -> None:
    """Messages are lost; the tests run the jobs themselves."""
    settings.BROKER_URL = "memory://"


def create_processed_recording(course: Any, segments: list[list[int]], failed: tuple[int, ...] = ()) -> Recording:
    """A recording whose segments have been processed; `segments` says who is in each."""
    recording = factories.planned(factories.lecture(course, minutes=len(segments)), segments=len(segments))
    script = Path(recording.file.path)
    script.write_text(json.dumps({"segments": segments}))
    for segment in recording.segments.all():
        if segment.index in failed:
            Segment.objects.filter(pk=segment.pk).update(state="failed", error=Message("That part is damaged."))
            continue
        part = types.Segment(segment.index, segment.start, segment.end)
        result = fake_vision.process_segment(
            script, fake_vision.probe(script), part, fake_vision.Embedder(), on_progress=lambda share: None
        )
        name = f"tracks/{recording.pk}/1-{segment.index}-x.npz"
        write_media(name, dump_segment_result(result))
        Segment.objects.filter(pk=segment.pk).update(
            state="done", result=name, faces=result.faces, tracks=len(result.tracks)
        )
    assert start_due_votes(recording_id=recording.pk) == 1
    recording.refresh_from_db()
    return recording


def run_vote(recording: Recording, owner: str = "me") -> Recording:
    run_attempt(AGGREGATE, aggregate, AGGREGATE.claim(recording.pk, owner))
    recording.refresh_from_db()
    return recording


def written_rows(recording: Recording) -> Any:
    """Everything that a vote writes, without the columns that another vote may change."""
    drop = ("id", "updated_at")
    tables = (
        Sighting.objects.filter(recording=recording).order_by("student_id"),
        UnknownPerson.objects.filter(recording=recording).order_by("index"),
        AttendanceRecord.objects.filter(lecture=recording.lecture).order_by("student_id"),
    )
    rows = [{key: value for key, value in row.items() if key not in drop} for table in tables for row in table.values()]
    crops = sorted(path.name for path in local_path("crops", str(recording.pk)).glob("*"))
    reports = list(Report.objects.filter(recording=recording).values("file_name", "sha256"))
    return rows, crops, reports


def test_a_vote_writes_rows_crops_and_workbook(settings) -> None:
    course = create_class(3)
    gallery = train_gallery(course)
    assert (gallery.state, gallery.active, gallery.students, gallery.photos) == ("ready", True, 3, 12)
    recording = run_vote(create_processed_recording(course, [[0, 1], [0, 9], [0, 9]]))
    assert (recording.state, recording.coverage, str(recording.error), recording.gallery) == ("done", 1, "", gallery)
    records = AttendanceRecord.objects.filter(lecture=recording.lecture).order_by("student__name")
    assert [record.status for record in records] == ["present", "left_early", "absent"]
    assert recording.unknown_people.count() == 1
    assert Path(settings.REPORTS_DIR, recording.report.file_name).exists()
    assert not factories.tracks_folder(recording).exists()


def test_a_vote_takes_no_more_queries_for_more_students() -> None:
    course = create_class(2)
    train_gallery(course)

    def count_queries() -> int:
        recording = create_processed_recording(course, [[0, 1]])
        Recording.objects.filter(pk=recording.pk).update(accepted_reasons=["empty"])
        with CaptureQueriesContext(connection) as queries:
            assert run_vote(recording).state == "done"
        batches = [query for query in queries if "INSERT" in query["sql"] or "SAVEPOINT" in query["sql"]]
        return len(queries) - len(batches)

    few = count_queries()
    for number in range(18):
        factories.enrol(course, factories.student(name=f"Nobody {number}"))
    assert count_queries() <= few
    assert [lecture.records.count() for lecture in course.lectures.order_by("pk")] == [2, 20]


def test_voting_again_gives_the_same_result(settings) -> None:
    course = create_class(2)
    train_gallery(course)
    recording = create_processed_recording(course, [[0], [0, 9]], failed=())
    kept = {path.name: path.read_bytes() for path in factories.tracks_folder(recording).glob("*")}
    results = dict(recording.segments.values_list("pk", "result"))
    first = written_rows(run_vote(recording))
    for name, content in kept.items():
        factories.tracks_folder(recording).mkdir(exist_ok=True)
        (factories.tracks_folder(recording) / name).write_bytes(content)
    for pk, result in results.items():
        Segment.objects.filter(pk=pk).update(result=result)
    Recording.objects.filter(pk=recording.pk).update(state="aggregating", attempts=0)
    assert written_rows(run_vote(recording, "again")) == first


def test_a_vote_takes_few_queries_and_writes_its_workbook_after_them(monkeypatch: pytest.MonkeyPatch) -> None:
    course = create_class(2)
    train_gallery(course)
    recording = create_processed_recording(course, [[0, 1], [0, 9]])
    begun = []

    def build(*args: Any) -> Any:
        begun.append((len(queries), connection.in_atomic_block))
        return build_lecture_report(*args)

    with monkeypatch.context() as noting, CaptureQueriesContext(connection) as queries:
        noting.setattr(reports, "build_lecture_report", build)
        assert run_vote(recording).state == "done"
    ((before_workbook, in_transaction),) = begun
    assert not in_transaction
    assert before_workbook < 42
    assert len(queries) < 60


@pytest.mark.parametrize(
    ("module", "step"), [(finalize, "save_attendance"), (recording_review, "request_recording_report")]
)
def test_a_crashed_vote_leaves_nothing_and_the_next_attempt_completes(
    monkeypatch: pytest.MonkeyPatch, module: ModuleType, step: str
) -> None:
    course = create_class(2)
    train_gallery(course)
    recording = create_processed_recording(course, [[0], [0, 9]])
    nothing = written_rows(recording)
    with monkeypatch.context() as broken:
        real = getattr(module, step)

        def crash(**kwargs: Any) -> None:
            real(**kwargs)
            raise OSError(28, "No space left on device")

        broken.setattr(module, step, crash)
        assert run_vote(recording, "first").state == "aggregating"
    assert "The disk is full" in str(recording.error)
    Recording.objects.filter(pk=recording.pk).update(lease_until=None)
    assert (written_rows(recording)[0], written_rows(recording)[2]) == (nothing[0], nothing[2])
    assert run_vote(recording, "second").state == "done"
    assert str(recording.error) == ""
    assert recording.sightings.count() == 2


def test_a_workbook_that_a_crash_prevented_is_written_by_the_sweeper(settings, monkeypatch: pytest.MonkeyPatch) -> None:
    course = create_class(2)
    train_gallery(course)
    first = run_vote(create_processed_recording(course, [[0, 1], [0, 1]])).report

    def crash(*_args: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(reports, "write_lecture_workbook", crash)
        recording = run_vote(create_processed_recording(course, [[0], [0, 9]]))
        assert (recording.state, recording.sightings.count()) == ("done", 2), "the attendance does not wait for it"
        path = Path(settings.REPORTS_DIR, recording.report.file_name)
        assert (recording.report.sha256, path.exists()) == ("", False)
        reports.write_requested_reports()
        assert Report.objects.get(recording=recording).sha256 == "", "the disk is still full"
    reports.write_requested_reports()
    assert Report.objects.get(recording=recording).sha256 == sha256_of(path)
    assert Report.objects.get(pk=first.pk).sha256 == first.sha256
    with monkeypatch.context() as broken, transaction.atomic():
        broken.setattr(reports, "write_lecture_workbook", crash)
        reports.request_recording_report(recording=recording)
    stale = Report.objects.get(recording=recording)
    assert (stale.sha256, path.exists()) == ("", True), "the old file does not count as the workbook"
    assert refresh_report(report=stale).sha256 == sha256_of(path)


def test_a_vote_without_lease_writes_nothing() -> None:
    course = create_class(1)
    train_gallery(course)
    recording = create_processed_recording(course, [[0]])
    zombie = AGGREGATE.claim(recording.pk, "zombie")
    Recording.objects.filter(pk=recording.pk).update(lease_until=None)
    holder = AGGREGATE.claim(recording.pk, "holder")
    with pytest.raises(Cancelled):
        aggregate(zombie)
    assert not recording.sightings.exists()
    aggregate(holder)
    after = written_rows(recording)
    with pytest.raises(RecognitionError):
        aggregate(zombie)
    assert written_rows(recording) == after


def test_failed_segments_are_reported_and_tracks_kept_for_a_retry() -> None:
    course = create_class(1)
    train_gallery(course)
    recording = run_vote(create_processed_recording(course, [[0], [0], [0], [0]], failed=(1, 2)))
    assert recording.state == "needs_review"
    assert recording.coverage == 0.5
    assert [reason["code"] for reason in recording.review_reasons] == ["gaps"]
    assert not AttendanceRecord.objects.filter(machine_status="absent").exists()
    assert str(recording.error) == "These segments could not be processed: 0:01:00 to 0:03:00. That part is damaged."
    assert factories.tracks_folder(recording).exists()


def test_a_vote_fails_with_too_few_segments() -> None:
    course = create_class(1)
    train_gallery(course)
    recording = run_vote(create_processed_recording(course, [[0], [0], [0]], failed=(1, 2)))
    assert recording.state == "failed"
    assert str(recording.error).startswith("Only 33% of the recording could be processed.")
    assert not AttendanceRecord.objects.filter(lecture=recording.lecture).exists()


def test_waiting_for_a_training_costs_no_attempts() -> None:
    course = create_class(1)
    recording = create_processed_recording(course, [[0]])
    row = AGGREGATE.claim(recording.pk, "early")
    with pytest.raises(jobs.Postponed):
        aggregate(row)
    Recording.objects.filter(pk=recording.pk).update(lease_until=None, attempts=0)
    assert course.galleries.get().state == "queued", "the vote requests the training itself"
    train_gallery(course)
    assert run_vote(recording).state == "done"


def test_a_failed_training_is_reported() -> None:
    course = create_class(1)
    recording = create_processed_recording(course, [[0]])
    Recording.objects.filter(pk=recording.pk).update(planned_at=recording.created_at)
    FacePhoto.objects.update(state="rejected")
    photo = factories.photo(course.students.get(), state="pending")
    gallery = request_training(course=course)
    FacePhoto.objects.filter(pk=photo.pk).update(state="rejected")
    run_attempt(jobs.TRAIN, train, jobs.TRAIN.claim(gallery.pk, "trainer"))
    gallery.refresh_from_db()
    assert gallery.state == "failed"
    recording = run_vote(recording)
    assert (recording.state, str(recording.error)) == ("failed", str(gallery.error))
    assert "usable enrolment photo" in str(gallery.error)


def test_a_damaged_gallery_is_trained_again(settings) -> None:
    course = create_class(1)
    gallery = train_gallery(course)
    Path(settings.MEDIA_ROOT, gallery.path).write_bytes(b"broken")
    recording = run_vote(create_processed_recording(course, [[0]]))
    assert recording.state == "aggregating"
    gallery.refresh_from_db()
    assert (gallery.active, gallery.state) == (False, "failed")
    run_attempt(jobs.TRAIN, train, jobs.TRAIN.claim(course.galleries.get(state="queued").pk, "trainer"))
    assert run_vote(recording, "again").state == "done"


def test_a_day_without_enrolled_students_is_reported() -> None:
    course = create_class(0)
    recording = run_vote(create_processed_recording(course, [[0]]))
    assert recording.state == "failed"
    assert "Nobody is enrolled" in str(recording.error)


def test_overrides_of_faces_hold_in_the_next_vote() -> None:
    course = create_class(3)
    train_gallery(course)
    recording = create_processed_recording(course, [[0, 1, 9], [0, 1, 9]])
    tracks = {path: path.read_bytes() for path in factories.tracks_folder(recording).glob("*")}
    results = dict(recording.segments.values_list("pk", "result"))
    run_vote(recording)
    first, _, third = course.students.order_by("name")
    user = factories.registrar()
    name_unknown_person(person=recording.unknown_people.get(), student=third, user=user)
    reject_match(sighting=recording.sightings.get(student=first), user=user)
    records = recording.lecture.records.order_by("student__name")
    assert [record.status for record in records] == ["absent", "present", "present"]

    factories.tracks_folder(recording).mkdir(exist_ok=True)
    for path, content in tracks.items():
        path.write_bytes(content)
    for pk, result in results.items():
        Segment.objects.filter(pk=pk).update(result=result)
    Recording.objects.filter(pk=recording.pk).update(state="aggregating", attempts=0)
    run_vote(recording, "again")
    assert [record.status for record in records.all()] == ["absent", "present", "present"]
    assert recording.unknown_people.get(override__isnull=False).student_id == third.pk
    assert recording.unknown_people.filter(override=None).count() == 1


def test_students_of_one_segment_are_previewed_before_the_vote() -> None:
    course = create_class(3)
    recording = create_processed_recording(course, [[0, 1, 9], [2]])
    result = load_segment_result(read_media(recording.segments.get(index=0).result))
    preview = partial(preview_present_students, recording=recording, result=result, vote=vision.vote)
    assert load_present_gallery(recording) is None
    assert preview(gallery=None) == []
    gallery = train_gallery(course)
    students = course.students.order_by("name").values_list("pk", flat=True)
    assert preview(gallery=load_present_gallery(recording)) == list(students[:2])
    local_path(gallery.path).write_bytes(b"damaged")
    assert load_present_gallery(recording) is None, "recognition goes on; the vote will report the problem"


def test_an_override_during_a_vote_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    course = create_class(3)
    train_gallery(course)
    recording = create_processed_recording(course, [[0, 9], [0, 9]])
    tracks = {path: path.read_bytes() for path in factories.tracks_folder(recording).glob("*")}
    results = dict(recording.segments.values_list("pk", "result"))
    run_vote(recording)
    for path, content in tracks.items():
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
    for pk, result in results.items():
        Segment.objects.filter(pk=pk).update(result=result)
    Recording.objects.filter(pk=recording.pk).update(state="aggregating", attempts=0)
    third = course.students.order_by("name").last()

    def save_after_override(*args: Any, **kwargs: Any) -> Any:
        name_unknown_person(person=recording.unknown_people.get(), student=third, user=factories.registrar())
        return save_attendance(*args, **kwargs)

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(finalize, "save_attendance", save_after_override)
        # The override was written in the same transaction, which is rolled back, so it is repeated below.
        assert run_vote(recording, "first").state == "aggregating"
    name_unknown_person(person=recording.unknown_people.get(), student=third, user=factories.registrar())
    assert run_vote(recording, "second").state == "done"
    assert recording.lecture.records.get(student=third).status == "present"
