"""The pages of retention: the rules in words, who may change them, what they deleted, and legal holds."""

import base64
import re
from datetime import timedelta

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from campus.accounts.roles import Role
from campus.attendance.models import Sighting, SignOff, UnknownPerson
from campus.audit.models import Action, AuditEntry
from campus.common.storage import write_media
from campus.privacy.legal_holds import place_hold
from campus.privacy.models import LegalHold, RetentionRule
from campus.privacy.retention import apply_retention
from campus.privacy.retention_terms import TERMS, Terms
from recognition.blurring import blur_crop
from tests.campus import factories

pytestmark = pytest.mark.django_db

Kind = RetentionRule.Kind
USUAL = {kind.value: term.days or "" for kind, term in TERMS.items()}


def logged_in(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def text_of(client: Client, name: str, *args: object) -> str:
    page = client.get(reverse(name, args=args)).content.decode()
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", page[page.index("<main") :]))


@pytest.fixture
def lecture():
    """Signed off so long ago that all its pictures are due, with a student and a stranger in its recording."""
    course = factories.course(lecturers=(factories.user(username="own"),), students=1)
    starts = timezone.now() - timedelta(days=40)
    lecture = factories.lecture(course, starts_at=starts)
    recording = factories.records(lecture, finished_at=starts, original_name="monday.mp4")
    write_media(f"crops/{recording.pk}/a.jpg", b"face")
    crops = [{"file": f"crops/{recording.pk}/a.jpg", "time": 1.0, "quality": 0.5}]
    Sighting.objects.update(crops=crops, intervals=[[0, 60]], present=True)
    UnknownPerson.objects.create(recording=recording, index=0, crops=crops, intervals=[[0, 60]])
    SignOff.objects.create(lecture=lecture, user_name="own")
    SignOff.objects.update(signed_at=starts)
    return lecture


def test_the_rules_say_what_they_do_today_and_only_administrators_change_them(lecture):
    registrar, administrator = factories.registrar(), factories.person(Role.ADMINISTRATOR)
    text = text_of(logged_in(registrar), "retention")
    assert "Recordings and footage are deleted days after the lecture was signed off. 1 today." in text
    assert "Only administrators can change them." in text
    where = reverse("retention")
    assert logged_in(registrar).post(where, USUAL | {"footage": 14}).status_code == 403
    assert logged_in(administrator).post(where, USUAL | {"footage": 14, "crops": ""}).status_code == 302
    assert (Terms().days(Kind.FOOTAGE), Terms().days(Kind.CROPS), Terms().days(Kind.SNAPSHOTS)) == (14, None, 7)
    response = logged_in(administrator).post(where, USUAL | {"workbooks": 1})
    assert response.status_code == 400
    assert "greater than or equal to 14" in response.content.decode()
    assert logged_in(factories.user()).get(where).status_code == 403


def test_a_class_differs_where_its_settings_may_be_changed(lecture):
    where = reverse("course-retention", args=[lecture.course_id])
    own = logged_in(lecture.course.lecturers.get())
    assert own.get(where).status_code == 200
    assert own.post(where, {"footage": 2}).status_code == 403
    assert logged_in(factories.user()).get(where).status_code == 404
    assert logged_in(factories.registrar()).post(where, {"footage": 2}).status_code == 302
    assert (Terms().days(Kind.FOOTAGE, lecture.course_id), Terms().days(Kind.FOOTAGE)) == (2, 7)
    assert Terms().days(Kind.CROPS, lecture.course_id) == 30


def test_the_pages_of_a_lecture_say_that_the_rules_deleted_its_pictures(lecture):
    client, recording = logged_in(factories.registrar()), lecture.recordings.get()
    stranger = recording.unknown_people.get()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("django.db.transaction.on_commit", lambda work, **_: work())
        apply_retention()
    day = timezone.localdate().strftime("%-d %b %Y")
    deleted = f"The recording was deleted on {day}, as the retention rules say. What was found in it stays."
    pictures = f"The pictures were deleted on {day}, as the retention rules say."
    assert deleted in text_of(client, "lecture", lecture.pk)
    recording_page = text_of(client, "recording", recording.pk)
    assert deleted in recording_page
    assert "Take attendance again" not in recording_page
    assert "Draw the video" not in recording_page
    assert pictures in text_of(client, "record", lecture.records.get().pk)
    assert pictures in text_of(client, "unknown-person", stranger.pk)
    kinds = "recordings (1), pictures of students&#x27; faces in lectures (1), pictures of unknown people (1)"
    assert f"{day}: {kinds}" in text_of(client, "retention")


def test_a_hold_is_shown_where_it_is_in_force_until_it_is_lifted(lecture):
    registrar, student = factories.registrar(), lecture.course.students.get()
    client = logged_in(registrar)
    new = reverse("legal-hold-create", query={"student": student.pk})
    assert logged_in(lecture.course.lecturers.get()).get(new).status_code == 403
    assert client.get(reverse("legal-hold-create"))["Location"] == reverse("retention")
    assert client.post(new, {"reason": " "}).status_code == 400
    assert client.post(new, {"reason": "Appeal 7"}).status_code == 302
    for name, pk in (("student", student.pk), ("lecture", lecture.pk), ("course-settings", lecture.course_id)):
        assert "Legal hold: Appeal 7. Nothing of it is deleted." in text_of(client, name, pk)
    assert "0 today. 1 more is kept for a legal hold." in text_of(client, "retention")
    auditor = logged_in(factories.person(Role.AUDITOR))
    lift = reverse("legal-hold-lift", args=[LegalHold.objects.get().pk])
    assert auditor.post(lift).status_code == 403
    assert client.post(lift).status_code == 302
    assert "Appeal 7" not in text_of(client, "student", student.pk)
    about = AuditEntry.objects.filter(action=Action.CHANGED_RETENTION, student_id=student.pk)
    assert [entry.about.split()[-1] for entry in about.order_by("pk")] == ["placed", "lifted"]


def test_a_held_student_cannot_be_erased_and_the_page_says_why(lecture):
    registrar, student = factories.registrar(), lecture.course.students.get()
    place_hold(subject=student, reason="Appeal 7", until=None, user=registrar)
    response = logged_in(registrar).post(reverse("student-erase", args=[student.pk]), {"typed": student.number})
    assert response.status_code == 400
    assert "A legal hold is in force: Appeal 7." in response.content.decode()


def test_faces_of_strangers_are_blurred_until_asked_for_and_each_look_is_logged(lecture):
    own = lecture.course.lecturers.get()
    client, stranger = logged_in(own), UnknownPerson.objects.get()
    blurred = base64.b64encode(blur_crop(np.zeros((40, 40, 3), np.uint8))).decode()
    UnknownPerson.objects.update(crops=[{**stranger.crops[0], "blurred": blurred}])
    picture = reverse("unknown-person-crop", args=[stranger.pk, 0])
    where = reverse("lecture", args=[lecture.pk])
    page = client.get(where).content.decode()
    assert f"data:image/png;base64,{blurred}" in page
    assert picture not in page
    assert picture in client.get(where + "?faces").content.decode()
    assert not AuditEntry.objects.filter(action=Action.SAW_FACES).exists()
    for _ in range(2):
        look = client.get(picture)
        assert (look.status_code, look["Cache-Control"]) == (200, "no-store")
    looks = AuditEntry.objects.filter(action=Action.SAW_FACES, actor_id=own.pk, lecture_id=lecture.pk)
    assert list(looks.values_list("about", flat=True)) == [f"unknown-person-crop {stranger.pk}"] * 2
