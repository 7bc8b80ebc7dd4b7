"""Clips of lectures from footage files: in any order, late, overlapping, truncated, shared, discarded, assigned."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campus.academics.models import Lecture, Room
from campus.biometrics.selectors import embedder_in_use
from campus.cctv.clips import (
    ClipPlan,
    clip_plans_for,
    complete_lecture,
    fail_unreadable_file,
    gaps_by_camera,
    lectures_shown_by,
    plan_clips,
    save_recording_clips,
    update_lectures_shown_by,
    update_recordings_of,
)
from campus.cctv.models import Camera, Collection, FootageFile
from campus.cctv.services import assign_footage_file, discard_footage_file
from campus.common import jobs
from campus.common.errors import UserError
from campus.recordings.models import Recording, Segment
from campus.recordings.progress import progress_of
from campus.recordings.selectors import coverage, describe_gaps, find_gaps, footage_at, footage_between
from campus.recordings.services import cancel_recording, restart_recording, retry_recording
from recognition import types
from recognition.messages import Message
from tests.campus import factories

START = datetime(2026, 11, 16, 9, 0, tzinfo=UTC)
MINUTES = 60
ROOM = "B 12"


def minute(n: float) -> datetime:
    return START + timedelta(minutes=n)


@pytest.fixture
def lecture(db: None) -> Lecture:
    """An hour in a room with one camera."""
    return factories.lecture(starts_at=START, ends_at=minute(MINUTES), room=ROOM)


@pytest.fixture
def camera(db: None) -> Camera:
    return factories.camera(ROOM)


def store_files(*footage_files: FootageFile) -> None:
    for footage_file in footage_files:
        update_lectures_shown_by(footage_file=footage_file)


def segments_by_file(clip_plans: Iterable[ClipPlan]) -> dict[FootageFile, list[types.Segment]]:
    """A segment per minute of each whole footage file, as the worker plans them."""
    ends = {plan.footage_file: plan.footage_file.info["duration"] for plan in clip_plans}
    starts = {footage_file: [60.0 * n for n in range(int(-(-end // 60)))] for footage_file, end in ends.items()}
    return {
        footage_file: [
            types.Segment(n, start, min(start + 60.0, ends[footage_file]))
            for n, start in enumerate(starts[footage_file])
        ]
        for footage_file in ends
    }


def ingest(recording: Recording, owner: str = "worker") -> bool:
    """Do what a worker does for an ingest job."""
    claimed = jobs.INGEST.claim(recording.pk, owner)
    assert claimed
    clip_plans = clip_plans_for(claimed.lecture)[claimed.camera]
    done = save_recording_clips(recording=claimed, clip_plans=clip_plans, file_segments=segments_by_file(clip_plans))
    recording.refresh_from_db()
    return done


def mark_processed(recording: Recording, **fields: Any) -> None:
    recording.segments.filter(state="pending").update(
        **{"state": "done", "result": "tracks/x.npz", "progress": 1.0} | fields
    )


def segment_spans(recording: Recording) -> list[tuple[float, float]]:
    return list(recording.segments.order_by("start").values_list("start", "end"))


# Planning clips.


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([(0, 15), (15, 15), (30, 15), (45, 15)], [(0, 0, 15), (0, 15, 15), (0, 30, 15), (0, 45, 15)]),
        ([(-5, 15), (50, 15)], [(5, 0, 10), (0, 50, 10)]),  # files that also show other lectures
        ([(0, 20), (15, 20)], [(0, 0, 20), (5, 20, 15)]),  # the overlap is taken from the first file
        ([(0, 30), (10, 10), (20, 20)], [(0, 0, 30), (10, 30, 10)]),  # one file within another
        ([(0, 10), (0, 15)], [(0, 0, 15)]),  # a truncated file and the whole one
        ([(-20, 10), (70, 10)], []),
        ([(-14.95, 15), (0.05, 15)], [(0, 0.05, 15)]),  # three seconds of overlap are a seam
        ([(-10, 100)], [(10, 0, 60)]),
        ([(0, 0), (10, 10)], [(0, 10, 10)]),  # a photo has no duration
    ],
)
def test_footage_files_are_laid_over_a_lecture(
    spans: list[tuple[float, float]], expected: list[tuple[float, float, float]]
) -> None:
    footage_files = [FootageFile(starts_at=minute(at), info={"duration": 60 * length}) for at, length in spans]
    for order in (footage_files, footage_files[::-1]):
        clip_plans = [
            (plan.start / 60, plan.recording_start / 60, (plan.end - plan.start) / 60)
            for plan in plan_clips(order, START, 3600.0)
        ]
        assert clip_plans == [pytest.approx(one, abs=0.001) for one in expected]


@given(st.lists(st.tuples(st.integers(-4000, 4000), st.integers(0, 4000)), max_size=8), st.randoms())
def test_the_plan_does_not_depend_on_order_and_overlaps_nowhere(spans: list[tuple[int, int]], order: Any) -> None:
    footage_files = [
        FootageFile(starts_at=START + timedelta(seconds=at), info={"duration": float(length)}) for at, length in spans
    ]
    clip_plans = plan_clips(footage_files, START, 3600.0)
    shuffled = [*footage_files]
    order.shuffle(shuffled)
    assert plan_clips(shuffled, START, 3600.0) == clip_plans
    assert all(0 <= plan.start < plan.end <= plan.footage_file.info["duration"] for plan in clip_plans)
    assert all(
        one.recording_start >= 0
        and one.recording_end <= other.recording_start + 0.001
        and other.recording_end <= 3600.001
        for one, other in pairwise(clip_plans)
    )
    shown = sum(plan.end - plan.start for plan in clip_plans)
    seconds = {second for at, length in spans for second in range(max(at, 0), min(at + length, 3600))}
    assert len(seconds) - 5 * len(spans) <= shown <= len(seconds) + 0.001, "everything except seams"


def test_seams_are_not_gaps() -> None:
    assert find_gaps([(0, 900), (902, 1800), (1800, 3598)], 3600) == []
    assert find_gaps([(60, 900), (910, 3000)], 3600) == [(0, 60), (900, 910), (3000, 3600)]
    assert find_gaps([], 60) == [(0, 60)]
    assert find_gaps([(0, 20), (21, 60)], 60) == [(20, 21)], "a second is too much of a minute"


# Recordings and their segments.


def test_each_camera_has_one_recording_in_whatever_order_files_arrive(lecture: Lecture, camera: Camera) -> None:
    second = factories.camera(ROOM)
    store_files(factories.footage_file(camera, minute(30), 30))
    recording = lecture.recordings.get()
    assert (recording.camera, recording.state, recording.provisional, recording.collected) == (
        camera,
        "uploaded",
        True,
        True,
    )
    assert ingest(recording)
    assert (recording.state, recording.duration, recording.info["duration"]) == ("processing", 3600, 3600)
    assert segment_spans(recording) == [(60.0 * n, 60.0 * (n + 1)) for n in range(30, 60)]
    mark_processed(recording)
    Recording.objects.update(state="done")

    store_files(factories.footage_file(camera, minute(0), 30), factories.footage_file(second, minute(-1), 62))
    assert lecture.recordings.count() == 2
    recording.refresh_from_db()
    assert (recording.state, recording.provisional) == ("uploaded", False), "every camera shows the whole lecture"
    assert ingest(recording)
    assert recording.segments.filter(state="done").count() == 30, "processed segments are kept"
    assert segment_spans(recording) == [(60.0 * n, 60.0 * (n + 1)) for n in range(60)]
    assert len(set(recording.segments.values_list("index", flat=True))) == 60
    assert [segment["start"] for segment in progress_of(recording)["segments"]] == [60.0 * n for n in range(60)]
    assert ingest(lecture.recordings.get(camera=second))
    assert lecture.collection.state == "complete"


def test_a_renamed_room_keeps_its_footage(lecture: Lecture, camera: Camera) -> None:
    Room.objects.update(name="Hall 7")
    store_files(factories.footage_file(camera, minute(0), 60))
    assert lecture.recordings.get().camera == camera


def test_repeating_an_update_changes_nothing(lecture: Lecture, camera: Camera) -> None:
    footage_file = factories.footage_file(camera, minute(0), 30)
    store_files(footage_file)
    recording = lecture.recordings.get()
    ingest(recording)
    before = list(Segment.objects.values_list("pk", flat=True)), list(recording.clips.values())
    store_files(footage_file, footage_file, factories.footage_file(camera, minute(30), 30, state="duplicate"))
    update_recordings_of(lecture=lecture)
    recording.refresh_from_db()
    assert recording.state == "processing"
    assert (list(Segment.objects.values_list("pk", flat=True)), list(recording.clips.values())) == before


def test_a_file_that_arrives_during_ingest_is_not_lost(lecture: Lecture, camera: Camera) -> None:
    store_files(factories.footage_file(camera, minute(0), 15))
    early = jobs.INGEST.claim(lecture.recordings.get().pk, "early")
    clip_plans = clip_plans_for(lecture)[camera]
    store_files(factories.footage_file(camera, minute(15), 15))
    assert not save_recording_clips(recording=early, clip_plans=clip_plans, file_segments=segments_by_file(clip_plans))
    assert not early.clips.exists()
    assert ingest(early, "later")
    assert early.clips.count() == 2


def test_a_late_file_fills_only_what_is_missing(lecture: Lecture, camera: Camera) -> None:
    """A footage file that begins in the one before loses its beginning, and only the minutes at the seam are looked
    at anew."""
    store_files(factories.footage_file(camera, minute(14.9), 15))
    recording = lecture.recordings.get()
    ingest(recording)
    mark_processed(recording)
    done = set(recording.segments.values_list("pk", flat=True))
    store_files(factories.footage_file(camera, minute(0), 15))
    ingest(recording)
    assert [(row.start, row.end, row.recording_start) for row in recording.clips.order_by("recording_start")] == [
        (0, 900, 0),
        (pytest.approx(6), 900, 900),
    ]
    anew = recording.segments.exclude(pk__in=done)
    assert segment_spans(recording)[15] == (900, 954)
    assert anew.filter(start__gte=900).count() == 1
    assert all(one[1] <= other[0] for one, other in pairwise(segment_spans(recording)))


def test_a_file_of_two_lectures_is_divided_by_time(lecture: Lecture, camera: Camera) -> None:
    following = factories.lecture(
        starts_at=minute(MINUTES), ends_at=minute(2 * MINUTES), room=f" {ROOM.lower()} ".strip()
    )
    elsewhere = factories.lecture(starts_at=START, ends_at=minute(MINUTES), room="C 1")
    footage_file = factories.footage_file(camera, minute(45), 30)
    assert set(lectures_shown_by(footage_file)) == {lecture, following}
    store_files(footage_file)
    assert not elsewhere.recordings.exists()
    clips = [
        (row.start, row.end, row.recording_start)
        for one in (lecture, following)
        for row in ingested_recording(one).clips.all()
    ]
    assert clips == [(0, 900, 2700), (900, 1800, 0)]


def ingested_recording(lecture: Lecture) -> Recording:
    recording = lecture.recordings.get()
    ingest(recording, f"worker{lecture.pk}")
    return recording


def test_a_truncated_file_leaves_a_gap_that_is_reported_when_collection_ends(lecture: Lecture, camera: Camera) -> None:
    store_files(factories.footage_file(camera, minute(0), 20), factories.footage_file(camera, minute(30), 29))
    recording = ingested_recording(lecture)
    mark_processed(recording)
    assert str(describe_gaps(recording)) == ""
    complete_lecture(lecture=lecture)
    recording.refresh_from_db()
    assert str(describe_gaps(recording)) == "There is no footage of 0:20:00 to 0:30:00, 0:59:00 to 1:00:00."
    assert coverage(recording) == pytest.approx(49 / 60)
    assert gaps_by_camera(lecture) == {camera: [(1200, 1800), (3540, 3600)]}
    recording.segments.filter(start=60).update(state="failed", error=Message("That part is damaged."))
    assert str(describe_gaps(recording)).startswith(
        "These segments could not be processed: 0:01:00 to 0:02:00. That part is damaged. There is no"
    )


def test_a_file_that_changed_replaces_its_clip(lecture: Lecture, camera: Camera) -> None:
    first, second = factories.footage_file(camera, minute(0), 30), factories.footage_file(camera, minute(30), 20)
    store_files(first, second)
    recording = ingested_recording(lecture)
    mark_processed(recording)
    kept = set(recording.segments.filter(clip__footage_file=first).values_list("pk", flat=True))
    FootageFile.objects.filter(pk=second.pk).update(state="fetching")
    update_recordings_of(lecture=lecture)
    assert recording.clips.count() == 2, "the old content counts until the file is fetched again"
    second.refresh_from_db()
    second.state, second.sha256, second.info = "stored", "0" * 64, second.info | {"duration": 1800.0}
    second.save()
    store_files(second)
    ingest(recording)
    assert set(recording.segments.filter(state="done").values_list("pk", flat=True)) == kept
    assert recording.segments.filter(clip__footage_file=second, state="pending").count() == 30


def test_after_tracks_expire_a_late_file_has_everything_processed_again(lecture: Lecture, camera: Camera) -> None:
    store_files(factories.footage_file(camera, minute(0), 30))
    recording = ingested_recording(lecture)
    mark_processed(recording, result="")
    complete_lecture(lecture=lecture)
    store_files(factories.footage_file(camera, minute(30), 30))
    ingest(recording)
    assert recording.segments.filter(state="pending").count() == 60
    assert not recording.provisional


def test_a_late_file_reopens_a_missing_collection(lecture: Lecture, camera: Camera) -> None:
    Collection.objects.create(
        lecture=lecture, state="missing", next_check_at=START, deadline_at=START, finished_at=START
    )
    store_files(factories.footage_file(camera, minute(0), 30))
    assert lecture.recordings.get().provisional
    collection = Collection.objects.get(lecture=lecture)
    assert collection.state == "collecting"
    assert collection.deadline_at > START


def test_completing_a_lecture_aggregates_processed_recordings_again(lecture: Lecture, camera: Camera) -> None:
    store_files(factories.footage_file(camera, minute(0), 30))
    recording = ingested_recording(lecture)
    Recording.objects.update(state="aggregating")
    voting = jobs.AGGREGATE.claim(recording.pk, "voter")
    complete_lecture(lecture=lecture)
    recording.refresh_from_db()
    assert (recording.state, recording.lease_owner, recording.provisional) == ("aggregating", "", False)
    assert voting.lease_owner, "the attempt that aggregated it as provisional must lose its lease"
    Recording.objects.update(state="done")
    complete_lecture(lecture=lecture)
    recording.refresh_from_db()
    assert recording.state == "done"


def test_a_cancelled_recording_stays_cancelled(lecture: Lecture, camera: Camera) -> None:
    store_files(factories.footage_file(camera, minute(0), 30))
    recording = ingested_recording(lecture)
    cancel_recording(recording=recording, user=None)
    store_files(factories.footage_file(camera, minute(30), 10))
    recording.refresh_from_db()
    assert recording.state == "cancelled"
    restart_recording(recording=recording, user=None)
    ingest(recording)
    assert recording.segments.count() == 40


def test_gaps_cannot_be_retried(lecture: Lecture, camera: Camera) -> None:
    store_files(factories.footage_file(camera, minute(0), 30))
    recording = ingested_recording(lecture)
    mark_processed(recording)
    Recording.objects.update(state="done", coverage=0.5)
    with pytest.raises(UserError, match="Nothing failed"):
        retry_recording(recording=recording, user=None)


def test_footage_at_a_moment(lecture: Lecture, camera: Camera) -> None:
    store_files(factories.footage_file(camera, minute(-10), 30), factories.footage_file(camera, minute(30), 30))
    recording = ingested_recording(lecture)
    first, second = recording.clips.order_by("recording_start")
    name, info, begins = footage_at(recording, 600.0)
    assert (name, info.duration, begins) == (first.footage_file.file.name, 1800, -600), (
        "that second is second 1200 of the file"
    )
    assert footage_at(recording, 1800.0)[::2] == (second.footage_file.file.name, 1800)
    with pytest.raises(UserError, match="no footage"):
        footage_at(recording, 1500.0)
    upload = factories.planned(lecture)
    assert footage_at(upload, 10.0)[::2] == (upload.file.name, 0.0)


def test_footage_between_two_moments(lecture: Lecture, camera: Camera) -> None:
    store_files(factories.footage_file(camera, minute(-10), 30), factories.footage_file(camera, minute(30), 30))
    recording = ingested_recording(lecture)
    files = [clip.footage_file.file.name for clip in recording.clips.order_by("recording_start")]
    parts = footage_between(recording, 900.0, 2000.0)
    assert [(part.name, part.start, part.end, part.recording_start) for part in parts] == [
        (files[0], 1500.0, 1800.0, 900.0),
        (files[1], 0.0, 200.0, 1800.0),
    ]
    with pytest.raises(UserError, match="no footage"):
        footage_between(recording, 1300.0, 1700.0)
    (part,) = footage_between(factories.planned(lecture), 10.0, 20.0)
    assert (part.start, part.end, part.recording_start) == (10.0, 20.0, 10.0)


def test_two_lectures_in_one_room_at_once_need_an_assignment(lecture: Lecture, camera: Camera) -> None:
    other = factories.lecture(starts_at=START, ends_at=minute(MINUTES), room=ROOM)
    footage_file = factories.footage_file(camera, minute(0), 60)
    store_files(footage_file)
    assert not Recording.objects.exists()
    assign_footage_file(footage_file=footage_file, lecture=other)
    assert other.recordings.get().camera == camera
    assert not lecture.recordings.exists()


def test_a_moved_lecture_uses_the_footage_of_its_new_time(lecture: Lecture, camera: Camera) -> None:
    store_files(factories.footage_file(camera, minute(0), 60), factories.footage_file(camera, minute(60), 60))
    recording = ingested_recording(lecture)
    mark_processed(recording)
    Lecture.objects.filter(pk=lecture.pk).update(starts_at=minute(30), ends_at=minute(90))
    update_recordings_of(lecture=lecture)
    ingest(recording)
    assert [(row.start, row.end, row.recording_start) for row in recording.clips.order_by("recording_start")] == [
        (1800, 3600, 0),
        (0, 1800, 1800),
    ]
    assert recording.segments.filter(state="pending").count() == 60, "the clips have moved, so every segment is new"
    Lecture.objects.filter(pk=lecture.pk).update(cancelled=True)
    update_recordings_of(lecture=lecture)
    recording.refresh_from_db()
    assert recording.state == "uploaded"
    assert not clip_plans_for(Lecture.objects.get(pk=lecture.pk))


# Assigned, discarded and unreadable files.


def test_a_footage_file_of_the_wrong_room_is_assigned(lecture: Lecture, camera: Camera, settings: Any) -> None:
    wrong = factories.camera("C 1")
    footage_file = factories.footage_file(wrong, minute(0), 60)
    store_files(footage_file)
    assert not Recording.objects.exists()
    assign_footage_file(footage_file=footage_file, lecture=lecture, user=factories.registrar())
    recording = ingested_recording(lecture)
    assert recording.camera == wrong
    assert recording.segments.count() == 60
    elsewhere = factories.lecture(starts_at=START, ends_at=minute(MINUTES), room="C 1")
    update_recordings_of(lecture=elsewhere)
    assert not elsewhere.recordings.exists(), "it was assigned to one lecture only"
    assign_footage_file(footage_file=footage_file, lecture=elsewhere)
    recording.refresh_from_db()
    assert recording.state == "uploaded", "its footage now belongs to another lecture"
    assert elsewhere.recordings.exists()


def test_an_assigned_footage_file_without_a_time_begins_with_the_lecture(lecture: Lecture) -> None:
    source = factories.source()
    footage_file = factories.footage_file(None, None, 10, source=source)
    assign_footage_file(footage_file=footage_file, lecture=lecture)
    recording = ingested_recording(lecture)
    assert (recording.camera, recording.original_name) == (None, source.name)
    assert segment_spans(recording)[0] == (0, 60)
    assign_footage_file(footage_file=footage_file, lecture=lecture)
    assert lecture.recordings.count() == 1
    wrong_clock = factories.footage_file(factories.camera(ROOM, source), minute(-600), 10)
    assign_footage_file(footage_file=wrong_clock, lecture=lecture)
    wrong_clock.refresh_from_db()
    assert (wrong_clock.starts_at, wrong_clock.ends_at) == (START, minute(10))


def test_an_assigned_file_that_is_not_stored_is_fetched(lecture: Lecture, camera: Camera) -> None:
    footage_file = factories.footage_file(
        camera, minute(0), 60, state="failed", retry_count=5, error=Message("The server was away."), info={}
    )
    FootageFile.objects.filter(pk=footage_file.pk).update(file="")
    assign_footage_file(footage_file=footage_file, lecture=lecture)
    footage_file.refresh_from_db()
    assert (footage_file.state, footage_file.retry_count, str(footage_file.error), footage_file.lecture) == (
        "fetching",
        0,
        "",
        lecture,
    )
    assert not lecture.recordings.exists()
    duplicate = factories.footage_file(camera, minute(0), 60, state="duplicate")
    with pytest.raises(UserError, match="under another name"):
        assign_footage_file(footage_file=duplicate, lecture=lecture)


@pytest.mark.django_db(transaction=True)
def test_discarding_deletes_the_file_and_its_clips(settings: Any) -> None:
    settings.BROKER_URL = "memory://"
    lecture = factories.lecture(starts_at=START, ends_at=minute(MINUTES), room=ROOM)
    camera = factories.camera(ROOM)
    first, second = factories.footage_file(camera, minute(0), 30), factories.footage_file(camera, minute(30), 30)
    store_files(first, second)
    recording = ingested_recording(lecture)
    path = Path(second.file.path)
    discard_footage_file(footage_file=second, user=factories.registrar())
    assert not path.exists()
    ingest(recording)
    assert recording.segments.count() == 30
    store_files(FootageFile.objects.get(pk=second.pk))
    assert recording.clips.count() == 1


def test_an_unreadable_file_is_left_out(lecture: Lecture, camera: Camera) -> None:
    first, second = factories.footage_file(camera, minute(0), 30), factories.footage_file(camera, minute(30), 30)
    store_files(first, second)
    fail_unreadable_file(footage_file=second, why=Message("It is damaged."))
    recording = ingested_recording(lecture)
    assert recording.clips.get().footage_file == first
    second.refresh_from_db()
    assert (second.state, str(second.error)) == ("failed", "It is damaged.")
    assert recording.embedder == embedder_in_use(lecture.course)
