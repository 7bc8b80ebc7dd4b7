"""Uploads, cancelling, retrying, starting again, and what is told of the progress."""

import errno
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import TemporaryUploadedFile
from django.db import IntegrityError
from django.utils import timezone

from campus.common import jobs
from campus.common.errors import DISK_FULL, UserError
from campus.recordings.models import Recording, Segment
from campus.recordings.progress import progress_of
from campus.recordings.selectors import describe_gaps, processed_share, video_info
from campus.recordings.services import (
    cancel_recording,
    create_recording,
    plan_recording,
    restart_recording,
    retry_recording,
    start_due_votes,
)
from recognition import types
from recognition.messages import Message
from tests.campus import factories

pytestmark = pytest.mark.django_db


def create(lecture: Any, content: bytes = b"video", name: str = "lecture.mp4") -> Recording:
    return create_recording(lecture=lecture, file=ContentFile(content, name), name=name, user=None)


def files(settings) -> list[Path]:
    return [path for path in Path(settings.MEDIA_ROOT).rglob("*") if path.is_file()]


def test_an_upload_is_kept_and_asked_for(settings, django_capture_on_commit_callbacks) -> None:
    settings.BROKER_URL = "redis://127.0.0.1:1/0"  # nobody there: the row waits for the sweeper
    lecture, user = factories.lecture(), factories.user()
    with django_capture_on_commit_callbacks(execute=True):
        recording = create_recording(
            lecture=lecture, file=ContentFile(b"video"), name="C:\\films\\Week 1\x00.MP4", user=user
        )
    recording.refresh_from_db()
    assert (recording.state, recording.size, recording.original_name) == ("uploaded", 5, "Week 1.MP4")
    assert Path(recording.file.path).read_bytes() == b"video"
    assert Path(recording.file.name).name == f"{recording.pk}.mp4"
    assert recording.published_at is None


def test_an_upload_on_disk_is_moved_not_copied(settings) -> None:
    file = TemporaryUploadedFile("lecture.mp4", "video/mp4", 5, None)
    file.write(b"video")
    file.flush()
    inode = Path(file.temporary_file_path()).stat().st_ino
    recording = create_recording(lecture=factories.lecture(), file=file, name="lecture.mp4", user=None)
    assert Path(recording.file.path).stat().st_ino == inode
    file.close()


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "x.mp4/../../y", "a" * 400 + ".mp4", "\u202egpj.exe", "", "x.php;.jpg"]
)
def test_names_are_data(name: str, settings) -> None:
    recording = create(factories.lecture(), name=name)
    path = Path(recording.file.path).resolve()
    assert path.parent == Path(settings.MEDIA_ROOT, "recordings").resolve()
    assert path.stem == str(recording.pk)
    assert "/" not in recording.original_name
    assert 0 < len(recording.original_name) <= 255


def test_what_is_refused_leaves_nothing_behind(settings, monkeypatch: pytest.MonkeyPatch) -> None:
    lecture = factories.lecture()
    with pytest.raises(UserError, match=r"lecture\.mp4 is empty"):
        create(lecture, b"")
    settings.MAX_RECORDING_BYTES = 4
    with pytest.raises(UserError, match="is larger than"):
        create(lecture)
    settings.MAX_RECORDING_BYTES = 100
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 10, 0))
    with pytest.raises(UserError, match="disk is full"):
        create(lecture)
    assert not files(settings)
    assert not Recording.objects.exists()


def test_a_disk_that_fills_up_leaves_nothing_half_written(settings, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(ContentFile):
        reads = 0

        def chunks(self, chunk_size: int | None = None) -> Any:
            self.reads += 1
            yield b"vid"
            if self.reads > 1:  # the first is for the checksum
                raise OSError(errno.ENOSPC, "No space left on device")
            yield b"eo"

    with pytest.raises(UserError, match=str(DISK_FULL)):
        create_recording(lecture=factories.lecture(), file=Full(b"video"), name="lecture.mp4", user=None)
    assert not files(settings)
    assert not Recording.objects.exists()


def test_the_same_recording_is_taken_once_a_lecture(settings) -> None:
    lecture = factories.lecture()
    create(lecture, name="first.mp4")
    with pytest.raises(UserError, match=r"This recording is already here: first\.mp4"):
        create(lecture, name="second.mp4")
    create(factories.lecture(lecture.course))
    assert len(files(settings)) == 2


def test_of_two_equal_uploads_at_once_one_is_taken(settings) -> None:
    lecture = factories.lecture()

    class Slow(ContentFile):
        reads = 0

        def chunks(self, chunk_size: int | None = None) -> Any:
            self.reads += 1
            if self.reads > 1:  # the first is for the checksum
                create(lecture, name="faster.mp4")
            return super().chunks(chunk_size)

    with pytest.raises(UserError, match=r"already here: faster\.mp4"):
        create_recording(lecture=lecture, file=Slow(b"video"), name="slow.mp4", user=None)
    assert len(files(settings)) == Recording.objects.count() == 1


def test_the_database_refuses_what_cannot_be() -> None:
    with pytest.raises(IntegrityError):
        factories.recording(coverage=1.5)


def test_the_plan_is_written_by_who_holds_the_recording() -> None:
    recording = factories.recording()
    info = types.VideoInfo(
        container="mp4",
        codec="h264",
        width=1920,
        height=1080,
        rotation=90,
        fps=29.97,
        duration=61.5,
        started_at=timezone.now(),
    )
    parts = [types.Segment(0, 0.0, 30.0), types.Segment(1, 30.0, 61.5)]
    zombie = jobs.INGEST.claim(recording.pk, "zombie")
    Recording.objects.filter(pk=recording.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    holder = jobs.INGEST.claim(recording.pk, "holder")
    assert not plan_recording(recording=zombie, info=info, segments=parts)
    assert not recording.segments.exists()
    assert plan_recording(recording=holder, info=info, segments=parts)
    assert not plan_recording(recording=holder, info=info, segments=parts)
    recording.refresh_from_db()
    assert (recording.state, recording.duration, recording.attempts) == ("processing", 61.5, 0)
    assert video_info(recording) == info
    assert list(recording.segments.values_list("index", "start", "end", "state")) == [
        (0, 0, 30, "pending"),
        (1, 30, 61.5, "pending"),
    ]


@pytest.mark.parametrize("state", ["uploaded", "processing", "aggregating"])
def test_cancelling_takes_the_work_away(state: str, django_capture_on_commit_callbacks) -> None:
    recording = factories.planned(state=state)
    factories.tracks_folder(recording).mkdir(parents=True)
    with django_capture_on_commit_callbacks(execute=True):
        cancel_recording(recording=recording, user=None)
    assert recording.state == "cancelled"
    assert not recording.segments.exists()
    assert not factories.tracks_folder(recording).exists()
    assert Path(recording.file.path).exists()
    assert jobs.INGEST.claim(recording.pk, "late") is None
    assert jobs.AGGREGATE.claim(recording.pk, "late") is None


@pytest.mark.parametrize("state", ["done", "failed", "cancelled"])
def test_what_is_over_cannot_be_cancelled(state: str) -> None:
    with pytest.raises(UserError, match="nothing to cancel"):
        cancel_recording(recording=factories.planned(state=state), user=None)


def test_a_retry_takes_failed_parts_only() -> None:
    recording = factories.planned(segments=3, state="done", coverage=2 / 3)
    recording.segments.update(state="done", result="tracks/x.npz", attempts=1)
    recording.segments.filter(index=1).update(state="failed", result="", error=Message("damaged"), attempts=3)
    retry_recording(recording=recording, user=None)
    recording.refresh_from_db()
    assert (recording.state, recording.run) == ("processing", 1)
    rows = recording.segments.order_by("index").values_list("state", "attempts", "error")
    assert list(rows) == [("done", 1, Message()), ("pending", 0, Message()), ("done", 1, Message())]


def test_a_retry_of_a_vote_that_failed_votes_again() -> None:
    recording = factories.planned(state="failed", error=Message("the disk was full"))
    recording.segments.update(state="done", result="tracks/x.npz")
    retry_recording(recording=recording, user=None)
    recording.refresh_from_db()
    assert (recording.state, str(recording.error)) == ("aggregating", "")


def test_a_retry_of_a_failed_ingest_starts_there() -> None:
    recording = factories.recording(state="failed", error=Message("not a video"), attempts=3)
    retry_recording(recording=recording, user=None)
    recording.refresh_from_db()
    assert (recording.state, recording.attempts, str(recording.error)) == ("uploaded", 0, "")


@pytest.mark.parametrize("state", ["done", "uploaded", "processing", "cancelled"])
def test_there_is_nothing_to_retry(state: str) -> None:
    with pytest.raises(UserError, match="take attendance again"):
        retry_recording(recording=factories.planned(state=state, coverage=1), user=None)


@pytest.mark.parametrize("state", [state for state, _ in Recording.State.choices])
def test_attendance_can_always_be_taken_again(state: str) -> None:
    recording = factories.planned(
        state=state, error=Message("x"), lease_owner="old", lease_until=timezone.now() + timedelta(hours=1)
    )
    restart_recording(recording=recording, user=None)
    recording.refresh_from_db()
    assert (recording.state, recording.run, str(recording.error)) == ("uploaded", 2, "")
    assert not recording.segments.exists()
    assert jobs.INGEST.claim(recording.pk, "new")


def test_the_vote_begins_when_no_segment_waits() -> None:
    recording = factories.planned(segments=2)
    recording.segments.filter(index=0).update(state="done")
    assert start_due_votes() == 0
    recording.segments.filter(index=1).update(state="failed")
    assert start_due_votes() == 1
    assert start_due_votes() == 0


def test_progress_is_told() -> None:
    student = factories.student(name="Ada")
    recording = factories.planned(segments=4, planned_at=timezone.now() - timedelta(seconds=30))
    segments = list(recording.segments.order_by("index"))
    Segment.objects.filter(pk=segments[0].pk).update(
        state="done", faces=7, progress=1, finished_at=timezone.now(), recognised_students=[student.pk]
    )
    Segment.objects.filter(pk=segments[1].pk).update(
        progress=0.5, lease_owner="me", lease_until=timezone.now() + timedelta(minutes=1), faces=2
    )
    Segment.objects.filter(pk=segments[2].pk).update(state="failed", error=Message("damaged"))
    told = progress_of(recording)
    assert told["state"] == "processing"
    assert told["share"] == pytest.approx(0.95 * 2.5 / 4)
    assert told["eta_seconds"] == pytest.approx(30, abs=1), "what failed at once says nothing of the pace"
    assert told["faces"] == 9
    assert told["step"] == "2 of 4 segments have been searched for faces."
    assert told["recognised_students"] == [{"id": student.pk, "name": "Ada"}]
    assert [(part["state"], part["running"]) for part in told["segments"]] == [
        ("done", False),
        ("pending", True),
        ("failed", False),
        ("pending", False),
    ]
    Recording.objects.filter(pk=recording.pk).update(state="done")
    recording.refresh_from_db()
    assert progress_of(recording)["share"] == 1
    assert progress_of(recording)["recognised_students"] == [], "the vote has decided"
    assert progress_of(recording)["step"] == ""


def test_after_a_retry_the_time_left_is_by_the_pace_of_the_retry() -> None:
    recording = factories.planned(segments=10, planned_at=timezone.now() - timedelta(hours=2))
    recording.segments.filter(index__lt=8).update(
        state="done", progress=1, result="tracks.npz", finished_at=timezone.now() - timedelta(hours=1)
    )
    recording.segments.filter(index__gte=8).update(state="failed")
    Recording.objects.filter(pk=recording.pk).update(state="failed")
    retry_recording(recording=recording, user=None)
    Recording.objects.filter(pk=recording.pk).update(planned_at=timezone.now() - timedelta(seconds=20))
    recording.segments.filter(index=8).update(progress=0.5)
    recording.refresh_from_db()
    told = progress_of(recording)
    assert (told["share"], told["eta_seconds"]) == (pytest.approx(0.95 * 0.85), pytest.approx(60, abs=2))


def test_progress_of_a_photo_and_of_a_fresh_upload() -> None:
    fresh = progress_of(factories.recording())
    assert (fresh["eta_seconds"], fresh["step"]) == (None, "The file waits to be checked. That begins by itself.")
    assert "behind others" in progress_of(factories.planned(segments=2))["step"]
    photo = factories.planned(segments=1, duration=0)
    photo.segments.update(end=0, progress=0.5)
    assert progress_of(photo)["share"] == pytest.approx(0.475)


def test_a_file_that_was_cut_short_and_one_with_a_pause_say_so() -> None:
    recording = factories.planned()
    recording.segments.update(state=Segment.State.DONE)
    assert (str(describe_gaps(recording)), processed_share(recording)) == ("", 1.0)
    recording.info |= {"claimed_duration": 240.0, "gaps": [[30.0, 90.0]]}
    assert str(describe_gaps(recording)) == (
        "The file claims to last 0:04:00, but only 0:02:00 of it can be read: it was cut short. "
        "The recording has no pictures of 0:00:30 to 0:01:30."
    )
    assert processed_share(recording) == 0.5


def test_neighbouring_gaps_are_one() -> None:
    recording = factories.planned(segments=5)
    recording.segments.filter(index__in=(1, 2, 4)).update(state="failed", error=Message("That part is damaged."))
    assert (
        str(describe_gaps(recording))
        == "These segments could not be processed: 0:01:00 to 0:03:00, 0:04:00 to 0:05:00. That part is damaged."
    )
