"""Without a basis nothing is made of a face; once it ends, nothing of it is left."""

from collections.abc import Callable
from datetime import timedelta

import numpy as np
import pytest
from django.core.files.base import ContentFile
from django.utils import timezone

from campus.academics.models import Student
from campus.accounts.institution import save_institution
from campus.attendance.finalize import _roster_labels
from campus.attendance.models import Sighting
from campus.biometrics.basis import forget_ended_bases
from campus.biometrics.models import Embedding, FacePhoto, LectureFace
from campus.biometrics.selectors import course_photos, learnable_faces
from campus.biometrics.services import add_photo, check_waiting_photos, save_photo_verdict
from campus.common.encrypted_fields import encrypt_for
from campus.common.errors import UserError
from campus.common.storage import media, write_media
from campus.consent.models import CONSENT_LIFETIME, Consent
from campus.consent.selectors import ConsentState, consent_state, current_consents, has_basis, students_with_basis
from campus.consent.services import record_answer, set_course_marking, set_student_marking, withdraw_consent
from recognition.messages import Message
from recognition.types import EnrolmentPhoto
from tests.campus import factories
from tests.campus.conftest import World, jpeg

EMBEDDER = "dlib-resnet-v1"


@pytest.fixture(autouse=True)
def consent_is_asked(db) -> None:
    save_institution(legal_basis="consent")


def agree(student: Student, **fields) -> Consent:
    return record_answer(student=student, given=True, method=Consent.Method.LINK, **fields)


def upload(student: Student) -> FacePhoto:
    return add_photo(student=student, file=ContentFile(jpeg(), "1.jpg"), name="1.jpg")


def embedded(student: Student) -> FacePhoto:
    photo = factories.photo(student)
    row = Embedding.objects.create(photo=photo, embedder=EMBEDDER)
    vector = np.ones(128, "<f4").tobytes()
    Embedding.objects.filter(pk=row.pk).update(vector=encrypt_for(row, "vector", vector))
    return photo


class TestWhoHasABasis:
    def test_the_latest_answer_counts(self):
        student = factories.student()
        assert not has_basis(student)
        agree(student)
        assert has_basis(student)
        assert withdraw_consent(student=student)
        assert not has_basis(student)
        assert not withdraw_consent(student=student)
        agree(student)
        record_answer(student=student, given=False, method=Consent.Method.PAPER)
        assert not has_basis(student)
        assert [row.is_active for row in student.consents.all()] == [False, True, False]
        assert consent_state(current_consents([student.pk])[student.pk]) == ConsentState.REFUSED

    def test_a_consent_ends_by_itself_after_three_years_at_the_latest(self):
        student = factories.student()
        with pytest.raises(UserError, match="future"):
            agree(student, at=timezone.now() + timedelta(minutes=1))
        answer = agree(student, expires_at=timezone.now() + timedelta(days=5000))
        assert answer.expires_at == answer.at + CONSENT_LIFETIME
        agree(student, at=timezone.now() - CONSENT_LIFETIME)
        assert not has_basis(student)

    def test_another_basis_of_the_institution_counts_for_all(self):
        student = factories.student()
        save_institution(legal_basis="other", basis_text="Section 1 of the act.")
        assert has_basis(student)

    def test_switches_of_institution_class_and_student_count_more(self):
        on, off = factories.course(students=2), factories.course(students=1)
        student, both = Student.objects.filter(courses=on)
        factories.enrol(off, both)
        only_off = Student.objects.get(courses=off, enrolments__course=off, pk__gt=both.pk)
        for row in (student, both, only_off):
            agree(row)
        set_course_marking(course=off, automatic=False, user=None)
        off.refresh_from_db()
        assert set(students_with_basis(Student.objects.all())) == {student, both}
        assert not students_with_basis(off.students.all(), off)
        set_student_marking(student=student, automatic=False, user=None)
        assert set(students_with_basis(on.students.all(), on)) == {both}
        save_institution(automatic_marking=False)
        assert not students_with_basis(Student.objects.all())


def test_a_photo_waits_untouched_until_its_student_agrees(world: World):
    student = world.student
    world.photo.delete()
    photo = upload(student)
    assert photo.state == FacePhoto.Verdict.WAITING
    assert not check_waiting_photos()
    save_photo_verdict(
        photo=photo,
        result=EnrolmentPhoto(verdict="accepted", reason=Message(), crop=jpeg(), embedding=np.ones(128, np.float32)),
        embedder=EMBEDDER,
    )
    assert not Embedding.objects.exists()
    agree(student)
    photo.refresh_from_db()
    assert photo.state == FacePhoto.Verdict.PENDING


@pytest.mark.parametrize("keeps_photos", [True, False])
def test_who_withdraws_is_forgotten_at_once(
    world: World, keeps_photos: bool, django_capture_on_commit_callbacks: Callable
):
    for student in Student.objects.filter(courses=world.course):
        agree(student)
        embedded(student)
        factories.lecture_face(world.lecture, student)
    world.gallery.members.set(Student.objects.filter(courses=world.course))
    other = Student.objects.filter(courses=world.course).exclude(pk=world.student.pk).get()
    files = [photo.file.name for photo in world.student.photos.all()]
    crop, others = (f"crops/{world.recording.pk}/{n}.jpg" for n in range(2))
    write_media(crop, jpeg())
    write_media(others, jpeg())
    Sighting.objects.filter(pk=world.sighting.pk).update(crops=[{"file": crop, "time": 5.0, "quality": 0.9}])
    Sighting.objects.filter(student=other).update(crops=[{"file": others, "time": 5.0, "quality": 0.9}])
    with django_capture_on_commit_callbacks(execute=True):
        withdraw_consent(student=world.student, keep_photos=keeps_photos)
    world.sighting.refresh_from_db()
    assert (world.sighting.crops, world.sighting.intervals) == ([], [[0, 118]])
    assert not media().exists(crop)
    assert media().exists(others)
    assert {row.photo.student for row in Embedding.objects.all()} == {other}
    assert {row.student for row in LectureFace.objects.all()} == {other}
    assert not world.student.galleries.exists()
    assert set(world.student.photos.values_list("state", flat=True)) == ({"waiting"} if keeps_photos else set())
    assert {photo.student for photo in course_photos(world.course)} == {other}
    assert {face.student for face in learnable_faces(world.course)} == {other}
    assert _roster_labels(world.recording) == [str(other.pk)]
    assert world.record.machine_status
    assert files


def test_whose_consent_has_run_out_is_forgotten_too_and_the_photos_stay(world: World):
    agree(world.student)
    photo = embedded(world.student)
    world.gallery.members.add(world.student)
    forget_ended_bases()
    assert Embedding.objects.exists()
    Consent.objects.update(expires_at=timezone.now())
    forget_ended_bases()
    assert not Embedding.objects.exists()
    assert not world.student.galleries.exists()
    photo.refresh_from_db()
    assert photo.state == FacePhoto.Verdict.WAITING
    assert media().exists(str(photo.file.name))


def test_add_photo_is_checked_at_once_with_a_basis(world: World):
    agree(world.student)
    assert upload(world.student).state == FacePhoto.Verdict.PENDING
