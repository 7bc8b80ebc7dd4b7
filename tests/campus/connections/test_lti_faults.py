"""A platform with a wrong certificate, one that is slow, and one that answers with anything: the page of connections
says what to do, and once that is done, what waited goes on."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.test import Client

from campus.accounts.roles import Role
from campus.connections import runs
from campus.connections.models import Connection, CourseLink, MarkDelivery, RemotePerson
from tests.campus import factories
from tests.campus.connections.exchanges import send_again, signed_off
from tests.campus.connections.platforms import connect, course_of, link, work_off
from tests.servers.lti_platform import AGS_SCOPE, Platform, lti_platform
from tests.servers.rest import Asked, Faults, Reply, rest_server
from tests.servers.stores import certificate

pytestmark = pytest.mark.django_db

COMPARE = {
    "token_url": "Compare the client ID, the access token URL",
    "jwks_url": "Compare the public keyset URL",
    "members_url": "Compare the address",
    "line_items_url": "Compare the address",
    "line_item_url": "Compare the address",
}


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate(tmp_path_factory.mktemp("tls")))
    return context


@contextmanager
def broken(fault: str, tls: ssl.SSLContext) -> Iterator[str]:
    """The address of a server with this fault."""

    def answer(_asked: Asked) -> Reply:
        return Reply(b"[" * 100_000 if fault == "nonsense" else b"<html>Maintenance</html>")

    faults = Faults(pause=0.5 if fault == "slow" else 0)
    with rest_server(answer, faults, tls=tls if fault == "certificate" else None) as address:
        yield address


@pytest.mark.parametrize("place", COMPARE)
def test_the_page_says_what_to_do_and_then_it_goes_on(
    place: str, tls: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    sentences = {
        "certificate": "Have it replaced there, or its authority added",
        "slow": "did not answer in time. Where that goes on, ask those who run it.",
        "page": COMPARE[place],
        # What a score is answered with is not read.
        **({"nonsense": COMPARE[place]} if place != "line_item_url" else {}),
    }
    task = {"token_url": "check", "jwks_url": "check", "members_url": "roster"}.get(place, "marks")
    client = Client()
    client.force_login(factories.person(Role.REGISTRAR))
    with lti_platform(Platform()) as platform:
        course = course_of(platform, "Ada Lovelace")
        connection = connect(platform)
        row = link(connection, platform, course)
        student = course.students.get()
        RemotePerson.objects.create(connection=connection, remote_id="user-1", number_key="0001", student=student)
        signed_off(course, {student: "present"})
        there = row.settings
        if place == "line_item_url":  # the one that the launch named; no other may be made
            platform.line_items["item-1"], platform.scores["item-1"] = {}, {}
            item = f"{platform.issuer}/{platform.context}/lineitems/item-1"
            there = {"line_item_url": item, "scopes": [AGS_SCOPE + "score"]}

        def do(settings: dict[str, object], of_link: dict[str, object]) -> str:
            Connection.objects.update(settings=settings)
            CourseLink.objects.update(settings=of_link)
            send_again(row)
            asked = None if task == "check" else CourseLink.objects.get()
            runs.request_run(connection=Connection.objects.get(), task=task, link=asked)
            [run] = work_off()
            return str(run.state)

        for fault, sentence in sentences.items():
            monkeypatch.setattr("campus.common.outgoing_http.READ_SECONDS", 0.2 if fault == "slow" else 10)
            with broken(fault, tls) as address:
                settings = connection.settings | {"hosts": [address.partition("//")[2]]}
                of_link = dict(there)
                (of_link if place in there else settings)[place] = f"{address}/x"
                assert do(settings, of_link) == "failed"
            assert sentence in client.get("/connections/").content.decode()
            Connection.objects.get().runs.all().delete()
        monkeypatch.undo()
        if task == "marks":
            assert MarkDelivery.objects.get().state == "waiting"
        assert do(connection.settings, there) == "done"
        if task == "marks":
            assert platform.marks() == {"user-1": 100.0}
