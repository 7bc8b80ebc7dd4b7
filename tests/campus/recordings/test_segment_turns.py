"""Whose segments are published next, and in which queue what waits."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from campus.attendance.models import AnnotatedVideo
from campus.common import jobs
from campus.monitoring.workers import note_heartbeat, note_pause
from campus.recordings.models import Recording, Segment
from campus.recordings.segment_turns import publish_due_segments, segments_at_work, window
from campus.recordings.services import cancel_recording, finish_segment
from recognition.messages import Message
from tests.campus import factories

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def broker(settings: Any) -> Iterator[None]:
    settings.BROKER_URL = "memory://"
    jobs.producer.cache_clear()
    yield
    with jobs.producer().connection_for_write() as broker:
        channel: Any = broker.default_channel
        for queue in jobs.QUEUES:
            channel._purge(queue)
    jobs.producer.cache_clear()


def messages_in(queue: str) -> int:
    with jobs.producer().connection_for_write() as broker:
        channel: Any = broker.default_channel
        return int(channel._size(queue))


def planned(*, uploader: Any = None, segments: int = 4, ago: timedelta = timedelta(), **fields: Any) -> Recording:
    """A recording of a lecture that ended just now, or so long ago."""
    ends = timezone.now() - ago
    lecture = factories.lecture(starts_at=ends - timedelta(hours=1), ends_at=ends)
    return factories.planned(lecture, uploaded_by=uploader, segments=segments, planned_at=timezone.now(), **fields)


def photo() -> Recording:
    recording = factories.planned(segments=1, duration=0)
    recording.segments.update(end=0)
    return recording


def published(recording: Recording) -> list[int]:
    return list(recording.segments.exclude(published_at=None).order_by("index").values_list("index", flat=True))


def finish_one(recording: Recording) -> None:
    segment = recording.segments.filter(state="pending").exclude(published_at=None).earliest("published_at", "index")
    held = jobs.RECOGNISE.claim(segment.pk, f"worker {segment.pk}")
    assert finish_segment(segment=held, result="x", faces=0, tracks=0)


def next_turn(*recordings: Recording) -> Recording:
    """Who gets the slot that is free: that one's segment is finished at once."""
    before = {recording: len(published(recording)) for recording in recordings}
    assert publish_due_segments() == 1
    (chosen,) = (recording for recording in recordings if len(published(recording)) > before[recording])
    return chosen


def test_the_window_is_twice_the_processes_that_take_segments() -> None:
    assert window() == 2, "while no worker runs, there is something for the first one"
    note_heartbeat(worker="1", name="vision@one", queues=["vision"], processes=3)
    note_heartbeat(worker="2", name="all@two", queues=["training", "vision"], processes=1)
    note_heartbeat(worker="3", name="quick@two", queues=["quick"], processes=2)
    assert window() == 8
    note_pause(worker="1", queue="vision", problem=Message("The disk is full."))
    assert window() == 2


def test_only_the_window_is_published_and_each_end_publishes_the_next() -> None:
    recording = planned(segments=4)
    assert [publish_due_segments(), publish_due_segments()] == [2, 0]
    assert published(recording) == [0, 1]
    assert messages_in("vision") == 2
    finish_one(recording)
    assert publish_due_segments() == 1
    assert published(recording) == [0, 1, 2]
    finish_one(recording)
    finish_one(recording)
    assert publish_due_segments() == 1, "no more are left"


def test_with_many_workers_a_turn_is_for_several_segments() -> None:
    note_heartbeat(worker="1", name="vision@one", queues=["vision"], processes=12)
    recording = planned(segments=30)
    assert publish_due_segments() == window() == 24
    finish_one(recording)
    finish_one(recording)
    assert publish_due_segments() == 0, "the line is long to look at, and all workers have something to do"
    finish_one(recording)
    assert publish_due_segments() == 3


def test_a_photo_waits_for_no_segment() -> None:
    long, snap = planned(segments=9), photo()
    publish_due_segments()
    assert (published(long), published(snap)) == ([0, 1], [0])
    assert (messages_in("vision"), messages_in("quick")) == (2, 1)
    assert segments_at_work().count() == 2, "a photo takes no slot"


def test_a_lecturer_with_one_recording_does_not_wait_for_one_with_ten() -> None:
    many, one = factories.user(), factories.user()
    recordings = [planned(uploader=many) for _ in range(10)]
    publish_due_segments()
    short = planned(uploader=one, segments=1)
    finish_one(recordings[0])
    assert next_turn(*recordings, short) == short


def test_of_one_lecturer_a_short_recording_does_not_wait_for_the_long_ones() -> None:
    lecturer = factories.user()
    recordings = [planned(uploader=lecturer) for _ in range(10)]
    publish_due_segments()
    short = planned(uploader=lecturer, segments=1)
    finish_one(recordings[0])
    assert next_turn(*recordings, short) == short


def test_the_recordings_of_one_lecturer_are_finished_one_after_the_other() -> None:
    lecturer = factories.user()
    recordings = [planned(uploader=lecturer) for _ in range(3)]
    publish_due_segments()
    for _ in range(3):
        finish_one(recordings[0])
        publish_due_segments()
    assert [len(published(recording)) for recording in recordings] == [4, 1, 0]


def test_lecturers_take_turns_also_when_there_are_more_than_slots() -> None:
    recordings = [planned(uploader=factories.user(), segments=9) for _ in range(4)]
    publish_due_segments()
    turns = recordings[:2]
    for _ in range(8):
        finish_one(turns[-2])
        turns.append(next_turn(*recordings))
    assert turns == (recordings * 3)[:10]


def test_many_tiny_recordings_are_not_always_the_first() -> None:
    flood, other, third = factories.user(), factories.user(), factories.user()
    long = [planned(uploader=other, segments=9), planned(uploader=third, segments=9)]
    publish_due_segments()
    tiny = [planned(uploader=flood, segments=1) for _ in range(3)]
    finish_one(long[0])
    first = next_turn(*long, *tiny)
    assert first in tiny
    finish_one(first)
    Recording.objects.filter(pk=first.pk).update(state="done", finished_at=timezone.now())
    assert next_turn(*long, *tiny) == long[0], "the flood has just had a turn"


def test_what_cameras_recorded_counts_as_one_uploader() -> None:
    cameras = [planned() for _ in range(5)]
    uploaded = planned(uploader=factories.user(), segments=9)
    publish_due_segments()
    assert len(published(uploaded)) == 1
    assert sum(len(published(recording)) for recording in cameras) == 1


def test_live_lectures_go_before_old_ones_but_not_for_ever() -> None:
    old = planned(uploader=factories.user(), ago=timedelta(days=30))
    live = planned(uploader=factories.user(), segments=9)
    publish_due_segments()
    assert (len(published(old)), len(published(live))) == (0, 2)
    Recording.objects.filter(pk=old.pk).update(planned_at=timezone.now() - timedelta(days=2))
    finish_one(live)
    assert next_turn(old, live) == old


def test_a_cancelled_recording_makes_room_at_once(django_capture_on_commit_callbacks: Any) -> None:
    cancelled, other = planned(segments=9), planned(uploader=factories.user(), ago=timedelta(days=9))
    publish_due_segments()
    assert not published(other)
    with django_capture_on_commit_callbacks(execute=True):
        cancel_recording(recording=cancelled, user=None)
    assert published(other) == [0, 1]


def test_an_interrupted_segment_gives_its_slot_to_another_until_its_pause_is_over() -> None:
    recording = planned(segments=3)
    publish_due_segments()
    interrupted = jobs.RECOGNISE.claim(recording.segments.get(index=0).pk, "me")
    assert jobs.interrupt(interrupted, Message("The disk is full."), "")
    publish_due_segments()
    assert published(recording) == [1, 2]
    Segment.objects.filter(pk=interrupted.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert publish_due_segments() == 0
    finish_one(recording)
    publish_due_segments()
    assert published(recording) == [0, 1, 2]


def test_a_segment_that_failed_is_tried_again_after_the_others() -> None:
    recording = planned(segments=3)
    publish_due_segments()
    failed = jobs.RECOGNISE.claim(recording.segments.get(index=0).pk, "me")
    assert jobs.release(failed, Message("Something went wrong."), "")
    publish_due_segments()
    assert published(recording) == [1, 2]


def test_a_recording_that_is_planned_anew_waits_for_that() -> None:
    recording = planned()
    Recording.objects.filter(pk=recording.pk).update(state="uploaded")
    assert publish_due_segments() == 0


@pytest.mark.django_db(transaction=True)
def test_workers_that_end_at_the_same_time_publish_no_more_than_the_window() -> None:
    for _ in range(3):
        planned(uploader=factories.user(), segments=9)
    together = threading.Barrier(6)

    def publish() -> None:
        together.wait()
        publish_due_segments()
        connection.close()

    threads = [threading.Thread(target=publish) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert segments_at_work().count() == window() == 2


def test_short_jobs_have_their_own_queue() -> None:
    photo_file = factories.recording(size=3_000_000)
    large = factories.recording(size=10**9)
    jobs.INGEST.publish([photo_file.pk, large.pk])
    assert (messages_in("quick"), messages_in("ingest")) == (1, 1)
    user = factories.user()
    clip, film = (AnnotatedVideo.objects.create(recording=large, user=user, start=10, end=end) for end in (25, 3600))
    jobs.ANNOTATE.publish([str(clip.pk), str(film.pk)])
    assert (messages_in("quick"), messages_in("vision")) == (2, 1)
    assert {jobs.SNAPSHOT.queue, jobs.AGGREGATE.queue} == {"quick"}


def test_what_a_camera_recorded_is_planned_in_the_long_queue() -> None:
    recording = factories.recording(size=0)
    Recording.objects.filter(pk=recording.pk).update(file="")
    jobs.INGEST.publish([recording.pk])
    assert (messages_in("quick"), messages_in("ingest")) == (0, 1)
