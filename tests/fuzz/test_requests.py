"""JSON: whatever is sent to whatever address of the API, the server does not break."""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from django.conf import settings
from drf_spectacular.generators import SchemaGenerator
from hypothesis import strategies as st

from campus.common import jobs
from tests.campus.conftest import World, world
from tests.campus.permissions import VERBS, address, people, things
from tests.campus.test_odd_requests import api_routes, breaks
from tests.fuzz.fuzzing import fuzz

__all__ = ["world"]

SENT: dict[str, Any] = {}  # the client, and the addresses by their routes
TEXTS = st.text(max_size=30) | st.sampled_from(
    [
        *("", "\0", "\ud800", "2026-11-28", "0000-00-00", "9999-12-31T23:59:60Z", "25:61", "-1", "1e999", "../../x"),
        *("http://127.0.0.1/", "rtsp://a:b@c:99999/", "{0}", "%s", "=1+1", "x" * 5000, "\u0301" * 500, "[", "true"),
        *("00000000-0000-0000-0000-000000000000", "{camera}/{date:%Y}", "{" * 99, "(a+)+$", "a@b", "\u202e"),
    ]
)
NUMBERS = st.integers() | st.floats() | st.sampled_from([0, -1, 2**31, 2**63, 2**64, 10**400, 1e308])
VALUES = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=8,
)


@cache
def fields() -> list[str]:
    """The names of all fields that the API describes."""
    components = SchemaGenerator().get_schema(request=None, public=True)["components"]["schemas"]
    return sorted({name for schema in components.values() for name in schema.get("properties", {})})


@pytest.fixture(autouse=True)
def api(world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(settings, "BROKER_URL", "redis://127.0.0.1:1/0")
    jobs.producer.cache_clear()
    keys = things(world)
    routes = {route.name: address(route, keys) for route in api_routes()}
    SENT.update(client=people(world)["registrar"], addresses=sorted(set(routes.values())))
    yield
    SENT.clear()
    jobs.producer.cache_clear()


@fuzz(
    place=st.integers(0, 10_000),
    verb=st.sampled_from(VERBS[1:4]),
    body=st.dictionaries(st.deferred(lambda: st.sampled_from(fields())), VALUES, max_size=8) | VALUES,
)
def test_no_json_breaks_the_api(place: int, verb: Any, body: Any) -> None:
    where = SENT["addresses"][place % len(SENT["addresses"])]
    assert not breaks(SENT["client"], verb, where, body=json.dumps(body).encode("utf-8", "surrogatepass")), where
