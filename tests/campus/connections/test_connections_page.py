"""The page of connections, and their settings in the admin: who may do what, and what is asked of whom."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from campus.academics.models import Course
from campus.accounts.roles import Role
from campus.connections import runs
from campus.connections.adapters import ADAPTERS
from campus.connections.models import Connection, ConnectionRun, CourseLink, MarkDelivery
from recognition.messages import Message
from tests.campus import factories
from tests.servers.lti_platform import Platform

pytestmark = pytest.mark.django_db


def client_of(role: Role) -> Client:
    client = Client()
    client.force_login(factories.person(role))
    return client


@pytest.fixture
def connection() -> Connection:
    return Connection.objects.create(kind="lti", name="Moodle", active=True, settings=Platform(port=80).settings)


@pytest.fixture
def link(connection: Connection) -> CourseLink:
    course = factories.course(code="CS101", students=1)
    return CourseLink.objects.create(connection=connection, course=course, remote_id="7", remote_name="Programming")


def test_registrars_stop_a_connection_and_administrators_switch_it_on(connection: Connection) -> None:
    registrar = client_of(Role.REGISTRAR)
    assert registrar.post(f"/connections/{connection.pk}/switch/").status_code == 302
    connection.refresh_from_db()
    assert not connection.active
    assert registrar.post(f"/connections/{connection.pk}/switch/").status_code == 403
    administrator = client_of(Role.ADMINISTRATOR)
    administrator.post(f"/connections/{connection.pk}/switch/")
    connection.refresh_from_db()
    assert connection.active

    Connection.objects.update(active=False, settings={"issuer": "https://lms.example"})
    page = administrator.post(f"/connections/{connection.pk}/switch/", follow=True).content.decode()
    assert "The settings are not complete: client_id" in page
    connection.refresh_from_db()
    assert not connection.active


def test_the_page_says_what_waits_what_failed_and_why(connection: Connection, link: CourseLink) -> None:
    student = link.course.students.get()
    Connection.objects.update(last_error=Message("“{host}” answered {status}.", host="lms.example", status=503))
    CourseLink.objects.update(
        question=Message("{n} rows of the roster there are wrong or doubtful. Look at them.", n=3)
    )
    given = {"link": link, "changed_at": timezone.now(), "student": student}
    MarkDelivery.objects.create(**given, remote_person="1", state="failed", error=Message("It was refused."))
    MarkDelivery.objects.create(**given, remote_person="2", state="waiting")
    connection.runs.create(link=link, task="roster", state="done", counts={"added": 2, "terms": 1, "removed": 0})
    page = client_of(Role.AUDITOR).get("/connections/").content.decode()
    for text in ("“lms.example” answered 503.", "1 wait", "1 given up", f"{student.name}: It was refused.", "added: 2"):
        assert text in page
    assert "terms: 1" in page
    assert "removed" not in page
    assert "3 rows of the roster" in page
    assert "Run now" not in page
    registrar = client_of(Role.REGISTRAR)
    assert "1 roster elsewhere to look at" in registrar.get("/admin/").content.decode()
    registrar.post(f"/linked-classes/{link.pk}/retry/")
    assert list(link.marks.values_list("state", flat=True)) == ["waiting", "waiting"]
    assert ConnectionRun.objects.filter(state="queued", task="marks").count() == 1


def test_connections_run_at_night_or_every_hour_and_those_by_hand_do_not(connection: Connection) -> None:
    now = timezone.now()
    assert timedelta(0) < runs.next_due(connection, now) - now <= timedelta(days=1)
    assert 1 <= timezone.localtime(runs.next_due(connection, now)).hour < 5
    connection.schedule = "hourly"
    assert runs.next_due(connection, now) - now == timedelta(hours=1)
    Connection.objects.update(schedule="by-hand", due_at=now - timedelta(days=1))
    runs.request_due_runs()
    assert ConnectionRun.objects.count() == 0
    Connection.objects.update(schedule="hourly")
    runs.request_due_runs()
    assert ConnectionRun.objects.count() == 0, "nothing is of a platform with LTI as a whole"
    Connection.objects.update(kind="canvas", due_at=now)
    runs.request_due_runs()
    runs.request_due_runs()
    assert ConnectionRun.objects.count() == 1


def test_of_an_archived_class_nothing_is_fetched_at_night(connection: Connection, link: CourseLink) -> None:
    runs.request_everything(connection=connection)
    assert set(ConnectionRun.objects.values_list("task", flat=True)) == {"roster", "marks"}
    ConnectionRun.objects.all().delete()
    Course.objects.update(archived=True)
    runs.request_everything(connection=connection)
    assert not ConnectionRun.objects.exists()


@pytest.mark.parametrize("kind", ADAPTERS)
def test_each_kind_has_its_settings_in_the_admin(kind: str) -> None:
    client = client_of(Role.ADMINISTRATOR)
    response = client.post("/admin/connections/connection/add/", {"name": "New one", "kind": kind})
    connection = Connection.objects.get()
    where = f"/admin/connections/connection/{connection.pk}/change/"
    assert response.headers["Location"] == where
    page = client.get(where)
    assert page.status_code == 200
    assert 'name="setting_' in page.content.decode()


def test_a_platform_is_entered_by_hand() -> None:
    client = client_of(Role.ADMINISTRATOR)
    client.post("/admin/connections/connection/add/", {"name": "ILIAS", "kind": "lti"})
    connection = Connection.objects.get()
    settings = Platform(port=80).settings | {"deployment_ids": "1\n2", "hosts": "a.example:8443"}
    given = {
        "name": "ILIAS",
        "active": "on",
        "schedule": "nightly",
        "change_limit_percent": 5,
        "sign_in": connection.sign_in_id,
        "links-TOTAL_FORMS": 0,
        "links-INITIAL_FORMS": 0,
        **{f"setting_{name}": value for name, value in settings.items()},
    }
    where = f"/admin/connections/connection/{connection.pk}/change/"
    page = client.post(where, given | {"setting_hosts": "https://a.example/"}).content.decode()
    assert "Write names of hosts" in page
    assert client.post(where, given).status_code == 302
    connection.refresh_from_db()
    assert connection.settings["deployment_ids"] == ["1", "2"]
    assert (connection.settings["hosts"], connection.change_limit_percent) == (["a.example:8443"], 5)
    assert connection.sign_in.kind == "lti"
