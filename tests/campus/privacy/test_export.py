"""What a student gets who asks what is held."""

import io
import json
import zipfile

import pytest
from django.core.files.base import ContentFile
from django.test import Client

from campus.academics.models import Student
from campus.attendance.excuses import create_excuse
from campus.attendance.overrides import set_override
from campus.audit.models import AuditEntry
from tests.campus import factories

pytestmark = pytest.mark.django_db


@pytest.fixture
def student() -> Student:
    student = factories.student(name="Zoë <b>Quentin</b>", email="zoe@students.example.org")
    course, registrar = factories.course(code="LAW-204"), factories.registrar()
    factories.enrol(course, student)
    factories.photo(student, content=b"the photo")
    lecture = factories.lecture(course)
    factories.records(lecture)
    set_override(record=lecture.records.get(), status="late", reason="The bus", user=registrar)
    letter = ContentFile(b"%PDF-1.4 ill", "letter.pdf")
    day = lecture.starts_at.date()
    create_excuse(
        student=student, course=None, first_day=day, last_day=day, reason="ill", user=registrar, document=letter
    )
    return student


def test_all_that_is_held_of_a_student(client: Client, student: Student) -> None:
    factories.photo(content=b"somebody else")
    client.force_login(factories.registrar())
    answer = client.get(f"/students/{student.pk}/data/")
    if answer.status_code == 302:  # the login is not recent enough for an export
        session = client.session
        session["confirmed-at"] = 4e9
        session.save()
        answer = client.get(f"/students/{student.pk}/data/")
    archive = zipfile.ZipFile(io.BytesIO(answer.getvalue()))
    data = json.loads(archive.read("data.json"))
    assert data["student"]["email"] == "zoe@students.example.org"
    [record] = data["attendance"]
    assert (record["status"], record["lecture"][:7]) == ("Late", "LAW-204")
    assert [change["reason"] for change in data["corrections"]] == ["The bus"]
    assert [excuse["reason"] for excuse in data["excuses"]] == ["ill"]
    contents = [archive.read(name) for name in archive.namelist()]
    assert b"the photo" in contents
    assert b"%PDF-1.4 ill" in contents
    assert b"somebody else" not in contents
    page = archive.read("index.html").decode()
    assert "Zoë &lt;b&gt;Quentin&lt;/b&gt;" in page
    assert "The bus" in page
    assert AuditEntry.objects.filter(action="exported-student", student_id=student.pk).count() == 1


def test_a_lecturer_downloads_nobody(client: Client, student: Student) -> None:
    client.force_login(factories.person(factories.Role.LECTURER))
    assert client.get(f"/students/{student.pk}/data/").status_code == 403
