"""A class is trained by itself once its faces settle, not when nothing changed, and one can go back to an earlier
gallery.
"""

import os
from datetime import timedelta

import pytest
from django.core.files.base import ContentFile
from django.utils import timezone

from campus.academics.models import Course
from campus.biometrics import services
from campus.biometrics.models import Gallery
from campus.biometrics.selectors import active_gallery, needs_training, photos_digest
from campus.common.errors import UserError
from campus.common.storage import local_path
from recognition.media.file_kind import JPEG_START
from recognition.messages import Message
from recognition.types import EnrolmentPhoto
from tests.campus import factories

pytestmark = pytest.mark.django_db


def settle() -> int:
    """A minute passes; returns how many trainings were asked for."""
    for course in Course.objects.exclude(gallery_outdated_at=None):
        Course.objects.filter(pk=course.pk).update(
            gallery_outdated_at=course.gallery_outdated_at - services.TRAINING_DELAY - timedelta(seconds=1)
        )
    return services.request_due_trainings()


def train(course: Course) -> Gallery:
    """As a worker would."""
    Gallery.objects.filter(course=course).update(active=False)
    Gallery.objects.filter(course=course, state="queued").delete()
    row = factories.gallery(course, embedder=course.wanted_embedder, photos_digest=photos_digest(course))
    path = local_path("galleries", f"{row.pk}.npz")
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"gallery")
    row.path = f"galleries/{row.pk}.npz"
    row.save()
    return row


def look_at(photo, verdict: str = "accepted") -> None:
    services.save_photo_verdict(
        photo=photo, result=EnrolmentPhoto(verdict=verdict, reason=Message()), embedder="dlib-resnet-v1"
    )


@pytest.fixture
def course() -> Course:
    course = factories.course(students=2)
    factories.photo(course.students.first())
    train(course)
    assert settle() == 0, "nothing is other than at the last training"
    return course


def test_a_training_waits_for_the_last_verdict_and_a_quiet_minute(course: Course) -> None:
    student = course.students.first()
    new = [
        services.add_photo(student=student, file=ContentFile(JPEG_START + bytes([n]), "a.jpg"), name="a.jpg")
        for n in (1, 2)
    ]
    look_at(new[0])
    assert settle() == 0, "one photo was not looked at yet"
    look_at(new[1])
    assert services.request_due_trainings() == 0, "the last change is not a minute ago"
    assert settle() == 1
    assert course.galleries.get(state="queued")
    assert settle() == 0
    assert course.galleries.filter(state="queued").count() == 1


def test_a_rejected_photo_trains_nothing(course: Course) -> None:
    photo = services.add_photo(student=course.students.first(), file=ContentFile(JPEG_START, "a.jpg"), name="a.jpg")
    look_at(photo, "rejected")
    assert settle() == 0


def test_who_comes_and_goes_with_photos_trains_the_class(course: Course) -> None:
    newcomer = factories.photo().student
    enrolment = factories.enrol(course, newcomer)
    assert settle() == 1
    train(course)
    enrolment.delete()
    assert settle() == 1
    train(course)
    factories.enrol(course, factories.student())
    assert settle() == 0, "somebody without photos makes no other gallery"


def test_a_photo_that_is_deleted_or_moved_trains_the_classes_of_both(course: Course) -> None:
    other = factories.course(students=1)
    photo = factories.photo(course.students.first())
    assert needs_training(course)
    train(course)
    services.move_photo(photo=photo, student=other.students.get())
    assert settle() == 1, "where it is now, it is checked first"
    photo.refresh_from_db()
    look_at(photo)
    assert settle() == 1
    train(course), train(other)
    services.delete_photo(photo=photo)
    assert not other.students.get().photos.exists()
    assert settle() == 0, "the other class has no photos left to train with"


def test_going_back_lasts_until_something_changes(course: Course) -> None:
    old = active_gallery(course)
    factories.photo(course.students.last())
    new = train(course)
    services.activate_gallery(gallery=old, user=factories.registrar())
    assert active_gallery(course) == old
    assert not needs_training(course), "else the next recording would undo it"
    services.activate_gallery(gallery=new, user=factories.registrar())
    assert active_gallery(course) == new
    local_path(old.path).unlink()
    with pytest.raises(UserError, match="no file any more"):
        services.activate_gallery(gallery=old, user=factories.registrar())


def test_old_files_go_and_the_one_in_use_stays(course: Course) -> None:
    first = active_gallery(course)
    rows = [train(course) for _ in range(services.MAX_KEPT_GALLERIES + 1)]
    services.activate_gallery(gallery=first, user=factories.registrar())
    stray = local_path("galleries/stray.npz")
    young = stray.with_name("young.npz")
    for path in (stray, young):
        path.write_bytes(b"x")
    long_ago = (timezone.now() - timedelta(days=2)).timestamp()
    os.utime(stray, (long_ago, long_ago))
    services.delete_expired_galleries()
    left = {path.name for path in stray.parent.iterdir()}
    assert left == {f"{row.pk}.npz" for row in [first, *rows[1:]]} | {"young.npz"}
