"""OneRoster's zips: of any bytes, what can be read is applied or waits for a person, and the rest is said."""

import tempfile

import pytest
from django.db import transaction

from campus.common.errors import UserError
from campus.connections.models import Connection
from campus.connections.oneroster_contents import Registry, RegistryRequest
from campus.connections.oneroster_reader import answer
from campus.connections.registry_update import update_from_registry
from tests.fuzz.fuzzing import fuzz
from tests.fuzz.mutations import mutated_parts
from tests.servers.oneroster import OneRosterSite

pytestmark = pytest.mark.django_db

TOKENS = [
    *(b"tobedeleted", b"active", b"student", b"teacher", b"bulk", b"delta", b"absent", b"t1", b"c1", b"user-1", b","),
    *(b'"', b'""', b"\r\n", b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"2099-13-45", b"0001-01-01", b"9999-12-31", b"=1+1"),
    *("\u202e".encode(), "Zoë".encode(), b"x" * 300),
]


def _site() -> bytes:
    site = OneRosterSite()
    site.add_term("t1", "Term", "2098-01-01", "2099-06-30")
    site.add_class("c1", "CS 1", "One", "t1")
    site.add_class("c2", "CS 2", "Two", "t1")
    for number, name in (("1", "Zoë Åberg"), ("2", "Ann Lee"), ("3", "Ann Lee")):
        site.enrol(site.add_person(number, name), "c1", beginDate="2098-02-01", endDate="2099-02-01")
    site.enrol(site.add_person("9", "Maria Roth", "teacher"), "c2", "teacher")
    return site.zip()


@fuzz(content=mutated_parts([_site()], TOKENS))
def test_any_zip(content: bytes) -> None:
    registry = Registry()
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        try:
            for part in answer(RegistryRequest(path=file.name)):
                assert isinstance(part, Registry)
                registry.add(part)
        except UserError:
            return  # with a sentence
    sid = transaction.savepoint()
    connection = Connection.objects.create(kind=Connection.Kind.ONEROSTER, name="Registry", change_limit_percent=100)
    for _ in range(2):
        update_from_registry(connection=connection, registry=registry)
    transaction.savepoint_rollback(sid)
