"""An administrator enters the settings of each kind of connection; they are kept, and secrets are not shown."""

import pytest

from campus.accounts.roles import Role
from campus.connections.adapters import check_settings
from campus.connections.models import Connection
from tests.campus import factories
from tests.campus.connections.test_connections_page import client_of

pytestmark = pytest.mark.django_db

SETTINGS = {
    "moodle": {"address": "https://moodle.example.org", "number": "username", "statuses": "0 late T"},
    "canvas": {"address": "https://canvas.example.org", "number": "login_id", "assignment": "Attendance"},
    "oneroster": {
        **{"access": "rest", "address": "https://sis.example.org", "token_url": "https://sis.example.org/token"},
        **{"client": "rollcall", "number": "identifier", "lecturers": "email"},
    },
    "calendar": {},
}


@pytest.mark.parametrize("kind", SETTINGS)
def test_settings_are_entered_in_the_administration(kind: str) -> None:
    client = client_of(Role.ADMINISTRATOR)
    connection = Connection.objects.create(kind=kind, name="Another system", settings={"answer": {"etag": "x"}})
    wanted: dict[str, object] = {**SETTINGS[kind]} or {"course": factories.course().pk}
    where = f"/admin/connections/connection/{connection.pk}/change/"
    assert client.get(where).status_code == 200
    given = {"name": "Another system", "active": "on", "schedule": "hourly", "change_limit_percent": 20}
    given |= {"links-TOTAL_FORMS": 0, "links-INITIAL_FORMS": 0}
    given |= {f"setting_{name}": value for name, value in wanted.items()}
    assert client.post(where, given | {"new_secret": "a secret of theirs"}).status_code == 302
    connection.refresh_from_db()
    assert connection.settings == wanted, "what another address has answered is forgotten"
    Connection.objects.update(settings={"answer": {"etag": "x"}, **wanted})
    client.post(where, given)
    connection.refresh_from_db()
    assert connection.settings == {"answer": {"etag": "x"}, **wanted}
    assert connection.secret == "a secret of theirs"
    check_settings(connection)
    page = client.get(where).content.decode()
    assert "a secret of theirs" not in page
    assert all(str(value) in page for value in wanted.values())


def test_what_a_rest_service_needs_is_asked_for() -> None:
    client = client_of(Role.ADMINISTRATOR)
    connection = Connection.objects.create(kind="oneroster", name="Registry")
    given = {"name": "Registry", "schedule": "nightly", "change_limit_percent": 10, "setting_access": "rest"}
    given |= {"setting_address": "https://sis.example.org", "setting_number": "identifier"}
    page = client.post(
        f"/admin/connections/connection/{connection.pk}/change/", given | {"setting_lecturers": "username"}
    )
    assert page.content.decode().count("This access needs it.") == 2
