"""From the vote to a video with boxes and names that one person can watch."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from django.core.files.base import ContentFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from PIL import Image

from campus.attendance.annotated_videos import dump_paths, request_annotated_video, store_face_paths
from campus.attendance.models import AnnotatedVideo, AttendanceChange
from campus.attendance.proposals import save_attendance
from campus.common import jobs
from campus.common.errors import UserError
from campus.privacy.retention import apply_retention
from campus.recordings.models import Recording
from recognition.annotate import COLOURS
from recognition.media.video import probe, sample_frames
from recognition.types import Attendance, Presence, Segment, UnknownPerson
from tests.campus import factories
from tests.recognition import people, video_files
from workers.annotate import annotate
from workers.leased_task import run_attempt

pytestmark = pytest.mark.django_db(transaction=True)

SECONDS = 30


@pytest.fixture
def recording(tmp_path: Path, settings) -> Recording:
    """Half a minute with a student on the left and a stranger on the right."""
    settings.BROKER_URL = "memory://"
    pattern = (np.indices((240, 480)).sum(axis=0) // 4 % 2 * 200 + 20).astype(np.uint8)
    path = video_files.video_of(tmp_path / "lecture.mp4", [np.repeat(pattern[..., None], 3, axis=2)] * SECONDS * 10)
    info = probe(path)
    row = factories.planned(segments=1, info=info.to_json(), duration=info.duration, state=Recording.State.DONE)
    row.file.save("lecture.mp4", ContentFile(path.read_bytes()))
    student = row.lecture.course.enrolments.first().student
    times = np.arange(0.0, SECONDS, 2.0)
    known, stranger = people.track(0, times, x=60), people.track(1, times, x=300)
    attendance = Attendance(
        info.duration,
        (Presence(label=str(student.pk), present=True, intervals=((0.0, 30.0),), seconds=30.0, tracks=(known,)),),
        (UnknownPerson(intervals=((0.0, 30.0),), seconds=30.0, crops=(), tracks=(stranger,)),),
    )
    save_attendance(recording=row, attendance=attendance)
    store_face_paths(recording=row, paths=dump_paths(results=[people.result(known, stranger)], attendance=attendance))
    return row


@pytest.fixture
def lecturer(recording: Recording):
    user = factories.user()
    recording.lecture.course.lecturers.add(user)
    return user


def drawn(video: AnnotatedVideo) -> AnnotatedVideo:
    run_attempt(jobs.ANNOTATE, annotate, jobs.ANNOTATE.claim(video.pk, "me"))
    video.refresh_from_db()
    return video


def file_of(video: AnnotatedVideo) -> Path:
    return Path(video.recording.file.storage.path(video.file))


def picture(video: AnnotatedVideo, time: float) -> np.ndarray:
    path = file_of(video)
    return next(sample_frames(path, probe(path), Segment(0, time, time + 1), 0.001)).image


def has_box(image: np.ndarray, x: int, colour: tuple[int, int, int]) -> bool:
    near = image[120:150, x - 3 : x + 4].reshape(-1, 3).astype(int)
    return bool((np.abs(near - colour).max(axis=1) < 60).any())


def contrast(image: np.ndarray, x: int) -> float:
    return float(image[115:155, x + 15 : x + 45].std())


def test_ten_seconds_around_a_moment(recording: Recording, lecturer) -> None:
    video = drawn(request_annotated_video(recording=recording, user=lecturer, moment=15.0))
    assert (video.state, str(video.error), video.start, video.end) == ("ready", "", 10.0, 20.0)
    assert probe(file_of(video)).duration == pytest.approx(10.0, abs=0.3)
    image = picture(video, 5.0)
    assert has_box(image, 60, COLOURS["present"])
    assert has_box(image, 300, COLOURS["unknown"])
    assert min(contrast(image, 60), contrast(image, 300)) > 60


def test_all_but_the_student_are_blurred_in_the_whole_recording(recording: Recording, lecturer) -> None:
    student = recording.sightings.get().student
    video = drawn(request_annotated_video(recording=recording, user=lecturer, student=student, blur_others=True))
    assert probe(file_of(video)).duration == pytest.approx(SECONDS, abs=0.3)
    image = picture(video, 21.0)
    assert contrast(image, 60) > 60
    assert contrast(image, 300) < 15


def test_what_people_said_counts(recording: Recording, lecturer) -> None:
    recording.lecture.records.update(override_status="absent")
    image = picture(drawn(request_annotated_video(recording=recording, user=lecturer, moment=5.0)), 3.0)
    assert has_box(image, 60, COLOURS["unknown"])
    assert not has_box(image, 60, COLOURS["present"])


def test_a_photo_is_drawn_as_a_photo(recording: Recording, lecturer, client: Client, tmp_path: Path) -> None:
    photo = tmp_path / "room.png"
    Image.new("RGB", (480, 240), "gray").save(photo)
    info = probe(photo)
    recording.file.save("room.png", ContentFile(photo.read_bytes()), save=False)
    Recording.objects.filter(pk=recording.pk).update(file=recording.file.name, info=info.to_json(), duration=0)
    recording.refresh_from_db()
    video = drawn(request_annotated_video(recording=recording, user=lecturer, moment=0.0))
    with Image.open(file_of(video)) as image:
        assert has_box(np.asarray(image), 60, COLOURS["present"])
    client.force_login(lecturer)
    where = reverse("annotated-video-file", args=[video.pk])
    assert f'<img src="{where}"' in client.get(reverse("annotated-video", args=[video.pk])).content.decode()
    assert client.get(where)["Content-Type"] == "image/jpeg"


def test_a_recording_that_was_counted_before_says_what_to_do(recording: Recording, lecturer) -> None:
    for file in Path(recording.file.storage.path("face_paths")).rglob("*.npz"):
        file.unlink()
    video = drawn(request_annotated_video(recording=recording, user=lecturer))
    assert video.state == "failed"
    assert "Take attendance again" in str(video.error)


def test_a_request_that_waits_is_not_repeated_and_moments_lie_in_the_recording(recording: Recording, lecturer) -> None:
    first = request_annotated_video(recording=recording, user=lecturer, moment=1.0)
    assert request_annotated_video(recording=recording, user=lecturer, moment=1.0) == first
    assert first.start == 0
    for moment in (-1.0, 1e9, float("nan")):
        with pytest.raises(UserError, match="no such second"):
            request_annotated_video(recording=recording, user=lecturer, moment=moment)
    Recording.objects.update(state="failed")
    recording.refresh_from_db()
    with pytest.raises(UserError):
        request_annotated_video(recording=recording, user=lecturer)


def test_it_is_deleted_after_a_day(recording: Recording, lecturer, settings) -> None:
    old, new = (drawn(request_annotated_video(recording=recording, user=lecturer, moment=second)) for second in (3, 9))
    AnnotatedVideo.objects.filter(pk=old.pk).update(created_at=timezone.now() - timedelta(hours=25))
    apply_retention()
    assert list(AnnotatedVideo.objects.all()) == [new]
    assert [file_of(video).exists() for video in (old, new)] == [False, True]


def test_it_is_asked_for_watched_in_parts_and_logged(recording: Recording, lecturer, client: Client) -> None:
    client.force_login(lecturer)
    asked_for = {"moment": "5", "blur_others": "on"}
    response = client.post(reverse("annotated-video-request", args=[recording.pk]), asked_for)
    video = AnnotatedVideo.objects.get()
    assert response["Location"] == reverse("annotated-video", args=[video.pk])
    assert "data-refresh" in client.get(response["Location"]).content.decode()
    where = reverse("annotated-video-file", args=[video.pk])
    assert client.get(where).status_code == 202
    drawn(video)
    assert f'<video src="{where}"' in client.get(response["Location"]).content.decode()
    content = file_of(video).read_bytes()
    whole = client.get(where)
    assert (whole.getvalue(), whole["Content-Type"], whole["Accept-Ranges"]) == (content, "video/mp4", "bytes")
    size = len(content)
    for asked, start, end in (("0-", 0, size), ("10-19", 10, 20), ("-7", size - 7, size), ("10-999999999", 10, size)):
        part = client.get(where, headers={"Range": f"bytes={asked}"})
        assert (part.status_code, part.getvalue()) == (206, content[start:end])
        assert part["Content-Range"] == f"bytes {start}-{end - 1}/{size}"
    assert client.get(where, headers={"Range": f"bytes={size}-"}).status_code == 416
    watched = AttendanceChange.objects.filter(kind="watched")
    assert watched.count() == 2  # whole, and from the first byte on
    assert watched.first().about.endswith("0:00:00-0:00:10")


def test_nobody_else_watches_it(recording: Recording, lecturer, client: Client) -> None:
    video = drawn(request_annotated_video(recording=recording, user=lecturer, moment=5.0))
    colleague, stranger = factories.user(), factories.user()
    recording.lecture.course.lecturers.add(colleague)
    for user in (colleague, stranger):
        client.force_login(user)
        for name in ("annotated-video", "annotated-video-file"):
            assert client.get(reverse(name, args=[video.pk])).status_code == 404
    assert client.post(reverse("annotated-video-request", args=[recording.pk])).status_code == 404  # a stranger
    recording.lecture.course.lecturers.remove(lecturer)
    client.force_login(lecturer)
    assert client.get(reverse("annotated-video-file", args=[video.pk])).status_code == 404
