"""A composed lecture with known attendance, from two cameras that each see a part of the room, in footage files that
overlap and arrive in another order. Everything is real, the models included.
"""

import json
import subprocess
import sys
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from django.core.files.base import ContentFile

from campus.attendance.models import Report
from campus.biometrics.models import FacePhoto
from campus.biometrics.services import add_photo, request_training
from campus.cctv.clips import update_lectures_shown_by
from campus.cctv.models import Camera
from campus.common import jobs
from campus.recordings.services import start_due_votes
from recognition.media.video import probe
from tests.campus import factories
from workers.aggregate import aggregate
from workers.ingest import ingest
from workers.leased_task import run_attempt
from workers.segments import recognise
from workers.training import check_photo, train

pytestmark = pytest.mark.django_db(transaction=True)

START = datetime(2026, 11, 16, 9, 0, tzinfo=UTC)
SECONDS, FPS, PEOPLE, ENROL = 24, 5, 8, 4
JOBS = {
    jobs.CHECK_PHOTO: check_photo,
    jobs.TRAIN: train,
    jobs.INGEST: ingest,
    jobs.RECOGNISE: recognise,
    jobs.AGGREGATE: aggregate,
}
# Of which part of the width, and from when to when in seconds of the film.
LEFT = [(0, 0.65, 16, 24), (0, 0.65, 0, 9), (0, 0.65, 8, 16)]
RIGHT = [(0.35, 1, 7, 24), (0.35, 1, 0, 7)]


@pytest.fixture(scope="module")
def film(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Any], dict[str, Any]]:
    """The pictures, and the true attendance."""
    folder = tmp_path_factory.mktemp("film")
    names = sorted(path.name for path in (shared_data / "people").iterdir() if path.is_dir())[:PEOPLE]
    (folder / "names.txt").write_text("\n".join(names))
    arguments = [
        "--people",
        shared_data / "people",
        "--strangers",
        shared_data / "strangers",
        "--roster",
        folder / "names.txt",
    ]
    arguments += [
        "--out",
        folder / "film.mp4",
        "--enrol",
        ENROL,
        "--absent",
        2,
        "--late",
        2,
        "--leave",
        1,
        "--unknown",
        1,
        "--seed",
        5,
    ]
    arguments += ["--duration", SECONDS, "--fps", FPS, "--gop", 10, "--size", "1280x720", "--face", "55-90"]
    subprocess.run([sys.executable, shared_data.parent / "tools" / "make_lecture.py", *map(str, arguments)], check=True)
    with av.open(str(folder / "film.mp4")) as container:
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return pictures, json.loads((folder / "film.json").read_text())


def encode_view(pictures: list[Any], view: tuple[float, float, int, int], path: Path) -> bytes:
    """The video of a camera: a part of the room, for some seconds."""
    left, right, begin, end = view
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"preset": "ultrafast", "crf": "18"})
        shown = [
            picture[:, round(left * 1280) // 2 * 2 : round(right * 1280) // 2 * 2]
            for picture in pictures[begin * FPS : end * FPS]
        ]
        stream.height, stream.width = shown[0].shape[:2]
        stream.pix_fmt, stream.codec_context.gop_size = "yuv420p", 2 * FPS
        for index, picture in enumerate(shown):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, FPS)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path.read_bytes()


def run_all_jobs() -> None:
    """Run all jobs until none waits."""
    while waiting := [(task, pk) for task in JOBS for pk in task.waiting().values_list("pk", flat=True)]:
        for task, pk in waiting:
            if row := task.claim(pk, "worker"):
                run_attempt(task, JOBS[task], row)
        start_due_votes()


def expected_statuses(truth: dict[str, Any]) -> dict[str, str]:
    special = {name: status for status in ("late", "left_early", "absent") for name in truth[status]}
    return {name: special.get(name, "present") for name in truth["roster"]}


def test_two_cameras_together_give_the_true_attendance(
    film: tuple[list[Any], dict[str, Any]], shared_data: Path, tmp_path: Path, settings: Any
) -> None:
    settings.BROKER_URL = "memory://"
    settings.SEGMENT_SECONDS, settings.SAMPLE_SECONDS = 8.0, 1.0
    pictures, truth = film
    course = factories.course()
    for name in truth["roster"]:
        student = factories.student(name=name)
        factories.enrol(course, student)
        for number in range(1, ENROL + 1):
            photo = next((shared_data / "people" / name).glob(f"{number}.*"))
            add_photo(student=student, file=ContentFile(photo.read_bytes()), name=photo.name)
    lecture = factories.lecture(course, starts_at=START, ends_at=START + timedelta(seconds=SECONDS), room="B 12")
    left, right = factories.camera("B 12"), factories.camera("B 12")
    run_all_jobs()
    assert not FacePhoto.objects.filter(state="pending").exists()
    request_training(course=course)
    run_all_jobs()

    def add_footage(camera: Camera, view: tuple[float, float, int, int]) -> None:
        path = tmp_path / f"{camera.pk}-{view[2]}.mp4"
        content = encode_view(pictures, view, path)
        info = probe(path)
        footage_file = factories.footage_file(
            camera,
            START + timedelta(seconds=view[2]),
            info.duration / 60,
            content=content,
            info=asdict(info) | {"started_at": None},
        )
        update_lectures_shown_by(footage_file=footage_file)
        run_all_jobs()

    for camera, view in [(left, LEFT[0]), (right, RIGHT[0]), (left, LEFT[1]), (right, RIGHT[1])]:
        add_footage(camera, view)
        assert lecture.recordings.filter(provisional=True).count() == lecture.recordings.count()
    assert not Report.objects.exists()
    add_footage(left, LEFT[2])
    assert {
        record.student.name: record.status for record in lecture.records.select_related("student")
    } == expected_statuses(truth)
    seen_by = {
        camera: set(camera.recordings.get().sightings.filter(present=True).values_list("student", flat=True))
        for camera in (left, right)
    }
    assert seen_by[left] - seen_by[right], "neither camera sees everybody"
    assert seen_by[right] - seen_by[left]
    assert Report.objects.filter(lecture=lecture, recording=None).count() == Report.objects.count() == 1
    segments = [segment for recording in lecture.recordings.all() for segment in recording.segments.all()]
    assert {segment.state for segment in segments} == {"done"}
    assert all(segment.light > 0.1 and segment.motion > 0.001 for segment in segments), (
        "the picture is neither black nor frozen"
    )
