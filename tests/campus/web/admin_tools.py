"""People and rows that the tests of the admin share."""

from datetime import timedelta
from io import BytesIO
from typing import Any

from django.contrib.auth.models import Group, User
from django.core.files.base import ContentFile
from django.test import Client
from django.utils import timezone
from PIL import Image

from campus.academics.models import Course, Enrolment, Lecture, Student
from campus.biometrics import services as biometrics
from campus.biometrics.models import FacePhoto
from campus.recordings.models import Recording, Segment


def client_of(name: str, *, registrar: bool = False, superuser: bool = False) -> Client:
    user = User.objects.create_user(name, password="a long password", is_superuser=superuser, is_staff=not registrar)
    if registrar:
        user.groups.add(Group.objects.get(name="Registrar"))
    client = Client()
    client.force_login(user)
    return client


def picture(colour: str = "red", kind: str = "JPEG") -> bytes:
    content = BytesIO()
    Image.new("RGB", (400, 300), colour).save(content, kind)
    return content.getvalue()


def add_photo(student: Student, colour: str = "red", **fields: Any) -> FacePhoto:
    photo = biometrics.add_photo(student=student, file=ContentFile(picture(colour), name="me.jpg"), name="me.jpg")
    FacePhoto.objects.filter(pk=photo.pk).update(**fields)
    photo.refresh_from_db()
    return photo


class Campus:
    """One class with two students, a lecture and a recording whose second half failed."""

    def __init__(self) -> None:
        now = timezone.now()
        self.course = Course.objects.create(code="CS101", name="Computing")
        self.ann = Student.objects.create(number="007", name="Ann Ångström")
        self.bob = Student.objects.create(number="008", name="Bob Roe")
        for student in (self.ann, self.bob):
            Enrolment.objects.create(course=self.course, student=student)
        self.lecture = Lecture.objects.create(course=self.course, starts_at=now, ends_at=now + timedelta(hours=1))
        self.recording = Recording.objects.create(
            lecture=self.lecture,
            file="recordings/a.mp4",
            original_name="a.mp4",
            size=1,
            sha256="0" * 64,
            state=Recording.State.FAILED,
        )
        for index, state in enumerate((Segment.State.DONE, Segment.State.FAILED)):
            Segment.objects.create(
                recording=self.recording, index=index, start=60 * index, end=60 * index + 60, state=state, result="x"
            )
