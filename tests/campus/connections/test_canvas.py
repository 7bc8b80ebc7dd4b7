"""Canvas by its REST API: rosters, and one assignment in per cent."""

import pytest

from campus.academics.models import Student
from campus.connections.canvas_adapter import CanvasAdapter
from campus.connections.marks import retry_failed_marks, withdraw_marks
from campus.connections.models import Connection, ConnectionRun, CourseLink, MarkDelivery
from tests.campus import factories
from tests.campus.connections.exchanges import exchange, mark, send_again, signed_off
from tests.servers.canvas import TOKEN, CanvasSite, canvas

pytestmark = pytest.mark.django_db

Task, State = ConnectionRun.Task, MarkDelivery.State


@pytest.fixture(autouse=True)
def loopback(settings) -> None:
    settings.CONNECTION_NETWORKS = ["127.0.0.0/8"]


def link_to(address: str, **fields) -> CourseLink:
    values = {"kind": Connection.Kind.CANVAS, "name": "Canvas", "active": True, "secret": TOKEN}
    values |= {"settings": {"address": address, "number": "sis_user_id", "assignment": "Attendance"}}
    connection = Connection.objects.create(**{**values, "change_limit_percent": 100, **fields})
    course = factories.course(code="CS 42")
    return CourseLink.objects.create(connection=connection, course=course, remote_id="42", takes_roster=False)


def students(link: CourseLink, site: CanvasSite, count: int = 3) -> list[Student]:
    rows = [factories.student() for _ in range(count)]
    for row in rows:
        factories.enrol(link.course, row)
        site.add_student(row.number, row.name)
    exchange(link.connection, Task.SYNC)
    return rows


def test_percentages_stand_in_canvas_and_follow_the_register() -> None:
    site = CanvasSite()
    with canvas(site) as address:
        link = link_to(address)
        anna, ben, cem = students(link, site)
        lecture = signed_off(link.course, {anna: "present", ben: "late", cem: "excused"})
        signed_off(link.course, {anna: "present", ben: "absent", cem: "excused"})
        send_again(link)
        assert exchange(link.connection, Task.MARKS, link).counts["sent"] == 2
        assert site.marks() == {anna.number: 100.0, ben.number: 25.0}, "late is worth what the class's statuses say"
        mark(lecture, ben, "present")
        send_again(link)
        assert exchange(link.connection, Task.MARKS, link).counts["sent"] == 1
        assert site.marks()[ben.number] == 50.0
        assert len(site.assignments) == 1
        withdraw_marks(student=anna.pk)
        link.refresh_from_db()
        assert exchange(link.connection, Task.MARKS, link).counts["removed"] == 1
        assert site.marks()[anna.number] is None
        assert not MarkDelivery.objects.filter(student=None).exists()
        assert "Databases" in str(CanvasAdapter().check(link.connection))


def test_lost_answers_and_deleted_assignments() -> None:
    site = CanvasSite()
    with canvas(site) as address:
        link = link_to(address)
        anna, *_others = students(link, site)
        signed_off(link.course, {anna: "present"})
        site.lose_new_assignment = True
        send_again(link)
        assert exchange(link.connection, Task.MARKS, link).state == "failed"
        send_again(link)
        assert exchange(link.connection, Task.MARKS, link).counts["sent"] == 1
        assert len(site.assignments) == 1, "found by its name, not made again"
        assignment = next(iter(site.assignments))
        site.scores[assignment, site.users[0]["id"]] = 40.0
        assert exchange(link.connection, Task.SYNC).counts["differing"] == 1
        assert "“40.0” stands there" in str(MarkDelivery.objects.get().error)
        site.assignments.clear()
        retry_failed_marks(link=link)
        link.refresh_from_db()
        exchange(link.connection, Task.MARKS, link)
        assert site.marks()[anna.number] == 100.0


def test_what_canvas_does_not_take_is_said() -> None:
    site = CanvasSite()
    with canvas(site) as address:
        link = link_to(address)
        anna, ben, _cem = students(link, site)
        signed_off(link.course, {anna: "present", ben: "absent"})
        site.users = [user for user in site.users if user["sis_user_id"] != ben.number]
        site.limited = 1
        send_again(link)
        assert "fewer requests" in str(exchange(link.connection, Task.MARKS, link).error)
        send_again(link)
        assert exchange(link.connection, Task.MARKS, link).counts == {"sent": 1, "failed": 1}
        assert "not in the course in Canvas" in str(MarkDelivery.objects.get(state=State.FAILED).error)
