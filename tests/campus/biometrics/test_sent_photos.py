"""Photos that students send by a link: none counts before a registrar approves it, and nothing stays of the others."""

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.core import mail
from django.core.files.base import ContentFile
from django.test import Client
from django.utils import timezone

from campus.academics.models import Student
from campus.biometrics.models import FacePhoto, SentPhoto
from campus.biometrics.photo_faults import FAULTS
from campus.biometrics.selectors import course_photos
from campus.biometrics.sent_photos import (
    MAX_PHOTOS_PER_LINK,
    approve_sent_photo,
    finish_sent_photo,
    refuse_sent_photo,
    send_photo,
    students_lacking_photos,
)
from campus.common import jobs
from campus.common.errors import UserError
from campus.common.storage import local_path
from campus.consent.links import (
    ENDED_LINK_RETENTION,
    LINK_LIFETIME,
    delete_expired_student_links,
    find_student_link,
    make_missing_links,
    renew_student_link,
    student_link_token,
    withdraw_student_link,
)
from campus.consent.models import StudentLink
from campus.outbox.models import Delivery
from campus.outbox.services import deliver
from campus.outbox.student_emails import queue_photo_refusal, queue_photo_request
from recognition.media.file_kind import JPEG_START
from recognition.messages import Message
from recognition.types import EnrolmentPhoto, PhotoFault
from tests.campus import factories

GOOD = EnrolmentPhoto(verdict="accepted", reason=Message(), crop=b"face")
DARK = EnrolmentPhoto(verdict="rejected", reason=Message("Dark."), fault=PhotoFault.DARK, crop=b"face")


@pytest.fixture
def registrar(db: None) -> User:
    return factories.registrar(first_name="Grace", last_name="Hopper")


@pytest.fixture
def student(db: None) -> Student:
    return factories.student(email="ann@example.org")


@pytest.fixture
def link(registrar: User, student: Student) -> StudentLink:
    return renew_student_link(student=student, user=registrar)


def send(link: StudentLink, content: bytes = b"1", **fields: object) -> SentPhoto:
    return send_photo(link=link, file=ContentFile(JPEG_START + content, "me.jpg"), name="me.jpg", **fields)  # type: ignore[arg-type]


def judged(photo: SentPhoto, result: EnrolmentPhoto = GOOD) -> SentPhoto:
    held = jobs.CHECK_SENT_PHOTO.claim(photo.pk, "test")
    assert held
    finish_sent_photo(photo=held, result=result)
    photo.refresh_from_db()
    return photo


def test_a_link_can_not_be_made_up_and_a_renewed_one_ends_the_one_before(link: StudentLink, registrar: User):
    token = student_link_token(link)
    assert find_student_link(token) == link
    assert find_student_link(link.key.hex + "0" * 32) is None
    assert find_student_link("x") is None
    renew_student_link(student=link.student, user=registrar)
    assert find_student_link(token) is None
    assert StudentLink.objects.count() == 1


def test_nothing_counts_before_it_is_approved(link: StudentLink, registrar: User):
    course = factories.course()
    factories.enrol(course, link.student)
    photo = judged(send(link))
    assert photo.state == SentPhoto.State.WAITING
    assert not course_photos(course).exists()
    added = approve_sent_photo(photo=photo, user=registrar)
    link.refresh_from_db()
    assert list(course_photos(course)) == [added]
    assert added.state == FacePhoto.Verdict.PENDING
    assert added.file.read() == JPEG_START + b"1"
    photo.refresh_from_db()
    assert (photo.state, photo.decided_by) == (SentPhoto.State.APPROVED, "Grace Hopper")
    with pytest.raises(UserError, match="does not wait"):
        approve_sent_photo(photo=photo, user=registrar)


@pytest.mark.django_db(transaction=True)
def test_of_a_refused_photo_and_of_one_that_can_not_be_used_only_the_small_picture_stays(link: StudentLink, registrar):
    refused, dark = judged(send(link)), judged(send(link, b"2"), DARK)
    assert dark.fault == PhotoFault.DARK
    refuse_sent_photo(photo=refused, reason="Not you.", user=registrar)
    refused.refresh_from_db()
    assert (refused.state, refused.refusal) == (SentPhoto.State.REFUSED, "Not you.")
    assert {path.name for path in local_path("sent").glob("*")} == {f"{refused.pk}.small.jpg", f"{dark.pk}.small.jpg"}
    assert not FacePhoto.objects.exists()


def test_five_photos_and_each_but_once(link: StudentLink):
    photos = [send(link, str(n).encode()) for n in range(MAX_PHOTOS_PER_LINK)]
    with pytest.raises(UserError, match="all we need"):
        send(link, b"one more")
    with pytest.raises(UserError, match="sent this photo before"):
        send(link, b"0")
    judged(photos[0], DARK)
    new = send(link, b"a better one", replaces=photos[0].pk)
    assert set(link.photos.all()) == {*photos[1:], new}
    with pytest.raises(UserError, match="all we need"):  # one that is being checked stays
        send(link, b"another", replaces=photos[1].pk)


def test_a_photo_of_another_link_is_not_replaced(link: StudentLink, registrar: User):
    other = judged(send(renew_student_link(student=factories.student(), user=registrar)), DARK)
    send(link, replaces=other.pk)
    assert SentPhoto.objects.filter(pk=other.pk).exists()


def test_only_photos_are_taken(link: StudentLink, settings):
    settings.MAX_PHOTO_BYTES = 10
    for content, why in ((b"<svg>", "no photo"), (b"", "empty"), (JPEG_START + bytes(10), "larger than")):
        with pytest.raises(UserError, match=why):
            send_photo(link=link, file=ContentFile(content, "me.jpg"), name="me.jpg")
    link.refresh_from_db()
    assert link.photos.count() == 0


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("end", ["withdrawn", "expired", "student deleted"])
def test_with_the_link_goes_what_was_not_approved(link: StudentLink, registrar: User, end: str):
    kept = approve_sent_photo(photo=judged(send(link)), user=registrar)
    judged(send(link, b"2"))
    if end == "withdrawn":
        withdraw_student_link(link=link, user=factories.registrar())
    elif end == "expired":
        StudentLink.objects.update(expires_at=timezone.now() - ENDED_LINK_RETENTION + timedelta(hours=1))
        delete_expired_student_links()
        assert link.photos.count() == 2
        StudentLink.objects.update(expires_at=timezone.now() - ENDED_LINK_RETENTION)
        delete_expired_student_links()
    else:
        link.student.delete()
    assert not SentPhoto.objects.exists()
    assert not list(local_path("sent").glob("*"))
    assert local_path(str(kept.file.name)).exists()


def test_nobody_sends_by_a_link_that_was_withdrawn_meanwhile(link: StudentLink):
    StudentLink.objects.all().delete()
    with pytest.raises(UserError, match="withdrawn"):
        send(link)


def test_the_missing_links_of_a_class_are_made(registrar: User, settings):
    settings.PHOTOS_PER_STUDENT = 1
    course = factories.course(students=3)
    with_photo, valid, ended = course.students.all()
    factories.photo(with_photo)
    renew_student_link(student=valid, user=registrar)
    renew_student_link(student=ended, user=registrar)
    StudentLink.objects.filter(student=ended).update(expires_at=timezone.now())
    students = students_lacking_photos(course)
    assert set(students) == {valid, ended}
    [made] = make_missing_links(students=students, user=registrar)
    assert made.student == ended
    assert made.expires_at - timezone.now() > LINK_LIFETIME - timedelta(minutes=1)


def test_the_link_comes_by_e_mail_and_is_in_no_outbox(link: StudentLink, settings):
    settings.BASE_URL, settings.INSTITUTION = "https://rollcall.example.org", "Example University"
    assert queue_photo_request(link=link)
    delivery = Delivery.objects.get()
    token = student_link_token(link)
    assert token not in delivery.body + delivery.topic + delivery.subject
    deliver(delivery=jobs.DELIVER.claim(delivery.pk, "test"))
    [message] = mail.outbox
    assert (message.to, message.subject) == (["ann@example.org"], "Example University asks for photos of you")
    assert f"https://rollcall.example.org/me/{token}/" in message.body


def test_a_withdrawn_link_is_not_sent(link: StudentLink, settings):
    settings.BASE_URL = "https://rollcall.example.org"
    queue_photo_request(link=link)
    withdraw_student_link(link=link, user=factories.registrar())
    delivery = Delivery.objects.get()
    deliver(delivery=jobs.DELIVER.claim(delivery.pk, "test"))
    delivery.refresh_from_db()
    assert (delivery.state, mail.outbox) == (Delivery.State.FAILED, [])


def test_who_refuses_photos_tells_the_student_once_why(link: StudentLink, registrar: User, client: Client, settings):
    settings.BASE_URL, settings.INSTITUTION = "https://rollcall.example.org", "Example University"
    client.force_login(registrar)
    photos = [judged(send(link, content)) for content in (b"1", b"2")]
    form = {"photo": [photo.pk for photo in photos], "act": "refuse", "reason": "Your eyes are shut."}
    answer = client.post("/photos/sent/", form, follow=True).content.decode()
    assert "2 photos refused. The reason is on its way by e-mail." in answer
    delivery = Delivery.objects.get()
    token = student_link_token(link)
    assert token not in delivery.body + delivery.topic + delivery.subject
    deliver(delivery=jobs.DELIVER.claim(delivery.pk, "test"))
    [message] = mail.outbox
    assert (message.to, message.subject) == (["ann@example.org"], "Example University needs other photos of you")
    assert "cannot use 2 photos" in message.body
    assert "Your eyes are shut." in message.body
    assert f"https://rollcall.example.org/me/{token}/" in message.body


def test_an_ended_link_is_not_sent_with_the_reason(link: StudentLink, registrar: User, settings):
    settings.BASE_URL = "https://rollcall.example.org"
    photo = judged(send(link))
    refuse_sent_photo(photo=photo, reason="Your eyes are shut.", user=registrar)
    StudentLink.objects.update(expires_at=timezone.now())
    assert queue_photo_refusal(photo=photo)
    deliver(delivery=jobs.DELIVER.claim(Delivery.objects.get().pk, "test"))
    [message] = mail.outbox
    assert "Your link has ended" in message.body
    assert "/me/" not in message.body


def test_a_refused_photo_that_was_replaced_is_not_told_of(link: StudentLink, registrar: User, settings):
    settings.BASE_URL = "https://rollcall.example.org"
    photo = judged(send(link))
    refuse_sent_photo(photo=photo, reason="Your eyes are shut.", user=registrar)
    queue_photo_refusal(photo=photo)
    photo.delete()
    deliver(delivery=jobs.DELIVER.claim(Delivery.objects.get().pk, "test"))
    assert (Delivery.objects.get().state, mail.outbox) == (Delivery.State.FAILED, [])


def test_who_has_no_address_gets_no_e_mail(registrar: User, settings):
    settings.BASE_URL = "https://rollcall.example.org"
    assert not queue_photo_request(link=renew_student_link(student=factories.student(), user=registrar))


def test_there_are_words_for_every_fault():
    assert set(FAULTS) == set(PhotoFault)
