"""Footage files laid over lectures: in any order, late, overlapping, cut off, of two lectures, discarded, assigned."""

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
from campus.recordings.selectors import coverage, describe_gaps, find_gaps, footage_at
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


def arrives(*footage_files: FootageFile) -> None:
    for footage_file in footage_files:
        update_lectures_shown_by(footage_file=footage_file)


def plans(fits: Iterable[ClipPlan]) -> dict[FootageFile, list[types.Segment]]:
    """A segment a minute, as the worker plans them for whole footage files."""
    ends = {fit.footage_file: fit.footage_file.info["duration"] for fit in fits}
    starts = {footage_file: [60.0 * n for n in range(int(-(-end // 60)))] for footage_file, end in ends.items()}
    return {
        footage_file: [
            types.Segment(n, start, min(start + 60.0, ends[footage_file]))
            for n, start in enumerate(starts[footage_file])
        ]
        for footage_file in ends
    }


def clip(recording: Recording, owner: str = "worker") -> bool:
    """What the worker does once it is asked."""
    claimed = jobs.INGEST.claim(recording.pk, owner)
    assert claimed
    fits = clip_plans_for(claimed.lecture)[claimed.camera]
    done = save_recording_clips(recording=claimed, clip_plans=fits, file_segments=plans(fits))
    recording.refresh_from_db()
    return done


def looked_at(recording: Recording, **fields: Any) -> None:
    recording.segments.filter(state="pending").update(
        **{"state": "done", "result": "tracks/x.npz", "progress": 1.0} | fields
    )


def parts(recording: Recording) -> list[tuple[float, float]]:
    return list(recording.segments.order_by("start").values_list("start", "end"))


# Arithmetic.


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([(0, 15), (15, 15), (30, 15), (45, 15)], [(0, 0, 15), (0, 15, 15), (0, 30, 15), (0, 45, 15)]),
        ([(-5, 15), (50, 15)], [(5, 0, 10), (0, 50, 10)]),  # two that span other lectures
        ([(0, 20), (15, 20)], [(0, 0, 20), (5, 20, 15)]),  # what both show is taken from the first
        ([(0, 30), (10, 10), (20, 20)], [(0, 0, 30), (10, 30, 10)]),  # one within another
        ([(0, 10), (0, 15)], [(0, 0, 15)]),  # cut off, and whole
        ([(-20, 10), (70, 10)], []),
        ([(-14.95, 15), (0.05, 15)], [(0, 0.05, 15)]),  # three seconds of the one before are a seam
        ([(-10, 100)], [(10, 0, 60)]),
        ([(0, 0), (10, 10)], [(0, 10, 10)]),  # a photo shows no time
    ],
)
def test_footage_files_are_laid_over_a_lecture(
    spans: list[tuple[float, float]], expected: list[tuple[float, float, float]]
) -> None:
    footage_files = [FootageFile(starts_at=minute(at), info={"duration": 60 * length}) for at, length in spans]
    for order in (footage_files, footage_files[::-1]):
        fits = [
            (fit.start / 60, fit.recording_start / 60, (fit.end - fit.start) / 60)
            for fit in plan_clips(order, START, 3600.0)
        ]
        assert fits == [pytest.approx(one, abs=0.001) for one in expected]


@given(st.lists(st.tuples(st.integers(-4000, 4000), st.integers(0, 4000)), max_size=8), st.randoms())
def test_in_whatever_order_the_same_is_shown_and_nothing_twice(spans: list[tuple[int, int]], order: Any) -> None:
    footage_files = [
        FootageFile(starts_at=START + timedelta(seconds=at), info={"duration": float(length)}) for at, length in spans
    ]
    fits = plan_clips(footage_files, START, 3600.0)
    shuffled = [*footage_files]
    order.shuffle(shuffled)
    assert plan_clips(shuffled, START, 3600.0) == fits
    assert all(0 <= fit.start < fit.end <= fit.footage_file.info["duration"] for fit in fits)
    assert all(
        one.recording_start >= 0
        and one.recording_end <= other.recording_start + 0.001
        and other.recording_end <= 3600.001
        for one, other in pairwise(fits)
    )
    shown = sum(fit.end - fit.start for fit in fits)
    seconds = {second for at, length in spans for second in range(max(at, 0), min(at + length, 3600))}
    assert len(seconds) - 5 * len(spans) <= shown <= len(seconds) + 0.001, "all of it, but seams"


def test_seams_are_no_holes() -> None:
    assert find_gaps([(0, 900), (902, 1800), (1800, 3598)], 3600) == []
    assert find_gaps([(60, 900), (910, 3000)], 3600) == [(0, 60), (900, 910), (3000, 3600)]
    assert find_gaps([], 60) == [(0, 60)]
    assert find_gaps([(0, 20), (21, 60)], 60) == [(20, 21)], "of a minute a second is much"


# Rows.


def test_footage_files_become_one_recording_a_camera_in_whatever_order_they_come(
    lecture: Lecture, camera: Camera
) -> None:
    second = factories.camera(ROOM)
    arrives(factories.footage_file(camera, minute(30), 30))
    recording = lecture.recordings.get()
    assert (recording.camera, recording.state, recording.provisional, recording.collected) == (
        camera,
        "uploaded",
        True,
        True,
    )
    assert clip(recording)
    assert (recording.state, recording.duration, recording.info["duration"]) == ("processing", 3600, 3600)
    assert parts(recording) == [(60.0 * n, 60.0 * (n + 1)) for n in range(30, 60)]
    looked_at(recording)
    Recording.objects.update(state="done")

    arrives(factories.footage_file(camera, minute(0), 30), factories.footage_file(second, minute(-1), 62))
    assert lecture.recordings.count() == 2
    recording.refresh_from_db()
    assert (recording.state, recording.provisional) == ("uploaded", False), "all cameras show all of the lecture"
    assert clip(recording)
    assert recording.segments.filter(state="done").count() == 30, "what was looked at stays"
    assert parts(recording) == [(60.0 * n, 60.0 * (n + 1)) for n in range(60)]
    assert len(set(recording.segments.values_list("index", flat=True))) == 60
    assert [segment["start"] for segment in progress_of(recording)["segments"]] == [60.0 * n for n in range(60)]
    assert clip(lecture.recordings.get(camera=second))
    assert lecture.collection.state == "complete"


def test_a_renamed_room_keeps_its_footage(lecture: Lecture, camera: Camera) -> None:
    Room.objects.update(name="Hall 7")
    arrives(factories.footage_file(camera, minute(0), 60))
    assert lecture.recordings.get().camera == camera


def test_the_same_again_changes_nothing(lecture: Lecture, camera: Camera) -> None:
    footage_file = factories.footage_file(camera, minute(0), 30)
    arrives(footage_file)
    recording = lecture.recordings.get()
    clip(recording)
    before = list(Segment.objects.values_list("pk", flat=True)), list(recording.clips.values())
    arrives(footage_file, footage_file, factories.footage_file(camera, minute(30), 30, state="duplicate"))
    update_recordings_of(lecture=lecture)
    recording.refresh_from_db()
    assert recording.state == "processing"
    assert (list(Segment.objects.values_list("pk", flat=True)), list(recording.clips.values())) == before


def test_a_footage_file_that_comes_while_the_recording_is_being_clip_is_not_lost(
    lecture: Lecture, camera: Camera
) -> None:
    arrives(factories.footage_file(camera, minute(0), 15))
    early = jobs.INGEST.claim(lecture.recordings.get().pk, "early")
    fits = clip_plans_for(lecture)[camera]
    arrives(factories.footage_file(camera, minute(15), 15))
    assert not save_recording_clips(recording=early, clip_plans=fits, file_segments=plans(fits))
    assert not early.clips.exists()
    assert clip(early, "later")
    assert early.clips.count() == 2


def test_a_late_footage_file_takes_only_what_is_missing(lecture: Lecture, camera: Camera) -> None:
    """A footage file that begins in the one before loses its beginning, and only the minutes at the seam are looked
    at anew."""
    arrives(factories.footage_file(camera, minute(14.9), 15))
    recording = lecture.recordings.get()
    clip(recording)
    looked_at(recording)
    done = set(recording.segments.values_list("pk", flat=True))
    arrives(factories.footage_file(camera, minute(0), 15))
    clip(recording)
    assert [(row.start, row.end, row.recording_start) for row in recording.clips.order_by("recording_start")] == [
        (0, 900, 0),
        (pytest.approx(6), 900, 900),
    ]
    anew = recording.segments.exclude(pk__in=done)
    assert parts(recording)[15] == (900, 954)
    assert anew.filter(start__gte=900).count() == 1
    assert all(one[1] <= other[0] for one, other in pairwise(parts(recording)))


def test_a_footage_file_of_two_lectures_is_clip_by_time(lecture: Lecture, camera: Camera) -> None:
    following = factories.lecture(
        starts_at=minute(MINUTES), ends_at=minute(2 * MINUTES), room=f" {ROOM.lower()} ".strip()
    )
    elsewhere = factories.lecture(starts_at=START, ends_at=minute(MINUTES), room="C 1")
    footage_file = factories.footage_file(camera, minute(45), 30)
    assert set(lectures_shown_by(footage_file)) == {lecture, following}
    arrives(footage_file)
    assert not elsewhere.recordings.exists()
    clips = [
        (row.start, row.end, row.recording_start) for one in (lecture, following) for row in _clip(one).clips.all()
    ]
    assert clips == [(0, 900, 2700), (900, 1800, 0)]


def _clip(lecture: Lecture) -> Recording:
    recording = lecture.recordings.get()
    clip(recording, f"worker{lecture.pk}")
    return recording


def test_a_clip_off_footage_file_leaves_a_gap_that_is_told_once_no_more_is_awaited(
    lecture: Lecture, camera: Camera
) -> None:
    arrives(factories.footage_file(camera, minute(0), 20), factories.footage_file(camera, minute(30), 29))
    recording = _clip(lecture)
    looked_at(recording)
    assert str(describe_gaps(recording)) == ""
    complete_lecture(lecture=lecture)
    recording.refresh_from_db()
    assert str(describe_gaps(recording)) == "There is no footage of 0:20:00 to 0:30:00, 0:59:00 to 1:00:00."
    assert coverage(recording) == pytest.approx(49 / 60)
    assert gaps_by_camera(lecture) == {camera: [(1200, 1800), (3540, 3600)]}
    recording.segments.filter(start=60).update(state="failed", error=Message("That part is damaged."))
    assert str(describe_gaps(recording)).startswith(
        "These parts could not be looked at: 0:01:00 to 0:02:00. That part is damaged. There is no"
    )


def test_a_file_that_changed_replaces_its_clip(lecture: Lecture, camera: Camera) -> None:
    first, second = factories.footage_file(camera, minute(0), 30), factories.footage_file(camera, minute(30), 20)
    arrives(first, second)
    recording = _clip(lecture)
    looked_at(recording)
    kept = set(recording.segments.filter(clip__footage_file=first).values_list("pk", flat=True))
    FootageFile.objects.filter(pk=second.pk).update(state="fetching")
    update_recordings_of(lecture=lecture)
    assert recording.clips.count() == 2, "until it is fetched anew it is here as it was"
    second.refresh_from_db()
    second.state, second.sha256, second.info = "stored", "0" * 64, second.info | {"duration": 1800.0}
    second.save()
    arrives(second)
    clip(recording)
    assert set(recording.segments.filter(state="done").values_list("pk", flat=True)) == kept
    assert recording.segments.filter(clip__footage_file=second, state="pending").count() == 30


def test_once_the_tracks_are_gone_a_late_footage_file_has_all_looked_at_again(lecture: Lecture, camera: Camera) -> None:
    arrives(factories.footage_file(camera, minute(0), 30))
    recording = _clip(lecture)
    looked_at(recording, result="")
    complete_lecture(lecture=lecture)
    arrives(factories.footage_file(camera, minute(30), 30))
    clip(recording)
    assert recording.segments.filter(state="pending").count() == 60
    assert not recording.provisional


def test_a_late_footage_file_of_a_lecture_that_was_given_up_is_taken_and_more_awaited(
    lecture: Lecture, camera: Camera
) -> None:
    Collection.objects.create(
        lecture=lecture, state="missing", next_check_at=START, deadline_at=START, finished_at=START
    )
    arrives(factories.footage_file(camera, minute(0), 30))
    assert lecture.recordings.get().provisional
    collection = Collection.objects.get(lecture=lecture)
    assert collection.state == "collecting"
    assert collection.deadline_at > START


def test_what_is_counted_already_is_counted_for_good_at_the_end(lecture: Lecture, camera: Camera) -> None:
    arrives(factories.footage_file(camera, minute(0), 30))
    recording = _clip(lecture)
    Recording.objects.update(state="aggregating")
    voting = jobs.AGGREGATE.claim(recording.pk, "voter")
    complete_lecture(lecture=lecture)
    recording.refresh_from_db()
    assert (recording.state, recording.lease_owner, recording.provisional) == ("aggregating", "", False)
    assert voting.lease_owner, "who counted it as provisional finishes nothing"
    Recording.objects.update(state="done")
    complete_lecture(lecture=lecture)
    recording.refresh_from_db()
    assert recording.state == "done"


def test_what_a_person_cancelled_stays_so(lecture: Lecture, camera: Camera) -> None:
    arrives(factories.footage_file(camera, minute(0), 30))
    recording = _clip(lecture)
    cancel_recording(recording=recording, user=None)
    arrives(factories.footage_file(camera, minute(30), 10))
    recording.refresh_from_db()
    assert recording.state == "cancelled"
    restart_recording(recording=recording, user=None)
    clip(recording)
    assert recording.segments.count() == 40


def test_gaps_in_the_footage_are_nothing_to_retry(lecture: Lecture, camera: Camera) -> None:
    arrives(factories.footage_file(camera, minute(0), 30))
    recording = _clip(lecture)
    looked_at(recording)
    Recording.objects.update(state="done", coverage=0.5)
    with pytest.raises(UserError, match="Nothing failed"):
        retry_recording(recording=recording, user=None)


def test_the_file_of_a_moment_is_found(lecture: Lecture, camera: Camera) -> None:
    arrives(factories.footage_file(camera, minute(-10), 30), factories.footage_file(camera, minute(30), 30))
    recording = _clip(lecture)
    first, second = recording.clips.order_by("recording_start")
    path, info, begins = footage_at(recording, 600.0)
    assert (path, info.duration, begins) == (Path(first.footage_file.file.path), 1800, -600), (
        "that second is second 1200 of the file"
    )
    assert footage_at(recording, 1800.0)[::2] == (Path(second.footage_file.file.path), 1800)
    with pytest.raises(UserError, match="no footage"):
        footage_at(recording, 1500.0)
    upload = factories.planned(lecture)
    assert footage_at(upload, 10.0)[::2] == (Path(upload.file.path), 0.0)


def test_two_lectures_in_one_room_at_once_are_for_a_person_to_tell_apart(lecture: Lecture, camera: Camera) -> None:
    other = factories.lecture(starts_at=START, ends_at=minute(MINUTES), room=ROOM)
    footage_file = factories.footage_file(camera, minute(0), 60)
    arrives(footage_file)
    assert not Recording.objects.exists()
    assign_footage_file(footage_file=footage_file, lecture=other)
    assert other.recordings.get().camera == camera
    assert not lecture.recordings.exists()


def test_a_lecture_that_moves_takes_the_footage_of_its_new_time(lecture: Lecture, camera: Camera) -> None:
    arrives(factories.footage_file(camera, minute(0), 60), factories.footage_file(camera, minute(60), 60))
    recording = _clip(lecture)
    looked_at(recording)
    Lecture.objects.filter(pk=lecture.pk).update(starts_at=minute(30), ends_at=minute(90))
    update_recordings_of(lecture=lecture)
    clip(recording)
    assert [(row.start, row.end, row.recording_start) for row in recording.clips.order_by("recording_start")] == [
        (1800, 3600, 0),
        (0, 1800, 1800),
    ]
    assert recording.segments.filter(state="pending").count() == 60, "seconds mean something else now"
    Lecture.objects.filter(pk=lecture.pk).update(cancelled=True)
    update_recordings_of(lecture=lecture)
    recording.refresh_from_db()
    assert recording.state == "uploaded"
    assert not clip_plans_for(Lecture.objects.get(pk=lecture.pk))


# What people decide.


def test_a_footage_file_of_the_wrong_room_is_assigned(lecture: Lecture, camera: Camera, settings: Any) -> None:
    wrong = factories.camera("C 1")
    footage_file = factories.footage_file(wrong, minute(0), 60)
    arrives(footage_file)
    assert not Recording.objects.exists()
    assign_footage_file(footage_file=footage_file, lecture=lecture, user=factories.registrar())
    recording = _clip(lecture)
    assert recording.camera == wrong
    assert recording.segments.count() == 60
    elsewhere = factories.lecture(starts_at=START, ends_at=minute(MINUTES), room="C 1")
    update_recordings_of(lecture=elsewhere)
    assert not elsewhere.recordings.exists(), "it is that lecture's and no other's"
    assign_footage_file(footage_file=footage_file, lecture=elsewhere)
    recording.refresh_from_db()
    assert recording.state == "uploaded", "its footage is another lecture's now"
    assert elsewhere.recordings.exists()


def test_an_assigned_footage_file_without_a_time_begins_with_the_lecture(lecture: Lecture) -> None:
    source = factories.source()
    footage_file = factories.footage_file(None, None, 10, source=source)
    assign_footage_file(footage_file=footage_file, lecture=lecture)
    recording = _clip(lecture)
    assert (recording.camera, recording.original_name) == (None, source.name)
    assert parts(recording)[0] == (0, 60)
    assign_footage_file(footage_file=footage_file, lecture=lecture)
    assert lecture.recordings.count() == 1
    wrong_clock = factories.footage_file(factories.camera(ROOM, source), minute(-600), 10)
    assign_footage_file(footage_file=wrong_clock, lecture=lecture)
    wrong_clock.refresh_from_db()
    assert (wrong_clock.starts_at, wrong_clock.ends_at) == (START, minute(10))


def test_an_assigned_footage_file_that_is_not_here_is_fetched(lecture: Lecture, camera: Camera) -> None:
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
    twin = factories.footage_file(camera, minute(0), 60, state="duplicate")
    with pytest.raises(UserError, match="under another name"):
        assign_footage_file(footage_file=twin, lecture=lecture)


@pytest.mark.django_db(transaction=True)
def test_a_discarded_footage_file_goes_with_its_file_and_what_it_showed(settings: Any) -> None:
    settings.BROKER_URL = "memory://"
    lecture = factories.lecture(starts_at=START, ends_at=minute(MINUTES), room=ROOM)
    camera = factories.camera(ROOM)
    first, second = factories.footage_file(camera, minute(0), 30), factories.footage_file(camera, minute(30), 30)
    arrives(first, second)
    recording = _clip(lecture)
    path = Path(second.file.path)
    discard_footage_file(footage_file=second, user=factories.registrar())
    assert not path.exists()
    clip(recording)
    assert recording.segments.count() == 30
    arrives(FootageFile.objects.get(pk=second.pk))
    assert recording.clips.count() == 1


def test_a_footage_file_in_which_nothing_can_be_seen_is_done_without(lecture: Lecture, camera: Camera) -> None:
    first, second = factories.footage_file(camera, minute(0), 30), factories.footage_file(camera, minute(30), 30)
    arrives(first, second)
    fail_unreadable_file(footage_file=second, why=Message("It is damaged."))
    recording = _clip(lecture)
    assert recording.clips.get().footage_file == first
    second.refresh_from_db()
    assert (second.state, str(second.error)) == ("failed", "It is damaged.")
    assert recording.embedder == embedder_in_use(lecture.course)
