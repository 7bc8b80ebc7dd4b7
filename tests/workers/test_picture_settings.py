"""Which video stream of a file is read, and in which shape: by itself, as its camera's settings say, or as a person
says for one recording."""

import io
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.utils import translation
from numpy.typing import NDArray
from PIL import Image

from campus.attendance.camera_pictures import (
    latest_recording,
    outdated_recordings,
    recount_outdated_recordings,
    request_footage_previews,
    request_previews,
)
from campus.attendance.models import SignOff, Snapshot
from campus.attendance.selectors import snapshots_for
from campus.attendance.snapshots import request_snapshot
from campus.cctv.clips import update_recordings_of
from campus.cctv.models import Camera
from campus.cctv.selectors import latest_stored_file
from campus.cctv.services import fetch_sample_file, save_camera
from campus.common import jobs
from campus.common.errors import UserError
from campus.common.storage import read_media
from campus.recordings.models import Recording, Segment
from campus.recordings.selectors import describe_reading, footage_at, used_stream
from campus.recordings.services import change_picture
from recognition.types import Face
from tests.campus import factories
from tests.recognition import video_files
from workers import vision
from workers.ingest import ingest
from workers.leased_task import run_attempt
from workers.snapshots import take_snapshot

pytestmark = pytest.mark.django_db(transaction=True)

SECONDS = 20
SLIDES, CAMERA = (320, 240), (160, 120)


class FacesInCamera:
    """Finds a face in each picture of the camera's size."""

    def detect(self, images: Sequence[NDArray[np.uint8]]) -> list[list[Face]]:
        face = Face(np.zeros(4, np.float32), 0.99, np.zeros((5, 2), np.float32))
        return [[face] if image.shape[1] == CAMERA[0] else [] for image in images]


@pytest.fixture(autouse=True)
def detector(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.BROKER_URL = "memory://"
    monkeypatch.setattr(vision, "detector", FacesInCamera)


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    """Slides first, which are larger, and then the camera."""
    slides = video_files.video(tmp_path / "slides.mp4", seconds=SECONDS, size=SLIDES)
    camera = video_files.video(tmp_path / "camera.mp4", seconds=SECONDS, size=CAMERA)
    return video_files.with_streams(tmp_path / "capture.mp4", slides, camera)


@pytest.fixture
def squeezed(tmp_path: Path) -> Path:
    """Pictures of 4:3 that are stored at half their width, which the file does not say."""
    return video_files.video(tmp_path / "recorder.mp4", seconds=SECONDS, size=(80, 120))


def upload(path: Path) -> Recording:
    lecture = factories.lecture(factories.course(students=1))
    factories.photo(lecture.course.students.get())
    recording = factories.recording(lecture, content=path.read_bytes())
    return ingested(recording)


def ingested(recording: Recording) -> Recording:
    run_attempt(jobs.INGEST, ingest, jobs.INGEST.claim(recording.pk, "me"))
    recording.refresh_from_db()
    assert (recording.state, str(recording.error)) == ("processing", "")
    return recording


def extracted(snapshot: Snapshot, settings: Any) -> NDArray[np.uint8]:
    run_attempt(jobs.SNAPSHOT, take_snapshot, jobs.SNAPSHOT.claim(snapshot.pk, "me"))
    snapshot.refresh_from_db()
    assert (snapshot.state, str(snapshot.error)) == ("ready", "")
    return np.asarray(Image.open(io.BytesIO(read_media(snapshot.file))))


def collect(camera: Camera, *paths: Path) -> Recording:
    """The recording of a lecture that the camera filmed from its start to its end."""
    course = factories.course(students=1)
    factories.photo(course.students.get())
    length = SECONDS * len(paths)
    starts = factories.STARTS + timedelta(days=Recording.objects.count())
    lecture = factories.lecture(course, room=camera.room, starts_at=starts, ends_at=starts + timedelta(seconds=length))
    for number, path in enumerate(paths):
        info = vision.probe(path, camera.stream)
        begins = starts + timedelta(seconds=number * SECONDS)
        factories.footage_file(camera, begins, SECONDS / 60, content=path.read_bytes(), info=info.to_json())
    update_recordings_of(lecture=lecture)
    return ingested(lecture.recordings.get())


def finish(recording: Recording) -> None:
    recording.segments.update(state=Segment.State.DONE, result="x", faces=3)
    Recording.objects.filter(pk=recording.pk).update(state=Recording.State.DONE)
    recording.refresh_from_db()


def notes(recording: Recording) -> list[str]:
    return [str(note) for note in describe_reading(recording)]


def test_the_stream_with_faces_is_read_until_somebody_chooses_the_other(capture: Path, settings: Any) -> None:
    recording = upload(capture)
    assert (recording.info["width"], used_stream(recording)) == (CAMERA[0], 2)
    recording.segments.update(faces=3)
    assert notes(recording) == ["Stream 2 of 2 was used: faces were seen in it."]
    with translation.override("de"):
        assert "Videospur 2 von 2" in notes(recording)[0]
    previews = request_previews(recording)
    assert [extracted(preview, settings).shape[1] for preview in previews] == [SLIDES[0], CAMERA[0]]

    change_picture(recording=recording, user=None, stream=1)
    ingested(recording)
    assert (recording.info["width"], used_stream(recording)) == (SLIDES[0], 1)
    assert notes(recording) == ["Stream 1 of 2 was used, as somebody chose."]
    change_picture(recording=recording, user=None, stream=None)
    ingested(recording)
    assert used_stream(recording) == 2
    assert notes(recording) == ["Stream 2 of 2 was used. No faces were seen in it."]


def test_a_stream_that_a_file_lacks_leaves_the_choice_to_the_faces(capture: Path, squeezed: Path) -> None:
    for path, used in ((capture, 2), (squeezed, 1)):
        recording = upload(path)
        change_picture(recording=recording, user=None, stream=9)
        assert used_stream(ingested(recording)) == used


def test_an_upload_is_counted_again_in_the_shape_that_somebody_sets(squeezed: Path, settings: Any) -> None:
    recording = upload(squeezed)
    assert (recording.info["width"], recording.info["height"]) == (80, 120)
    finish(recording)
    before = request_snapshot(recording=recording, time=2.0)
    assert extracted(before, settings).shape == (120, 80, 3)

    change_picture(recording=recording, user=None, aspect_ratio="4:3", rotation=90, is_mirrored=True)
    recording.refresh_from_db()
    assert (recording.state, recording.run, recording.segments.count()) == ("uploaded", 2, 0)
    ingested(recording)
    assert (recording.info["width"], recording.info["height"]) == (120, 160)
    assert not Snapshot.objects.filter(pk=before.pk).exists()
    counted = extracted(request_snapshot(recording=recording, time=2.0), settings)
    assert video_files.number_of(np.rot90(counted[:, ::-1])) == 20
    (preview,) = request_previews(recording)
    assert extracted(preview, settings).shape == (120, 80, 3)  # as in the file, for whoever chooses again


def test_a_photo_of_a_room_is_turned_too(tmp_path: Path, settings: Any) -> None:
    path = tmp_path / "room.png"
    Image.fromarray(np.rot90(video_files.picture(5))).save(path)
    recording = upload(path)
    change_picture(recording=recording, user=None, rotation=90)
    ingested(recording)
    assert (recording.info["width"], recording.info["height"]) == (160, 120)
    assert video_files.number_of(extracted(request_snapshot(recording=recording, time=0.0), settings)) == 5


def test_collected_footage_is_read_as_its_camera_is_set(squeezed: Path) -> None:
    camera = factories.camera(aspect_ratio="4:3", is_mirrored=True)
    recording = collect(camera, squeezed)
    assert (recording.aspect_ratio, recording.is_mirrored) == ("4:3", True)
    assert (recording.info["width"], recording.info["height"]) == (160, 120)
    _path, info, _start = footage_at(recording, 1.0)
    assert (info.width, info.height, info.is_mirrored) == (160, 120, True)
    with pytest.raises(UserError, match="camera"):
        change_picture(recording=recording, user=None, rotation=90)


def test_a_camera_is_seen_before_its_first_lecture(capture: Path, settings: Any) -> None:
    camera = factories.camera()
    assert latest_stored_file(camera) is None
    with pytest.raises(UserError, match="No file of this camera"):
        fetch_sample_file(camera=camera)
    early, late = (
        factories.footage_file(
            camera, factories.STARTS + timedelta(hours=hours), state="discovered", fully_written=True
        )
        for hours in (0, 1)
    )
    fetch_sample_file(camera=camera)
    assert list(camera.footage_files.filter(state="fetching")) == [late]
    early.delete()

    info = vision.probe(capture, None).to_json()
    footage_file = factories.footage_file(camera, factories.STARTS, content=capture.read_bytes(), info=info)
    assert latest_stored_file(camera) == footage_file
    previews = request_footage_previews(footage_file)
    assert [extracted(preview, settings).shape[1] for preview in previews] == [SLIDES[0], CAMERA[0]]
    assert request_footage_previews(footage_file) == previews, "they are kept"
    assert set(snapshots_for(factories.registrar())) == set(previews)
    assert not snapshots_for(factories.user()).exists()


def test_recordings_are_counted_again_after_the_camera_was_set_differently(squeezed: Path) -> None:
    camera = factories.camera()
    kept, signed_off = collect(camera, squeezed), collect(camera, squeezed)
    for recording in (kept, signed_off):
        finish(recording)
    SignOff.objects.create(lecture=signed_off.lecture, user_name="M. Lindner")
    segments = set(kept.segments.values_list("pk", flat=True))
    assert latest_recording(camera) == signed_off
    assert not outdated_recordings(camera).exists()

    save_camera(camera=camera, aspect_ratio="4:3")
    assert list(outdated_recordings(camera)) == [kept]
    # What was counted before is still shown as it was.
    assert footage_at(kept, 1.0)[1].width == 80
    assert recount_outdated_recordings(camera=camera, user=None) == 1
    ingested(kept)
    assert footage_at(kept, 1.0)[1].width == 160
    assert not segments & set(kept.segments.values_list("pk", flat=True))
    assert not outdated_recordings(camera).exists()


def test_late_footage_has_all_of_the_lecture_read_as_the_camera_is_set_now(squeezed: Path) -> None:
    camera = factories.camera()
    recording = collect(camera, squeezed, squeezed)
    first, second = recording.clips.order_by("recording_start")
    finish(recording)
    later = second.footage_file
    later.lecture = factories.lecture()  # as if it had gone elsewhere
    later.save()
    save_camera(camera=camera, rotation=90)
    update_recordings_of(lecture=recording.lecture)
    ingested(recording)
    assert {segment.clip for segment in recording.segments.all()} == {first}
    assert not recording.segments.exclude(state=Segment.State.PENDING).exists()


def test_another_stream_of_footage_that_is_here_is_read(capture: Path) -> None:
    camera = factories.camera()
    recording = collect(camera, capture)
    assert used_stream(recording) == 2
    finish(recording)
    for stream, used in ((1, 1), (None, 2)):
        save_camera(camera=camera, stream=stream)
        assert recount_outdated_recordings(camera=camera, user=None) == 1
        ingested(recording)
        assert used_stream(recording) == used
        assert footage_at(recording, 1.0)[1].width == (SLIDES, CAMERA)[used - 1][0]
        finish(recording)


def test_footage_that_got_its_camera_later_is_read_by_that_cameras_stream(capture: Path, squeezed: Path) -> None:
    camera = factories.camera(stream=1)
    recording = collect(camera, capture, squeezed)
    finish(recording)
    late = factories.footage_file(
        None,
        recording.lecture.starts_at + timedelta(seconds=2 * SECONDS),
        SECONDS / 60,
        content=capture.read_bytes(),
        info=vision.probe(capture, None).to_json(),
        source=camera.source,
    )
    assert late.info["stream"] == 1, "the second, in which faces are seen"
    lecture = recording.lecture
    lecture.ends_at += timedelta(seconds=SECONDS)
    lecture.save()
    late.camera = camera
    late.save()
    update_recordings_of(lecture=lecture)
    ingested(recording)
    assert footage_at(recording, 2.5 * SECONDS)[1].width == SLIDES[0]


def test_the_clocks_of_files_are_told(tmp_path: Path) -> None:
    first = video_files.video(tmp_path / "1.ts", container="mpegts", seconds=12)
    path = tmp_path / "joined.ts"
    path.write_bytes(first.read_bytes() * 2)
    sentence = "The file's clock starts again at 0:00:12."
    assert notes(upload(path)) == [sentence]
    camera = factories.camera()
    short = video_files.video(tmp_path / "before.mp4", seconds=SECONDS)
    recording = collect(camera, short, path)
    assert notes(recording) == ["The file's clock starts again at 0:00:32."]


def test_a_file_without_times_says_that_its_pictures_were_counted(tmp_path: Path) -> None:
    source = video_files.video(tmp_path / "source.mp4", seconds=8)
    recording = upload(source)
    assert notes(recording) == []
    recording.info |= {"counts_pictures": True, "runs": [[0, 0, 0], [4, 3600, 1000]], "has_unread_pictures": True}
    assert notes(recording) == [
        "The file's clock jumps ahead at 0:00:04.",
        "The file has several pictures. Only the first was used.",
        "Times were counted from the pictures, since the file has none that make sense.",
    ]
