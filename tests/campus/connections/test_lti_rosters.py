"""Rosters from a platform: compared like an uploaded table, applied within the limit, else by a person."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from campus.academics.models import Course, FileImport
from campus.academics.selectors import roster
from campus.connections import runs
from campus.connections.models import Connection, ConnectionRun, CourseLink, RemotePerson
from tests.campus import factories
from tests.campus.connections.platforms import connect, course_of, link, work_off
from tests.campus.file_imports import read_uploads
from tests.servers.lti_platform import PAGE, Platform, lti_platform

pytestmark = pytest.mark.django_db


@pytest.fixture
def platform(settings) -> Iterator[Platform]:
    settings.CONNECTION_NETWORKS = ["127.0.0.0/8"]
    with lti_platform(Platform()) as served:
        yield served


def enrolled(course: Course) -> set[str]:
    return set(roster(course, timezone.localdate()).values_list("number", flat=True))


def fetch(connection: Connection) -> ConnectionRun:
    """What happens at night."""
    Connection.objects.filter(pk=connection.pk).update(due_at=timezone.now())
    runs.request_due_runs()
    [run] = work_off("roster")
    return run


def test_a_few_changes_are_applied_at_night_and_many_wait_for_a_person(platform: Platform) -> None:
    course = course_of(platform, *(f"Student {n}" for n in range(20)))
    connection = connect(platform)
    link(connection, platform, course)
    platform.add_member("teacher", "Grace Hopper", "T1", role="Instructor")
    platform.add_member("away", "Left Long Ago", "0998", status="Inactive")
    platform.add_member("user-21", "Neue Person", "0021", email="neu@example.org")
    del platform.members["user-1"]
    run = fetch(connection)
    assert (run.state, run.counts) == ("done", {"members": 20, "added": 1, "changed": 19, "removed": 1})
    # The first time, surnames are new to everybody.
    assert "more than 10 %" in str(CourseLink.objects.get().question)
    assert "0001" in enrolled(course)

    course.students.update(surname="x")
    for student in course.students.all():
        student.surname = student.name.split()[-1]
        student.save()
    run = fetch(connection)
    assert run.counts == {"members": 20, "added": 1, "changed": 0, "removed": 1}
    assert not CourseLink.objects.get().question
    assert enrolled(course) == {f"{n:04}" for n in range(2, 22)}
    assert RemotePerson.objects.get(remote_id="user-21").student.email == "neu@example.org"

    for number in range(2, 6):
        del platform.members[f"user-{number}"]
    fetch(connection)
    assert "0 would join, 4 leave" in str(CourseLink.objects.get().question)
    assert len(enrolled(course)) == 20


def test_who_asks_for_a_roster_gets_the_known_preview(platform: Platform) -> None:
    course = course_of(platform)
    connection, registrar = connect(platform), factories.registrar()
    row = link(connection, platform, course)
    for number in range(3):
        platform.add_member(f"user-{number}", f"Zoë Müller {number}", f"00{number}")
    run = runs.request_run(connection=connection, task="roster", link=row, user=registrar)
    assert runs.request_run(connection=connection, task="roster", link=row, user=registrar) == run
    [run] = work_off()
    assert enrolled(course) == set()
    read_uploads()
    client = Client()
    client.force_login(registrar)
    where = f"/classes/{course.pk}/roster/{run.file_import_id}/"
    assert "Zoë Müller 2" in client.get(where).content.decode()
    client.post(where, {"act": "import", "complete": "on"})
    assert enrolled(course) == {"000", "001", "002"}
    assert FileImport.objects.count() == 0


def test_nobody_leaves_because_numbers_are_missing_and_an_empty_roster_changes_nothing(platform: Platform) -> None:
    course = course_of(platform, *(f"Student {n}" for n in range(20)))
    for student in course.students.all():
        student.surname = student.name.split()[-1]
        student.save()
    connection = connect(platform)
    link(connection, platform, course)
    platform.members["user-3"]["lis_person_sourcedid"] = ""
    run = fetch(connection)
    assert (run.counts["without_number"], run.counts["removed"]) == (1, 0)
    assert len(enrolled(course)) == 20

    for member in platform.members.values():
        member["lis_person_sourcedid"] = None
    run = fetch(connection)
    assert (run.state, "has a student number" in str(run.error)) == ("failed", True)
    platform.members.clear()
    run = fetch(connection)
    assert (run.state, "is empty" in str(run.error)) == ("failed", True)
    assert len(enrolled(course)) == 20


def test_a_platform_that_is_away_is_asked_again_before_the_next_night(platform: Platform) -> None:
    course = course_of(platform, "Ada Lovelace")
    connection = connect(platform)
    link(connection, platform, course)
    platform.status = 503
    assert fetch(connection).state == "failed"
    connection.refresh_from_db()
    assert connection.due_at < timezone.now() + timedelta(hours=1)
    assert "503" in str(connection.last_error)


def test_the_token_goes_to_the_platform_alone(platform: Platform) -> None:
    course = course_of(platform, "Ada Lovelace")
    connection = connect(platform)
    row = link(connection, platform, course)
    CourseLink.objects.filter(pk=row.pk).update(settings={"members_url": "http://127.0.0.1:1/members"})
    run = fetch(connection)
    assert (run.state, "not among the hosts" in str(run.error)) == ("failed", True)


def test_ten_thousand_members_come_page_by_page(platform: Platform) -> None:
    course = course_of(platform)
    connection = connect(platform, change_limit_percent=100)
    row = link(connection, platform, course)
    for number in range(10_000):
        platform.add_member(f"user-{number}", f"Student {number}", f"{number:05}")
    runs.request_run(connection=connection, task="roster", link=row)
    [run] = work_off()
    assert run.counts["members"] == 10_000
    assert platform.requests[f"GET /{platform.context}/members"] == 10_000 // PAGE
    assert "10000 would join" in str(CourseLink.objects.get().question)  # into an empty class, a person lets them
    assert RemotePerson.objects.count() == 10_000
