"""A sample class that shows what Rollcall's pages look like in use: people who do not exist, a timetable, rolls that
were taken by hand, and a lecture that was counted from a photo of its room, with drawn faces. It can be made while
there is no class, and removed whole.
"""

import hashlib
from datetime import time, timedelta
from pathlib import PurePosixPath
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from campus.academics.models import Course, Enrolment, Lecture, LectureSeries, Room, Student
from campus.academics.series import apply_series, plan_fingerprint, plan_series
from campus.accounts.roles import is_registrar
from campus.attendance.excuses import create_excuse
from campus.attendance.models import Sighting, Snapshot, UnknownPerson
from campus.attendance.proposals import recount_lecture
from campus.attendance.roll import mark_students
from campus.attendance.sample_pictures import ROOM_HEIGHT, ROOM_WIDTH, Box, cut, draw_portrait, draw_room, encode_png
from campus.attendance.services import delete_recording
from campus.attendance.statuses import Status
from campus.biometrics.models import FacePhoto
from campus.biometrics.selectors import embedder_in_use
from campus.biometrics.services import delete_photo
from campus.common.errors import DISK_FULL, UserError, disk_full
from campus.common.storage import delete_media, media, reports, write_media
from campus.consent.models import Consent
from campus.consent.selectors import current_text
from campus.recordings.models import Recording, Segment
from recognition.types import VideoInfo

CODE = "DEMO-101"
STUDENTS = (
    "Ada Abel",
    "Bruno Castelli",
    "Chiara Dahl",
    "David Engström",
    "Elif Fidan",
    "Farid Ghani",
    "Grace Hughes",
    "Henrik Iversen",
    "Ines Jordão",
    "Jonas Keller",
    "Kofi Lartey",
    "Lena Moreau",
)
PAST_WEEKS, COMING_WEEKS = 4, 8
OFTEN_ABSENT, EXCUSED = 3, 7  # their places in STUDENTS
TO_CONFIRM, RUNNER_UP, WITHOUT_PHOTO = 4, 9, 10
LEFT_UNMARKED = 2  # of the last roll, so that there is something to do
ROOM = f"{CODE} room"
PHOTO_NAME = f"{CODE}.png"


def create_sample_class(*, user: User) -> Course:
    """The sample class, with its students, timetable, rolls and pictures. No roll is signed off: that would send
    messages.

    Raises PermissionDenied for all but registrars, and UserError where there is a class already.
    """
    if not is_registrar(user):
        raise PermissionDenied
    if Course.objects.exists():
        raise UserError("There is a class already. A sample can be made only while there is none.")
    try:
        with transaction.atomic():
            course = Course.objects.create(code=CODE, name=_("Sample class"), is_sample=True)
            _create_lectures(course)
            students = _enrol_students(course)
            pictures = _add_photos(students)
            over = list(course.lectures.filter(ends_at__lte=timezone.now()).order_by("starts_at"))
            if over:  # not only holidays until now
                _take_rolls(over[:-1], students, user)
                pictures |= _count_from_photo(over[-1], students, user)
            _write_pictures(pictures)
    except IntegrityError as error:
        raise UserError(
            "The sample uses the class code {code} and student numbers that begin with it. One of them is taken.",
            code=CODE,
        ) from error
    except OSError as error:
        if disk_full(error):
            raise UserError(DISK_FULL) from error
        raise
    return course


def _create_lectures(course: Course) -> None:
    """Twice a week, today included."""
    today = timezone.localdate()
    series = LectureSeries.objects.create(
        course=course,
        weekdays=sorted({today.weekday(), (today.weekday() + 3) % 7}),
        starts=time(10),
        ends=time(11, 30),
        first_day=today - timedelta(weeks=PAST_WEEKS),
        last_day=today + timedelta(weeks=COMING_WEEKS),
        room=Room.objects.get_or_create(key=ROOM, defaults={"name": ROOM, "is_sample": True})[0],
    )
    apply_series(series=series, fingerprint=plan_fingerprint(plan_series(series)))


def _enrol_students(course: Course) -> list[Student]:
    first_day = timezone.localdate() - timedelta(weeks=PAST_WEEKS)
    students = [
        Student.objects.create(number=f"{CODE}-{number:02}", name=name, is_sample=True)
        for number, name in enumerate(STUDENTS, start=1)
    ]
    Enrolment.objects.bulk_create(
        Enrolment(course=course, student=student, valid_from=first_day) for student in students
    )
    text = current_text()
    Consent.objects.bulk_create(
        Consent(student=student, given=True, text=text, method=Consent.Method.ROSTER) for student in students
    )
    return students


def _add_photos(students: list[Student]) -> dict[str, bytes]:
    """As many usable photos as each student should have, but for one; given are the files to write."""
    pictures: dict[str, bytes] = {}
    photos = []
    for place, student in enumerate(students):
        for n in range(settings.PHOTOS_PER_STUDENT if place != WITHOUT_PHOTO else 0):
            content = draw_portrait(place, n)
            photo = FacePhoto(
                student=student,
                original_name=f"{student.number} {n + 1}.png",
                sha256=hashlib.sha256(content).hexdigest(),
                state=FacePhoto.Verdict.ACCEPTED,
                quality=0.9,
            )
            photo.file.name = photo.crop.name = f"photos/{photo.pk}.png"  # it shows nothing but the face
            pictures[photo.file.name] = content
            photos.append(photo)
    FacePhoto.objects.bulk_create(photos)
    return pictures


def _take_rolls(lectures: list[Lecture], students: list[Student], user: User) -> None:
    for n, lecture in enumerate(lectures):
        statuses = {student.pk: _status(n, place) for place, student in enumerate(students)}
        if n == 0:
            excused, day = students[EXCUSED], timezone.localtime(lecture.starts_at).date()
            create_excuse(
                student=excused,
                course=lecture.course,
                first_day=day,
                last_day=day,
                reason=_("Conference"),
                user=user,
            )
            del statuses[excused.pk]
        if lecture == lectures[-1]:
            for student in students[-LEFT_UNMARKED:]:
                del statuses[student.pk]
        mark_students(lecture=lecture, statuses=statuses, user=user)


def _status(lecture: int, student: int) -> str:
    """Most are present, a few late or absent, one often absent: the same each time."""
    if student == OFTEN_ABSENT:
        return Status.ABSENT if lecture % 3 else Status.PRESENT
    others = {0: Status.ABSENT, 5: Status.LATE, 9: Status.LEFT_EARLY}
    return others.get((5 * lecture + 3 * student) % 13, Status.PRESENT)


def _count_from_photo(lecture: Lecture, students: list[Student], user: User) -> dict[str, bytes]:
    """The lecture's result as a photo of its room would give it: one face is to be confirmed, one is unknown, since
    there is no photo of that student, and one student is not there. Given are the files to write."""
    present = [place for place in range(len(students)) if place != OFTEN_ABSENT]
    room, boxes = draw_room(present)
    content = encode_png(room)
    now = timezone.now()
    recording = Recording(
        lecture=lecture,
        original_name=PHOTO_NAME,
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        uploaded_by=user,
        state=Recording.State.DONE,
        info=VideoInfo(
            container="png",
            codec="png",
            width=ROOM_WIDTH,
            height=ROOM_HEIGHT,
            rotation=0,
            fps=1,
            duration=0,
            is_photo=True,
        ).to_json(),
        embedder=embedder_in_use(lecture.course),
        strictness=lecture.course.strictness,
        coverage=1,
        planned_at=now,
        finished_at=now,
    )
    recording.file.name = f"recordings/{recording.pk}.png"
    recording.save(force_insert=True)
    snapshot = f"snapshots/{recording.pk}/{PHOTO_NAME}"
    Snapshot.objects.create(recording=recording, time=0, state=Snapshot.State.READY, file=snapshot, published_at=now)
    pictures = {recording.file.name: content, snapshot: content}

    def seen(place: int, box: Box) -> dict[str, Any]:
        crop = f"crops/{recording.pk}/{place}.png"
        pictures[crop] = cut(room, box)
        return {
            "crops": [{"file": crop, "time": 0.0, "quality": 0.9, "box": box}],
            "face_positions": [[0.0, box]],
        }

    faces = {place: seen(place, box) for place, box in zip(present, boxes, strict=True)}
    UnknownPerson.objects.create(recording=recording, index=0, resembles=[], **faces.pop(WITHOUT_PHOTO))
    Sighting.objects.bulk_create(
        Sighting(
            recording=recording,
            student=student,
            present=place in faces and place != TO_CONFIRM,
            to_confirm=place == TO_CONFIRM,
            runner_up=students[RUNNER_UP] if place == TO_CONFIRM else None,
            recognisable=place != WITHOUT_PHOTO,
            share=float(place in faces),
            confidence=(0.55 if place == TO_CONFIRM else 0.97 - place / 100) if place in faces else 0,
            **faces.get(place, {}),
        )
        for place, student in enumerate(students)
    )
    Segment.objects.create(
        recording=recording,
        index=0,
        start=0,
        end=0,
        state=Segment.State.DONE,
        progress=1,
        faces=len(present),
        tracks=len(present),
        finished_at=now,
    )
    recount_lecture(lecture=lecture)
    return pictures


def _write_pictures(pictures: dict[str, bytes]) -> None:
    """All of them, or none."""
    try:
        for name, content in pictures.items():
            is_recording = PurePosixPath(name).parts[0] == "recordings"
            (media().write if is_recording else write_media)(name, content)
    except OSError:
        for name in pictures:
            delete_media(name)
        raise


@transaction.atomic
def delete_sample_class(*, user: User) -> None:
    """Delete the sample class with all that was done in it, and its students, unless they are in another class.

    Raises PermissionDenied for all but registrars.
    """
    if not is_registrar(user):
        raise PermissionDenied
    workbooks: list[str] = []
    for course in Course.objects.filter(is_sample=True):
        for recording in Recording.objects.filter(lecture__course=course):
            delete_recording(recording=recording)
        workbooks += course.reports.values_list("file_name", flat=True)
        course.delete()

    def delete_workbooks() -> None:
        for name in workbooks:
            reports().delete(name)

    transaction.on_commit(delete_workbooks, robust=True)
    for student in sample_students_left():
        for photo in student.photos.all():
            delete_photo(photo=photo)
        student.delete()
    Room.objects.filter(is_sample=True, lectures=None, series=None, cameras=None).delete()


def sample_students_left() -> QuerySet[Student]:
    """The sample's students who are in no class."""
    return Student.objects.filter(is_sample=True, enrolments=None)
