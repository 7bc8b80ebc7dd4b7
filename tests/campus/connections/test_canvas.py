"""Canvas by its REST API: rosters, and one assignment in per cent."""

import pytest

from campus.connections.canvas_adapter import CanvasAdapter
from campus.connections.marks import retry_failed_marks, withdraw_marks
from campus.connections.models import ConnectionRun, MarkDelivery
from tests.campus.connections.exchanges import exchange, mark, send_again, signed_off
from tests.campus.connections.sites import known_students, linked
from tests.servers.canvas import CanvasSite

pytestmark = pytest.mark.django_db

Task, State = ConnectionRun.Task, MarkDelivery.State


def test_percentages_stand_in_canvas_and_follow_the_register() -> None:
    site = CanvasSite()
    with linked(site) as link:
        anna, ben, cem = known_students(link, site)
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
    with linked(site) as link:
        anna, *_others = known_students(link, site)
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
    with linked(site) as link:
        anna, ben, _cem = known_students(link, site)
        signed_off(link.course, {anna: "present", ben: "absent"})
        site.users = [user for user in site.users if user["sis_user_id"] != ben.number]
        site.limited = 1
        send_again(link)
        assert "fewer requests" in str(exchange(link.connection, Task.MARKS, link).error)
        send_again(link)
        assert exchange(link.connection, Task.MARKS, link).counts == {"sent": 1, "failed": 1}
        assert "not in the course in Canvas" in str(MarkDelivery.objects.get(state=State.FAILED).error)
