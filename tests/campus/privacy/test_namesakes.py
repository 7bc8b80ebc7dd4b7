"""An erasure leaves a namesake's name alone, and says which texts a person has to look at."""

from collections.abc import Callable

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.test import Client
from django.urls import reverse

from campus.academics.import_models import FileImport
from campus.academics.models import Student
from campus.common import jobs
from campus.outbox.models import Delivery
from campus.outbox.services import queue_email
from campus.privacy import erasure
from campus.privacy.models import Erasure
from tests.campus import factories

pytestmark = pytest.mark.django_db


def erase(student: Student) -> Erasure:
    row = erasure.request_student_erasure(student=student, user=factories.registrar())
    held = jobs.ERASE.claim(row.pk, "worker")
    assert held
    erasure.erase(erasure=held)
    row.refresh_from_db()
    return row


def log_entry(of: Student, text: str) -> LogEntry:
    kind = ContentType.objects.get_for_model(Student)
    return LogEntry.objects.create(
        user=factories.registrar(),
        content_type=kind,
        object_id=str(of.pk),
        action_flag=CHANGE,
        object_repr=text,
        change_message="",
    )


def message(body: str) -> Delivery:
    queue_email(to="own@example.org", event="absent", key=body[:60], subject="Absent", body=body)
    return Delivery.objects.latest("created_at")


@pytest.mark.parametrize("other", ["Zoë Quint", "Ida Zoë Quint"])
def test_only_texts_about_the_person_lose_the_name(client: Client, other: str):
    zoe = factories.student(name="Zoë Quint", number="Q7734-81")
    namesake = factories.student(name=other, number="Q7734-82")
    own, others = log_entry(zoe, "Zoë Quint"), log_entry(namesake, str(namesake))
    numbered = message("Q7734-81, Zoë Quint, was absent.")
    name_alone, of_other = message(f"{other} was absent."), message(f"{other} (Q7734-82) was absent.")
    both = message(f"Zoë Quint (Q7734-81) and {other} (Q7734-82) were absent.")
    table = FileImport.objects.create(user=factories.registrar(), kind="roster", state="ready", content=other.encode())
    row = erase(zoe)
    erased = f"Erased student {zoe.pk}"
    assert [Delivery.objects.get(pk=each.pk).body for each in (numbered, name_alone, of_other, both)] == [
        f"{erased}, {erased}, was absent.",
        f"{other} was absent.",
        f"{other} (Q7734-82) was absent.",
        f"{erased} and {other} (Q7734-82) were absent.",
    ]
    assert [LogEntry.objects.get(pk=each.pk).object_repr for each in (own, others)] == [erased, str(namesake)]
    assert FileImport.objects.filter(pk=table.pk).exists()
    assert row.doubtful == {"imports": [str(table.pk)], "messages": [str(name_alone.pk)]}
    assert row.terms == ""
    client.force_login(factories.registrar())
    page = client.get(reverse("erasure", args=[row.pk])).content.decode()
    assert "Somebody else has the same name" in page
    assert str(name_alone.pk) in page


def test_a_name_that_nobody_else_has_goes_everywhere(client: Client):
    zoe = factories.student(name="Zoë Quint", number="Q7734-81")
    factories.student(name="Zoë Quintana")
    alone = message("Zoë Quint was absent.")
    row = erase(zoe)
    assert Delivery.objects.get(pk=alone.pk).body == f"Erased student {zoe.pk} was absent."
    assert row.doubtful == {}


def test_a_name_of_staff_is_left_alone():
    zoe = factories.student(name="Zoë Quint", number="Q7734-81")
    factories.user(first_name="Zoë", last_name="Quint")
    alone = message("Marked by Zoë Quint.")
    row = erase(zoe)
    assert Delivery.objects.get(pk=alone.pk).body == "Marked by Zoë Quint."
    assert row.doubtful == {"messages": [str(alone.pk)]}


def test_staff_whose_name_only_looks_alike_are_no_namesakes():
    """Else whatever has their address, too, would count as being about them, and keep the student's name."""
    ann = factories.student(name="Ann Lee", number="Q7734-81")
    factories.student(name="Ann Lee", number="Q7734-82")
    factories.user(username="j", first_name="Joann", last_name="Leeds", email="joann@example.org")
    text = message("Ann Lee (Q7734-81) was absent. Ask joann@example.org.")
    erase(ann)
    assert "Ann Lee" not in Delivery.objects.get(pk=text.pk).body


@pytest.mark.parametrize(
    ("make", "values"),
    [
        (factories.user, {"username": "z", "first_name": "ZOË", "last_name": "QUINT"}),
        (factories.student, {"name": "Quint, Zoë", "number": "Q7734-82"}),
    ],
    ids=["staff", "student"],
)
def test_a_namesake_is_one_in_any_capitals_and_order(make: Callable[..., object], values: dict[str, str]):
    zoe = factories.student(name="Zoë Quint", surname="Quint", number="Q7734-81")
    make(**values)
    name_alone = message("Zoë Quint was absent.")
    erase(zoe)
    assert Delivery.objects.get(pk=name_alone.pk).body == "Zoë Quint was absent."
