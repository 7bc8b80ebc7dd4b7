"""How often each page and each answer of the API asks the database, `queries.csv`: a fixed number, however many rows
there are.

A new address is in it by itself. Where a number changes on purpose:
WRITE_QUERIES=1 .venv/bin/python -m pytest tests/campus/test_queries.py
"""

import csv
import os
from pathlib import Path

import pytest
from django.contrib.contenttypes.models import ContentType
from django.core.cache import cache
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from campus.attendance import statuses
from campus.common import jobs
from tests.campus.conftest import World
from tests.campus.permissions import Route, address, people, reader, routes, things
from tests.campus.rows import multiply

TABLE = Path(__file__).with_name("queries.csv")
FIELDS = ("address", "name", "queries")
READ = ("text/html", "application/json")
MORE = 4


@pytest.fixture(autouse=True)
def no_broker(settings):
    settings.BROKER_URL = "redis://127.0.0.1:1/0"
    jobs.producer.cache_clear()
    yield
    jobs.producer.cache_clear()


def asked(client: Client, where: str) -> int | None:
    """How many queries the page takes when nothing is remembered; None: there is no page."""
    cache.clear()
    statuses.clear_cache()
    ContentType.objects.clear_cache()
    with transaction.atomic():  # what a first visit writes is forgotten, too
        with CaptureQueriesContext(connection) as queries:
            response = client.get(where)
        transaction.set_rollback(True)
    return len(queries) if response.status_code == 200 and response.headers["Content-Type"].startswith(READ) else None


def counts(pages: dict[Route, str], clients: dict[str, Client]) -> dict[Route, int]:
    found = {route: asked(clients[who], where) for route, where in pages.items() if (who := reader(route))}
    return {route: n for route, n in found.items() if n is not None}


def test_no_page_asks_more_often_because_there_are_more_rows(world: World):
    keys, clients = things(world), people(world)
    for client in clients.values():
        client.defaults.pop("HTTP_AUTHORIZATION", None)
    listed = sorted(routes(), key=lambda route: (route.pattern, route.name))
    pages = {route: address(route, keys) for route in listed}
    few = counts(pages, clients)
    multiply(MORE)
    many = counts({route: pages[route] for route in few}, clients)
    grown = [f"{route.name}: {n}, then {many.get(route)}" for route, n in few.items() if many.get(route) != n]
    assert not grown, "\n".join(grown)

    now = [[route.pattern, route.name, str(n)] for route, n in many.items()]
    if os.environ.get("WRITE_QUERIES"):
        with TABLE.open("w", newline="") as file:
            csv.writer(file, lineterminator="\n").writerows([FIELDS, *now])
    with TABLE.open(newline="") as file:
        assert now == list(csv.reader(file))[1:], (
            "look at the difference; where it is meant, run this with WRITE_QUERIES=1"
        )
