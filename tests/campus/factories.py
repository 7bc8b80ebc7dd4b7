"""Rows for the tests: plain functions with sensible defaults."""

import hashlib
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from django.contrib.auth.models import User
from django.core.files.base import ContentFile

from campus.academics.models import Course, Enrolment, Lecture, Room, Student
from campus.academics.selectors import lecture_roster
from campus.accounts.roles import Role
from campus.accounts.services import set_role
from campus.attendance.models import Excuse, Sighting
from campus.attendance.proposals import recount_lecture
from campus.biometrics.models import FacePhoto, Gallery, LectureFace
from campus.biometrics.selectors import embedder_in_use
from campus.cctv.models import Camera, FootageFile, Source
from campus.common.storage import local_path, write_media
from campus.recordings.models import Recording, Segment
from campus.recordings.review import ReviewReason

STARTS = datetime(2026, 11, 16, 9, 0, tzinfo=UTC)
_number = count(1)


def user(**fields: Any) -> User:
    """An active user; the password is "password"."""
    return User.objects.create_user(**{"username": f"user{next(_number)}", "password": "password"} | fields)


def person(role: Role, **fields: Any) -> User:
    """Somebody with a role."""
    who = user(**fields)
    set_role(user=who, role=role)
    return who


def registrar(**fields: Any) -> User:
    return person(Role.REGISTRAR, **fields)


def course(*, lecturers: tuple[User, ...] = (), students: int = 0, **fields: Any) -> Course:
    """A class, with that many new students on the roster."""
    row = Course.objects.create(**{"code": f"CS-{next(_number)}", "name": "Computing"} | fields)
    row.lecturers.set(lecturers)
    for _ in range(students):
        enrol(row, student())
    return row


def student(**fields: Any) -> Student:
    number = next(_number)
    return Student.objects.create(**{"number": f"N{number:04}", "name": f"Student {number:04}"} | fields)


def enrol(course: Course, student: Student, **fields: Any) -> Enrolment:
    return Enrolment.objects.create(
        course=course, student=student, **{"valid_from": STARTS.date() - timedelta(days=30)} | fields
    )


def lecture(course_: Course | None = None, *, minutes: float = 90, **fields: Any) -> Lecture:
    """A lecture; each next one of a class is a day later. `room` is one, or the name of one."""
    course_ = course_ or course(students=2)
    if isinstance(fields.get("room"), str):
        fields["room"] = room(fields["room"])
    starts = fields.pop("starts_at", STARTS + timedelta(days=course_.lectures.count()))
    return Lecture.objects.create(
        course=course_, starts_at=starts, **{"ends_at": starts + timedelta(minutes=minutes)} | fields
    )


def recording(lecture_: Lecture | None = None, *, content: bytes | None = None, **fields: Any) -> Recording:
    """A recording with a small file that is no video."""
    content = content or f"recording {next(_number)}".encode()
    row = Recording(
        lecture=lecture_ or lecture(),
        **{"original_name": "lecture.mp4", "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        | fields,
    )
    row.file.save("lecture.mp4", ContentFile(content), save=False)
    row.save(force_insert=True)
    return row


INFO = {
    "container": "mp4",
    "codec": "h264",
    "width": 1280,
    "height": 720,
    "rotation": 0,
    "fps": 25.0,
    "duration": 120.0,
    "started_at": None,
    "is_photo": False,
}


def planned(lecture_: Lecture | None = None, *, segments: int = 2, **fields: Any) -> Recording:
    """A recording that is being worked on: `segments` segments of a minute, all waiting. A person has said that it is
    as long as it should be."""
    lecture_ = lecture_ or lecture()
    info = INFO | {"duration": 60.0 * segments}
    plan: dict[str, Any] = {
        "state": Recording.State.PROCESSING,
        "info": info,
        "duration": 60.0 * segments,
        "embedder": embedder_in_use(lecture_.course),
        "accepted_reasons": [ReviewReason.SHORT],
    }
    row = recording(lecture_, **plan | fields)
    Segment.objects.bulk_create(
        Segment(recording=row, index=i, start=60.0 * i, end=60.0 * (i + 1)) for i in range(segments)
    )
    return row


def tracks_folder(recording: Recording) -> Path:
    """Where its tracks lie."""
    return local_path("tracks", str(recording.pk))


def records(lecture_: Lecture, **fields: Any) -> Recording:
    """The lecture is counted by a new recording, in which nobody is seen."""
    row = planned(lecture_, **{"state": Recording.State.DONE} | fields)
    row.segments.update(state=Segment.State.DONE)
    students = lecture_roster(lecture_)
    Sighting.objects.bulk_create(Sighting(recording=row, student=student, present=False) for student in students)
    recount_lecture(lecture=lecture_)
    return row


def photo(student_: Student | None = None, *, content: bytes | None = None, **fields: Any) -> FacePhoto:
    """An accepted enrolment photo whose file is no picture."""
    content = content or f"photo {next(_number)}".encode()
    row = FacePhoto(
        student=student_ or student(),
        **{
            "original_name": "photo.jpg",
            "sha256": hashlib.sha256(content).hexdigest(),
            "state": FacePhoto.Verdict.ACCEPTED,
        }
        | fields,
    )
    row.file.save("photo.jpg", ContentFile(content), save=False)
    row.save(force_insert=True)
    return row


def lecture_face(lecture_: Lecture, student_: Student, **fields: Any) -> LectureFace:
    """A face that the class has learnt; its file is no picture."""
    crop = f"crops/lectures/{next(_number)}.jpg"
    write_media(crop, b"face")
    learnt = {"state": LectureFace.State.LEARNT, "sha256": hashlib.sha256(crop.encode()).hexdigest(), "quality": 0.9}
    return LectureFace.objects.create(lecture=lecture_, student=student_, crop=crop, **learnt | fields)


def excuse(student_: Student, **fields: Any) -> Excuse:
    """An excuse for the day of the first lecture, in all classes."""
    day = STARTS.date()
    return Excuse.objects.create(
        student=student_, **{"first_day": day, "last_day": day, "reason": "ill", "user_name": "registrar"} | fields
    )


def gallery(course_: Course | None = None, **fields: Any) -> Gallery:
    """A ready, active gallery whose file is not there."""
    ready = {
        "path": f"galleries/{next(_number)}.npz",
        "state": Gallery.State.READY,
        "active": True,
        "embedder": "dlib-resnet-v1",
        "threshold": 0.9,
        "margin": 0.05,
    }
    return Gallery.objects.create(course=course_ or course(), **ready | fields)


def source(**fields: Any) -> Source:
    """A folder that footage comes from."""
    secret = fields.pop("secret", "")
    row = Source.objects.create(
        **{"name": f"nvr{next(_number)}", "kind": Source.Kind.FOLDER, "address": "/srv/cctv"} | fields
    )
    row.secret = secret
    row.save(update_fields=["secret"])
    return row


def room(name: str) -> Room:
    """The room of that name, made where there is none yet."""
    return Room.objects.get_or_create(key=name, defaults={"name": name})[0]


def camera(room_name: str = "B 12", source_: Source | None = None, **fields: Any) -> Camera:
    """A camera in the room of that name."""
    source_ = source_ or source()
    return Camera.objects.create(
        source=source_,
        room=room(room_name),
        **{"label": f"cam{source_.cameras.count() + 1}"} | fields,
    )


def footage_file(
    camera_: Camera | None, starts_at: datetime | None, minutes: float = 1.0, *, content: bytes = b"", **fields: Any
) -> FootageFile:
    """A footage file that is here; its file is no video unless `content` is one."""
    content = content or f"footage file {next(_number)}".encode()
    info = INFO | {"duration": 60 * minutes}
    row = FootageFile(
        camera=camera_,
        starts_at=starts_at,
        ends_at=starts_at and starts_at + timedelta(minutes=minutes),
        **{
            "source": camera_.source if camera_ else fields.get("source") or source(),
            "path": f"{next(_number)}.mp4",
            "size": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "state": FootageFile.State.STORED,
            "info": info,
        }
        | fields,
    )
    row.file.save("footage_file.mp4", ContentFile(content), save=False)
    row.save(force_insert=True)
    return row
