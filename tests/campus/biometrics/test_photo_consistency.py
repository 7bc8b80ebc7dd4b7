"""A photo's verdict beside other photos: a double of one that is here, or nearer to somebody else of the class."""

import io

import numpy as np
import pytest
from django.core.files.base import ContentFile
from PIL import Image

from campus.biometrics.models import FacePhoto
from campus.biometrics.services import add_photo, save_photo_verdict
from recognition.media.file_kind import JPEG_START
from recognition.messages import Message
from recognition.types import EnrolmentPhoto
from tests.campus import factories

pytestmark = pytest.mark.django_db
EMBEDDER = "dlib-resnet-v1"


def crop(seed: int, quality: int = 90) -> bytes:
    """A picture of its own for each seed."""
    small = np.random.default_rng(seed).integers(0, 255, (10, 10, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(small).resize((150, 150), Image.Resampling.BILINEAR).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def vector(*towards: float) -> np.ndarray:
    values = np.zeros(128, np.float32)
    values[: len(towards)] = towards
    return values / np.linalg.norm(values)


def look_at(student, seed: int, towards: np.ndarray, quality: int = 90) -> FacePhoto:
    name = f"{seed}-{quality}.jpg"
    photo = add_photo(student=student, file=ContentFile(JPEG_START + name.encode(), name), name=name)
    result = EnrolmentPhoto(
        verdict="accepted",
        reason=Message(),
        face_px=90.0,
        sharpness=100.0,
        quality=0.8,
        embedding=towards,
        crop=crop(seed, quality),
    )
    save_photo_verdict(photo=photo, result=result, embedder=EMBEDDER)
    photo.refresh_from_db()
    return photo


def test_the_same_picture_packed_again_is_a_double() -> None:
    student = factories.student()
    assert look_at(student, 1, vector(1)).state == "accepted"
    again = look_at(student, 1, vector(1), quality=40)
    assert again.state == "rejected"
    assert "same picture as 1-90.jpg (similarity 0.9" in str(again.reason) or "similarity 1.00" in str(again.reason)
    assert look_at(student, 2, vector(1)).state == "accepted", "another picture of the same face is welcome"


def test_a_photo_that_is_nearer_to_a_classmate_is_told_with_the_numbers() -> None:
    course = factories.course(students=2)
    ann, bob = course.students.order_by("pk")
    look_at(ann, 1, vector(1, 0.2))
    look_at(bob, 2, vector(0.2, 1))
    odd = look_at(ann, 3, vector(0.1, 1))
    assert odd.state == "warning"
    assert f"nearer to {bob.name} (similarity 0.99" in str(odd.reason)
    assert f"{ann.name}'s other photos (0.2" in str(odd.reason)
    assert look_at(ann, 4, vector(1, 0.3)).state == "accepted"


def test_a_first_photo_that_is_a_classmate_s_face_is_doubtful() -> None:
    course = factories.course(students=3)
    ann, bob, cy = course.students.order_by("pk")
    look_at(ann, 1, vector(1))
    assert f"very like {ann.name}'s" in str(look_at(bob, 2, vector(1, 0.05)).reason)
    assert look_at(cy, 3, vector(0, 1)).state == "accepted"


def test_people_of_one_name_are_told_by_their_numbers() -> None:
    course = factories.course(students=2)
    course.students.update(name="Ann Lee")
    one, other = course.students.order_by("pk")
    look_at(one, 1, vector(1))
    reason = str(look_at(other, 2, vector(1, 0.05)).reason)
    assert f"Ann Lee ({one.number})" in reason
    assert f"Ann Lee ({other.number})" in reason


def test_people_of_other_classes_are_not_compared() -> None:
    look_at(factories.course(students=1).students.get(), 1, vector(1))
    assert look_at(factories.course(students=1).students.get(), 2, vector(1)).state == "accepted"
