"""Who looks at faces and registers, takes files away or changes something is in the audit log; auditors search it."""

import csv
import io
from typing import Any

from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from campus.academics.models import Lecture
from campus.accounts.roles import Role
from campus.accounts.services import create_token, set_role
from campus.attendance.overrides import set_override
from campus.audit.chain import verify_chain
from campus.audit.models import Action, AuditEntry
from campus.audit.selectors import entries_about
from campus.audit.services import record_event, seal_entries
from campus.web.audited_reads import NOTED_ELSEWHERE, READS
from tests.campus import factories
from tests.campus.conftest import World
from tests.campus.permissions import committed, routes

# Files without personal data, or for a program of the student or of the person themselves.
NO_READS = {
    "calendar",
    "metrics",
    "api-schema",
    "own-photo-picture",
    "my-data-file",
    "admin:jsi18n",
    "jsi18n",
    "api-docs",
}
PAGES = ("text/html", "application/json", "text/plain", "text/event-stream")


def read(response: Any) -> str:
    return b"".join(response.streaming_content).decode()


def login(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def logged(actor: User) -> list[tuple[str, int | None, int | None, int | None]]:
    entries = AuditEntry.objects.filter(actor_id=actor.pk).exclude(action=Action.CHANGED_ACCOUNT).order_by("pk")
    return list(entries.values_list("action", "student_id", "lecture_id", "course_id"))


def test_reads_and_downloads_are_in_the_log(world: World):
    lecture, course, student = world.lecture.pk, world.course.pk, world.student.pk
    own = login(world.own)
    for where in (
        reverse("crop", args=[world.sighting.pk, 0]),
        reverse("crop", args=[world.sighting.pk, 0]),
        reverse("photo", args=[world.photo.pk]),
        reverse("lecture", args=[lecture]),
        reverse("record", args=[world.record.pk]),
        reverse("register", args=[course]),
        reverse("register-file", args=[course, "pdf"]),
        reverse("register-file", args=[course, "pdf"]),
        reverse("report", args=[world.report.pk]),
        reverse("student", args=[student]),
    ):
        assert own.get(where).status_code == 200, where
    assert logged(world.own) == [
        ("saw-faces", None, lecture, course),
        ("saw-photos", student, None, None),
        ("saw-lecture", None, lecture, None),
        ("saw-lecture", student, lecture, course),
        ("saw-register", None, None, course),
        ("exported", None, None, course),
        ("exported", None, None, course),
        ("exported", None, lecture, course),
        ("saw-student", student, None, None),
    ]
    assert "register-file pdf" in set(AuditEntry.objects.values_list("about", flat=True))


def test_programs_are_in_the_log_under_their_owners_names(world: World):
    _, secret = create_token(user=world.own, name="script", scope="write", days=1)
    client = Client(headers={"Authorization": f"Bearer {secret}"})
    assert client.get(f"/api/v1/sightings/{world.sighting.pk}/pictures/0/").status_code == 200
    assert client.get(f"/api/v1/courses/{world.course.pk}/export/csv/").status_code == 200
    assert read(client.get("/api/v1/attendance/export/"))
    assert client.delete(f"/api/v1/photos/{world.photo.pk}/").status_code == 403  # a registrar's
    assert [action for action, *_ in logged(world.own)] == ["saw-faces", "exported", "exported"]


def test_who_may_not_read_something_leaves_no_entry_of_it(world: World):
    assert login(world.other).get(reverse("crop", args=[world.sighting.pk, 0])).status_code == 404
    assert Client().get(reverse("crop", args=[world.sighting.pk, 0])).status_code == 302
    assert logged(world.other) == []


def test_every_file_is_listed():
    """A new address that gives a picture, a table or a document says whose it is."""
    read = [row for row in committed() if row["verb"] == "GET" and row["gives"]]
    files = {row["name"] for row in read if not row["gives"].startswith(PAGES)}
    assert files - set(READS) - NOTED_ELSEWHERE - NO_READS == set()
    assert set(READS) <= {route.name for route in routes()}


def test_changes_are_in_the_log_and_outlive_what_they_changed(world: World):
    set_override(record=world.record, status="late", reason="bus", user=world.own)
    registrar = login(world.registrar)
    assert (
        registrar.post(reverse("enrolment", args=[world.course.enrolments.first().pk]), {"remove": ""}).status_code
        == 302
    )
    assert registrar.post(reverse("institution"), {"name": "Uni"}).status_code == 302
    set_role(user=world.own, role=Role.REGISTRAR)
    Lecture.objects.filter(pk=world.lecture.pk).delete()
    seal_entries()

    assert logged(world.own) == [("changed-attendance", world.student.pk, world.lecture.pk, world.course.pk)]
    assert [entry[0] for entry in logged(world.registrar)] == ["deleted", "changed-settings"]
    role = AuditEntry.objects.filter(action=Action.CHANGED_ACCOUNT).first()
    assert role.about == f"role-changed, account {world.own.pk}"
    assert verify_chain().faults == []
    told = " ".join(entry.about for entry in AuditEntry.objects.all())
    assert world.student.number not in told
    assert world.student.name not in told


def test_a_student_reads_who_did_what_with_their_data(world: World):
    mine = {"lectures": [world.lecture.pk], "courses": [world.course.pk]}
    record_event(world.own, Action.SAW_PHOTOS, student=world.student.pk)
    record_event(world.own, Action.EXPORTED, course=world.course.pk)
    record_event(world.own, Action.SAW_FACES, lecture=world.lecture.pk)
    record_event(world.own, Action.SAW_STUDENT, student=world.student.pk + 1, course=world.course.pk)
    record_event(world.own, Action.EXPORTED, course=world.course.pk + 1)
    actions = list(entries_about(world.student.pk, **mine).values_list("action", flat=True))
    assert actions == ["saw-faces", "exported", "saw-photos"]


def test_auditors_and_administrators_search_the_log(world: World):
    for user in (world.own, world.registrar):
        assert login(user).get(reverse("audit-log")).status_code == 403
        assert login(user).get(reverse("audit-log-file")).status_code == 403
    record_event(world.own, Action.SAW_FACES, lecture=world.lecture.pk)
    record_event(world.registrar, Action.TRAINED, course=world.course.pk)
    record_event(world.registrar, Action.EXPORTED, course=0)
    record_event(None, Action.ERASED, student=999)
    record_event(world.own, Action.SAW_PHOTOS, student=world.student.pk)
    auditor = login(factories.person(Role.AUDITOR))

    def found(**asked: str) -> list[str]:
        page = auditor.get(reverse("audit-log"), asked)
        return [line["entry"].action for line in page.context["lines"] if line["entry"].action != "changed-account"]

    assert found(action="erased") == ["erased"]
    assert found(course=world.course.code.lower()) == ["trained", "saw-faces"]
    assert found(student=world.student.number) == ["saw-photos"]
    assert "exported" not in found(who="own")
    assert found(until="2001-01-01") == []
    assert set(found(since=f"{timezone.localdate():%Y-%m-%d}", action="trained")) == {"trained"}
    assert auditor.get(reverse("audit-log"), {"student": "nobody"}).status_code == 400
    page = auditor.get(reverse("audit-log"), {"action": "erased"}).content.decode()
    assert "student 999" in page
    assert reverse("student", args=[world.student.pk]) in auditor.get(reverse("audit-log")).content.decode()

    file = read(auditor.get(reverse("audit-log-file"), {"action": "saw-photos"}))
    (row,) = csv.DictReader(io.StringIO(file.lstrip("\N{BOM}")))
    assert (row["by"], row["student_id"]) == (str(world.own), str(world.student.pk))
    assert found(action="exported-audit-log") == ["exported-audit-log"]
    assert found(action="saw-audit-log")
