"""What becomes of marks elsewhere when a class is linked with another course, unlinked or erased."""

from collections.abc import Iterator

import pytest

from campus.accounts.roles import Role
from campus.common import jobs
from campus.connections.lti.course_links import link_course
from campus.connections.models import Connection, ConnectionRun, CourseLink, MarkDelivery, RemotePerson
from campus.connections.runs import perform, request_due_runs
from campus.privacy.erasure import erase, request_course_erasure
from tests.campus import factories
from tests.campus.connections.exchanges import exchange, send_again, signed_off
from tests.campus.connections.platforms import work_off
from tests.campus.connections.sites import known_students, linked
from tests.campus.connections.test_connections_page import client_of
from tests.campus.connections.test_lti_marks import Campus
from tests.servers.lti_platform import Platform, lti_platform
from tests.servers.moodle import MoodleSite

pytestmark = pytest.mark.django_db


@pytest.fixture
def platform() -> Iterator[Platform]:
    with lti_platform(Platform()) as served:
        yield served


def test_an_erased_class_leaves_no_marks_and_its_erasure_waits_for_nobody(platform: Platform) -> None:
    campus = Campus(platform)
    campus.hold("present", "absent", "present")
    work_off()
    platform.status = 503
    erasure = request_course_erasure(course=campus.course, user=campus.registrar)
    erase(erasure=jobs.ERASE.claim(erasure.pk, owner="worker"))
    erasure.refresh_from_db()
    assert erasure.state == "done"
    campus.wake()
    assert len(platform.marks()) == 3
    page = campus_page()
    assert "unlinked: its marks are being taken away" in page
    assert "CS 101" not in page, "the class's name there goes, too"

    platform.status = 0
    campus.wake()
    assert platform.marks() == {}
    campus.wake()
    assert not CourseLink.objects.exists()


def campus_page() -> str:
    return str(client_of(Role.REGISTRAR).get("/connections/").content.decode())


def test_a_class_is_unlinked_and_its_marks_are_taken_away_or_left(platform: Platform) -> None:
    campus = Campus(platform)
    campus.hold("present", "absent", "present")
    work_off()
    where = f"/linked-classes/{campus.link.pk}/"
    assert f'href="{where}"' in campus_page()
    auditor, registrar = client_of(Role.AUDITOR), client_of(Role.REGISTRAR)
    assert "3 marks stand there." in registrar.get(where).content.decode()
    assert "Unlink" not in auditor.get(where).content.decode()
    assert auditor.post(where + "unlink/", {"marks": "remove"}).status_code == 403
    registrar.post(where + "unlink/", {"marks": "remove"})
    work_off()
    assert platform.marks() == {}
    assert len(platform.line_items) == 1

    # Linked again, with the same course, before the link is gone.
    course = factories.course(code="CS 102")
    course.lecturers.add(campus.registrar)
    context = {"id": campus.link.remote_id, "name": "CS 101", "settings": {}}
    link_course(user=campus.registrar, connection=campus.connection, context=context, course=course)
    assert CourseLink.objects.get().course == course
    CourseLink.objects.update(course=campus.course)
    campus.wake()
    assert len(platform.marks()) == 3
    registrar.post(where + "unlink/", {"marks": "leave"})
    campus.wake()
    assert len(platform.marks()) == 3
    assert not CourseLink.objects.exists()


def test_unlinking_makes_nothing_there_and_nothing_is_sent_after_it(platform: Platform) -> None:
    campus = Campus(platform)
    campus.hold("present", "absent", "present")
    run = ConnectionRun.objects.get(task="marks")
    claimed = jobs.EXCHANGE.claim(run.pk, owner="worker")
    assert claimed.link.course == campus.course  # as a worker has read it
    client_of(Role.REGISTRAR).post(f"/linked-classes/{campus.link.pk}/unlink/", {"marks": "remove"})
    perform(run=claimed)
    campus.wake()
    campus.wake()
    assert (platform.line_items, platform.posts) == ({}, [])
    assert not CourseLink.objects.exists()


def test_a_course_there_gets_the_marks_of_another_class(platform: Platform) -> None:
    campus = Campus(platform)
    campus.hold("present", "absent", "present")
    work_off()
    other = factories.course(code="CS 102")
    ada, alan, _grace = campus.course.students.order_by("number")
    for student in (ada, alan):
        factories.enrol(other, student)
    signed_off(other, {ada: "absent", alan: "absent"})
    where = f"/linked-classes/{campus.link.pk}/move/"
    registrar = client_of(Role.REGISTRAR)
    assert registrar.post(where, {"course": campus.course.pk}).status_code == 400
    assert registrar.post(where, {"course": other.pk}).status_code == 302
    work_off("marks")
    assert platform.marks() == {"user-1": 0.0, "user-2": 0.0}
    assert CourseLink.objects.get().course == other


def test_marks_that_moodle_keeps_are_listed_until_somebody_has_removed_them() -> None:
    site = MoodleSite()
    with linked(site) as link:
        anna, ben, _cem = known_students(link, site)
        lecture = signed_off(link.course, {anna: "present", ben: "absent"})
        send_again(link)
        exchange(link.connection, "marks", link)
        registrar = client_of(Role.REGISTRAR)
        registrar.post(f"/linked-classes/{link.pk}/unlink/", {"marks": "remove"})
        work_off()
        page = registrar.get(f"/linked-classes/{link.pk}/").content.decode()
        for text in (anna.name, ben.name, "Remove it there by hand", "Not linked any more"):
            assert text in page
        lecture.delete()  # with its class, perhaps
        site.logs.clear()
        registrar.post(f"/linked-classes/{link.pk}/retry/")
        work_off()
        request_due_runs()
        assert not MarkDelivery.objects.exists()
        assert not CourseLink.objects.exists()
    assert RemotePerson.objects.exists(), "who is whom there is of the connection"


def test_what_a_registry_links_itself_is_not_unlinked_here() -> None:
    course = factories.course()
    connection = Connection.objects.create(kind="oneroster", name="Registry", active=True)
    link = CourseLink.objects.create(connection=connection, course=course, remote_id="c1", sends_marks=False)
    registrar = client_of(Role.REGISTRAR)
    for action in ("unlink", "move"):
        page = registrar.post(f"/linked-classes/{link.pk}/{action}/", {"course": course.pk}, follow=True)
        assert "links its classes itself" in page.content.decode()
    assert "Unlink" not in registrar.get(f"/linked-classes/{link.pk}/").content.decode()
    assert CourseLink.objects.get().course == course
