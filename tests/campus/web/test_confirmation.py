"""Who is to be confirmed is put to a person, one student after the other."""

import pytest
from django.test import Client
from django.urls import reverse

from campus.attendance.models import Sighting
from campus.attendance.proposals import recount_lecture
from campus.web.confirmation import describe_similarity
from tests.campus import factories
from tests.campus.conftest import World


@pytest.fixture
def lecturer(client: Client, world: World) -> Client:
    client.force_login(world.own)
    return client


@pytest.fixture
def doubtful(world: World) -> list[Sighting]:
    """Three students to confirm, in the order of the roll; the first resembles the second, too."""
    Sighting.objects.filter(recording=world.recording).update(present=False)
    crops = world.sighting.crops
    students = [factories.student(name=name) for name in ("Zoe Adams", "Yan Baker", "Xi Carter")]
    for student in students:
        factories.enrol(world.course, student)
    shown = {"to_confirm": True, "confidence": 0.4, "intervals": [[0, 900]], "crops": crops}
    rows = [
        Sighting.objects.create(recording=world.recording, student=student, present=False, **shown)
        for student in students
    ]
    Sighting.objects.filter(pk=rows[0].pk).update(runner_up=students[1])
    recount_lecture(lecture=world.lecture)
    return rows


def test_answers_lead_to_the_next_student(lecturer: Client, world: World, doubtful: list[Sighting]) -> None:
    where = reverse("confirm", args=[world.lecture.pk])
    assert where in lecturer.get(reverse("lecture", args=[world.lecture.pk])).content.decode()
    text = lecturer.get(where).content.decode()
    assert "Is this Zoe Adams?" in text
    assert "3 to confirm" in text
    assert "very similar" in text
    assert "It is Yan Baker" in text
    assert 'name="moment"' in text
    records = {row.student_id: row for row in world.lecture.records.all()}
    first, second, third = (records[row.student_id] for row in doubtful)

    def answer(record, status: str) -> str:
        url = reverse("record-confirm", args=[record.pk, status])
        return lecturer.post(url, {"list": "confirm"}, follow=True).content.decode()

    assert "Is this Xi Carter?" in lecturer.get(where, {"after": second.pk}).content.decode()
    assert "Is this Zoe Adams?" in lecturer.get(where, {"after": third.pk}).content.decode()
    assert "Is this Yan Baker?" in answer(first, "present")
    assert "Is this Xi Carter?" in answer(second, "absent")
    response = lecturer.post(reverse("record-confirm", args=[third.pk, "present"]), {"list": "confirm"}, follow=True)
    assert response.redirect_chain[-1][0] == reverse("lecture", args=[world.lecture.pk]) + "#result"
    statuses = world.lecture.records.filter(pk__in=[first.pk, second.pk, third.pk]).values_list("pk", "override_status")
    assert dict(statuses) == {first.pk: "present", second.pk: "absent", third.pk: "present"}


def test_the_runner_up_is_an_answer(lecturer: Client, world: World, doubtful: list[Sighting]) -> None:
    Sighting.objects.filter(pk=doubtful[1].pk).update(to_confirm=False)
    recount_lecture(lecture=world.lecture)
    url = reverse("sighting-action", args=[doubtful[0].pk, "runner-up"])
    text = lecturer.post(url, {"list": "confirm"}, follow=True).content.decode()
    assert "Identified as Yan Baker." in text
    assert "Is this Xi Carter?" in text


@pytest.mark.parametrize("after", ["x", "-1", "9" * 30, "0"])
def test_any_place_to_go_on_from_is_answered(lecturer: Client, world: World, doubtful, after: str) -> None:
    response = lecturer.get(reverse("confirm", args=[world.lecture.pk]), {"after": after})
    assert "Is this Zoe Adams?" in response.content.decode()


def test_another_lecturer_is_not_asked(client: Client, world: World, doubtful: list[Sighting]) -> None:
    client.force_login(world.other)
    assert client.get(reverse("confirm", args=[world.lecture.pk])).status_code == 404


def test_similarity_is_said_in_words() -> None:
    assert [describe_similarity(share) for share in (0.0, 0.15, 0.3, 0.5)] == [
        "a little similar",
        "similar",
        "similar",
        "very similar",
    ]
