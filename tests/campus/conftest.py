"""Folders of each test's own, and a small campus with two lecturers who must not see each other's classes."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import av
import numpy as np
import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from PIL import Image

from campus.academics.models import Course, Lecture, Student
from campus.attendance import reports, statuses
from campus.attendance.models import AttendanceRecord, Report, Sighting, UnknownPerson
from campus.attendance.proposals import recount_lecture
from campus.attendance.reports import write_recording_report, write_register_report
from campus.biometrics.models import FacePhoto, Gallery
from campus.recordings.models import Recording
from recognition.messages import Message
from tests.campus import factories


@pytest.fixture(autouse=True)
def own_folders(settings, tmp_path: Path) -> None:
    """Nothing is written outside tmp_path, nothing is remembered of the last test's wrong passwords, no broker is
    asked."""
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.REPORTS_DIR = tmp_path / "Reports"
    settings.FILE_UPLOAD_TEMP_DIR = str(tmp_path / "uploads")
    for folder in ("media", "Reports", "uploads"):
        (tmp_path / folder).mkdir()
    cache.clear()
    statuses.clear_cache()


def jpeg(size: int = 40) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (size, size), "teal").save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.fixture(scope="session")
def video_bytes() -> bytes:
    """A real video: two seconds of MPEG-4 in MP4."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 64
        for shade in range(20):
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), shade * 10, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return buffer.getvalue()


@dataclass(frozen=True, kw_only=True)
class World:
    """`own` teaches the class that everything belongs to; `other` teaches another one; `registrar` looks after both."""

    own: User
    other: User
    registrar: User
    course: Course
    student: Student
    lecture: Lecture
    recording: Recording
    failed: Recording
    record: AttendanceRecord
    sighting: Sighting
    unknown: UnknownPerson
    report: Report
    register: Report
    photo: FacePhoto
    gallery: Gallery
    foreign: Lecture


_WORKBOOKS: dict[str, bytes] = {}


@contextmanager
def written_once(build: str, write: str) -> Iterator[None]:
    """Takes the workbook of the world before in place of building and writing the same one again."""
    write_new = getattr(reports, write)

    def write_and_keep(path: Path, *contents: Any) -> None:
        write_new(path, *contents)
        _WORKBOOKS[write] = path.read_bytes()

    def copy(path: Path, *_: Any) -> None:
        path.write_bytes(_WORKBOOKS[write])

    is_kept = write in _WORKBOOKS
    with (
        patch.object(reports, build, (lambda *_: None) if is_kept else getattr(reports, build)),
        patch.object(reports, write, copy if is_kept else write_and_keep),
    ):
        yield


def furnish(lecture: Lecture, *, own: User, other: User, registrar: User) -> World:
    """What a lecture, whose class `own` teaches, can have."""
    course = lecture.course
    student, second = Student.objects.filter(courses=course)[:2]
    recording = factories.planned(
        lecture, original_name="Loops, part one.mp4", state=Recording.State.DONE, coverage=1.0
    )
    recording.segments.update(state="done", progress=1)
    failed = factories.planned(
        lecture,
        original_name="loops-2.mp4",
        state=Recording.State.FAILED,
        error=Message("The file is damaged. Upload another copy."),
    )
    failed.segments.update(state="failed", error=Message("The file is damaged here."))
    crop = {"file": default_storage.save("crops/one.jpg", ContentFile(jpeg())), "time": 5.0, "quality": 0.9}
    seen = {"intervals": [[0, 118]], "seconds": 118.0, "crops": [crop]}
    sighting = Sighting.objects.create(
        recording=recording, student=student, present=True, share=0.98, confidence=0.93, **seen
    )
    Sighting.objects.create(recording=recording, student=second, present=False)
    unknown = UnknownPerson.objects.create(recording=recording, index=0, **seen)
    recount_lecture(lecture=lecture)
    with (
        written_once("build_lecture_report", "write_lecture_workbook"),
        written_once("build_register", "write_register"),
    ):
        report, register = write_recording_report(recording=recording), write_register_report(course=course)
    return World(
        own=own,
        other=other,
        registrar=registrar,
        course=course,
        student=student,
        lecture=lecture,
        recording=recording,
        failed=failed,
        record=AttendanceRecord.objects.get(lecture=lecture, student=student),
        sighting=sighting,
        unknown=unknown,
        report=report,
        register=register,
        photo=factories.photo(
            student, original_name="Zoë.jpg", crop=default_storage.save("crops/photos/one.jpg", ContentFile(jpeg()))
        ),
        gallery=factories.gallery(course),
        foreign=factories.lecture(factories.course(lecturers=(other,), students=1, code="MA202")),
    )


@pytest.fixture
def world(db) -> World:
    own = factories.user(username="own")
    course = factories.course(lecturers=(own,), students=2, code="CS101")
    return furnish(
        factories.lecture(course, title="Loops", room="B 12"),
        own=own,
        other=factories.user(username="other"),
        registrar=factories.registrar(username="registrar"),
    )
